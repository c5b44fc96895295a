//! Who administers, and what they may do.

use ficha_store::{Cause, ClientRecord, EventActor, JobKind, UserRecord};
use ficha_token::Scope;
use uuid::Uuid;

use super::AdminError;
use super::clients::may_touch;
use super::event_search::Sight;
use super::powers::{Access, Area, allows, covers, events_of, jobs_of};
use crate::request_source::RequestSource;
use crate::settings::ACCOUNT_SCOPE;

/// Who administers: recorded with every change, and asked about before it.
#[derive(Debug, Clone)]
pub struct Actor {
    who: EventActor,
    source: RequestSource,
    powers: Powers,
    session: Option<Uuid>,
}

#[derive(Debug, Clone)]
enum Powers {
    /// Who can read the database's file or URL and the master key needs no permission.
    Everything,
    /// These scopes.
    Scopes(Scope),
}

impl Actor {
    /// A command on the server's own machine, run by this account of the operating system.
    pub fn command_line(account: &str) -> Self {
        let who = EventActor::Cli { name: account.to_owned() };
        Self { who, source: RequestSource::default(), powers: Powers::Everything, session: None }
    }

    /// A part of the server that acts by itself, such as `rotate_after`.
    pub fn server(part: &str) -> Self {
        let who = EventActor::Server { name: part.to_owned() };
        Self { who, source: RequestSource::default(), powers: Powers::Everything, session: None }
    }

    /// A user whose token has these scopes.
    pub fn user(id: Uuid, name: &str, scopes: &Scope, source: RequestSource) -> Self {
        let who = EventActor::User { id, name: Some(name.to_owned()) };
        Self { who, source, powers: Powers::Scopes(scopes.clone()), session: None }
    }

    /// A client whose own token has these scopes.
    pub fn client(id: &str, scopes: &Scope, source: RequestSource) -> Self {
        Self {
            who: EventActor::Client { id: id.to_owned() },
            source,
            powers: Powers::Scopes(scopes.clone()),
            session: None,
        }
    }

    /// The cause of what it does at `at`, in Unix milliseconds.
    pub(crate) fn cause(&self, at: i64) -> Cause {
        Cause { session: self.session, ..self.source.cause(self.who.clone(), at) }
    }

    /// The session to which its token belongs: once that has ended, nothing is changed any more.
    pub fn in_session(self, session: Uuid) -> Self {
        Self { session: Some(session), ..self }
    }

    /// The session to which its token belongs.
    pub fn session(&self) -> Option<Uuid> {
        self.session
    }

    /// Refuses who may not see sessions. Every rule asks by itself; this is for looking at a request's parameters only
    /// after that.
    pub fn require_seeing_sessions(&self) -> Result<(), AdminError> {
        self.require(Access::Read, Area::Sessions)
    }

    /// The same for ending sessions.
    pub fn require_ending_sessions(&self) -> Result<(), AdminError> {
        self.require(Access::Write, Area::Sessions)
    }

    /// The same for seeing users.
    pub fn require_seeing_users(&self) -> Result<(), AdminError> {
        self.require(Access::Read, Area::Users)
    }

    /// The same for changing users.
    pub fn require_changing_users(&self) -> Result<(), AdminError> {
        self.require(Access::Write, Area::Users)
    }

    /// The same for changing this user, who may hold rights that the actor lacks.
    pub fn require_changing_user(&self, user: &UserRecord) -> Result<(), AdminError> {
        self.require_changing_users()?;
        self.require_scopes_of(&user.scopes)
    }

    /// The same for ending all sessions of this user.
    pub fn require_ending_sessions_of(&self, user: &UserRecord) -> Result<(), AdminError> {
        self.require_ending_sessions().or_else(|refused| {
            self.require_changing_users().map_err(|_| refused)?;
            self.require_scopes_of(&user.scopes)
        })
    }

    /// The same for seeing clients.
    pub fn require_seeing_clients(&self) -> Result<(), AdminError> {
        self.require(Access::Read, Area::Clients)
    }

    /// The same for changing clients.
    pub fn require_changing_clients(&self) -> Result<(), AdminError> {
        self.require(Access::Write, Area::Clients)
    }

    /// The same for changing this client, which may obtain rights that the actor lacks.
    pub fn require_changing_client(&self, client: &ClientRecord) -> Result<(), AdminError> {
        self.require_changing_clients()?;
        may_touch(self, client)
    }

    /// The same for changing scopes.
    pub fn require_changing_scopes(&self) -> Result<(), AdminError> {
        self.require(Access::Write, Area::Scopes)
    }

