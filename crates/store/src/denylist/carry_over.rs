//! Writing into a database what it has forgotten.

use ficha_token::DenyEntry;
use serde_json::json;
use uuid::Uuid;

use crate::database::globals::current_epoch;
use crate::database::transaction::transaction;
use crate::denylist::deny;
use crate::events::record;
use crate::sessions::end::{deny_entry, end_sessions, lock_sessions};
use crate::{Cause, EventKind, NewEvent, Result, RevokeReason, Store};

impl Store {
    /// Denies what a server still holds from before the database lost its last commits, and ends the sessions among it:
    /// otherwise a session whose revocation was lost could be refreshed, and would outlive its entry. What is there
    /// already stays as it is, so several servers may do this at once. If anything was missing, that is an event.
    pub async fn carry_over(&self, entries: &[DenyEntry], now: i64, cause: &Cause) -> Result<CarriedOver> {
        let mut ids: Vec<Uuid> = entries.iter().map(|entry| entry.id.to_uuid()).collect();
        ids.sort_unstable();
        ids.dedup();
        transaction!(self, |transaction| {
            let rows = lock_sessions(transaction, &ids).await?;
            let epoch = current_epoch(transaction).await?;
            let open: Vec<_> = rows.iter().filter(|row| row.revoked_at.is_none() && row.epoch == epoch).collect();
            let event = NewEvent::new(EventKind::SessionsRevoked, cause);
            let revoked = end_sessions(self, transaction, &open, RevokeReason::FutureGeneration, event, now).await?;
            let of_rows = rows.iter().filter_map(|row| deny_entry(row, now));
            let all: Vec<_> = entries.iter().copied().chain(of_rows).collect();
            let carried = CarriedOver {
                // Those of the sessions that just ended are written by then.
                denied: (deny(self, transaction, &all).await?.len() + revoked.entries.len()) as u64,
                sessions: revoked.sessions,
            };
            if carried != CarriedOver::default() {
                record(self, transaction, carried.event(cause)).await?;
            }
            Ok(carried)
        })
    }
}

/// What a history lacked.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CarriedOver {
    /// How many ids were denied again.
    pub denied: u64,
    /// How many sessions were ended again.
    pub sessions: u64,
}

impl CarriedOver {
    /// The event of a server that has found another history.
    pub fn event(self, cause: &Cause) -> NewEvent {
        let detail = json!({ "denied_again": self.denied, "sessions": self.sessions });
        NewEvent::new(EventKind::ServerHistoryChanged, cause).detail(detail)
    }
}
