//! Writes the names of this server's followers to the database, for the time after a crash; and watches the heartbeats
//! of the other servers.

use std::time::Duration;

use ficha_store::{FollowerRecord, StoreError};
use tokio::time::sleep;

use crate::Authority;

/// How soon a new follower is written.
const EVERY: Duration = Duration::from_secs(1);
/// How often one is written again that still follows.
const AGAIN: Duration = Duration::from_secs(30);
/// How often it is checked whether the first heartbeat is written.
const BEGINS: Duration = Duration::from_millis(20);
/// After how many rounds the heartbeats are looked at.
const ROUNDS: u32 = 5;

/// Writes and watches for ever.
pub(crate) async fn save_followers(authority: Authority) {
    let mut rounds = 0;
    // Before its first heartbeat, this server can't tell its own from others'.
    while authority.store().process().is_none() {
        sleep(BEGINS).await;
    }
    loop {
        let outcome = async {
            if rounds % ROUNDS == 0 {
                authority.inner.followers.watch_servers(&authority.store().beats().await?);
            }
            authority.save_followers(false).await
        };
        if let Err(error) = outcome.await {
            // An outage has its own log line. The feed goes on.
            tracing::debug!(%error, "the followers could not be written down");
        }
        rounds += 1;
        sleep(EVERY).await;
    }
}

impl Authority {
    /// Writes the followers that are new, or were written a while ago; with `all`, every one that was seen since.
    pub(crate) async fn save_followers(&self, all: bool) -> Result<(), StoreError> {
        let Some(process) = self.store().process() else { return Ok(()) };
        // One at a time: the last one must find written what it does not write.
        let _saving = self.inner.followers.saving.lock().await;
        let now = self.clock().unix_millis();
        let due = self.inner.followers.to_save(AGAIN, all);
        let record = |(client, declared, address, ago): (_, super::declared::Declared, _, Duration)| FollowerRecord {
            client,
            service: declared.service,
            instance: declared.instance,
            process,
            address,
            lease_seconds: declared.lease_seconds.map(|seconds| seconds as i64),
            accepts_stale: declared.accepts_stale,
            version: declared.version,
            seen_at: now - ago.as_millis() as i64,
        };
        let mut records: Vec<FollowerRecord> = due.into_iter().map(record).collect();
        if let Some(ago) = self.inner.followers.unnamed_to_save(AGAIN, all) {
            // One row for all that have no name.
            records.push(FollowerRecord {
                client: None,
                service: String::new(),
                instance: String::new(),
                process,
                address: None,
                lease_seconds: None,
                accepts_stale: false,
                version: None,
                seen_at: now - ago.as_millis() as i64,
            });
        }
        let saved = self.store().save_followers(&records).await;
        if saved.is_err() {
            self.inner.followers.unsave();
        }
        saved
    }

    /// This server answers no follower any more: others need not ask it.
    pub(crate) async fn leave_followers(&self) -> Result<(), StoreError> {
        self.save_followers(true).await?;
        self.store().note_stopped().await
    }
}
