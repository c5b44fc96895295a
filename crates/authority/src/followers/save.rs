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
/// After how many rounds the heartbeats are looked at.
const ROUNDS: u32 = 5;

/// Writes and watches for ever.
pub(crate) async fn save_followers(authority: Authority) {
    let mut rounds = 0;
    loop {
        let outcome = async {
            if rounds % ROUNDS == 0 {
                let beats = authority.store().unstopped().await?;
                authority.inner.followers.watch_servers(beats.iter().map(|beat| (beat.process, beat.number)));
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
        let records: Vec<FollowerRecord> = due.into_iter().map(record).collect();
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
