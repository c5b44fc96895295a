//! What happened in each minute, for the overview: counted in memory, and added to the database when the minute is over.

use std::sync::{Mutex, PoisonError};

use ficha_store::{Activity, StoreError};

use crate::Authority;
use crate::metrics::Metrics;

/// What has been written down, and for which minute the rest counts.
#[derive(Default)]
pub(crate) struct Written(Mutex<State>);

#[derive(Default)]
struct State {
    minute: i64,
    counters: Activity,
}

impl Written {
    /// What is to be added to a minute that is over; `None` if none is, or nothing happened in it.
    fn due(&self, minute: i64, counters: Activity) -> Option<(i64, Activity)> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if state.minute == 0 {
            state.minute = minute;
        }
        // After the end, nothing is written any more.
        if state.minute == minute || state.minute == i64::MAX {
            return None;
        }
        let (over, more) = (state.minute, difference(counters, state.counters));
        *state = State { minute, counters };
        (!more.is_nothing()).then_some((over, more))
    }

    /// It could not be written: it counts for the next minute.
    fn put_back(&self, more: Activity) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.counters = difference(state.counters, more);
    }
}

impl Authority {
    /// Writes down what happened in the minute before this one.
    pub(crate) async fn write_activity(&self, now: i64) -> Result<(), StoreError> {
        self.write_activity_until(now.div_euclid(60)).await
    }

    /// The rest, before the end.
    pub(crate) async fn write_last_activity(&self) -> Result<(), StoreError> {
        self.write_activity_until(i64::MAX).await
    }

    async fn write_activity_until(&self, minute: i64) -> Result<(), StoreError> {
        let due = self.inner.activity.due(minute, counters(&self.inner.metrics));
        let Some((minute, more)) = due else { return Ok(()) };
        let written = self.store().add_activity(minute, more).await;
        if written.is_err() {
            self.inner.activity.put_back(more);
        }
        written
    }
}

fn counters(metrics: &Metrics) -> Activity {
    let count = |counter: &crate::metrics::Counter| i64::try_from(counter.get()).unwrap_or(i64::MAX);
    Activity {
        logins: count(&metrics.logins),
        login_failures: count(&metrics.login_failures),
        refreshes: count(&metrics.refreshes),
        revocations: count(&metrics.revocations),
    }
}

fn difference(now: Activity, before: Activity) -> Activity {
    Activity {
        logins: now.logins - before.logins,
        login_failures: now.login_failures - before.login_failures,
        refreshes: now.refreshes - before.refreshes,
        revocations: now.revocations - before.revocations,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn logins(logins: i64) -> Activity {
        Activity { logins, ..Activity::default() }
    }

    #[test]
    fn a_minute_is_written_once_it_is_over_and_what_could_not_be_counts_for_the_next() {
        let written = Written::default();
        assert_eq!(written.due(7, logins(2)), None);
        assert_eq!(written.due(7, logins(3)), None);
        assert_eq!(written.due(8, logins(4)), Some((7, logins(4))));
        written.put_back(logins(4));
        assert_eq!(written.due(9, logins(5)), Some((8, logins(5))));
        assert_eq!(written.due(10, logins(5)), None);
    }
}
