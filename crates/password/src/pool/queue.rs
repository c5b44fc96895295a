//! What waits to be hashed, and which thread takes what.

use std::collections::{HashMap, VecDeque};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;

use super::speed::Speed;
use super::{Busy, HashingSettings, HashingStats};
use crate::lockstep::MAX_LANES;
use crate::stored::Scheme;
use crate::{Cost, Password, StoredHash};

/// What a caller wants, and where the answer goes.
pub(super) enum Task {
    Verify { password: Password, candidate: Option<StoredHash>, floor: Cost, reply: oneshot::Sender<bool> },
    Hash { password: Password, cost: Cost, reply: oneshot::Sender<StoredHash> },
}

impl Task {
    /// It can't share its thread: it is not ours to cut into slices.
    pub(super) fn runs_alone(&self) -> bool {
        match self {
            Self::Verify { candidate, .. } => {
                candidate.as_ref().is_some_and(|hash| matches!(hash.scheme, Scheme::Argon2(_)))
            }
            Self::Hash { .. } => true,
        }
    }

    fn is_wanted(&self) -> bool {
        match self {
            Self::Verify { reply, .. } => !reply.is_closed(),
            Self::Hash { reply, .. } => !reply.is_closed(),
        }
    }

    fn cost(&self) -> Cost {
        match self {
            Self::Verify { floor, .. } => *floor,
            Self::Hash { cost, .. } => *cost,
        }
    }
}

/// The bounded queue that callers and threads share.
pub(super) struct Queue {
    pub(super) settings: HashingSettings,
    state: Mutex<State>,
    wake: Condvar,
}

struct State {
    waiting: VecDeque<(u64, Task)>,
    /// How many of `waiting` each source has; no entry is 0.
    per_source: HashMap<u64, usize>,
    /// By thread.
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

/// What a thread has taken on.
#[derive(Clone, Copy, Default)]
pub(super) struct Load {
    pub(super) lanes: usize,
    /// It has a job that runs alone, or will as soon as its lanes are empty, and takes nothing else.
    pub(super) alone: bool,
}

/// How long a thread took for so many turns with so many lanes.
pub(super) struct Slice {
    pub(super) lanes: usize,
    pub(super) turns: u64,
    pub(super) took: Duration,
}

impl Queue {
    pub(super) fn new(settings: HashingSettings, speed: Speed) -> Self {
        let state = State {
            waiting: VecDeque::new(),
            per_source: HashMap::new(),
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

    /// Adds a job at the end, or says at once that there is no room.
    pub(super) fn push(&self, source: u64, task: Task) -> Result<(), Busy> {
        let mut state = self.lock();
        state.last_floor = task.cost();
        if !self.has_room(&state, source) {
            state.drop_unwanted();
            if !self.has_room(&state, source) {
                state.refused += 1;
                return Err(self.busy_with(&state, task.cost()));
            }
        }
        *state.per_source.entry(source).or_default() += 1;
        state.waiting.push_back((source, task));
        if state.asleep > 0 {
            self.wake.notify_one();
        }
        Ok(())
    }

    fn has_room(&self, state: &State, source: u64) -> bool {
        let of_source = state.per_source.get(&source).copied().unwrap_or_default();
        state.waiting.len() < self.settings.max_queue && of_source < self.settings.max_per_source
    }

    /// The next job for the thread `index`, which is at work on `load`. A thread with nothing to do sleeps here until
    /// there is one. `Err` once the queue is closed.
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

    /// A job that waits, unless threads with fewer busy lanes will want all of them: jobs spread over the cores first,
    /// and share one only then.
    fn take(&self, state: &mut State, index: usize) -> Option<Task> {
        let mine = state.loads[index];
        if mine.alone || mine.lanes >= self.settings.lanes {
            return None;
        }
        let others = state.loads.iter().filter(|other| !other.alone);
        let spoken_for: usize = others.map(|other| mine.lanes.saturating_sub(other.lanes)).sum();
        if state.waiting.len() <= spoken_for {
            return None;
        }
        while let Some((source, task)) = state.waiting.pop_front() {
            state.forget(source);
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

    /// Counts a job of the thread `index` that is about to be answered, so that it is counted once its caller has the answer.
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

    /// How many turns a lone lane does within `took`.
    pub(super) fn turns_within(&self, took: Duration) -> u64 {
        self.lock().speed.turns_within(took)
    }

    /// Ends the threads and lets go of what waits.
    pub(super) fn close(&self) {
        let mut state = self.lock();
        state.closed = true;
        state.waiting.clear();
        state.per_source.clear();
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
            typical: self.typical_with(&state, state.last_floor),
        }
    }

    pub(super) fn typical(&self, floor: Cost) -> Duration {
        self.typical_with(&self.lock(), floor)
    }

    pub(super) fn busy(&self, cost: Cost) -> Busy {
        self.busy_with(&self.lock(), cost)
    }

    /// The time in a lane next to the busy ones and, if none is free, the time until one is.
    fn typical_with(&self, state: &State, floor: Cost) -> Duration {
        let HashingSettings { threads, lanes, .. } = self.settings;
        let ahead = state.running() + state.waiting.len();
        let running = state.speed.hash(floor, (ahead / threads + 1).min(lanes));
        let all = (threads * lanes) as f64;
        let waiting = if ahead < threads * lanes { 0.0 } else { (ahead as f64 + 1.0 - all) / all };
        Duration::from_secs_f64(running + waiting * state.speed.hash(floor, lanes))
    }

    fn busy_with(&self, state: &State, cost: Cost) -> Busy {
        let seconds = self.typical_with(state, cost).as_secs_f64().ceil().clamp(1.0, 30.0);
        Busy { retry_after: Duration::from_secs(seconds as u64) }
    }

    /// Nothing in here panics halfway through a change, so what a poisoned lock guards is whole.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The queue is closed: the thread ends.
pub(super) struct Closed;

impl State {
    fn running(&self) -> usize {
        self.loads.iter().map(|load| load.lanes + usize::from(load.alone)).sum()
    }

    fn forget(&mut self, source: u64) {
        if let Some(count) = self.per_source.get_mut(&source) {
            *count -= 1;
            if *count == 0 {
                self.per_source.remove(&source);
            }
        }
    }

    /// Callers that hung up make room.
    fn drop_unwanted(&mut self) {
        let mut unwanted = Vec::new();
        self.waiting.retain(|(source, task)| {
            let wanted = task.is_wanted();
            if !wanted {
                unwanted.push(*source);
            }
            wanted
        });
        unwanted.into_iter().for_each(|source| self.forget(source));
    }
}
