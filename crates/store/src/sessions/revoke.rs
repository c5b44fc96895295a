//! Revoking sessions and tokens.

use std::collections::{HashMap, HashSet};

use ficha_token::{DenyEntry, DenyId};
use uuid::Uuid;

use crate::database::transaction::transaction;
use crate::database::write_connection::WriteConnection;
use crate::denylist::deny;
use crate::error::Fault;
use crate::sessions::end::{deny_entry, lock_sessions, mark_revoked};
use crate::{Result, RevokeReason, Revoked, Store};

/// One of the revocations that share a transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Revocation {
    /// A session, with all its tokens.
    Session(Uuid, RevokeReason),
    /// One access token, by its `jti`.
    Token(DenyEntry),
}

/// The result of a shared transaction.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RevokedBatch {
    /// For each revocation: true if it changed anything; false if the session or token was already revoked, or there is
    /// no such session.
    pub newly: Vec<bool>,
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

    /// Ends one session. True in the result if it had not been revoked before.
    pub async fn revoke_session(&self, id: Uuid, reason: RevokeReason, now: i64) -> Result<(bool, Revoked)> {
        let applied = self.revoke_batch(&[Revocation::Session(id, reason)], now).await?;
        Ok((applied.newly == [true], applied.revoked))
    }

    async fn apply_in(
        &self,
        transaction: &WriteConnection,
        revocations: &[Revocation],
        now: i64,
    ) -> Result<RevokedBatch, Fault> {
        let rows = lock_sessions(transaction, &session_ids(revocations)).await?;
        let mut open: HashMap<Uuid, _> =
            rows.iter().filter(|row| row.revoked_at.is_none()).map(|row| (row.id, row)).collect();
        let mut newly = vec![false; revocations.len()];
        let mut ended = Vec::new();
        for (newly, revocation) in newly.iter_mut().zip(revocations) {
            // Removed from the map, so that of two revocations of one session only the first counts.
            if let Revocation::Session(id, reason) = revocation
                && let Some(row) = open.remove(id)
            {
                *newly = true;
                ended.push((row, *reason));
            }
        }
        mark_revoked(transaction, &ended, now).await?;
        let mut entries: Vec<_> = rows.iter().filter_map(|row| deny_entry(row, now)).collect();
        entries.extend(tokens(revocations).filter(|entry| entry.until > now));
        let mut new_ids = deny(self, transaction, &entries).await?;
        mark_new_tokens(revocations, &mut new_ids, &mut newly);
        Ok(RevokedBatch { newly, revoked: Revoked { sessions: ended.len() as u64, entries, rest: None } })
    }
}

/// Sorted and without duplicates, as the lock order requires.
fn session_ids(revocations: &[Revocation]) -> Vec<Uuid> {
    let mut ids: Vec<_> = revocations
        .iter()
        .filter_map(|revocation| match revocation {
            Revocation::Session(id, _) => Some(*id),
            Revocation::Token(_) => None,
        })
        .collect();
    ids.sort_unstable();
    ids.dedup();
    ids
}

fn tokens(revocations: &[Revocation]) -> impl Iterator<Item = DenyEntry> {
    revocations.iter().filter_map(|revocation| match revocation {
        Revocation::Session(..) => None,
        Revocation::Token(entry) => Some(*entry),
    })
}

fn mark_new_tokens(revocations: &[Revocation], new_ids: &mut HashSet<DenyId>, newly: &mut [bool]) {
    for (newly, revocation) in newly.iter_mut().zip(revocations) {
        if let Revocation::Token(entry) = revocation {
            *newly = new_ids.remove(&entry.id);
        }
    }
}
