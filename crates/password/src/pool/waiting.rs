//! The waiting jobs. Sources take turns, so that one with many jobs delays another's by one job and not by all of them.

use std::collections::{HashMap, VecDeque};

use super::queue::Task;

/// Jobs in the order in which they are taken.
#[derive(Default)]
pub(super) struct Waiting {
    /// No queue is empty.
    by_source: HashMap<u64, VecDeque<Task>>,
    /// The sources that have jobs, the next one first.
    turns: VecDeque<u64>,
    len: usize,
}

impl Waiting {
    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// How many `source` has.
    pub(super) fn of(&self, source: u64) -> usize {
        self.by_source.get(&source).map_or(0, VecDeque::len)
    }

    /// Adds a job behind those of its source.
    pub(super) fn push(&mut self, source: u64, task: Task) {
        let jobs = self.by_source.entry(source).or_default();
        if jobs.is_empty() {
            self.turns.push_back(source);
        }
        jobs.push_back(task);
        self.len += 1;
    }

    /// Takes the next job.
    pub(super) fn pop(&mut self) -> Option<Task> {
        let source = self.turns.pop_front()?;
        let jobs = self.by_source.get_mut(&source)?;
        let task = jobs.pop_front();
        if jobs.is_empty() {
            self.by_source.remove(&source);
        } else {
            self.turns.push_back(source);
        }
        self.len -= usize::from(task.is_some());
        task
    }

    /// How many jobs would be taken before another one of `source`.
    pub(super) fn ahead_of(&self, source: u64) -> usize {
        let own = self.of(source);
        let others = self.by_source.iter().filter(|(other, _)| **other != source);
        own + others.map(|(_, jobs)| jobs.len().min(own + 1)).sum::<usize>()
    }

    /// Drops the jobs of callers that hung up.
    pub(super) fn drop_unwanted(&mut self) {
        self.by_source.retain(|_, jobs| {
            jobs.retain(Task::is_wanted);
            !jobs.is_empty()
        });
        let by_source = &self.by_source;
        self.turns.retain(|source| by_source.contains_key(source));
        self.len = self.by_source.values().map(VecDeque::len).sum();
    }

    /// Drops all.
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::oneshot;

    use super::*;
    use crate::{Cost, Password};

    /// A job whose cost tells it apart, and its caller.
    fn job(cost: u32) -> (Task, oneshot::Receiver<bool>) {
        let (reply, answer) = oneshot::channel();
        let floor = Cost::try_from(cost).unwrap();
        (Task::Verify { password: Password::new("x".to_owned()), candidate: None, floor, reply }, answer)
    }

    #[test]
    fn sources_take_turns_however_many_jobs_one_has() {
        let mut waiting = Waiting::default();
        let callers: Vec<_> = [(1, 4), (1, 5), (1, 6), (2, 7), (3, 8), (2, 9)]
            .into_iter()
            .map(|(source, cost)| {
                let (task, caller) = job(cost);
                waiting.push(source, task);
                caller
            })
            .collect();
        assert_eq!((waiting.len(), waiting.of(1), waiting.of(4)), (6, 3, 0));
        // A fourth source comes after one job of each; the first one after its own, and as many of the others.
        assert_eq!((waiting.ahead_of(4), waiting.ahead_of(1), waiting.ahead_of(3)), (3, 6, 5));
        let order: Vec<_> = std::iter::from_fn(|| waiting.pop()).map(|task| task.cost().get()).collect();
        assert_eq!(order, [4, 7, 8, 5, 9, 6]);
        assert_eq!((waiting.len(), waiting.of(1)), (0, 0));
        drop(callers);
    }

    #[test]
    fn the_jobs_of_callers_that_hung_up_are_dropped() {
        let mut waiting = Waiting::default();
        let mut callers = Vec::new();
        for (source, cost) in [(1, 4), (2, 5), (2, 6)] {
            let (task, caller) = job(cost);
            waiting.push(source, task);
            callers.push(caller);
        }
        callers.drain(..2);
        waiting.drop_unwanted();
        assert_eq!((waiting.len(), waiting.of(1), waiting.of(2)), (1, 0, 1));
        assert_eq!(waiting.pop().map(|task| task.cost().get()), Some(6));
        assert!(waiting.pop().is_none());
    }
}
