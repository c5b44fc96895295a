//! Sessions.

use ficha_store::{
    EventKind, NewEvent, Revocation, RevokeReason, SessionFilter, SessionRecord, SessionState, StoreError, Target,
};
use uuid::Uuid;

use super::powers::{Access, Area};
use super::{Actor, Admin, AdminError};

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
    pub async fn sessions(&self, actor: &Actor, query: SessionQuery) -> Result<Vec<SessionRecord>, AdminError> {
        actor.require(Access::Read, Area::Sessions)?;
        let filter = self.filter(&query).await?;
        let page = self.base.store.list_sessions(&filter, query.after, query.limit).await?;
        if page.is_empty() && query.after.is_none() {
            self.require_client(query.client.as_deref()).await?;
        }
        Ok(page)
    }

    /// How many sessions there are, whatever `after` and `limit` say.
    pub async fn count_sessions(&self, actor: &Actor, query: SessionQuery) -> Result<u64, AdminError> {
        actor.require(Access::Read, Area::Sessions)?;
        let count = self.base.store.count_sessions(&self.filter(&query).await?).await?;
        if count == 0 {
            self.require_client(query.client.as_deref()).await?;
        }
        Ok(count)
    }

    async fn filter(&self, query: &SessionQuery) -> Result<SessionFilter, AdminError> {
        let user = match &query.user {
            Some(name) => Some(self.user_in_list(name).await?.id),
            None => None,
        };
        Ok(SessionFilter { user, client: query.client.clone(), live_at: query.live_only.then(|| self.now()) })
    }

    /// A client without sessions may be misspelt. One with sessions may have been deleted.
    async fn require_client(&self, id: Option<&str>) -> Result<(), AdminError> {
        match id {
            Some(id) => self.find_client(id).await.map(drop),
            None => Ok(()),
        }
    }

    /// One session.
    pub async fn session(&self, actor: &Actor, id: Uuid) -> Result<SessionRecord, AdminError> {
        actor.require(Access::Read, Area::Sessions)?;
        let missing = || AdminError::NoSuch { kind: "session", name: id.to_string() };
        self.base.store.session(id).await?.ok_or_else(missing)
    }

    /// Ends one session. False if it had ended before.
    pub async fn revoke_session(&self, actor: &Actor, id: Uuid) -> Result<bool, AdminError> {
        actor.require(Access::Write, Area::Sessions)?;
        match self.base.store.session_and_state(id, self.now()).await? {
            None => return Err(AdminError::NoSuch { kind: "session", name: id.to_string() }),
            Some((_, SessionState::Purged)) => return self.deny_purged(actor, id).await.map(|()| false),
            Some(_) => {}
        }
        let event = NewEvent::new(EventKind::SessionRevoked, &self.cause(actor));
        let revocation = Revocation { target: Target::Session(id, RevokeReason::Admin), event };
        let newly = self.revocations.submit(revocation).await?.ok_or(StoreError::ActorEnded)?;
        if newly {
            self.metrics.revocations.count();
        }
        Ok(newly)
    }

    /// A session that a purge has ended keeps that reason. Its tokens are denied all the same: signed with a shared
    /// secret, they outlive the purge.
    async fn deny_purged(&self, actor: &Actor, id: Uuid) -> Result<(), AdminError> {
        let event = NewEvent::new(EventKind::SessionsRevoked, &self.cause(actor));
        let denied = self.base.store.revoke_sessions(&[id], RevokeReason::Admin, &event, self.ending_now()).await?;
        self.finish(denied).await.map(drop)
    }
}
