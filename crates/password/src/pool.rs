//! The hashing threads and their queue.

mod check;
mod queue;
mod speed;
mod waiting;
mod worker;

use std::fmt;
use std::io;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use tokio::sync::oneshot;

use crate::lockstep::MAX_LANES;
use crate::{Cost, Password, StoredHash};
use queue::{Queue, Task};
use speed::Speed;

/// The limits of the hashing threads.
#[derive(Clone, Debug)]
pub struct HashingSettings {
    /// The number of threads, at least 1; the number of cores is a good choice. They run at a lower priority than the
    /// rest.
    pub threads: usize,
    /// How many bcrypt hashes run in lockstep on each thread: 1 to 4. With 4, a thread does about twice as many hashes
    /// per second as with 1, and each takes about twice as long.
    pub lanes: usize,
    /// How many jobs may wait for a free lane. Further jobs are rejected with [`Busy`].
    pub max_queue: usize,
    /// How many jobs from one source may wait.
    pub max_per_source: usize,
    /// A stored bcrypt hash with a higher cost never matches, and takes no longer than an unknown user.
    pub max_stored_cost: u32,
}

impl Default for HashingSettings {
    /// One thread per core, 4 lanes, 256 waiting jobs, 64 of them from one source, stored costs up to 14.
    fn default() -> Self {
        Self {
            threads: thread::available_parallelism().map_or(1, |cores| cores.get()),
            lanes: MAX_LANES,
            max_queue: 256,
            max_per_source: 64,
            max_stored_cost: 14,
        }
    }
}

/// What the threads are doing, and what they have done since [`Hashing::start`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HashingStats {
    /// How many jobs wait for a free lane.
    pub queued: usize,
    /// How many jobs are being worked on.
    pub running: usize,
    /// How many jobs never shared their thread, or shared it with one, two or three others.
    pub lanes_used: [u64; MAX_LANES],
    /// How many jobs were completed. Those whose caller hung up do not count.
    pub completed: u64,
    /// How many jobs were rejected with [`Busy`].
    pub refused: u64,
    /// How long a failing check would take now, with the floor of the last check: see [`Hashing::typical`].
    pub typical: Duration,
}

/// Too many jobs are already waiting, in total or from this source.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("too many passwords are waiting to be checked; try again in {} s", retry_after.as_secs())]
pub struct Busy {
    /// When to try again: whole seconds, 1 to 30.
    pub retry_after: Duration,
}

/// The hashing threads. A clone is another handle to the same threads; dropping the last one stops them.
#[derive(Clone)]
pub struct Hashing {
    handle: Arc<Handle>,
}

/// Dropping the last one closes the queue, which ends the threads. They hold the queue, never this.
struct Handle {
    queue: Arc<Queue>,
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.queue.close();
    }
}

impl Hashing {
    /// Starts the threads. Fails if the system can't create them, or if `settings` has no threads or not 1 to 4 lanes.
    pub fn start(settings: HashingSettings) -> io::Result<Self> {
        if settings.threads == 0 || !(1..=MAX_LANES).contains(&settings.lanes) {
            let message = "hashing needs at least one thread, and 1 to 4 lanes per thread";
            return Err(io::Error::new(io::ErrorKind::InvalidInput, message));
        }
        let threads = settings.threads;
        let queue = Arc::new(Queue::new(settings, Speed::measure()));
        // Created first: if a thread fails to start, dropping this ends those before it.
        let handle = Arc::new(Handle { queue: Arc::clone(&queue) });
        for index in 0..threads {
            let queue = Arc::clone(&queue);
            thread::Builder::new().name(format!("hashing-{index}")).spawn(move || worker::run(&queue, index))?;
        }
        Ok(Self { handle })
    }

    /// Checks `password` against `candidate`; `None` stands for a user that does not exist.
    ///
    /// Every failure takes as long as a failed check of cost `floor`, whatever the reason: an unknown user, a wrong,
    /// over-long or otherwise unusable password, a stored hash that is cheaper or too expensive. A stored hash above
    /// `floor` that may be checked takes its own time. A failed argon2id check is topped up to `floor`, based on how
    /// long a turn of bcrypt takes now: close, but not exact.
    ///
    /// `source` identifies the caller; see [`HashingSettings::max_per_source`]. Dropping the future cancels the check.
    pub async fn verify(
        &self,
        source: u64,
        password: Password,
        candidate: Option<StoredHash>,
        floor: Cost,
    ) -> Result<bool, Busy> {
        let (reply, answer) = oneshot::channel();
        self.queue().push(source, Task::Verify { password, candidate, floor, reply })?;
        self.answer(answer, floor).await
    }

    /// Fails if a job of `source` would be refused now, as [`Hashing::verify`] does. A job may be refused later even so.
    pub fn require_room(&self, source: u64, floor: Cost) -> Result<(), Busy> {
        self.queue().require_room(source, floor)
    }

    /// Hashes a new password, in the format `$bcrypt-sha256$v=2,t=2b,r=COST$…`.
    ///
    /// Check the [policy](crate::policy) first: a hash of more than [`MAX_PASSWORD_BYTES`](crate::MAX_PASSWORD_BYTES)
    /// is created, but never matches.
    pub async fn hash(&self, source: u64, password: Password, cost: Cost) -> Result<StoredHash, Busy> {
        let (reply, answer) = oneshot::channel();
        self.queue().push(source, Task::Hash { password, cost, reply })?;
        self.answer(answer, cost).await
    }

    /// What the threads are doing now.
    pub fn stats(&self) -> HashingStats {
        self.queue().stats()
    }

    /// How long a failing check with this floor would take if `source` asked for it now, including waiting. It is computed from the
    /// measured speed and the current queue, so it is right from the start and after a burst of logins.
    pub fn typical(&self, source: u64, floor: Cost) -> Duration {
        self.queue().typical(source, floor)
    }

    fn queue(&self) -> &Queue {
        &self.handle.queue
    }

    /// The threads answer every job that is still wanted, unless one of them panics because of a bug.
    async fn answer<T>(&self, answer: oneshot::Receiver<T>, cost: Cost) -> Result<T, Busy> {
        answer.await.map_err(|_| self.queue().busy(cost))
    }
}

impl fmt::Debug for Hashing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hashing").field("stats", &self.stats()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dropping_the_last_handle_ends_the_threads() {
        let hashing = Hashing::start(HashingSettings { threads: 2, ..HashingSettings::default() }).unwrap();
        let queue = Arc::downgrade(&hashing.handle.queue);
        let other = hashing.clone();
        drop(hashing);
        assert!(queue.upgrade().is_some());
        drop(other);
        while queue.strong_count() > 0 {
            thread::yield_now();
        }
    }
}
