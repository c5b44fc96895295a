//! The queue of waiting jobs, and how the threads take them.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;

use super::speed::Speed;
use super::waiting::Waiting;
use super::{Busy, HashingSettings, HashingStats};
use crate::lockstep::MAX_LANES;
use crate::stored::Scheme;
use crate::{Cost, Password, StoredHash};

/// A source that has no jobs.
const NOBODY: u64 = u64::MAX;

/// A job, and where to send the answer.
pub(super) enum Task {
    Verify { password: Password, candidate: Option<StoredHash>, floor: Cost, reply: oneshot::Sender<bool> },
    Hash { password: Password, cost: Cost, reply: oneshot::Sender<StoredHash> },
}

impl Task {
    /// True if it can't share its thread, because other code computes it and can't be cut into slices.
    pub(super) fn runs_alone(&self) -> bool {
        match self {
            Self::Verify { candidate, .. } => {
                candidate.as_ref().is_some_and(|hash| matches!(hash.scheme, Scheme::Argon2(_)))
            }
            Self::Hash { .. } => true,
        }
    }

    pub(super) fn is_wanted(&self) -> bool {
        match self {
            Self::Verify { reply, .. } => !reply.is_closed(),
            Self::Hash { reply, .. } => !reply.is_closed(),
        }
    }

    pub(super) fn cost(&self) -> Cost {
        match self {
            Self::Verify { floor, .. } => *floor,
            Self::Hash { cost, .. } => *cost,
        }
    }
}

/// The bounded queue shared by callers and threads.
pub(super) struct Queue {
    pub(super) settings: HashingSettings,
    state: Mutex<State>,
    wake: Condvar,
}

struct State {
    waiting: Waiting,
    /// One entry per thread.
    loads: Vec<Load>,
    /// How many threads sleep on `wake`.
    asleep: usize,
    closed: bool,
    speed: Speed,
    last_floor: Cost,
    lanes_used: [u64; MAX_LANES],
    completed: u64,
    refused: u64,
}

/// The jobs of a thread.
#[derive(Clone, Copy, Default)]
pub(super) struct Load {
    pub(super) lanes: usize,
    /// True if it has a job that runs alone, now or as soon as its lanes are empty. It then takes no other job.
    pub(super) alone: bool,
}

/// How long a thread took for a number of turns with a number of lanes.
pub(super) struct Slice {
    pub(super) lanes: usize,
    pub(super) turns: u64,
    pub(super) took: Duration,
}

impl Queue {
    pub(super) fn new(settings: HashingSettings, speed: Speed) -> Self {
        let state = State {
            waiting: Waiting::default(),
            loads: vec![Load::default(); settings.threads],
            asleep: 0,
            closed: false,
            speed,
            last_floor: Cost::MIN,
            lanes_used: [0; MAX_LANES],
            completed: 0,
            refused: 0,
        };
        Self { settings, state: Mutex::new(state), wake: Condvar::new() }
    }

    /// Adds a job, or fails at once if there is no room.
    pub(super) fn push(&self, source: u64, task: Task) -> Result<(), Busy> {
        let mut state = self.lock();
        state.last_floor = task.cost();
        self.make_room(&mut state, source, task.cost())?;
        state.waiting.push(source, task);
        if state.asleep > 0 {
            self.wake.notify_one();
        }
        Ok(())
    }

    /// Fails as [`Queue::push`] does.
    pub(super) fn require_room(&self, source: u64, cost: Cost) -> Result<(), Busy> {
        self.make_room(&mut self.lock(), source, cost)
    }

    fn make_room(&self, state: &mut State, source: u64, cost: Cost) -> Result<(), Busy> {
        if self.has_room(state, source) {
            return Ok(());
        }
        state.waiting.drop_unwanted();
        if self.has_room(state, source) {
            return Ok(());
        }
        state.refused += 1;
        Err(self.busy_with(state, source, cost))
    }

    fn has_room(&self, state: &State, source: u64) -> bool {
        state.waiting.len() < self.settings.max_queue && state.waiting.of(source) < self.settings.max_per_source
    }

