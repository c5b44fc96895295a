//! Callers that wait at the same time share one statement and one commit.
//!
//! A durable commit costs the disk's time once, however many rows it contains. So callers hand their jobs to a worker;
//! it takes all that are waiting, runs them as one batch, and gives each caller its own outcome. While a batch runs the
//! next one collects, so no call is delayed deliberately.
//!
//! Work that has started is finished, whether or not its caller is still there.

pub(crate) mod event;
pub(crate) mod refusal;
pub(crate) mod revocation;
pub(crate) mod rotation;

use std::collections::{HashSet, VecDeque};
use std::hash::Hash;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use ficha_store::StoreError;
use futures_util::FutureExt;
use tokio::sync::{Mutex, mpsc, oneshot};

/// How the collected jobs are run.
pub trait Batch: Send + Sync + 'static {
    /// What a caller asks for.
    type Job: Send + 'static;
    /// What the caller gets.
    type Outcome: Send + 'static;
    /// Jobs of the same key never share a batch.
    type Key: Eq + Hash + Send;

    /// The key of a job.
    fn key(job: &Self::Job) -> Self::Key;

    /// Runs a batch; one outcome per job, in order.
    fn run(&self, jobs: Vec<Self::Job>) -> impl Future<Output = Result<Vec<Self::Outcome>, StoreError>> + Send;
}

/// If a batch takes longer, the database does not answer. Whether it was committed is unknown.
const BATCH_LIMIT: Duration = Duration::from_secs(10);

type Waiting<B> = (<B as Batch>::Job, oneshot::Sender<Result<<B as Batch>::Outcome, StoreError>>);

/// Hands jobs to the workers of a [`Batch`].
pub struct GroupCommit<B: Batch> {
    queue: mpsc::Sender<Waiting<B>>,
}

impl<B: Batch> GroupCommit<B> {
    /// Starts `workers` tasks (batches that may run at once) that take up to `most` jobs each. They end when the
    /// returned value is dropped.
    pub fn start(batch: B, workers: usize, most: usize) -> Self {
        let (queue, waiting) = mpsc::channel(4 * most);
        let waiting = Arc::new(Mutex::new(waiting));
        let batch = Arc::new(batch);
        for _ in 0..workers {
            tokio::spawn(keep_working(batch.clone(), waiting.clone(), most));
        }
        Self { queue }
    }

    /// Runs `job` in the next batch. An error means that the commit failed or that its outcome is unknown.
    pub async fn submit(&self, job: B::Job) -> Result<B::Outcome, StoreError> {
        let (answer, outcome) = oneshot::channel();
        self.queue.send((job, answer)).await.map_err(|_| shutting_down())?;
        outcome.await.unwrap_or_else(|_| Err(abandoned()))
    }
}

/// The job was accepted but not answered: its worker panicked, or the process is ending.
fn abandoned() -> StoreError {
    StoreError::OutcomeUnknown("the server abandoned the batch".into())
}

fn shutting_down() -> StoreError {
    StoreError::Unavailable("the server is shutting down".into())
}

/// A worker that panics is replaced: its callers must not wait for ever. It ends when the `GroupCommit` is dropped.
async fn keep_working<B: Batch>(batch: Arc<B>, queue: Arc<Mutex<mpsc::Receiver<Waiting<B>>>>, most: usize) {
    while AssertUnwindSafe(work(batch.clone(), queue.clone(), most)).catch_unwind().await.is_err() {
        tracing::error!("a batch panicked; whether it was committed is unknown, and its callers get an error");
    }
}

async fn work<B: Batch>(batch: Arc<B>, queue: Arc<Mutex<mpsc::Receiver<Waiting<B>>>>, most: usize) {
    let mut held_back = VecDeque::new();
    while let Some(jobs) = next_jobs::<B>(&queue, &mut held_back, most).await {
        let (jobs, answers): (Vec<_>, Vec<_>) = jobs.into_iter().unzip();
        // A database that does not answer must not block the worker.
        let ran = tokio::time::timeout(BATCH_LIMIT, batch.run(jobs)).await;
        let silent = || Err(StoreError::OutcomeUnknown("the database did not answer in time".into()));
        match ran.unwrap_or_else(|_| silent()) {
            Ok(outcomes) => {
                debug_assert_eq!(outcomes.len(), answers.len());
                for (answer, outcome) in answers.into_iter().zip(outcomes) {
                    // The caller may be gone; the work is done anyway.
                    let _ = answer.send(Ok(outcome));
                }
            }
            Err(error) => {
                for answer in answers {
                    let _ = answer.send(Err(error.clone()));
                }
            }
        }
    }
}

