//! Sessions.

use ficha_store::{Revocation, RevokeReason, SessionFilter, SessionRecord};
use uuid::Uuid;

use super::{Admin, AdminError};
use crate::events::Event;

/// Which sessions are listed.
#[derive(Debug, Clone, Default)]
pub struct SessionQuery {
    /// Sessions of the user with this name.
    pub user: Option<String>,
    /// Sessions of this client.
    pub client: Option<String>,
    /// Only sessions that can still be used.
    pub live_only: bool,
    /// Continue after this session.
    pub after: Option<Uuid>,
    /// The most sessions in the page.
    pub limit: u64,
}

impl Admin {
    /// A page of sessions. Pages go by key over an index, so the millionth page costs no more than the first.
    pub async fn sessions(&self, query: SessionQuery) -> Result<Vec<SessionRecord>, AdminError> {
        let user = match &query.user {
            Some(name) => Some(self.user(name).await?.id),
            None => None,
        };
        let filter = self.filter(&query, user);
        let page = self.base.store.list_sessions(&filter, query.after, query.limit).await?;
        if page.is_empty() && query.after.is_none() {
            self.require_client(query.client.as_deref()).await?;
        }
        Ok(page)
    }

    /// How many sessions there are, whatever `after` and `limit` say.
    pub async fn count_sessions(&self, query: SessionQuery) -> Result<u64, AdminError> {
        let user = match &query.user {
            Some(name) => Some(self.user(name).await?.id),
            None => None,
        };
        let count = self.base.store.count_sessions(&self.filter(&query, user)).await?;
        if count == 0 {
            self.require_client(query.client.as_deref()).await?;
        }
        Ok(count)
    }

    fn filter(&self, query: &SessionQuery, user: Option<Uuid>) -> SessionFilter {
        SessionFilter { user, client: query.client.clone(), live_at: query.live_only.then(|| self.now()) }
    }

    /// A client without sessions may be misspelt. One with sessions may have been deleted.
    async fn require_client(&self, id: Option<&str>) -> Result<(), AdminError> {
        match id {
            Some(id) => self.client(id).await.map(drop),
            None => Ok(()),
        }
    }

    /// One session.
    pub async fn session(&self, id: Uuid) -> Result<SessionRecord, AdminError> {
        let missing = || AdminError::NoSuch { kind: "session", name: id.to_string() };
        self.base.store.session(id).await?.ok_or_else(missing)
    }

    /// Ends one session. False if it had ended before.
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
