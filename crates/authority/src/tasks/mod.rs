//! The tasks that keep a running authority current. They end when the returned handle is dropped.

pub(crate) mod heartbeat;
mod listen;
pub(crate) mod outage;
pub(crate) mod supervise;

use std::sync::Arc;
use std::time::Duration;

use ficha_store::DatabaseKind;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tokio::sync::watch;
use tokio::time::Instant;
use uuid::Uuid;

use crate::Authority;
use crate::denylist::feed::wake_followers;
use crate::denylist::replica::KEPT_LONGER;
use crate::settings::SigningSettings;
use crate::tasks::heartbeat::beat;
use crate::tasks::listen::listen;
use crate::tasks::outage::Part;
use crate::tasks::supervise::Tasks;

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
    tasks: Tasks,
    /// Tells the audit log's writer to write out what waits; and its word that it has.
    stop_audit: watch::Sender<bool>,
    audit_done: watch::Receiver<bool>,
}

impl Background {
    /// Keeps another task running beside these.
    pub fn keep<F, W>(&mut self, name: &'static str, work: F)
    where
        F: Fn() -> W + Send + 'static,
        W: Future<Output = ()> + Send + 'static,
    {
        self.tasks.keep(name, work);
    }

    /// The tasks.
    pub fn tasks(&self) -> &Tasks {
        &self.tasks
    }

    /// Ends the tasks, after the audit events that still wait are stored.
    pub async fn finish(mut self) {
        self.stop_audit.send_replace(true);
        if tokio::time::timeout(WRITE_OUT, self.audit_done.wait_for(|done| *done)).await.is_err() {
            tracing::warn!("the last audit events could not be stored in time; they are in this log only");
        }
    }
}

impl Authority {
    /// Starts what keeps an authority current: the tail of the denylist, the heartbeat, the pruning, the audit log's writer,
    /// and the rotation of keys. Once for each authority.
    pub fn spawn_background(&self) -> Background {
        let mut tasks = Tasks::new(self.inner.metrics.clone());
        let mut keep = |name, work: fn(Self) -> BoxFuture<'static, ()>| {
            let authority = self.clone();
            tasks.keep(name, move || work(authority.clone()));
        };
        keep("tail", |authority| tail(authority).boxed());
        keep("reload", |authority| reload(authority).boxed());
        keep("followers", |authority| wake_followers(authority).boxed());
        keep("heartbeat", |authority| beat(authority).boxed());
        keep("maintenance", |authority| maintain(authority).boxed());
        if self.store().kind() == DatabaseKind::Postgres {
            keep("listen", |authority| listen(authority).boxed());
        }
        let (stop_audit, stopped) = watch::channel(false);
        let (done, audit_done) = watch::channel(false);
        let (authority, done) = (self.clone(), Arc::new(done));
        tasks.keep("audit", move || write_audit(authority.clone(), stopped.clone(), done.clone()));
        Background { tasks, stop_audit, audit_done }
    }
}

/// Reads the head again and again: that is what the server vouches by.
async fn tail(authority: Authority) {
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
        let read = authority.read_head().await;
        authority.inner.outage.note(Part::Reading, read.as_ref().map(drop), authority.store().failures());
        if read.is_err() {
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
    let mut failing = false;
    loop {
        tokio::time::sleep(PRUNE_EVERY).await;
        match authority.maintain_once(&mut position).await {
            // An outage has its own line.
            Err(crate::AdminError::Store(error)) if error.is_outage() => tracing::debug!(%error, "no housekeeping"),
            Err(error) if !failing => {
                failing = true;
                tracing::warn!(%error, "expired rows could not be removed; this is tried again");
            }
            Err(_) => {}
            Ok(()) => failing = false,
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

async fn write_audit(authority: Authority, mut stopped: watch::Receiver<bool>, done: Arc<watch::Sender<bool>>) {
    let mut events = authority.inner.audit_events.lock().await;
    let mut batch = Vec::new();
    loop {
        let closing = events.is_closed();
        let received = tokio::select! {
            received = events.recv_many(&mut batch, AUDIT_BATCH) => received,
            _ = stopped.wait_for(|stopped| *stopped), if !closing => {
                // No more come in; what is there is still received.
                events.close();
                continue;
            }
        };
        if received == 0 {
            done.send_replace(true);
            // It is told to stop, and ends with the others.
            return std::future::pending().await;
        }
        tokio::time::sleep(AUDIT_GATHER).await;
        while batch.len() < AUDIT_BATCH
            && let Ok(event) = events.try_recv()
        {
            batch.push(event);
        }
        if let Err(error) = authority.store().audit(&batch).await {
            authority.inner.metrics.audit_lost.add(batch.len() as u64);
            if error.is_outage() {
                tracing::debug!(%error, events = batch.len(), "audit events could not be stored");
            } else {
                tracing::warn!(%error, events = batch.len(), "audit events could not be stored; they are in this log only");
            }
        }
        batch.clear();
    }
}