    /// The same for changing keys.
    pub fn require_changing_keys(&self) -> Result<(), AdminError> {
        self.require(Access::Write, Area::Keys)
    }

    /// The same for seeing who follows the denylist.
    pub fn require_seeing_resource_servers(&self) -> Result<(), AdminError> {
        self.require(Access::Read, Area::ResourceServers)
    }

    /// The same for seeing keys.
    pub fn require_seeing_keys(&self) -> Result<(), AdminError> {
        self.require(Access::Read, Area::Keys)
    }

    /// The same for seeing scopes.
    pub fn require_seeing_scopes(&self) -> Result<(), AdminError> {
        self.require(Access::Read, Area::Scopes)
    }

    /// The name of the user or client.
    pub(crate) fn name(&self) -> Option<&str> {
        match &self.who {
            EventActor::User { name, .. } => name.as_deref(),
            EventActor::Client { id } => Some(id),
            EventActor::Cli { name } | EventActor::Server { name } => Some(name),
            EventActor::Anonymous => None,
        }
    }

    /// Whom its requests belong to, whatever their session: unique among users and clients.
    pub(crate) fn owner(&self) -> String {
        match &self.who {
            EventActor::User { id, .. } => format!("user {id}"),
            EventActor::Client { id } => format!("client {id}"),
            other => format!("{} {}", other.kind(), other.name().unwrap_or_default()),
        }
    }

    /// The user, if it is one.
    pub fn user_id(&self) -> Option<Uuid> {
        match &self.who {
            EventActor::User { id, .. } => Some(*id),
            _ => None,
        }
    }

    /// The beginnings of the names of events that it may see as they happen, if not all.
    pub(crate) fn events_by_name(&self) -> Vec<&'static str> {
        match &self.powers {
            Powers::Everything => Vec::new(),
            Powers::Scopes(scopes) => events_of(scopes),
        }
    }

    /// Only what is about this user.
    pub fn sight_of_own(&self) -> Result<Sight, AdminError> {
        self.own_sight().ok_or_else(|| AdminError::Forbidden("this needs the scope ficha:account of a user".into()))
    }

    /// The sight of a user who may see what is about themselves.
    pub(crate) fn own_sight(&self) -> Option<Sight> {
        match &self.powers {
            Powers::Scopes(scopes) if scopes.contains(ACCOUNT_SCOPE) => self.user_id().map(Sight::Own),
            _ => None,
        }
    }

    /// The kinds of jobs that it may read or stop. Refuses who may not look at jobs.
    pub(crate) fn job_kinds(&self, access: Access) -> Result<Vec<JobKind>, AdminError> {
        let kinds = match &self.powers {
            Powers::Everything => Some(JobKind::ALL.to_vec()),
            Powers::Scopes(scopes) => jobs_of(scopes, access),
        };
        kinds.ok_or_else(|| AdminError::Forbidden(format!("this needs a scope that may {access} jobs")))
    }

    /// Refuses who may not see jobs, before a request's parameters are looked at.
    pub fn require_seeing_jobs(&self) -> Result<(), AdminError> {
        self.job_kinds(Access::Read).map(drop)
    }

    /// The same for stopping them.
    pub fn require_stopping_jobs(&self) -> Result<(), AdminError> {
        self.job_kinds(Access::Write).map(drop)
    }

    /// Refuses what the table does not allow.
    pub(crate) fn require(&self, access: Access, area: Area) -> Result<(), AdminError> {
        match &self.powers {
            Powers::Everything => Ok(()),
            Powers::Scopes(scopes) if allows(scopes, access, area) => Ok(()),
            Powers::Scopes(_) => Err(AdminError::Forbidden(format!("this needs a scope that may {access} {area}"))),
        }
    }

    /// Refuses to touch what holds, gets or may obtain one of the server's own scopes that this actor lacks: a change
    /// of its password, secret or rights would be a way to that scope.
    pub(crate) fn require_scopes_of(&self, whose: &Scope) -> Result<(), AdminError> {
        let Powers::Scopes(own) = &self.powers else { return Ok(()) };
        match whose.iter().find(|name| !covers(own, name)) {
            Some(name) => Err(AdminError::Forbidden(format!("this needs the scope {name} too"))),
            None => Ok(()),
        }
    }

    /// The same for what may obtain any scope that a user has.
    pub(crate) fn require_any_scope(&self) -> Result<(), AdminError> {
        match &self.powers {
            Powers::Everything => Ok(()),
            Powers::Scopes(own) if covers(own, crate::settings::ADMIN_SCOPE) => Ok(()),
            Powers::Scopes(_) => Err(AdminError::Forbidden("this needs the scope ficha:admin too".into())),
        }
    }
}
