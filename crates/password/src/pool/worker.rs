//! A hashing thread.

use std::panic::{AssertUnwindSafe, catch_unwind};

use aws_lc_rs::rand;

use super::check::{Check, Work};
use super::queue::{Closed, Load, Queue, Slice, Task};
use super::speed::Watch;
use crate::lockstep::Lanes;
use crate::stored::Scheme;
use crate::{Cost, Password, StoredHash, input};

/// How many turns run before the thread looks for new jobs: a millisecond or less.
const SLICE: u64 = 8;

/// How much the thread's nice value is raised, so that hashing does not slow down other requests.
const NICER: i32 = 10;

/// Works until the queue is closed.
pub(super) fn run(queue: &Queue, index: usize) {
    lower_priority();
    // A panic would be a bug. It must cost only the jobs in this thread's lanes, whose callers then see their channel
    // closed, not the thread.
    while catch_unwind(AssertUnwindSafe(|| Worker::new(queue, index).work())).is_err() {
        tracing::error!(thread = index, "a hashing thread panicked; its jobs are lost, and the thread continues");
    }
}

fn lower_priority() {
    // On Linux "this process" means this thread; elsewhere it is the whole process.
    if !cfg!(target_os = "linux") {
        return;
    }
    let lowered = rustix::process::getpriority_process(None)
        .and_then(|nice| rustix::process::setpriority_process(None, (nice + NICER).min(19)));
    if let Err(error) = lowered {
        tracing::warn!(%error, "could not lower the priority of a hashing thread; logins may slow down other requests");
    }
}

struct Worker<'a> {
    queue: &'a Queue,
    index: usize,
    lanes: Lanes<Check>,
    /// A job that runs once the lanes are empty.
    alone: Option<Task>,
    /// The last slice, for the queue's speed measurement.
    slice: Option<Slice>,
}

impl<'a> Worker<'a> {
    fn new(queue: &'a Queue, index: usize) -> Self {
        Self { queue, index, lanes: Lanes::new(), alone: None, slice: None }
    }

    fn work(&mut self) {
        while self.fill().is_ok() {
            if self.lanes.is_empty() {
                if let Some(task) = self.alone.take() {
                    self.run_alone(task);
                }
            } else {
                self.run_slice();
            }
        }
    }

    /// Puts jobs into free lanes. Sleeps if there is nothing to do at all.
    fn fill(&mut self) -> Result<(), Closed> {
        loop {
            let load = Load { lanes: self.lanes.len(), alone: self.alone.is_some() };
            match self.queue.next(self.index, load, self.slice.take())? {
                None => return Ok(()),
                Some(task) => self.start(task),
            }
        }
    }

    fn start(&mut self, task: Task) {
        if task.runs_alone() {
            self.alone = Some(task);
            return;
        }
        if let Task::Verify { password, candidate, floor, reply } = task {
            let bcrypt = candidate.and_then(|hash| match hash.scheme {
                Scheme::Bcrypt(hash) if hash.cost <= self.queue.settings.max_stored_cost => Some(hash),
                _ => None,
            });
            let (work, check) = Check::new(&password, bcrypt, floor, reply);
            self.join(work, check);
        }
    }

    fn join(&mut self, work: Work, check: Check) {
        let joined = self.lanes.join(&work.key, &work.salt, work.turns, check);
        debug_assert!(joined.is_ok(), "a job is taken only for a free lane");
    }

    fn run_slice(&mut self) {
        let busy = self.lanes.len();
        let watch = Watch::start();
        let turns = self.lanes.run(SLICE);
        self.slice = Some(Slice { lanes: busy, turns, took: watch.elapsed() });
        self.lanes.tags_mut().for_each(|check| check.widest = check.widest.max(busy));
        // The callers of these have hung up, so they are dropped even if unfinished.
        while self.lanes.take_where(Check::is_unwanted).is_some() {}
        while let Some((check, digest)) = self.lanes.take_finished() {
            match check.finish(&digest) {
                Ok(answer) => {
                    self.queue.count_answer(self.index, answer.widest);
                    answer.send();
                }
                Err((work, check)) => self.join(work, check),
            }
        }
    }

    fn run_alone(&mut self, task: Task) {
        match task {
            Task::Hash { password, cost, reply } => {
                if let Some(hash) = new_hash(&password, cost) {
                    self.queue.count_answer(self.index, 1);
                    let _ = reply.send(hash);
                }
            }
            Task::Verify { password, candidate, floor, reply } => {
                let watch = Watch::start();
                let matches = candidate.is_some_and(|hash| match &hash.scheme {
                    Scheme::Argon2(hash) => hash.verify(password.as_bytes()) & !password.is_too_long(),
                    Scheme::Bcrypt(_) => false,
                });
                if matches {
                    self.queue.count_answer(self.index, 1);
                    let _ = reply.send(true);
                } else {
                    // The floor is a number of bcrypt turns, so the time argon2 took is converted at the current speed.
                    let spent = self.queue.turns_within(watch.elapsed());
                    let (mut work, check) = Check::new(&password, None, floor, reply);
                    work.turns = work.turns.saturating_sub(spent).max(1);
                    self.join(work, check);
                }
            }
        }
    }
}

/// New hashes come from the `bcrypt` crate, not from our lanes: what is stored for years should not depend on them.
fn new_hash(password: &Password, cost: Cost) -> Option<StoredHash> {
    let mut salt = [0; 16];
    if rand::fill(&mut salt).is_err() {
        tracing::error!("the system provides no random bytes; no password can be hashed");
        return None;
    }
    let made = bcrypt::bcrypt(cost.get(), salt, &input::new_key(&salt, password.as_bytes()));
    let mut digest = [0; 23];
    digest.copy_from_slice(&made[..23]);
    Some(StoredHash::from_parts(cost.get(), salt, digest))
}
