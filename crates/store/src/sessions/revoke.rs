//! Revoking sessions and tokens.

use std::collections::{HashMap, HashSet};

use ficha_token::{DenyEntry, DenyId};
use uuid::Uuid;

use crate::database::transaction::transaction;
use crate::database::write_connection::WriteConnection;
use crate::denylist::deny;
use crate::error::Fault;
use crate::events::actor::ended as ended_actors;
use crate::events::record_all;
use crate::rows::session;
use crate::sessions::end::{Ended, deny_entry, end_sessions, is_endable, lock_sessions, mark_revoked};
use crate::{NewEvent, Result, RevokeReason, Revoked, Store};

/// One of the revocations that share a transaction.
#[derive(Debug, Clone, PartialEq)]
pub struct Revocation {
    /// What is revoked.
    pub target: Target,
    /// What is recorded if it was not revoked before. If the target is a session, its user and client are filled in.
    pub event: NewEvent,
}

/// What is revoked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// A session, with all its tokens.
    Session(Uuid, RevokeReason),
    /// One access token, by its `jti`; or a session that the database has lost.
    Token(DenyEntry),
}

/// The result of a shared transaction.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RevokedBatch {
    /// For each revocation: true if it changed anything; false if the session or token was already revoked, or there is
    /// no such session.
    pub newly: Vec<bool>,
    /// For each revocation: true if the session of its actor has ended, so that nothing was changed.
    pub refused: Vec<bool>,
    /// All of them together. The entries include those that were already denied, perhaps by another server a moment
    /// ago.
    pub revoked: Revoked,
}

impl Store {
    /// Applies `revocations` in one transaction. It also puts a session's tokens on the denylist if any of them may
    /// still be valid.
    pub async fn revoke_batch(&self, revocations: &[Revocation], now: i64) -> Result<RevokedBatch> {
        if revocations.is_empty() {
            return Ok(RevokedBatch::default());
        }
        transaction!(self, |transaction| self.apply_in(transaction, revocations, now).await)
    }

    /// Ends those of these sessions that have not ended, in one transaction and with one event. The entries include those
    /// that were already denied, as those of [`RevokedBatch`].
    pub async fn revoke_sessions(
        &self,
        ids: &[Uuid],
        reason: RevokeReason,
        event: &NewEvent,
        now: i64,
    ) -> Result<Revoked> {
        // With the actor's own session, in one order: two that end each other's don't wait for each other.
        let mut locked: Vec<Uuid> = ids.iter().copied().chain(event.cause.session).collect();
        locked.sort_unstable();
        locked.dedup();
        let wanted: HashSet<Uuid> = ids.iter().copied().collect();
        transaction!(self, |transaction| {
            let mut rows = lock_sessions(transaction, &locked).await?;
            rows.retain(|row| wanted.contains(&row.id));
            self.end_rows(transaction, &rows, reason, event, now).await
        })
    }

    /// The same inside a transaction; `ids` must be sorted.
    pub(crate) async fn end_listed(
        &self,
        transaction: &WriteConnection,
        ids: &[Uuid],
        reason: RevokeReason,
        event: &NewEvent,
        now: i64,
    ) -> Result<Revoked, Fault> {
        let rows = lock_sessions(transaction, ids).await?;
        self.end_rows(transaction, &rows, reason, event, now).await
    }

    async fn end_rows(
        &self,
        transaction: &WriteConnection,
        rows: &[session::Model],
        reason: RevokeReason,
        event: &NewEvent,
        now: i64,
    ) -> Result<Revoked, Fault> {
        let open: Vec<_> = rows.iter().filter(|row| is_endable(row, now)).collect();
        let revoked = end_sessions(self, transaction, &open, reason, event.clone(), now).await?;
        let ended = rows.iter().filter(|row| row.revoked_at.is_some());
        let entries = revoked.entries.into_iter().chain(ended.filter_map(|row| deny_entry(row, now))).collect();
        Ok(Revoked { entries, ..revoked })
    }

