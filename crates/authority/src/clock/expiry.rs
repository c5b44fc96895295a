//! The clock for removing what has expired.
//!
//! Expiry goes by the wall clock, and a wall clock can be set wrong. While it is ahead, tokens expire too early and
//! become valid again once it is corrected, which does no harm. But denylist entries that were removed meanwhile are
//! gone, and a revoked token would become valid again with the others. So a jump is not believed at once.

use std::sync::{Mutex, PoisonError};

use ficha_token::Clock;

/// How far wall clock and elapsed time may drift apart between two checks, in microseconds. Time services slew by far
/// less in a minute, and a leap second is half of it.
const MAX_DRIFT: i64 = 2_000_000;
/// How long a jump must last until it is believed, in microseconds: a day, which is the longest life of an access
/// token.
const BELIEVED_AFTER: i64 = 86_400 * SECOND;
const SECOND: i64 = 1_000_000;

/// Compares the wall clock with the elapsed time. It must be called regularly to notice a jump.
#[derive(Default)]
pub(crate) struct ExpiryClock {
    seen: Mutex<Option<Seen>>,
}

/// Offsets are what has to be added to the elapsed time to get the wall-clock time, in microseconds.
struct Seen {
    offset: i64,
    /// Another offset that is not believed yet, and the elapsed time at which it was first seen.
    doubted: Option<(i64, i64)>,
}

impl ExpiryClock {
    /// Starts with this offset, which may be before the wall clock's: the difference counts as a jump. An offset is what
    /// is added to the elapsed time to get the time, in microseconds since 1970.
    pub(crate) fn begin(&self, offset: i64, clock: &dyn Clock) {
        let (_, now) = read(clock);
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if offset < now && !agree(offset, now) {
            *seen = Some(Seen { offset, doubted: None });
        }
    }

    /// Unix seconds: the wall clock's, or what it would show had it not jumped, whichever is earlier.
    pub(crate) fn unix_now(&self, clock: &dyn Clock) -> i64 {
        let (elapsed, offset) = read(clock);
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let seen = seen.get_or_insert(Seen { offset, doubted: None });
        match seen.doubted {
            _ if agree(offset, seen.offset) => *seen = Seen { offset, doubted: None },
            Some((before, since)) if agree(offset, before) && elapsed - since >= BELIEVED_AFTER => {
                *seen = Seen { offset, doubted: None };
            }
            Some((before, since)) if agree(offset, before) => seen.doubted = Some((offset, since)),
            _ => {
                let seconds = (offset - seen.offset) / SECOND;
                tracing::warn!(
                    seconds,
                    "the clock was changed; nothing that expires by the new time is removed for a day"
                );
                seen.doubted = Some((offset, elapsed));
            }
        }
        (elapsed + offset.min(seen.offset)).div_euclid(SECOND)
    }
}

/// The elapsed time and the clock's offset, in microseconds.
fn read(clock: &dyn Clock) -> (i64, i64) {
    let elapsed = i64::try_from(clock.elapsed().as_micros()).unwrap_or(i64::MAX);
    let wall = (clock.now().unix_timestamp_nanos() / 1_000) as i64;
    (elapsed, wall - elapsed)
}

fn agree(one: i64, other: i64) -> bool {
    (one - other).abs() <= MAX_DRIFT
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use ficha_token::ManualClock;
    use time::OffsetDateTime;

    use super::*;

    const BEGIN: i64 = 1_800_000_000;
    const HOUR: i64 = 3_600;

    fn clock() -> ManualClock {
        ManualClock::new(OffsetDateTime::from_unix_timestamp(BEGIN).unwrap())
    }

    fn set(clock: &ManualClock, seconds: i64) {
        clock.set_wall(clock.now() + time::Duration::seconds(seconds));
    }

    #[test]
    fn it_advances_with_both_clocks_however_long_it_is_not_used() {
        let (clock, expiry) = (clock(), ExpiryClock::default());
        assert_eq!(expiry.unix_now(&clock), BEGIN);
        clock.advance(Duration::from_secs(30 * 86_400));
        assert_eq!(expiry.unix_now(&clock), BEGIN + 30 * 86_400);
        for _ in 0..10 {
            set(&clock, 2);
            clock.advance(Duration::from_secs(60));
            assert_eq!(expiry.unix_now(&clock), clock.unix_now(), "slewing is followed");
        }
    }

    #[test]
    fn a_clock_set_forward_is_not_believed_and_one_set_back_is() {
        let (clock, expiry) = (clock(), ExpiryClock::default());
        expiry.unix_now(&clock);
        set(&clock, 3 * HOUR);
        assert_eq!(expiry.unix_now(&clock), BEGIN);
        clock.advance(Duration::from_secs(60));
        assert_eq!(expiry.unix_now(&clock), BEGIN + 60);
        set(&clock, -3 * HOUR);
        assert_eq!(expiry.unix_now(&clock), BEGIN + 60);
        set(&clock, -HOUR);
        assert_eq!(expiry.unix_now(&clock), BEGIN + 60 - HOUR);
    }

    #[test]
    fn a_change_that_has_lasted_for_a_day_is_believed() {
        let (clock, expiry) = (clock(), ExpiryClock::default());
        expiry.unix_now(&clock);
        set(&clock, 3 * HOUR);
        expiry.unix_now(&clock);
        clock.advance(Duration::from_secs(86_399));
        assert_eq!(expiry.unix_now(&clock), BEGIN + 86_399);
        // Another jump starts another day.
        set(&clock, HOUR);
        assert_eq!(expiry.unix_now(&clock), BEGIN + 86_399);
        clock.advance(Duration::from_secs(86_399));
        assert_eq!(expiry.unix_now(&clock), BEGIN + 2 * 86_399);
        clock.advance(Duration::from_secs(1));
        assert_eq!(expiry.unix_now(&clock), clock.unix_now());
        assert_eq!(clock.unix_now(), BEGIN + 2 * 86_399 + 1 + 4 * HOUR);
    }
}