/// The jobs of the next batch: those held back from the last one, then the waiting ones, one per key.
async fn next_jobs<B: Batch>(
    queue: &Mutex<mpsc::Receiver<Waiting<B>>>,
    held_back: &mut VecDeque<Waiting<B>>,
    most: usize,
) -> Option<Vec<Waiting<B>>> {
    let mut candidates = std::mem::take(held_back);
    let queue = if candidates.is_empty() {
        let mut queue = queue.lock().await;
        candidates.push_back(queue.recv().await?);
        Some(queue)
    } else {
        // An idle worker holds the lock while it waits for the next caller: those held back must not wait with it.
        queue.try_lock().ok()
    };
    if let Some(mut queue) = queue {
        while candidates.len() < most
            && let Ok(waiting) = queue.try_recv()
        {
            candidates.push_back(waiting);
        }
    }
    let mut keys = HashSet::with_capacity(candidates.len());
    let mut jobs = Vec::with_capacity(candidates.len());
    for waiting in candidates {
        if keys.insert(B::key(&waiting.0)) {
            jobs.push(waiting);
        } else {
            held_back.push_back(waiting);
        }
    }
    Some(jobs)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    struct Doubler {
        batches: Arc<AtomicUsize>,
        gate: Arc<tokio::sync::Semaphore>,
    }

    impl Batch for Doubler {
        type Job = u32;
        type Outcome = u32;
        type Key = u32;

        fn key(job: &u32) -> u32 {
            *job
        }

        async fn run(&self, jobs: Vec<u32>) -> Result<Vec<u32>, StoreError> {
            self.batches.fetch_add(1, Ordering::SeqCst);
            self.gate.acquire().await.expect("the gate is open").forget();
            let mut seen = jobs.clone();
            seen.sort_unstable();
            seen.dedup();
            assert_eq!(seen.len(), jobs.len(), "one job per key in a batch");
            Ok(jobs.into_iter().map(|job| job * 2).collect())
        }
    }

    #[tokio::test]
    async fn callers_that_wait_while_a_batch_runs_share_the_next_one() {
        let batches = Arc::new(AtomicUsize::new(0));
        let gate = Arc::new(tokio::sync::Semaphore::new(0));
        let gatherer = Arc::new(GroupCommit::start(Doubler { batches: batches.clone(), gate: gate.clone() }, 1, 64));
        let callers: Vec<_> = [1, 2, 3, 2, 2]
            .into_iter()
            .map(|job| {
                let gatherer = gatherer.clone();
                tokio::spawn(async move { gatherer.submit(job).await.map_err(|_| ()) })
            })
            .collect();
        tokio::task::yield_now().await;
        gate.add_permits(10);
        for (caller, expected) in callers.into_iter().zip([2, 4, 6, 4, 4]) {
            assert_eq!(caller.await.unwrap(), Ok(expected));
        }
        assert!(batches.load(Ordering::SeqCst) >= 3, "the same key three times needs three batches");
    }

    struct Fragile;

    impl Batch for Fragile {
        type Job = u32;
        type Outcome = u32;
        type Key = u32;

        fn key(job: &u32) -> u32 {
            *job
        }

        async fn run(&self, jobs: Vec<u32>) -> Result<Vec<u32>, StoreError> {
            assert!(!jobs.contains(&13), "a bug");
            Ok(jobs)
        }
    }

    #[tokio::test]
    async fn a_batch_that_panics_is_of_unknown_outcome_and_the_next_one_runs() {
        let gatherer = GroupCommit::start(Fragile, 1, 64);
        for _ in 0..3 {
            assert!(matches!(gatherer.submit(13).await, Err(StoreError::OutcomeUnknown(_))));
            assert_eq!(gatherer.submit(12).await, Ok(12));
        }
    }
}
