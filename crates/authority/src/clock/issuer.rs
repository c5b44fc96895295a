//! The clock by which tokens are issued and checked.
//!
//! It advances with the elapsed time and not with the wall clock, so a clock that is set forward or back changes
//! nothing at first. A new time that has been stable for a minute is followed, since it is most likely the right one (a
//! machine that was paused, a time service that came late). Even then it ends no session by itself: for an hour a
//! session ends only if both times say so, and a token that only one of them calls expired gets a 503 and not a 401,
//! for as long as an access token from before may be valid.
//!
//! Removing expired rows follows a third, stricter rule: `expiry.rs`.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ficha_store::{BeatTime, LastBeat, Store};
use ficha_token::Clock;
use time::OffsetDateTime;

use crate::clock::boot_id;

/// How far wall clock and elapsed time may drift apart between two checks, in microseconds. Time services slew by far
/// less.
const MAX_DRIFT: i64 = 2_000_000;
/// How often the two clocks are read until both readings are from the same moment.
const READ_ATTEMPTS: u32 = 5;
/// How long another time must last until it is followed, in microseconds.
const FOLLOWED_AFTER: i64 = 60 * SECOND;
/// How long after that no session ends by the new time alone, in microseconds.
const SESSION_GRACE: i64 = 3_600 * SECOND;
/// The same if the only reason for doubt is a long time without a server.
const SESSION_GRACE_AFTER_LONG: i64 = 600 * SECOND;
/// If the database was last used longer ago than this, the clock may be wrong, in seconds.
const LONG_AGO: i64 = 86_400;
/// How far behind the last heartbeat a clock may be at the start, in seconds: the clocks of servers differ a little.
const MAX_LAG: i64 = 60;
const SECOND: i64 = 1_000_000;

/// A clock that does not jump, on top of one that may.
pub struct IssuerClock {
    source: Arc<dyn Clock>,
    /// What is added to the elapsed time to get the time, in microseconds since 1970.
    offset: AtomicI64,
    doubt: Mutex<Doubt>,
    expiry_offset: i64,
}

/// The times that a process starts with, in microseconds since 1970.
struct Begin {
    now: i64,
    earliest: i64,
    expiry: i64,
    /// For how long sessions end only if they have ended by `earliest` too.
    session_grace: i64,
}

impl Begin {
    /// At a start `passed` seconds after a heartbeat.
    fn after(last: BeatTime, passed: i64, wall: i64) -> Self {
        let expected = (last.at + passed).saturating_mul(SECOND);
        // The heartbeat has whole seconds.
        let now = if (wall - expected).abs() > MAX_DRIFT + SECOND { expected } else { wall };
        let earliest = now.min(now - (last.at - last.earliest) * SECOND);
        // Not from the heartbeat's whole seconds: each restart would lose a part of one, and after some of them that
        // would look like a clock that was set.
        let expiry = now - (last.at - last.expiry).max(0) * SECOND;
        Self { now, earliest, expiry, session_grace: SESSION_GRACE }
    }

    /// An unknown time after a heartbeat.
    fn at_another_boot(last: BeatTime, wall: i64) -> Self {
        let at = last.at.saturating_mul(SECOND);
        // It can't be earlier than the heartbeat. A machine without a clock battery shows a time long ago until its
        // time service starts.
        let now = if wall + MAX_LAG * SECOND < at { at } else { wall };
        let doubted = (last.at - last.earliest).max(0) * SECOND;
        // Most likely the server was off for a long time, but the clock may be ahead.
        let is_long_ago = now - LONG_AGO * SECOND > at;
        let earliest = if is_long_ago { at - doubted } else { now - doubted };
        let session_grace = if doubted == 0 { SESSION_GRACE_AFTER_LONG } else { SESSION_GRACE };
        // A server on another machine that is running, or was until a moment ago, has about the same time.
        let is_recent = (now - at).abs() <= MAX_LAG * SECOND;
        let from = if is_recent { now } else { at };
        Self { now, earliest, expiry: from - (last.at - last.expiry).max(0) * SECOND, session_grace }
    }
}

#[derive(Default)]
struct Doubt {
    /// Another offset, and the elapsed time since which the wall clock has had it.
    seen: Option<(i64, i64)>,
    /// What was used before the last jump that was followed.
    before: Option<Before>,
}

#[derive(Clone, Copy)]
struct Before {
    offset: i64,
    /// The elapsed time at which the jump was followed.
    followed: i64,
    /// The elapsed time until which sessions also go by this offset.
    until: i64,
}

