//! The tasks that keep a running authority current. They end when the returned handle is dropped.

use std::sync::Arc;
use std::time::Duration;

use ficha_store::{AuditRecord, DatabaseKind};
use tokio::sync::{mpsc, oneshot};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::Instant;
use uuid::Uuid;

use crate::Authority;
use crate::denylist::KEPT_LONGER;
use crate::feed::wake_followers;
use crate::listen::listen;
use crate::settings::SigningSettings;

/// How often the head is read on SQLite, where nothing tells of another process' writes.
const POLL: Duration = Duration::from_millis(50);
/// How often it is read on PostgreSQL beside LISTEN: often enough to vouch, and to notice a silent listener.
const VOUCH: Duration = Duration::from_millis(500);
/// How often it is read on PostgreSQL while LISTEN is not to be had.
const POLL_WITHOUT_LISTEN: Duration = Duration::from_millis(100);
/// When changed keys that could not be read are tried again, unless they change once more.
const FIRST_RELOAD_RETRY: Duration = Duration::from_millis(100);
const LAST_RELOAD_RETRY: Duration = Duration::from_secs(5);
/// How often expired rows are looked for, and how many a batch removes.
const PRUNE_EVERY: Duration = Duration::from_secs(1);
const PRUNE_BATCH: u64 = 500;
const PRUNE_ROUNDS: u32 = 20;
/// Login failures are forgotten after a day, audit events after a year.
const FORGET_FAILURES: i64 = 86_400;
const FORGET_AUDIT: i64 = 365 * 86_400;
/// How many audit events one statement stores.
const AUDIT_BATCH: usize = 1_024;
/// How long they are gathered: on SQLite a commit of theirs keeps a revocation waiting, so there should be few.
const AUDIT_GATHER: Duration = Duration::from_millis(50);

/// How long the audit log may take to be written out at the end.
const WRITE_OUT: Duration = Duration::from_secs(2);

/// Running tasks; dropping it ends them.
pub struct Background {
    _tasks: JoinSet<()>,
    /// Dropping the sender tells the audit log's writer to write out what waits, and end.
    writer: Option<(oneshot::Sender<()>, JoinHandle<()>)>,
}

impl Background {
    /// Ends the tasks, after the audit events that still wait are stored.
    pub async fn finish(mut self) {
        if let Some((stop, writer)) = self.writer.take() {
            drop(stop);
            if tokio::time::timeout(WRITE_OUT, writer).await.is_err() {
                tracing::warn!("the last audit events could not be stored in time; they are in this log only");
            }
        }
    }
}

impl Authority {
    /// Starts the tail of the denylist, the pruning, the audit log's writer, and the rotation of keys.
    pub fn spawn_background(&self) -> Background {
        let mut tasks = JoinSet::new();
        tasks.spawn(tail(self.clone()));
        tasks.spawn(reload(self.clone()));
        tasks.spawn(wake_followers(self.clone()));
        tasks.spawn(maintain(self.clone()));
        let events = self.inner.audit_events.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take();
        let writer = events.map(|events| {
            let (stop, stopped) = oneshot::channel();
            (stop, tokio::spawn(write_audit(self.clone(), events, stopped)))
        });
        if self.store().kind() == DatabaseKind::Postgres {
            tasks.spawn(listen(self.clone()));
        }
        Background { _tasks: tasks, writer }
    }
}

/// Reads the head again and again: that is what the server vouches by.
async fn tail(authority: Authority) {
    let mut failing = false;
    let mut before = Instant::now();
    loop {
        let listening = authority.inner.listening.load(std::sync::atomic::Ordering::Acquire);
        let every = match (authority.store().kind(), listening) {
            (DatabaseKind::Sqlite, _) => POLL,
            (DatabaseKind::Postgres, true) => VOUCH,
            (DatabaseKind::Postgres, false) => POLL_WITHOUT_LISTEN,
        };
        authority.inner.denylist.nudged(before, every).await;
        before = Instant::now();
        match authority.read_head().await.err() {
            Some(error) if !failing => {
                tracing::error!(%error, "the database can't be read; protected endpoints answer 503 until it can");
                failing = true;
            }
            None if failing => {
                tracing::info!("the database answers again");
                failing = false;
            }
            _ => {}
        }
        if failing {
            tokio::time::sleep(POLL_WITHOUT_LISTEN).await;
        }
    }
}

