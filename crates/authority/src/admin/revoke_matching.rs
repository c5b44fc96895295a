//! Ending all sessions that a filter fits: what the same filter lists.

use std::collections::{HashMap, HashSet};

use ficha_store::{Cause, EventKind, JobKind, NewEvent, RevokeReason};
use serde_json::json;
use uuid::Uuid;
use zeroize::Zeroizing;

use super::job_work::packed;
use super::jobs::JobInput;
use super::powers::{Access, Area};
use super::session_filter::SessionSearch;
use super::session_search::Fitting;
use super::{Actor, Admin, AdminError};

/// How many sessions one transaction ends.
const SESSIONS_A_STEP: usize = 500;
/// How many sessions one request ends by itself; more are a job.
const MOST_AT_ONCE: usize = 10_000;
/// How many sessions may fit, at most.
const MOST: usize = 2_000_000;
/// How many users a preview names, at most.
const MOST_NAMED: usize = 10;
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

/// What would become of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RevokePreview {
    /// How many sessions fit: what is expected.
    pub matched: u64,
    /// How many of them have not been ended before, and would be now.
    pub open: u64,
    /// Whose these are, with how many each: the users with most of them, at most ten.
    pub users: Vec<(Uuid, u64)>,
    /// How many other users have some.
    pub other_users: u64,
    /// How many of them are of clients that act for themselves.
    pub of_clients: u64,
}

/// What became of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RevokedMatching {
    /// How many sessions fitted.
    pub matched: u64,
    /// How many of them this has ended; the others had ended before.
    pub revoked: u64,
    /// They are many: this job ends them.
    pub job: Option<Uuid>,
}

impl Admin {
    /// How many sessions [`Admin::revoke_matching`] would be about.
    pub async fn count_matching(&self, actor: &Actor, what: &RevokeMatching) -> Result<u64, AdminError> {
        actor.require(Access::Write, Area::Sessions)?;
        Ok(self.matching(actor, what).await?.len() as u64)
    }

    /// The same; and how many of them have not been revoked before, so that they would be now, and whose they are.
    pub async fn preview_matching(&self, actor: &Actor, what: &RevokeMatching) -> Result<RevokePreview, AdminError> {
        actor.require(Access::Write, Area::Sessions)?;
        let found = self.matching(actor, what).await?;
        let (mut open, mut of_clients, mut users) = (0, 0, HashMap::<Uuid, u64>::new());
        for one in found.iter().filter(|one| one.is_open) {
            open += 1;
            match one.user {
                Some(user) => *users.entry(user).or_default() += 1,
                None => of_clients += 1,
            }
        }
        let mut users: Vec<_> = users.into_iter().collect();
        users.sort_unstable_by_key(|(user, count)| (std::cmp::Reverse(*count), *user));
        let other_users = users.len().saturating_sub(MOST_NAMED) as u64;
        users.truncate(MOST_NAMED);
        Ok(RevokePreview { matched: found.len() as u64, open, users, other_users, of_clients })
    }

    /// Ends all sessions that fit, a part per transaction. What is created meanwhile is not among them.
    ///
    /// If they are more than 10,000, they are written down as a job, which is to be run by
    /// [`Admin::spawn_job`] or [`Admin::run_job`]: it ends just these, also if this process dies.
    pub async fn revoke_matching(&self, actor: &Actor, what: &RevokeMatching) -> Result<RevokedMatching, AdminError> {
        actor.require(Access::Write, Area::Sessions)?;
        let found = self.matching(actor, what).await?;
        let matched = found.len() as u64;
        if matched > what.expected {
            let expected = what.expected;
            return Err(AdminError::Conflict(format!("{matched} sessions fit by now, and {expected} were expected")));
        }
        // Those that were revoked before can't be ended again. Of those that a purge has ended, the tokens are denied.
        let named = found.into_iter().filter(|one| one.is_open || one.outlives_purge);
        let ids: Vec<Uuid> = named.map(|one| one.id).collect();
        if ids.len() > MOST_AT_ONCE {
            let job = self.accept_revocation(actor, what, matched, &ids).await?;
            return Ok(RevokedMatching { matched, revoked: 0, job: Some(job) });
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
        // Also if there was nothing to end: what another server has ended a moment ago is refused here, too.
        self.catch_up().await?;
        self.metrics.revocations.add(revoked);
        Ok(RevokedMatching { matched, revoked, job: None })
    }

    async fn accept_revocation(
        &self,
        actor: &Actor,
        what: &RevokeMatching,
        matched: u64,
        ids: &[Uuid],
    ) -> Result<Uuid, AdminError> {
        let input = JobInput {
            id: self.new_id(),
            kind: JobKind::RevokeSessions,
            why: what.reason.clone(),
            total: ids.len() as i64,
            parts: ids.chunks(SESSIONS_A_STEP).map(packed).map(Zeroizing::new).collect(),
            failed: 0,
            lines: Vec::new(),
        };
        let (job, why) = (input.id, what.reason.clone());
        let begins = move |cause: &Cause| {
            let detail = json!({ "reason": "admin", "begins": true, "job": job, "matched": matched, "why": why });
            vec![NewEvent::new(EventKind::SessionsRevoked, cause).detail(detail)]
        };
        self.accept_job(actor, input, begins).await
    }

    /// The sessions that fit, by the filter of the list.
    async fn matching(&self, actor: &Actor, what: &RevokeMatching) -> Result<Vec<Fitting>, AdminError> {
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
        if let Some(name) = user.as_deref().filter(|name| name.parse::<Uuid>().is_err()) {
            // A list may show another's with this spelling; nothing of theirs is ended.
            match self.find_user(name).await {
                Ok(_) | Err(AdminError::NoSuch { .. }) => {}
                Err(other) => return Err(other),
            }
        }
        let mut found = match &what.ids {
            Some(ids) => self.fitting_of(actor, &what.search, ids).await?,
            None => self.all_fitting(actor, &what.search, MOST + spared.len()).await?,
        };
        found.retain(|one| !spared.contains(&one.id));
        // Their own comes last: without it, nothing more would be ended.
        if let Some(own) = found.iter().position(|one| actor.session() == Some(one.id)) {
            found[own..].rotate_left(1);
        }
        if found.len() > MOST {
            return Err(AdminError::Invalid(format!(
                "more than {MOST} sessions fit: narrow the filter, or revoke the whole user or client"
            )));
        }
        Ok(found)
    }
}
