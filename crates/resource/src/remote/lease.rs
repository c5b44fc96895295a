//! How long the last answer of the denylist can be relied on.
//!
//! The lease starts when the answered poll was *sent*: what the server said was true at some time after that, so a slow
//! answer makes the lease shorter, never longer. It is measured by [`Clock::elapsed`], which goes on while the machine
//! is suspended. A virtual machine that its host paused does not notice even that, but its wall clock jumps once it is
//! corrected. So the wall clock is watched as well: the time by which it runs ahead of the elapsed time counts as
//! elapsed, and a jump of more than [`MAX_DRIFT`] in either direction ends the lease.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use ficha_token::Clock;

/// How far the two clocks may drift apart between two answers, in microseconds. Time services slew by far less in a
/// minute, and a leap second is half of it.
const MAX_DRIFT: i64 = 2_000_000;
/// Reading both clocks takes a microsecond. If it took this long, in microseconds, the thread was suspended in between.
const UNDISTURBED: i64 = 10_000;

/// A reading of both clocks, in microseconds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Moment {
    /// Time since some fixed moment.
    pub elapsed: i64,
    /// What has to be added to get the wall clock's time.
    offset: i64,
}

impl Moment {
    pub(crate) fn now(clock: &dyn Clock) -> Self {
        let mut moment = Self::quick(clock);
        for _ in 0..3 {
            if micros(clock.elapsed()) - moment.elapsed < UNDISTURBED {
                break;
            }
            moment = Self::quick(clock);
        }
        moment
    }

    fn quick(clock: &dyn Clock) -> Self {
        let elapsed = micros(clock.elapsed());
        let wall = (clock.now().unix_timestamp_nanos() / 1_000) as i64;
        Self { elapsed, offset: wall.saturating_sub(elapsed) }
    }

    /// The time that has passed since an earlier moment.
    pub(crate) fn since(self, earlier: Self) -> Duration {
        Duration::from_micros((self.elapsed - earlier.elapsed).max(0) as u64)
    }

    fn drift_from(self, offset: i64) -> i64 {
        self.offset.saturating_sub(offset)
    }
}

/// The lease. Requests read it without a lock, and one follower writes it.
pub(crate) struct Lease {
    length: i64,
    /// The elapsed time at which it ends; 0 if there is none.
    deadline: AtomicI64,
    /// The offset between the clocks that the next reading is compared with.
    offset: AtomicI64,
    /// The offset at which the whole list was last read.
    trusted: AtomicI64,
    /// When the poll was sent whose answer renewed it last; -1 before the first.
    sent: AtomicI64,
}

/// The state of the lease.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Freshness {
    /// It is valid.
    Fresh,
    /// It is over, or never began.
    Over,
    /// The wall clock was set.
    Jumped,
}

/// The wall clock was set between a poll and its answer, or since the last answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Jumped;

/// The lease as it was at one moment. It covers a look-up made after it was read if it is still fresh after the
/// look-up, even if the thread was suspended in between.
#[derive(Clone, Copy)]
pub(crate) struct Reading {
    deadline: i64,
    offset: i64,
}

impl Lease {
    pub(crate) fn new(length: Duration, clock: &dyn Clock) -> Self {
        let offset = Moment::now(clock).offset;
        Self {
            length: micros(length),
            deadline: AtomicI64::new(0),
            offset: AtomicI64::new(offset),
            trusted: AtomicI64::new(offset),
            sent: AtomicI64::new(-1),
        }
    }

    pub(crate) fn read(&self) -> Reading {
        // The order matters. `end` writes the deadline first: a thread that reads its offset also reads its deadline or
        // a later one, never the previous deadline, which the new offset would make valid again. `renew` writes the
        // deadline last: a new deadline with the previous offset is compared with that offset, from which it is at most
        // MAX_DRIFT away; with an offset from before a jump, it counts as jumped.
        let offset = self.offset.load(Ordering::Acquire);
        Reading { deadline: self.deadline.load(Ordering::Acquire), offset }
    }

