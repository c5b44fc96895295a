//! Sessions.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use ficha_authority::{Began, PageFrom, RevokeMatching, SessionRecord, SessionState};
use ficha_client::admin::{Revoked, Session, SessionFilter};
use ficha_server::views::{receipt_view, session_view};
use serde_json::json;
use uuid::Uuid;

use super::jobs::{changed, job_id};
use super::{Place, asked, id, shown};
use crate::admin_context::{AdminContext, actor};
use crate::ask;
use crate::error::CliError;
use crate::input_error::InputError;
use crate::remote::Remote;

/// How many sessions are read and printed at a time.
const PAGE: u64 = 1_000;

/// Some sessions of a list, and where the next ones begin.
pub struct SessionPart {
    pub sessions: Vec<Session>,
    pub next: Option<String>,
}

/// Which sessions are to end.
pub enum Which {
    /// This one.
    One(Uuid),
    /// All of a user.
    OfUser(String),
    /// All of a client.
    OfClient(String),
    /// All that fit these filters.
    Fitting(Vec<(String, String)>),
}

impl Place {
    /// One session.
    pub async fn session(&self, id: Uuid) -> Result<Session, CliError> {
        match self {
            Self::Here(context) => {
                let found = context.admin.session_and_state(&actor(), id).await?;
                Ok(seen(context, vec![found]).await?.remove(0))
            }
            Self::There(remote) => Ok(remote.client.session(&id.to_string()).await?),
        }
    }

    /// At most `left` sessions that fit these filters, the newest first.
    pub async fn sessions(
        &self,
        filters: &[(String, String)],
        after: Option<&str>,
        left: u64,
    ) -> Result<SessionPart, CliError> {
        match self {
            Self::Here(context) => {
                let search = ficha_server::session_search(filters.to_vec()).map_err(InputError::Filter)?;
                let from = after.map(id).transpose()?.map_or(PageFrom::Newest, PageFrom::OlderThan);
                let page = context.admin.search_sessions(&actor(), &search, from, PAGE.min(left)).await?;
                let next = page.next.map(|id| id.to_string());
                Ok(SessionPart { sessions: seen(context, page.sessions).await?, next })
            }
            Self::There(remote) => {
                let page = remote.client.sessions(&filter(filters), after, asked(left)).await?;
                Ok(SessionPart { sessions: page.items, next: page.next })
            }
        }
    }

    /// How many sessions fit these filters.
    pub async fn count_sessions(&self, filters: &[(String, String)]) -> Result<u64, CliError> {
        let (mut count, mut after) = (0, None::<String>);
        if let Self::There(remote) = self
            && let Some(counted) = remote.client.count_sessions(&filter(filters)).await?
        {
            return Ok(counted);
        }
        loop {
            // Names are not looked up for a number.
            let (read, next) = match self {
                Self::Here(context) => {
                    let search = ficha_server::session_search(filters.to_vec()).map_err(InputError::Filter)?;
                    let from = after.as_deref().map(id).transpose()?.map_or(PageFrom::Newest, PageFrom::OlderThan);
                    let page = context.admin.search_sessions(&actor(), &search, from, PAGE).await?;
                    (page.sessions.len(), page.next.map(|id| id.to_string()))
                }
                Self::There(_) => {
                    let part = self.sessions(filters, after.as_deref(), u64::MAX).await?;
                    (part.sessions.len(), part.next)
                }
            };
            count += read as u64;
            after = next;
            if after.is_none() {
                return Ok(count);
            }
        }
    }

    /// Ends sessions, and waits for the services that check their tokens. `yes` answers the question how many.
    pub async fn revoke(&self, which: Which, wait: Option<Duration>, yes: bool) -> Result<Revoked, CliError> {
        match self {
            Self::Here(context) => revoke_here(self, context, which, wait, yes).await,
            Self::There(remote) => revoke_there(self, remote, which, wait, yes).await,
        }
    }
}