    async fn apply_in(
        &self,
        transaction: &WriteConnection,
        revocations: &[Revocation],
        now: i64,
    ) -> Result<RevokedBatch, Fault> {
        // Those of the actors among them, in one order: two that end each other's don't wait for each other.
        let mut locked = session_ids(&revocations.iter().collect::<Vec<_>>());
        locked.extend(revocations.iter().filter_map(|revocation| revocation.event.cause.session));
        locked.sort_unstable();
        locked.dedup();
        let mut rows = lock_sessions(transaction, &locked).await?;
        // One that is refused does not stop the others, which may be somebody else's.
        let gone = ended_actors(transaction, revocations.iter().map(|revocation| &revocation.event)).await?;
        let is_refused = |revocation: &Revocation| revocation.event.cause.session.is_some_and(|id| gone.contains(&id));
        let refused: Vec<bool> = revocations.iter().map(is_refused).collect();
        let standing: Vec<&Revocation> = revocations.iter().filter(|revocation| !is_refused(revocation)).collect();
        let targets = session_ids(&standing);
        rows.retain(|row| targets.binary_search(&row.id).is_ok());
        let ending = to_end(&rows, &standing);
        let events: Vec<_> = ending.iter().map(|(row, _, revocation)| of_session(row, &revocation.event)).collect();
        // Before the denylist's counter is locked, which is the last lock.
        let ids = record_all(self, transaction, events).await?;
        let ended: Vec<_> =
            ending.iter().zip(ids).map(|((row, reason, _), event)| Ended { row, reason: *reason, event }).collect();
        mark_revoked(transaction, &ended, now).await?;
        let mut entries: Vec<_> = rows.iter().filter_map(|row| deny_entry(row, now)).collect();
        entries.extend(tokens(&standing).filter(|entry| entry.until > now));
        let mut new_ids = deny(self, transaction, &entries).await?;
        let mut newly = vec![false; revocations.len()];
        let tokens = new_tokens(revocations, &refused, &mut new_ids, &mut newly);
        // Only now is it known which tokens were not denied before. Writing an event locks nothing that others wait for.
        record_all(self, transaction, tokens).await?;
        for (newly, revocation) in newly.iter_mut().zip(revocations) {
            *newly |= ending.iter().any(|(_, _, ended)| std::ptr::eq(*ended, revocation));
        }
        Ok(RevokedBatch { newly, refused, revoked: Revoked { sessions: ended.len() as u64, entries, rest: None } })
    }
}

/// The sessions that have not ended, each with the first revocation that names it.
fn to_end<'a>(
    rows: &'a [session::Model],
    revocations: &[&'a Revocation],
) -> Vec<(&'a session::Model, RevokeReason, &'a Revocation)> {
    let mut open: HashMap<Uuid, _> =
        rows.iter().filter(|row| row.revoked_at.is_none()).map(|row| (row.id, row)).collect();
    let ending = revocations.iter().filter_map(|revocation| match revocation.target {
        Target::Session(id, reason) => open.remove(&id).map(|row| (row, reason, *revocation)),
        Target::Token(_) => None,
    });
    ending.collect()
}

fn of_session(row: &session::Model, event: &NewEvent) -> NewEvent {
    event.clone().user(row.user_id).client(&row.client_id).session(row.id)
}

/// Sorted and without duplicates, as the lock order requires.
fn session_ids(revocations: &[&Revocation]) -> Vec<Uuid> {
    let mut ids: Vec<_> = revocations
        .iter()
        .filter_map(|revocation| match revocation.target {
            Target::Session(id, _) => Some(id),
            Target::Token(_) => None,
        })
        .collect();
    ids.sort_unstable();
    ids.dedup();
    ids
}

fn tokens(revocations: &[&Revocation]) -> impl Iterator<Item = DenyEntry> {
    revocations.iter().filter_map(|revocation| match revocation.target {
        Target::Session(..) => None,
        Target::Token(entry) => Some(entry),
    })
}

/// Marks the tokens that were not denied before, and returns their events.
fn new_tokens(
    revocations: &[Revocation],
    refused: &[bool],
    new_ids: &mut HashSet<DenyId>,
    newly: &mut [bool],
) -> Vec<NewEvent> {
    let mut events = Vec::new();
    let standing = newly.iter_mut().zip(revocations).zip(refused).filter(|(_, refused)| !**refused);
    for ((newly, revocation), _) in standing {
        if let Target::Token(entry) = revocation.target
            && new_ids.remove(&entry.id)
        {
            *newly = true;
            events.push(revocation.event.clone());
        }
    }
    events
}
