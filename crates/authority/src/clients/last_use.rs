//! When secrets were last used: kept in memory, and written down once a minute.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use ficha_store::{SecretUse, StoreError};
use uuid::Uuid;

use super::AuthenticatedClient;
use crate::Authority;

/// How often they are written, in seconds. A server that crashes loses what it has seen since.
const WRITE_EVERY: i64 = 60;
/// The most secrets whose use is remembered between two writes.
const MOST: usize = 10_000;

/// The uses since they were last written.
#[derive(Default)]
pub struct SecretUses {
    seen: Mutex<Seen>,
}

#[derive(Default)]
struct Seen {
    /// Client and time, by the id of the secret.
    uses: HashMap<Uuid, (String, i64)>,
    /// In seconds that have passed.
    written_at: i64,
}

impl SecretUses {
    /// A client has authenticated.
    pub(super) fn note(&self, client: &AuthenticatedClient, now: i64) {
        let Some(secret) = client.secret_id() else { return };
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, at)) = seen.uses.get_mut(&secret) {
            *at = now.max(*at);
        } else if seen.uses.len() < MOST {
            seen.uses.insert(secret, (client.id().to_owned(), now));
        }
    }

    /// What is to be written, if it is time for that.
    fn due(&self, passed: i64) -> Vec<SecretUse> {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if passed - seen.written_at < WRITE_EVERY {
            return Vec::new();
        }
        seen.written_at = passed;
        let uses = std::mem::take(&mut seen.uses);
        uses.into_iter().map(|(secret, (client_id, at))| SecretUse { client_id, secret, at }).collect()
    }

    /// They could not be written: with the next ones, then.
    fn keep(&self, uses: Vec<SecretUse>) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        for SecretUse { client_id, secret, at } in uses {
            let (_, kept) = seen.uses.entry(secret).or_insert((client_id, at));
            *kept = at.max(*kept);
        }
    }
}

impl Authority {
    /// Writes when secrets were last used, once a minute.
    pub(crate) async fn write_secret_uses(&self) -> Result<(), StoreError> {
        self.write_uses(self.seconds_passed()).await
    }

    /// Writes the rest, before the end.
    pub(crate) async fn write_last_secret_uses(&self) -> Result<(), StoreError> {
        self.write_uses(i64::MAX).await
    }

    async fn write_uses(&self, passed: i64) -> Result<(), StoreError> {
        let uses = self.inner.secret_uses.due(passed);
        if uses.is_empty() {
            return Ok(());
        }
        let written = self.store().note_secret_uses(&uses).await;
        if written.is_err() {
            self.inner.secret_uses.keep(uses);
        }
        written
    }
}