async fn revoke_here(
    place: &Place,
    context: &AdminContext,
    which: Which,
    wait: Option<Duration>,
    yes: bool,
) -> Result<Revoked, CliError> {
    let (admin, actor) = (&context.admin, actor());
    let mut what = RevokeMatching::default();
    if let Which::Fitting(filters) = &which {
        what.search = ficha_server::session_search(filters.clone()).map_err(InputError::Filter)?;
        let found = admin.preview_matching(&actor, &what).await?;
        what.expected = found.matched;
        ask::confirm(&format!("{}; they end now.", fitting(found.open)), yes)?;
    }
    let began = Began::now();
    let (matched, revoked) = match which {
        Which::One(id) => (1, u64::from(admin.revoke_session(&actor, id).await?)),
        Which::OfUser(user) => both(admin.revoke_user(&actor, &user).await?),
        Which::OfClient(client) => both(admin.revoke_client(&actor, &client).await?),
        Which::Fitting(_) => {
            let done = admin.revoke_matching(&actor, &what).await?;
            match done.job {
                Some(id) => (done.matched, changed(&place.wait_for_job(id).await?)),
                None => (done.matched, done.revoked),
            }
        }
    };
    let receipt = match wait {
        Some(wait) => Some(receipt_view(admin.receipt(began, wait).await)),
        None => None,
    };
    shown(json!({ "matched": matched, "revoked": revoked, "receipt": receipt }))
}

async fn revoke_there(
    place: &Place,
    remote: &Remote,
    which: Which,
    wait: Option<Duration>,
    yes: bool,
) -> Result<Revoked, CliError> {
    let mut done = match which {
        Which::One(id) => remote.client.revoke_session(&id.to_string(), wait).await?,
        Which::OfUser(user) => {
            let done = remote.revoke_all_of(SessionFilter::new().with("user", user.as_str()), wait).await?;
            if done.matched == 0 {
                // Ends nothing, and refuses a user who does not exist: not everybody who may end sessions may look.
                remote.client.act_on_user(&user, "revoke-sessions", None).await?;
            }
            done
        }
        Which::OfClient(client) => {
            let done = remote.revoke_all_of(SessionFilter::new().with("client", client.as_str()), wait).await?;
            if done.matched == 0 {
                remote.require_client(&client).await?;
            }
            done
        }
        Which::Fitting(filters) => {
            let confirm = |count| {
                // The server does not say how many of them have ended before.
                let what = "some may have ended before, and your own is spared; the others end now";
                ask::confirm(&format!("At {}: {}; {what}.", remote.issuer(), fitting(count)), yes)
            };
            remote.revoke_confirmed(&filter(&filters), wait, confirm).await?
        }
    };
    if let Some(id) = done.job.take() {
        let job = place.wait_for_job(job_id(&id)?).await?;
        (done.matched, done.revoked) = (job.total, changed(&job));
    }
    Ok(done)
}

fn both(sessions: u64) -> (u64, u64) {
    (sessions, sessions)
}

fn fitting(count: u64) -> String {
    if count == 1 { "1 session fits".into() } else { format!("{count} sessions fit") }
}

fn filter(filters: &[(String, String)]) -> SessionFilter {
    filters.iter().fold(SessionFilter::new(), |all, (name, value)| all.with(name, value))
}

/// Sessions with the names of their users, and of those who ended them. A user who was deleted has no name any more.
async fn seen(context: &AdminContext, sessions: Vec<(SessionRecord, SessionState)>) -> Result<Vec<Session>, CliError> {
    let users: HashSet<Uuid> = sessions.iter().filter_map(|(session, _)| session.user_id).collect();
    let users: Vec<Uuid> = users.into_iter().collect();
    let names: HashMap<Uuid, String> = context.admin.user_names(&actor(), &users).await?.into_iter().collect();
    let ended = sessions.iter().filter(|(session, _)| session.revoked.is_some()).map(|(session, _)| session.id);
    let mut by = context.admin.ended_by(&actor(), &ended.collect::<Vec<_>>()).await?;
    let view = |(session, state): (SessionRecord, SessionState)| {
        let name = session.user_id.and_then(|id| names.get(&id).cloned());
        let by = by.remove(&session.id);
        shown(session_view(session, state, name, by))
    };
    sessions.into_iter().map(view).collect()
}