/// Reads keys and what else is kept in memory anew, whenever the tail has seen that they changed. The tail does not wait
/// for it: a read that hangs must not keep the server from vouching.
async fn reload(authority: Authority) {
    let mut heads = authority.denylist().heads();
    let mut retry = FIRST_RELOAD_RETRY;
    loop {
        let changes = heads.borrow_and_update().map(|head| head.changes);
        let taken_up = match changes {
            Some(changes) => authority.take_up_changes(changes).await.is_ok(),
            None => true,
        };
        let again = if taken_up { Duration::MAX } else { retry };
        retry = if taken_up { FIRST_RELOAD_RETRY } else { LAST_RELOAD_RETRY.min(2 * retry) };
        let changed = heads.wait_for(|head| head.map(|head| head.changes) != changes);
        // Without new changes, it is tried again; the sender is never dropped before us.
        let _ = tokio::time::timeout(again, changed).await;
    }
}

/// Removes what has expired, in small batches, and finishes what an ended process left half done.
async fn maintain(authority: Authority) {
    let mut position = None;
    loop {
        tokio::time::sleep(PRUNE_EVERY).await;
        if let Err(error) = authority.maintain_once(&mut position).await {
            tracing::warn!(%error, "expired rows could not be removed; this is tried again");
        }
    }
}

impl Authority {
    /// One round of housekeeping. `position` is where the last one left off in the sessions.
    pub async fn maintain_once(&self, position: &mut Option<Uuid>) -> Result<(), crate::AdminError> {
        // Not simply the wall clock's: what a clock that was set wrong lets expire would be missing once it is put right.
        let (store, now) = (self.store(), self.denylist().steady_now(&**self.clock()));
        let (next, sessions) = store.prune_sessions(*position, PRUNE_BATCH, now).await?;
        *position = next;
        let mut rows = 0;
        // Small transactions, so that nobody waits long; enough of them to keep up with whatever revokes.
        for _ in 0..PRUNE_ROUNDS {
            let pruned = store.prune_denylist(now - KEPT_LONGER, PRUNE_BATCH).await?;
            rows += pruned;
            if pruned < PRUNE_BATCH {
                break;
            }
        }
        let denylist = Arc::clone(self.denylist());
        // With millions in it this takes a tenth of a second.
        let purged = tokio::task::spawn_blocking(move || denylist.purge(now - KEPT_LONGER)).await;
        if purged.is_err() {
            tracing::error!("the denylist in memory could not be purged");
        }
        if sessions > 0 || rows > 0 {
            tracing::debug!(sessions, denylist_rows = rows, "removed what has expired");
        }
        store.prune_login_failures(now - FORGET_FAILURES, PRUNE_BATCH).await?;
        store.prune_audit(now - FORGET_AUDIT, PRUNE_BATCH).await?;
        store.prune_keys(now).await?;
        let admin = self.admin();
        for client in store.clients_being_revoked().await? {
            admin.finish_revoking_client(&client).await?;
        }
        if let SigningSettings::KeyPair { rotate_after: Some(after), .. } = &self.settings().signing {
            admin.rotate_key_if_older_than(after.as_secs() as i64).await?;
        }
        Ok(())
    }
}

async fn write_audit(authority: Authority, mut events: mpsc::Receiver<AuditRecord>, stopped: oneshot::Receiver<()>) {
    let mut batch = Vec::new();
    let mut stopped = Some(stopped);
    loop {
        let received = match &mut stopped {
            None => events.recv_many(&mut batch, AUDIT_BATCH).await,
            Some(stop) => tokio::select! {
                received = events.recv_many(&mut batch, AUDIT_BATCH) => received,
                _ = stop => {
                    // No more come in; what is there is still received.
                    events.close();
                    stopped = None;
                    continue;
                }
            },
        };
        if received == 0 {
            return;
        }
        tokio::time::sleep(AUDIT_GATHER).await;
        while batch.len() < AUDIT_BATCH
            && let Ok(event) = events.try_recv()
        {
            batch.push(event);
        }
        if let Err(error) = authority.store().audit(&batch).await {
            tracing::warn!(%error, events = batch.len(), "audit events could not be stored; they are in this log only");
        }
        batch.clear();
    }
}