impl IssuerClock {
    /// Starts with the time of `source`, unless `last` shows that it has jumped since the database was last used.
    /// Doubts of the previous process are kept.
    pub fn new(source: Arc<dyn Clock>, last: &LastBeat) -> Self {
        let (wall, elapsed) = read(&*source);
        let begin = match (last.of_this_boot, last.any) {
            // This machine has not been rebooted since, so the elapsed time is known.
            (Some((time, then)), _) if then.saturating_mul(1_000) <= elapsed => {
                let passed = (elapsed - then.saturating_mul(1_000)).div_euclid(SECOND);
                Begin::after(time, passed, wall)
            }
            (_, Some(time)) => Begin::at_another_boot(time, wall),
            (_, None) => Begin { now: wall, earliest: wall, expiry: wall, session_grace: 0 },
        };
        let mut doubt = Doubt::default();
        if !agree(wall, begin.now) {
            doubt.seen = Some((wall - elapsed, elapsed));
        }
        if !agree(begin.earliest, begin.now) {
            let until = elapsed + begin.session_grace;
            doubt.before = Some(Before { offset: begin.earliest - elapsed, followed: elapsed, until });
        }
        let expiry_offset = begin.expiry.min(begin.earliest).min(wall) - elapsed;
        Self { source, offset: AtomicI64::new(begin.now - elapsed), doubt: Mutex::new(doubt), expiry_offset }
    }

    /// The earliest that it may have been at the start, for removing expired rows: what is added to the elapsed time to
    /// get it, in microseconds since 1970.
    pub(crate) fn expiry_offset(&self) -> i64 {
        self.expiry_offset
    }

    /// [`IssuerClock::new`] with the last heartbeat in `store`. A database from which it can't be read counts as new.
    pub async fn start(source: Arc<dyn Clock>, store: &Store) -> Self {
        let last = store.last_beat(boot_id().as_deref()).await.unwrap_or_default();
        Self::new(source, &last)
    }

    /// Compares the time with the wall clock; to be called about once a second.
    pub fn look(&self) {
        let (wall, elapsed) = read(&*self.source);
        let seen = wall - elapsed;
        let offset = self.offset.load(Ordering::Acquire);
        let mut doubt = self.doubt.lock().unwrap_or_else(PoisonError::into_inner);
        if agree(seen, offset) {
            if doubt.seen.take().is_some() {
                tracing::info!("the clock is back at the expected time");
            }
            self.offset.store(seen, Ordering::Release);
            return;
        }
        let seconds = (seen - offset) / SECOND;
        match doubt.seen {
            Some((before, since)) if agree(seen, before) && elapsed - since >= FOLLOWED_AFTER => {
                tracing::warn!(seconds, "the changed clock has been stable for a minute and is now used");
                // After two jumps in a short time, the earliest of all times counts.
                let earliest = doubt.before_within(elapsed).map_or(offset, |before| before.min(offset));
                let before = Before { offset: earliest, followed: elapsed, until: elapsed + SESSION_GRACE };
                *doubt = Doubt { seen: None, before: Some(before) };
                self.offset.store(seen, Ordering::Release);
            }
            Some((before, since)) if agree(seen, before) => doubt.seen = Some((seen, since)),
            _ => {
                tracing::warn!(
                    seconds,
                    "the clock was changed; the previous time is used until the new one has been stable for a minute"
                );
                doubt.seen = Some((seen, elapsed));
            }
        }
    }

    /// The earliest time that it may be, in Unix seconds: a session that has ended by then has certainly ended.
    pub fn earliest(&self) -> i64 {
        let elapsed = micros(self.source.elapsed());
        let offset = self.offset.load(Ordering::Acquire);
        let doubt = self.doubt.lock().unwrap_or_else(PoisonError::into_inner);
        let seen = doubt.seen.map_or(offset, |(seen, _)| seen);
        let before = doubt.before_within(elapsed).unwrap_or(offset);
        (elapsed + offset.min(seen).min(before)).div_euclid(SECOND)
    }

    /// True while a token may look expired, or not valid yet, only because the clock was set: for as long as a token
    /// from before may live.
    pub fn is_in_doubt(&self, life: Duration) -> bool {
        let elapsed = micros(self.source.elapsed());
        let doubt = self.doubt.lock().unwrap_or_else(PoisonError::into_inner);
        doubt.seen.is_some() || doubt.before.is_some_and(|before| elapsed - before.followed < micros(life))
    }
}

impl Doubt {
    /// The previous offset, while sessions also go by it.
    fn before_within(&self, elapsed: i64) -> Option<i64> {
        self.before.filter(|before| elapsed < before.until).map(|before| before.offset)
    }
}

