//! What users may do about themselves.

use std::collections::HashSet;

use ficha_store::{
    Direction, EventKind, NewEvent, RevokeReason, SessionRange, SessionRecord, SessionState, UserRecord,
};
use uuid::Uuid;

use super::session_search::{PageFrom, SessionPage};
use super::{Actor, Admin, AdminError};
use crate::admin::Sight;

/// How many sessions one transaction ends.
const SESSIONS_A_STEP: usize = 500;

impl Admin {
    /// The user who asks.
    pub async fn own_user(&self, actor: &Actor) -> Result<UserRecord, AdminError> {
        let id = own_id(actor)?;
        let missing = || AdminError::NoSuch { kind: "user", name: id.to_string() };
        self.base.store.user_by_id(id).await?.ok_or_else(missing)
    }

    /// A page of their sessions, the newest first, whatever became of them.
    pub async fn own_sessions(&self, actor: &Actor, from: PageFrom, limit: u64) -> Result<SessionPage, AdminError> {
        let mut range = SessionRange { user: Some(own_id(actor)?), ..SessionRange::default() };
        let direction = match from {
            PageFrom::Newest => Direction::NewestFirst,
            PageFrom::OlderThan(id) => {
                range.older_than = Some(id);
                Direction::NewestFirst
            }
            PageFrom::NewerThan(id) => {
                range.newer_than = Some(id);
                Direction::OldestFirst
            }
        };
        let mut sessions = self.with_states(self.base.store.scan_sessions(&range, direction, limit + 1).await?).await?;
        let more = sessions.len() as u64 > limit;
        sessions.truncate(limit as usize);
        let further = |sessions: &[(SessionRecord, SessionState)]| {
            sessions.last().map(|(session, _)| session.id).filter(|_| more)
        };
        let last = further(&sessions);
        if direction == Direction::OldestFirst {
            sessions.reverse();
            let next = sessions.last().map(|(session, _)| session.id);
            return Ok(SessionPage { sessions, next, previous: last, scanned: None });
        }
        let previous = sessions.first().map(|(session, _)| session.id).filter(|_| from != PageFrom::Newest);
        Ok(SessionPage { sessions, next: last, previous, scanned: None })
    }

    /// Ends one of their sessions. False if it had ended before. Of another's, it is not told that it is there.
    pub async fn revoke_own_session(&self, actor: &Actor, id: Uuid) -> Result<bool, AdminError> {
        let own = own_id(actor)?;
        let missing = || AdminError::NoSuch { kind: "session", name: id.to_string() };
        let session = self.base.store.session(id).await?.filter(|session| session.user_id == Some(own));
        let session = session.ok_or_else(missing)?;
        let event = NewEvent::new(EventKind::SessionRevoked, &self.cause(actor)).user(own);
        let event = event.session(id).client(&session.client_id);
        let ended = self.base.store.revoke_sessions(&[id], RevokeReason::Logout, &event, self.ending_now()).await?;
        let is_new = self.finish(ended).await? == 1;
        self.metrics.revocations.add(u64::from(is_new));
        Ok(is_new)
    }

    /// Ends all their sessions but the one that asks. Returns how many.
    pub async fn revoke_other_sessions(&self, actor: &Actor) -> Result<u64, AdminError> {
        let own = own_id(actor)?;
        let mut range = SessionRange { user: Some(own), ..SessionRange::default() };
        let event = NewEvent::new(EventKind::SessionsRevoked, &self.cause(actor)).user(own);
        let (mut ended, mut seen) = (0, HashSet::new());
        loop {
            let page = self.base.store.scan_sessions(&range, Direction::NewestFirst, SESSIONS_A_STEP as u64).await?;
            let is_last = page.len() < SESSIONS_A_STEP;
            range.older_than = page.last().map(|session| session.id);
            let ids = page.iter().map(|session| session.id).filter(|id| actor.session() != Some(*id));
            let ids: Vec<Uuid> = ids.filter(|id| seen.insert(*id)).collect();
            let revoked =
                self.base.store.revoke_sessions(&ids, RevokeReason::Logout, &event, self.ending_now()).await?;
            ended += self.finish(revoked).await?;
            if is_last {
                self.metrics.revocations.add(ended);
                return Ok(ended);
            }
        }
    }

    pub(super) async fn with_states(
        &self,
        sessions: Vec<SessionRecord>,
    ) -> Result<Vec<(SessionRecord, SessionState)>, AdminError> {
        let (now, epoch) = (self.now(), self.base.store.head().await?.epoch);
        let state = |session: SessionRecord| {
            let state = session.state(now, epoch);
            (session, state)
        };
        Ok(sessions.into_iter().map(state).collect())
    }
}

/// The id of the signed-in user; what is here is only about their own account.
fn own_id(actor: &Actor) -> Result<Uuid, AdminError> {
    match actor.sight_of_own()? {
        Sight::Own(id) => Ok(id),
        Sight::All | Sight::Named(..) => Err(AdminError::Forbidden("this is about users themselves".into())),
    }
}
