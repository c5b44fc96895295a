//! How a session is shown.

use std::collections::{HashMap, HashSet};

use ficha_authority::{SessionRecord, SessionState};
use serde::Serialize;
use uuid::Uuid;

use crate::admin_context::{AdminContext, actor};
use crate::error::CliError;
use crate::output::time;

/// A session as shown. What a server elsewhere does not tell is missing.
#[derive(Serialize)]
pub struct Shown {
    pub id: String,
    pub state: String,
    pub user: Option<String>,
    pub client_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    pub scope: String,
    pub roles: Vec<String>,
    pub audience: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub generation: Option<i64>,
    pub created_at: String,
    pub rotated_at: String,
    pub idle_expires_at: String,
    pub expires_at: String,
    pub revoked_at: Option<String>,
    pub address: Option<String>,
    pub user_agent: Option<String>,
    pub amr: Vec<String>,
    pub acr: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub auth_time: Option<String>,
}

/// Converts rows for display, with the names of their users.
pub struct Viewer<'a> {
    context: &'a AdminContext,
    now: i64,
    epoch: i64,
    users: HashMap<Uuid, String>,
}

/// How many names are remembered.
const MOST_NAMES: usize = 20_000;

impl<'a> Viewer<'a> {
    pub async fn new(context: &'a AdminContext) -> Result<Self, CliError> {
        let epoch = context.base.store.head().await?.epoch;
        Ok(Self { context, now: context.now(), epoch, users: HashMap::new() })
    }

    /// The sessions as shown.
    pub async fn show(&mut self, sessions: &[SessionRecord]) -> Result<Vec<Shown>, CliError> {
        self.look_up(sessions).await?;
        Ok(sessions.iter().map(|session| self.shown(session)).collect())
    }

    fn shown(&self, session: &SessionRecord) -> Shown {
        Shown {
            id: session.id.to_string(),
            state: self.state(session),
            user: session.user_id.and_then(|id| self.users.get(&id).cloned()),
            client_id: session.client_id.clone(),
            subject: Some(session.subject.to_string()),
            scope: session.scopes.to_string(),
            roles: session.roles.clone(),
            audience: session.audience.clone(),
            generation: Some(session.generation),
            created_at: time(session.created_at),
            rotated_at: time(session.rotated_at),
            idle_expires_at: time(session.idle_expires_at),
            expires_at: time(session.expires_at),
            revoked_at: session.revoked.map(|(at, _)| time(at)),
            address: session.address.clone(),
            user_agent: session.user_agent.clone(),
            amr: session.authentication.as_ref().map(|how| how.amr.clone()).unwrap_or_default(),
            acr: session.authentication.as_ref().and_then(|how| how.acr.clone()),
            auth_time: Some(time(session.auth_time())),
        }
    }

    fn state(&self, session: &SessionRecord) -> String {
        match session.state(self.now, self.epoch) {
            SessionState::Revoked(reason) => format!("revoked: {}", reason.as_str()),
            SessionState::Purged => "revoked: purge".into(),
            SessionState::Expired => "expired".into(),
            SessionState::Live => "live".into(),
        }
    }

    /// Reads the names that are not known yet. A user who was deleted has none any more.
    async fn look_up(&mut self, sessions: &[SessionRecord]) -> Result<(), CliError> {
        if self.users.len() > MOST_NAMES {
            self.users.clear();
        }
        let ids = sessions.iter().filter_map(|session| session.user_id);
        let unknown: HashSet<Uuid> = ids.filter(|id| !self.users.contains_key(id)).collect();
        let unknown: Vec<Uuid> = unknown.into_iter().collect();
        self.users.extend(self.context.admin.user_names(&actor(), &unknown).await?);
        Ok(())
    }
}