impl Clock for IssuerClock {
    fn now(&self) -> OffsetDateTime {
        let micros = micros(self.source.elapsed()).saturating_add(self.offset.load(Ordering::Acquire));
        OffsetDateTime::from_unix_timestamp_nanos(i128::from(micros) * 1_000).unwrap_or(OffsetDateTime::UNIX_EPOCH)
    }

    fn elapsed(&self) -> Duration {
        self.source.elapsed()
    }
}

/// Wall clock and elapsed time, in microseconds. They are read again if this thread was held up in between: the delay
/// would look like a clock that was set.
fn read(clock: &dyn Clock) -> (i64, i64) {
    for _ in 0..READ_ATTEMPTS {
        let before = micros(clock.elapsed());
        let wall = wall_micros(clock);
        let elapsed = micros(clock.elapsed());
        if elapsed - before < MAX_DRIFT / 10 {
            return (wall, elapsed);
        }
    }
    (wall_micros(clock), micros(clock.elapsed()))
}

fn wall_micros(clock: &dyn Clock) -> i64 {
    (clock.now().unix_timestamp_nanos() / 1_000) as i64
}

fn micros(time: Duration) -> i64 {
    i64::try_from(time.as_micros()).unwrap_or(i64::MAX)
}

fn agree(one: i64, other: i64) -> bool {
    (one - other).abs() <= MAX_DRIFT
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::expiry::ExpiryClock;
    use ficha_token::ManualClock;

    const BEGIN: i64 = 1_800_000_000;
    const HOUR: i64 = 3_600;
    const LIFE: Duration = Duration::from_secs(600);

    fn manual() -> Arc<ManualClock> {
        let clock = Arc::new(ManualClock::new(OffsetDateTime::from_unix_timestamp(BEGIN).unwrap()));
        clock.advance(Duration::from_secs(1_000));
        clock.set_wall(OffsetDateTime::from_unix_timestamp(BEGIN).unwrap());
        clock
    }

    fn set(clock: &ManualClock, seconds: i64) {
        clock.set_wall(clock.now() + time::Duration::seconds(seconds));
    }

    fn pass(clock: &ManualClock, issuer: &IssuerClock, seconds: u64) {
        clock.advance(Duration::from_secs(seconds));
        issuer.look();
    }

    #[test]
    fn a_jump_that_is_corrected_within_a_minute_never_changes_the_time() {
        for jump in [HOUR, -HOUR, 400 * 24 * HOUR, -400 * 24 * HOUR] {
            let clock = manual();
            let issuer = IssuerClock::new(clock.clone(), &LastBeat::default());
            set(&clock, jump);
            assert_eq!(issuer.unix_now(), BEGIN, "before the first check");
            for passed in 0..60 {
                issuer.look();
                assert_eq!(issuer.unix_now(), BEGIN + passed);
                assert_eq!(issuer.earliest(), BEGIN + passed + jump.min(0));
                assert!(issuer.is_in_doubt(LIFE));
                clock.advance(Duration::from_secs(1));
            }
            set(&clock, -jump);
            issuer.look();
            assert_eq!((issuer.unix_now(), issuer.earliest()), (BEGIN + 60, BEGIN + 60));
            assert!(!issuer.is_in_doubt(LIFE));
        }
    }

    #[test]
    fn a_change_that_lasts_a_minute_is_followed_and_ends_no_session_for_an_hour() {
        let clock = manual();
        let issuer = IssuerClock::new(clock.clone(), &LastBeat::default());
        set(&clock, 3 * HOUR);
        issuer.look();
        pass(&clock, &issuer, 60);
        assert_eq!(issuer.unix_now(), BEGIN + 60 + 3 * HOUR);
        assert_eq!(issuer.earliest(), BEGIN + 60);
        assert!(issuer.is_in_doubt(LIFE));
        pass(&clock, &issuer, 600);
        assert!(!issuer.is_in_doubt(LIFE), "no token from before is still alive");
        pass(&clock, &issuer, 2_999);
        assert_eq!(issuer.earliest(), BEGIN + 3_659);
        pass(&clock, &issuer, 1);
        assert_eq!(issuer.earliest(), issuer.unix_now());
    }

    #[test]
    fn slewing_is_followed_at_once() {
        let clock = manual();
        let issuer = IssuerClock::new(clock.clone(), &LastBeat::default());
        for _ in 0..5 {
            set(&clock, 2);
            pass(&clock, &issuer, 1);
            assert_eq!(issuer.unix_now(), clock.unix_now());
            assert!(!issuer.is_in_doubt(LIFE));
        }
    }

    #[test]
    fn after_two_jumps_the_earliest_of_the_three_times_counts() {
        let clock = manual();
        let issuer = IssuerClock::new(clock.clone(), &LastBeat::default());
        for _ in 0..2 {
            set(&clock, HOUR);
            issuer.look();
            pass(&clock, &issuer, 60);
        }
        assert_eq!(issuer.unix_now(), BEGIN + 120 + 2 * HOUR);
        assert_eq!(issuer.earliest(), BEGIN + 120);
    }

    /// In Unix seconds.
    fn expiry_at_start(issuer: &IssuerClock) -> i64 {
        (issuer.expiry_offset() + micros(issuer.elapsed())).div_euclid(SECOND)
    }

    fn certain(at: i64) -> BeatTime {
        BeatTime { at, earliest: at, expiry: at }
    }

    #[test]
    fn a_start_notices_a_jump_within_the_same_boot() {
        for jump in [HOUR, -HOUR] {
            let clock = manual();
            // 500 s ago by both clocks.
            let last =
                LastBeat { any: Some(certain(BEGIN - 500)), of_this_boot: Some((certain(BEGIN - 500), 500_000)) };
            set(&clock, jump);
            let issuer = IssuerClock::new(clock.clone(), &last);
            assert_eq!((issuer.unix_now(), expiry_at_start(&issuer)), (BEGIN, BEGIN + jump.min(0)));
            issuer.look();
            assert!(issuer.is_in_doubt(LIFE));
        }
    }

    #[test]
    fn a_start_is_never_earlier_than_the_last_use_and_doubts_a_last_use_long_ago() {
        let start = |any| IssuerClock::new(manual(), &LastBeat { any: Some(certain(any)), of_this_boot: None });
        assert_eq!(start(BEGIN + HOUR).unix_now(), BEGIN + HOUR);
        assert_eq!(start(BEGIN + 30).unix_now(), BEGIN, "servers differ by a little");
        let week = start(BEGIN - 7 * 24 * HOUR);
        assert_eq!((week.unix_now(), week.earliest()), (BEGIN, BEGIN - 7 * 24 * HOUR));
        let day = start(BEGIN - 23 * HOUR);
        assert_eq!((day.unix_now(), day.earliest()), (BEGIN, BEGIN));
        assert_eq!(expiry_at_start(&day), BEGIN - 23 * HOUR, "nothing is removed by an uncertain time");
        // The elapsed time of an earlier boot with the same id means nothing.
        let other = LastBeat { any: Some(certain(BEGIN)), of_this_boot: Some((certain(BEGIN - HOUR), 9_000_000)) };
        assert_eq!(IssuerClock::new(manual(), &other).unix_now(), BEGIN);
    }

    #[test]
    fn a_start_keeps_the_doubts_of_the_process_before_it() {
        // It had followed a clock that was set forward by an hour.
        let doubted = BeatTime { at: BEGIN - 10, earliest: BEGIN - 10 - HOUR, expiry: BEGIN - 10 - 2 * HOUR };
        for of_this_boot in [None, Some((doubted, 990_000))] {
            let issuer = IssuerClock::new(manual(), &LastBeat { any: Some(doubted), of_this_boot });
            assert_eq!((issuer.unix_now(), issuer.earliest()), (BEGIN, BEGIN - HOUR));
            assert!(issuer.is_in_doubt(LIFE));
            assert_eq!(expiry_at_start(&issuer), BEGIN - 2 * HOUR, "it was written ten seconds ago");
        }
    }

    #[test]
    fn restarts_do_not_add_up_to_a_clock_that_was_set() {
        for same_boot in [true, false] {
            let clock = manual();
            let mut last = LastBeat::default();
            for _ in 0..60 {
                let issuer = IssuerClock::new(clock.clone(), &last);
                let expiry = ExpiryClock::default();
                // A slow start: the expiry clock begins three seconds later.
                clock.advance(Duration::from_millis(3_100));
                expiry.begin(issuer.expiry_offset(), &issuer);
                clock.advance(Duration::from_millis(1_650));
                issuer.look();
                assert!(!issuer.is_in_doubt(LIFE));
                let (at, earliest) = (issuer.unix_now(), issuer.earliest());
                assert_eq!((earliest, expiry.unix_now(&issuer)), (at, at));
                let beat = BeatTime { at, earliest, expiry: at };
                let elapsed = i64::try_from(clock.elapsed().as_millis()).unwrap();
                last = LastBeat { any: Some(beat), of_this_boot: same_boot.then_some((beat, elapsed)) };
                clock.advance(Duration::from_millis(1_350));
            }
        }
    }
}
