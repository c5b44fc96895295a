//! Background tasks that must not end. If one panics or returns, it is logged and restarted.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::task::{AbortHandle, JoinSet};
use tokio::time::Instant;

use crate::metrics::Metrics;

/// How long to wait before an ended task is restarted; each time longer, unless it has run for a while.
const PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
const A_WHILE: Duration = Duration::from_secs(60);

/// Running tasks by name; dropping it ends them.
pub struct Tasks {
    supervisors: JoinSet<()>,
    running: Running,
    metrics: Arc<Metrics>,
}

type Running = Arc<Mutex<HashMap<&'static str, AbortHandle>>>;

impl Tasks {
    /// Without tasks yet. Every restart is counted in `metrics`.
    pub fn new(metrics: Arc<Metrics>) -> Self {
        Self { supervisors: JoinSet::new(), running: Running::default(), metrics }
    }

    /// Runs the future that `work` returns, and again whenever it ends, for as long as this value lives.
    pub fn keep<F, W>(&mut self, name: &'static str, work: F)
    where
        F: Fn() -> W + Send + 'static,
        W: Future<Output = ()> + Send + 'static,
    {
        self.supervisors.spawn(supervise(name, self.running.clone(), self.metrics.clone(), work));
    }

    /// The names of the running tasks.
    pub fn names(&self) -> Vec<&'static str> {
        let mut names: Vec<_> = self.running.lock().unwrap_or_else(PoisonError::into_inner).keys().copied().collect();
        names.sort_unstable();
        names
    }

    /// Ends every task, and waits until the last one has stopped: afterwards none uses the database any more.
    pub(crate) async fn shut_down(mut self) {
        self.supervisors.shutdown().await;
        let running: Vec<_> = self.running.lock().unwrap_or_else(PoisonError::into_inner).drain().collect();
        for (_, task) in running {
            // Its supervisor has aborted it; a poll that is under way on another thread ends by itself.
            while !task.is_finished() {
                tokio::task::yield_now().await;
            }
        }
    }

    /// Ends a task as a bug would. False if no task of that name runs. For tests.
    #[doc(hidden)]
    pub fn kill(&self, name: &str) -> bool {
        let running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        running.get(name).is_some_and(|task| {
            let runs = !task.is_finished();
            task.abort();
            runs
        })
    }
}

async fn supervise<F, W>(name: &'static str, running: Running, metrics: Arc<Metrics>, work: F)
where
    F: Fn() -> W + Send + 'static,
    W: Future<Output = ()> + Send + 'static,
{
    let mut pause = PAUSE;
    loop {
        let started = Instant::now();
        // A set of one, so that the task is aborted together with this one.
        let mut task = JoinSet::new();
        let handle = task.spawn(work());
        running.lock().unwrap_or_else(PoisonError::into_inner).insert(name, handle);
        let why = match task.join_next().await {
            Some(Err(error)) if error.is_panic() => "it panicked",
            Some(Err(_)) => "it was aborted",
            _ => "it returned",
        };
        metrics.task_restarts.count();
        tracing::error!(task = name, why, "a background task ended and is restarted");
        if started.elapsed() >= A_WHILE {
            pause = PAUSE;
        }
        tokio::time::sleep(pause).await;
        pause = LONGEST_PAUSE.min(2 * pause);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU32, Ordering};

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn after_the_shutdown_no_task_runs() {
        let mut tasks = Tasks::new(Arc::new(Metrics::default()));
        let (polls, counted) = (Arc::new(AtomicU32::new(0)), Arc::new(AtomicU32::new(0)));
        for name in ["one", "two"] {
            let polls = polls.clone();
            tasks.keep(name, move || {
                let polls = polls.clone();
                async move {
                    loop {
                        polls.fetch_add(1, Ordering::SeqCst);
                        tokio::task::yield_now().await;
                    }
                }
            });
        }
        while polls.load(Ordering::SeqCst) < 100 {
            tokio::task::yield_now().await;
        }
        tasks.shut_down().await;
        counted.store(polls.load(Ordering::SeqCst), Ordering::SeqCst);
        for _ in 0..1_000 {
            tokio::task::yield_now().await;
        }
        assert_eq!(polls.load(Ordering::SeqCst), counted.load(Ordering::SeqCst));
    }

    #[tokio::test]
    async fn a_task_that_ends_in_any_way_is_restarted() {
        let metrics = Arc::new(Metrics::default());
        let mut tasks = Tasks::new(metrics.clone());
        let starts = Arc::new(AtomicU32::new(0));
        let counted = starts.clone();
        tasks.keep("counted", move || {
            let start = counted.fetch_add(1, Ordering::SeqCst);
            async move {
                match start {
                    0 => {}
                    1 => panic!("a bug"),
                    _ => std::future::pending().await,
                }
            }
        });
        let reach = async |number| {
            while starts.load(Ordering::SeqCst) < number {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        reach(3).await;
        while !tasks.kill("counted") {
            tokio::task::yield_now().await;
        }
        reach(4).await;
        assert_eq!(metrics.task_restarts.get(), 3);
        assert_eq!(tasks.names(), ["counted"]);
        assert!(!tasks.kill("another"));
    }
}
