//! The tasks that keep a running authority current. They end when the returned handle is dropped.

pub(crate) mod activity;
mod bulk;
pub(crate) mod heartbeat;
mod jobs;
mod listen;
mod maintenance;
mod neighbours;
pub(crate) mod outage;
pub(crate) mod rejoin;
pub(crate) mod reload;
pub(crate) mod supervise;

use std::time::Duration;

use ficha_store::DatabaseKind;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::Authority;
use crate::denylist::feed::wake_followers;
use crate::events::live::follow_log;
use crate::events::sequencer::sequence;
use crate::followers::answers::answer_questions;
use crate::followers::save::save_followers;
use crate::tasks::heartbeat::beat;
use crate::tasks::listen::listen;
use crate::tasks::maintenance::maintain;
use crate::tasks::outage::Part;
use crate::tasks::reload::reload_changes;
use crate::tasks::supervise::Tasks;

/// How often the head is read on SQLite, which does not notify us of another process's writes.
const POLL: Duration = Duration::from_millis(50);
/// How often it is read on PostgreSQL while LISTEN works: often enough to stay fresh and to notice a silent listener.
const POLL_WITH_LISTEN: Duration = Duration::from_millis(500);
/// How often it is read on PostgreSQL while LISTEN does not work.
const POLL_WITHOUT_LISTEN: Duration = Duration::from_millis(100);
/// How long the last events may take to get their numbers at the end.
const WRITE_OUT: Duration = Duration::from_secs(2);

/// How long the tasks may take to stop.
const SHUT_DOWN: Duration = Duration::from_secs(1);

/// Running tasks; dropping it ends them.
pub struct Background {
    tasks: Tasks,
    /// Tells the sequencer to number what waits, and receives its confirmation.
    stop_events: watch::Sender<bool>,
    events_done: watch::Receiver<bool>,
    authority: Authority,
}

impl Background {
    /// Keeps another task running as well.
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

    /// Ends the tasks, after the events that still wait have numbers.
    pub async fn finish(mut self) {
        self.stop_events.send_replace(true);
        if tokio::time::timeout(WRITE_OUT, self.events_done.wait_for(|done| *done)).await.is_err() {
            // They are committed: another server numbers them, or this one at its next start.
            tracing::debug!("the last events got no numbers in time");
        }
        // Nobody is answered any more, and the database is still open.
        if !matches!(tokio::time::timeout(WRITE_OUT, self.authority.leave_followers()).await, Ok(Ok(()))) {
            tracing::debug!("the other servers could not be told that this one has stopped");
        }
        let last = async {
            self.authority.write_last_secret_uses().await?;
            self.authority.write_last_activity().await
        };
        if !matches!(tokio::time::timeout(WRITE_OUT, last).await, Ok(Ok(()))) {
            tracing::debug!("when secrets were last used, or what happened in the last minute, could not be written");
        }
        // Before the database is closed: a read that meets a closed connection would be logged as an outage.
        if tokio::time::timeout(SHUT_DOWN, self.tasks.shut_down()).await.is_err() {
            tracing::warn!("the background tasks could not be stopped in time");
        }
    }
}

impl Authority {
    /// Starts the tasks that keep an authority current: the tail of the denylist, reloading, waking followers, the
    /// heartbeat, revocations and jobs that another process left half done, comparing settings, maintenance (pruning and the rotation of keys), LISTEN on PostgreSQL, and numbering events.
    /// To be called once per authority.
    pub fn spawn_background(&self) -> Background {
        self.inner.beats.store(true, std::sync::atomic::Ordering::Release);
        let mut tasks = Tasks::new(self.inner.metrics.clone());
        let mut keep = |name, work: fn(Self) -> BoxFuture<'static, ()>| {
            let authority = self.clone();
            tasks.keep(name, move || work(authority.clone()));
        };
        keep("tail", |authority| tail(authority).boxed());
        keep("reload", |authority| reload_changes(authority).boxed());
        keep("followers", |authority| wake_followers(authority).boxed());
        keep("heartbeat", |authority| beat(authority).boxed());
        keep("neighbours", |authority| neighbours::compare(authority).boxed());
        keep("bulk revocations", |authority| bulk::continue_stopped(authority).boxed());
        keep("jobs", |authority| jobs::continue_jobs(authority).boxed());
        keep("questions about followers", |authority| answer_questions(authority).boxed());
        keep("end of the event log", |authority| follow_log(authority).boxed());
        keep("names of followers", |authority| save_followers(authority).boxed());
        keep("maintenance", |authority| maintain(authority).boxed());
        if self.store().kind() == DatabaseKind::Postgres {
            keep("listen", |authority| listen(authority).boxed());
        }
        let (stop_events, stopped) = watch::channel(false);
        let (done, events_done) = watch::channel(false);
        let authority = self.clone();
        tasks.keep("events", move || sequence(authority.clone(), stopped.clone(), done.clone()));
        Background { tasks, stop_events, events_done, authority: self.clone() }
    }
}

/// A read that was not answered in time does not say why; a new connection may.
async fn log_cause(authority: Authority) {
    if let Some(cause) = authority.store().diagnose().await {
        tracing::error!(cause, "what a new connection to the database shows");
    }
}

/// Reads the head again and again, which keeps the server's denylist fresh.
async fn tail(authority: Authority) {
    let mut before = Instant::now();
    loop {
        let listening = authority.inner.listening.load(std::sync::atomic::Ordering::Acquire);
        let every = match (authority.store().kind(), listening) {
            (DatabaseKind::Sqlite, _) => POLL,
            (DatabaseKind::Postgres, true) => POLL_WITH_LISTEN,
            (DatabaseKind::Postgres, false) => POLL_WITHOUT_LISTEN,
        };
        authority.inner.denylist.nudged(before, every).await;
        before = Instant::now();
        let read = authority.read_head().await;
        let begins = authority.inner.outage.note(Part::Reading, read.as_ref().map(drop), authority.store().failures());
        if begins {
            // Not waited for: it may take seconds, and the database may be back before.
            tokio::spawn(log_cause(authority.clone()));
        }
        if read.is_err() {
            tokio::time::sleep(POLL_WITHOUT_LISTEN).await;
        }
    }
}
