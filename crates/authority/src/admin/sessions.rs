//! Sessions.

use ficha_store::{Revocation, RevokeReason, SessionFilter, SessionRecord};
use uuid::Uuid;

use super::{Admin, AdminError};
use crate::events::Event;

/// Which sessions are listed.
#[derive(Debug, Clone, Default)]
pub struct SessionQuery {
    /// Those of this user, by name.
    pub user: Option<String>,
    /// Those of this client.
    pub client: Option<String>,
    /// Only those that can still be used.
    pub live_only: bool,
    /// Go on after this one.
    pub after: Option<Uuid>,
    /// How many at most.
    pub limit: u64,
}

impl Admin {
    /// A page of sessions. Paged by key over an index, so the millionth page costs what the first does.
    pub async fn sessions(&self, query: SessionQuery) -> Result<Vec<SessionRecord>, AdminError> {
        let user = match &query.user {
            Some(name) => Some(self.user(name).await?.id),
            None => None,
        };
        let filter = SessionFilter { user, client: query.client, live_at: query.live_only.then(|| self.now()) };
        Ok(self.base.store.list_sessions(&filter, query.after, query.limit).await?)
    }

    /// One session.
    pub async fn session(&self, id: Uuid) -> Result<SessionRecord, AdminError> {
        let missing = || AdminError::NoSuch { kind: "session", name: id.to_string() };
        self.base.store.session(id).await?.ok_or_else(missing)
    }

    /// Ends one session. False: it had ended before.
    pub async fn revoke_session(&self, actor: &str, id: Uuid) -> Result<bool, AdminError> {
        let session = self.session(id).await?;
        let applied =
            self.base.store.revoke_batch(&[Revocation::Session(id, RevokeReason::Admin)], self.ending_now()).await?;
        self.publish(&applied.revoked);
        let newly = applied.newly.first().copied().unwrap_or(false);
        if newly {
            self.audit(Event::by(actor, "session.revoked").session_of(&session)).await?;
        }
        Ok(newly)
    }
}
