//! Ending all sessions that a filter fits: what the same filter lists.

use std::collections::HashSet;

use ficha_store::{EventKind, NewEvent, RevokeReason};
use serde_json::json;
use uuid::Uuid;

use super::powers::{Access, Area};
use super::session_search::SessionSearch;
use super::{Actor, Admin, AdminError};

/// How many sessions one transaction ends.
const SESSIONS_A_STEP: usize = 500;
/// How many sessions one request ends, at most.
const MOST: usize = 10_000;
/// How many ids one request names, at most.
const MOST_IDS: usize = 1_000;

/// Which sessions are ended.
#[derive(Debug, Clone, Default)]
pub struct RevokeMatching {
    /// Those that fit this.
    pub search: SessionSearch,
    /// Only these of them; `None`: all.
    pub ids: Option<Vec<Uuid>>,
    /// All but these.
    pub except: Vec<Uuid>,
    /// Also the session of who asks.
    pub include_self: bool,
    /// How many there were when they were looked at: if there are more by now, nothing is done.
    pub expected: u64,
    /// Why, for the event.
    pub reason: Option<String>,
}

/// What became of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RevokedMatching {
    /// How many sessions fitted.
    pub matched: u64,
    /// How many of them this has ended; the others had ended before.
    pub revoked: u64,
}

impl Admin {
    /// How many sessions [`Admin::revoke_matching`] would be about.
    pub async fn count_matching(&self, actor: &Actor, what: &RevokeMatching) -> Result<u64, AdminError> {
        actor.require(Access::Write, Area::Sessions)?;
        Ok(self.matching(actor, what).await?.len() as u64)
    }

    /// Ends all sessions that fit, a part per transaction. What is created meanwhile is not among them.
    pub async fn revoke_matching(&self, actor: &Actor, what: &RevokeMatching) -> Result<RevokedMatching, AdminError> {
        actor.require(Access::Write, Area::Sessions)?;
        let ids = self.matching(actor, what).await?;
        let matched = ids.len() as u64;
        if matched > what.expected {
            let expected = what.expected;
            return Err(AdminError::Conflict(format!("{matched} sessions fit by now, and {expected} were expected")));
        }
        let event = NewEvent::new(EventKind::SessionsRevoked, &self.cause(actor));
        let event = match &what.reason {
            Some(why) => event.detail(json!({ "why": why })),
            None => event,
        };
        let mut revoked = 0;
        for part in ids.chunks(SESSIONS_A_STEP) {
            let ended = self.base.store.revoke_sessions(part, RevokeReason::Admin, &event, self.ending_now()).await?;
            revoked += self.finish(ended).await?;
        }
        self.metrics.revocations.add(revoked);
        Ok(RevokedMatching { matched, revoked })
    }

    /// The sessions that fit, by the filter of the list.
    async fn matching(&self, actor: &Actor, what: &RevokeMatching) -> Result<Vec<Uuid>, AdminError> {
        let SessionSearch { user, client, address, .. } = &what.search;
        if user.is_none() && client.is_none() && address.is_none() && what.ids.is_none() {
            let why = "name a user, a client, an address or ids; to end every session, purge the keys";
            return Err(AdminError::Invalid(why.into()));
        }
        if what.ids.as_ref().is_some_and(|ids| ids.len() > MOST_IDS) {
            return Err(AdminError::Invalid(format!("at most {MOST_IDS} ids can be named")));
        }
        let mut spared: HashSet<Uuid> = what.except.iter().copied().collect();
        spared.extend(actor.session().filter(|_| !what.include_self));
        let found = match &what.ids {
            Some(ids) => self.fitting_of(actor, &what.search, ids).await?,
            None => self.all_fitting(actor, &what.search, MOST + spared.len()).await?,
        };
        let mut found: Vec<Uuid> = found.into_iter().filter(|id| !spared.contains(id)).collect();
        // Their own comes last: without it, nothing more would be ended.
        found.sort_by_key(|id| actor.session() == Some(*id));
        if found.len() > MOST {
            return Err(AdminError::Invalid(format!(
                "more than {MOST} sessions fit: narrow the filter, or revoke the whole user or client"
            )));
        }
        Ok(found)
    }
}
