//! The background task: how long it runs, and who notices that it has ended.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use ficha_token::DenyId;
use tokio::task::JoinHandle;

use super::{Plan, RemoteKeys, Replica};
use crate::source::{DenySource, DenyVerdict, KeyLookup, KeySource};

/// The background task. Dropping this ends it.
pub(crate) struct Task {
    handle: JoinHandle<()>,
    life: Arc<Life>,
}

/// Whether the task still runs.
struct Life {
    issuer: String,
    stopped: AtomicBool,
    logged: AtomicBool,
}

/// Belongs to the task's future: a runtime that ends drops its futures, and nobody else is left who could tell.
struct Witness {
    life: Arc<Life>,
    done: bool,
}

impl Task {
    /// Starts the task on the current runtime.
    pub(crate) fn spawn(issuer: String, plan: Plan) -> Self {
        let life = Arc::new(Life { issuer, stopped: AtomicBool::new(false), logged: AtomicBool::new(false) });
        // Without keys and denylist to read, only the token URL is looked for, and no token depends on it.
        let done = plan.keys.is_none() && plan.replica.is_none();
        let witness = Witness { life: Arc::clone(&life), done };
        let handle = tokio::spawn(async move {
            plan.run().await;
            witness.finish();
        });
        Self { handle, life }
    }

    /// True if the task has ended with its runtime. The first call that finds it so logs it: not the end itself, because
    /// a service that shuts down ends its runtime too.
    pub(crate) fn is_stopped(&self) -> bool {
        let stopped = self.life.stopped.load(Ordering::Acquire);
        if stopped && !self.life.logged.swap(true, Ordering::AcqRel) {
            tracing::error!(
                issuer = self.life.issuer,
                "the tokio runtime in which build() was called has ended, and with it the task that reads keys and \
                 denylist: no revocation arrives any more, and tokens are refused once the lease is over; call build() \
                 in a runtime that lives as long as the service, and once for each test"
            );
        }
        stopped
    }
}

impl Witness {
    /// The task has nothing left to do, so its end is none that anybody must hear of.
    fn finish(mut self) {
        self.done = true;
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        self.handle.abort();
    }
}

impl Drop for Witness {
    fn drop(&mut self) {
        if !self.done {
            self.life.stopped.store(true, Ordering::Release);
        }
    }
}

/// A source together with the task that feeds it, which runs as long as the source is used.
pub(crate) struct Fed<T> {
    source: Arc<T>,
    task: Arc<Task>,
}

impl<T> Fed<T> {
    pub(crate) fn new(source: Arc<T>, task: &Arc<Task>) -> Self {
        Self { source, task: Arc::clone(task) }
    }
}

impl KeySource for Fed<RemoteKeys> {
    fn find(&self, kid: &str) -> KeyLookup {
        match self.source.find(kid) {
            // An unknown key may be a new one.
            KeyLookup::Unknown | KeyLookup::Unavailable { .. } if self.task.is_stopped() => KeyLookup::Stopped,
            found => found,
        }
    }

    fn generation(&self) -> u64 {
        // Read on every request, so the end of the task is logged by the next one.
        self.task.is_stopped();
        self.source.generation()
    }
}

impl DenySource for Fed<Replica> {
    fn look_up(&self, ids: &[DenyId], now: i64) -> DenyVerdict {
        let stopped = self.task.is_stopped();
        match self.source.look_up(ids, now) {
            DenyVerdict::Stale { .. } if stopped => DenyVerdict::Stopped,
            verdict => verdict,
        }
    }

    fn note_accepts_stale(&self) {
        self.source.note_accepts_stale();
    }

    fn is_complete(&self) -> bool {
        self.source.is_complete()
    }

    fn reached(&self) -> Option<i64> {
        self.source.reached()
    }

    fn doubts_clock(&self) -> Option<Duration> {
        self.source.doubts_clock()
    }

    fn doubts_start(&self) -> Option<Duration> {
        self.source.doubts_start()
    }

    fn doubts_end(&self, exp: i64) -> Option<Duration> {
        self.source.doubts_end(exp)
    }
}