    /// Renews the lease at `now`, after a complete answer to the poll sent at `sent`.
    pub(crate) fn renew(&self, sent: Moment, now: Moment) -> Result<(), Jumped> {
        if self.has_jumped(sent) || now.drift_from(sent.offset).abs() > MAX_DRIFT {
            return Err(Jumped);
        }
        self.offset.store(sent.offset, Ordering::Release);
        self.trusted.store(sent.offset, Ordering::Release);
        self.sent.store(sent.elapsed, Ordering::Release);
        self.deadline.store(sent.elapsed.saturating_add(self.length), Ordering::Release);
        Ok(())
    }

    /// True if the wall clock has been set since the last answer.
    pub(crate) fn has_jumped(&self, moment: Moment) -> bool {
        moment.drift_from(self.offset.load(Ordering::Acquire)).abs() > MAX_DRIFT
    }

    /// Ends the lease. From now on the clocks are compared with `moment`.
    pub(crate) fn end(&self, moment: Moment) {
        self.deadline.store(0, Ordering::Release);
        self.offset.store(moment.offset, Ordering::Release);
    }

    /// The earliest time that it can be now, in Unix seconds: the time at which the whole list was last read, plus the
    /// time elapsed since, less the allowed drift.
    pub(crate) fn reached(&self, clock: &dyn Clock) -> i64 {
        let wall = micros(clock.elapsed()).saturating_add(self.trusted.load(Ordering::Acquire));
        wall.saturating_sub(MAX_DRIFT).div_euclid(1_000_000)
    }

    /// True if the wall clock has been set since the whole list was last read. Unlike [`Lease::has_jumped`], it stays
    /// true after [`Lease::end`].
    pub(crate) fn is_clock_doubted(&self, moment: Moment) -> bool {
        moment.drift_from(self.trusted.load(Ordering::Acquire)).abs() > MAX_DRIFT
    }

    /// The longest pause after a failure: a third of what is left of the lease, or of its whole length once it is over.
    pub(crate) fn longest_pause(&self, clock: &dyn Clock) -> Duration {
        let left = self.deadline.load(Ordering::Acquire) - micros(clock.elapsed());
        Duration::from_micros((if left > 0 { left } else { self.length } / 3).unsigned_abs())
    }

    /// How long ago the poll was sent that last renewed it. `None` before the first.
    pub(crate) fn age(&self, clock: &dyn Clock) -> Option<Duration> {
        let sent = self.sent.load(Ordering::Acquire);
        (sent >= 0).then(|| Duration::from_micros((micros(clock.elapsed()) - sent).max(0) as u64))
    }
}

impl Reading {
    /// Compares it with the clock now.
    pub(crate) fn look(self, clock: &dyn Clock) -> Freshness {
        match self.at(Moment::quick(clock)) {
            Freshness::Jumped => self.at(Moment::now(clock)),
            seen => seen,
        }
    }

    fn at(self, moment: Moment) -> Freshness {
        let drift = moment.drift_from(self.offset);
        if moment.elapsed >= self.deadline {
            Freshness::Over
        } else if drift.abs() > MAX_DRIFT {
            Freshness::Jumped
        } else if moment.elapsed.saturating_add(drift.max(0)) >= self.deadline {
            Freshness::Over
        } else {
            Freshness::Fresh
        }
    }
}