    /// The next job for the thread `index`, which is working on `load`. A thread with nothing to do sleeps here until
    /// there is a job. Fails once the queue is closed.
    pub(super) fn next(&self, index: usize, load: Load, slice: Option<Slice>) -> Result<Option<Task>, Closed> {
        let mut state = self.lock();
        if let Some(slice) = slice {
            state.speed.record(slice.lanes, slice.turns, slice.took);
        }
        state.loads[index] = load;
        loop {
            if state.closed {
                return Err(Closed);
            }
            if let Some(task) = self.take(&mut state, index) {
                return Ok(Some(task));
            }
            if load.lanes > 0 || load.alone {
                return Ok(None);
            }
            state.asleep += 1;
            state = self.wake.wait(state).unwrap_or_else(PoisonError::into_inner);
            state.asleep -= 1;
        }
    }

    /// A waiting job, unless threads with fewer busy lanes will take all of them: jobs are first spread over the
    /// threads, and only then share one.
    fn take(&self, state: &mut State, index: usize) -> Option<Task> {
        let mine = state.loads[index];
        if mine.alone || mine.lanes >= self.settings.lanes {
            return None;
        }
        let others = state.loads.iter().filter(|other| !other.alone);
        let for_others: usize = others.map(|other| mine.lanes.saturating_sub(other.lanes)).sum();
        if state.waiting.len() <= for_others {
            return None;
        }
        while let Some(task) = state.waiting.pop() {
            if task.is_wanted() {
                if task.runs_alone() {
                    state.loads[index].alone = true;
                } else {
                    state.loads[index].lanes += 1;
                }
                return Some(task);
            }
        }
        None
    }

    /// Counts a job of the thread `index`. Called before the answer is sent, so that it is counted by the time the
    /// caller has the answer.
    pub(super) fn count_answer(&self, index: usize, widest: usize) {
        let mut state = self.lock();
        let load = &mut state.loads[index];
        if load.lanes > 0 {
            load.lanes -= 1;
        } else {
            load.alone = false;
        }
        state.completed += 1;
        state.lanes_used[widest.clamp(1, MAX_LANES) - 1] += 1;
    }

    /// How many turns a single lane does in `took`.
    pub(super) fn turns_within(&self, took: Duration) -> u64 {
        self.lock().speed.turns_within(took)
    }

    /// Ends the threads and drops the waiting jobs.
    pub(super) fn close(&self) {
        let mut state = self.lock();
        state.closed = true;
        state.waiting.clear();
        self.wake.notify_all();
    }

    pub(super) fn stats(&self) -> HashingStats {
        let state = self.lock();
        HashingStats {
            queued: state.waiting.len(),
            running: state.running(),
            lanes_used: state.lanes_used,
            completed: state.completed,
            refused: state.refused,
            typical: self.typical_with(&state, NOBODY, state.last_floor),
        }
    }

    pub(super) fn typical(&self, source: u64, floor: Cost) -> Duration {
        self.typical_with(&self.lock(), source, floor)
    }

    pub(super) fn busy(&self, cost: Cost) -> Busy {
        self.busy_with(&self.lock(), NOBODY, cost)
    }

    /// The time in a lane next to the busy ones, plus the time until it is the turn of another job of `source`.
    fn typical_with(&self, state: &State, source: u64, floor: Cost) -> Duration {
        let HashingSettings { threads, lanes, .. } = self.settings;
        let ahead = state.running() + state.waiting.ahead_of(source);
        let running = state.speed.hash(floor, (ahead / threads + 1).min(lanes));
        let all = (threads * lanes) as f64;
        let waiting = if ahead < threads * lanes { 0.0 } else { (ahead as f64 + 1.0 - all) / all };
        Duration::from_secs_f64(running + waiting * state.speed.hash(floor, lanes))
    }

    fn busy_with(&self, state: &State, source: u64, cost: Cost) -> Busy {
        let seconds = self.typical_with(state, source, cost).as_secs_f64().ceil().clamp(1.0, 30.0);
        Busy { retry_after: Duration::from_secs(seconds as u64) }
    }

    /// Nothing in here panics in the middle of a change, so the state is consistent even if the lock is poisoned.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The queue is closed, so the thread must end.
pub(super) struct Closed;

impl State {
    fn running(&self) -> usize {
        self.loads.iter().map(|load| load.lanes + usize::from(load.alone)).sum()
    }
}