pub(crate) fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use ficha_token::ManualClock;
    use time::OffsetDateTime;

    use super::*;

    const LENGTH: Duration = Duration::from_secs(30);

    fn clock() -> ManualClock {
        ManualClock::new(OffsetDateTime::from_unix_timestamp(1_800_000_000).unwrap())
    }

    fn renewed(clock: &ManualClock) -> Lease {
        let lease = Lease::new(LENGTH, clock);
        let sent = Moment::now(clock);
        lease.renew(sent, sent).unwrap();
        lease
    }

    #[test]
    fn there_is_no_lease_before_the_first_answer() {
        let clock = clock();
        let lease = Lease::new(LENGTH, &clock);
        assert_eq!(lease.read().look(&clock), Freshness::Over);
        assert_eq!(lease.age(&clock), None);
    }

    #[test]
    fn it_starts_when_the_poll_is_sent_and_not_with_the_answer() {
        let clock = clock();
        let lease = Lease::new(LENGTH, &clock);
        let sent = Moment::now(&clock);
        clock.advance(Duration::from_secs(10));
        lease.renew(sent, Moment::now(&clock)).unwrap();
        clock.advance(Duration::from_millis(19_999));
        assert_eq!(lease.read().look(&clock), Freshness::Fresh);
        clock.advance(Duration::from_millis(1));
        assert_eq!(lease.read().look(&clock), Freshness::Over);
        assert_eq!(lease.age(&clock), Some(LENGTH));
    }

    #[test]
    fn a_jump_of_the_wall_clock_ends_it_either_way() {
        for seconds in [-3_600, -3, 3, 3_600] {
            let clock = clock();
            let lease = renewed(&clock);
            clock.set_wall(clock.now() + time::Duration::seconds(seconds));
            assert_eq!(lease.read().look(&clock), Freshness::Jumped, "{seconds}");
            assert_eq!(lease.renew(Moment::now(&clock), Moment::now(&clock)), Err(Jumped));
            lease.end(Moment::now(&clock));
            assert_eq!(lease.read().look(&clock), Freshness::Over);
            assert_eq!(lease.renew(Moment::now(&clock), Moment::now(&clock)), Ok(()));
            assert_eq!(lease.read().look(&clock), Freshness::Fresh);
        }
    }

    #[test]
    fn a_jump_between_a_poll_and_its_answer_prevents_the_renewal() {
        let clock = clock();
        let lease = renewed(&clock);
        let sent = Moment::now(&clock);
        clock.set_wall(clock.now() - time::Duration::minutes(5));
        assert_eq!(lease.renew(sent, Moment::now(&clock)), Err(Jumped));
    }

    #[test]
    fn a_small_step_forward_counts_as_elapsed_time_and_slewing_is_harmless() {
        let clock = clock();
        let lease = renewed(&clock);
        clock.advance(Duration::from_millis(28_500));
        clock.set_wall(clock.now() + time::Duration::milliseconds(1_499));
        assert_eq!(lease.read().look(&clock), Freshness::Fresh);
        clock.set_wall(clock.now() + time::Duration::milliseconds(1));
        assert_eq!(lease.read().look(&clock), Freshness::Over);
        for _ in 0..10 {
            let now = Moment::now(&clock);
            lease.renew(now, now).unwrap();
            clock.set_wall(clock.now() + time::Duration::milliseconds(1_500));
            let now = Moment::now(&clock);
            lease.renew(now, now).unwrap();
        }
        assert_eq!(lease.read().look(&clock), Freshness::Fresh);
    }

    #[test]
    fn a_reading_from_before_a_renewal_is_not_made_fresh_by_it() {
        let clock = clock();
        let lease = renewed(&clock);
        let before = lease.read();
        clock.advance(LENGTH);
        let now = Moment::now(&clock);
        lease.renew(now, now).unwrap();
        assert_eq!(before.look(&clock), Freshness::Over);
        assert_eq!(lease.read().look(&clock), Freshness::Fresh);
    }

    #[test]
    fn a_time_is_trusted_once_the_list_has_been_read_under_it() {
        let clock = clock();
        let lease = renewed(&clock);
        let right = clock.now();
        clock.set_wall(right + time::Duration::days(1));
        assert!(lease.is_clock_doubted(Moment::now(&clock)));
        lease.end(Moment::now(&clock));
        assert!(lease.is_clock_doubted(Moment::now(&clock)));
        clock.advance(Duration::from_secs(10));
        assert_eq!(lease.reached(&clock), right.unix_timestamp() + 8);
        lease.renew(Moment::now(&clock), Moment::now(&clock)).unwrap();
        assert!(!lease.is_clock_doubted(Moment::now(&clock)));
        assert_eq!(lease.reached(&clock), clock.unix_now() - 2);
        clock.set_wall(right);
        assert!(lease.is_clock_doubted(Moment::now(&clock)));
        assert_eq!(
            lease.reached(&clock),
            right.unix_timestamp() + 86_400 + 8,
            "it does not follow the wall clock back"
        );
    }

    #[test]
    fn pauses_leave_time_for_another_attempt() {
        let clock = clock();
        let lease = renewed(&clock);
        assert_eq!(lease.longest_pause(&clock), LENGTH / 3);
        clock.advance(Duration::from_secs(24));
        assert_eq!(lease.longest_pause(&clock), Duration::from_secs(2));
        clock.advance(Duration::from_secs(6));
        assert_eq!(lease.longest_pause(&clock), LENGTH / 3, "there is nothing left to save");
    }
}
