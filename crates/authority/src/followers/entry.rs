//! One follower, as one server has seen it.
//!
//! Two followers may share a name by mistake: then one of them may have applied what the other has not. Two held polls,
//! or a cursor that goes back, show that; for one lease, the slower of the two counts.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

use super::declared::Declared;
use super::report::Report;

/// The lease of a follower that does not tell its own: the longest that `ficha-resource` has.
pub(crate) const UNKNOWN_LEASE: Duration = Duration::from_secs(3_600);
/// A poll that follows within this time continues the one before: the follower was connected in between.
const CLOSELY: Duration = Duration::from_millis(10);
/// How many cursors, and how many polls, are remembered.
const MOST: usize = 16;

/// How far a follower has come in one generation of the denylist: the number of the row at its cursor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Reach {
    pub(crate) generation: u64,
    /// `None`: it has nothing.
    pub(crate) number: Option<i64>,
}

#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) declared: Declared,
    /// The longest lease that it has told.
    longest: Duration,
    pub(crate) address: Option<String>,
    /// What its polls have shown, with the arrival of the first that showed it; the newest last.
    steps: VecDeque<(Reach, Instant)>,
    /// What one of them may have at the least, and until when that counts. One that counts longer than a lower one may be
    /// about a third.
    slower: Vec<(Reach, Instant)>,
    /// Polls that are held or being answered.
    open: Vec<Open>,
    /// When it had polls: those that follow each other closely are one.
    ended: VecDeque<(Instant, Instant)>,
    /// When its last poll arrived.
    pub(crate) seen: Instant,
    /// The arrival of the last poll that was answered completely.
    answered: Option<Instant>,
    /// Until when it relies on what it was answered, by the lease that it told then.
    relies: Option<Instant>,
    /// Until when it counts as one that accepts stale lists: another with its name does.
    lenient: Option<Instant>,
    /// When it was last written to the database.
    pub(crate) saved: Option<Instant>,
}

#[derive(Debug)]
struct Open {
    id: u64,
    arrived: Instant,
    /// Once it is known.
    reach: Option<Reach>,
    /// True once its page is being chosen: an answer without what comes now may arrive.
    chosen: bool,
    /// True while the answer is being sent.
    answering: bool,
}

fn lease_of(declared: &Declared) -> Duration {
    declared.lease_seconds.map_or(UNKNOWN_LEASE, Duration::from_secs)
}

impl Entry {
    pub(crate) fn new(declared: Declared, address: Option<String>, now: Instant) -> Self {
        Self {
            longest: lease_of(&declared),
            declared,
            address,
            steps: VecDeque::new(),
            slower: Vec::new(),
            open: Vec::new(),
            ended: VecDeque::new(),
            seen: now,
            answered: None,
            relies: None,
            lenient: None,
            saved: None,
        }
    }

    /// The longest lease that it has told: another with its name may have that.
    fn lease(&self) -> Duration {
        self.longest
    }

    /// A poll has arrived.
    pub(crate) fn arrive(&mut self, id: u64, declared: Declared, address: Option<String>, now: Instant) {
        if declared.accepts_stale || (self.declared.accepts_stale && self.lenient.is_none()) {
            self.lenient = Some(now + self.lease());
        }
        self.longest = self.longest.max(lease_of(&declared));
        self.declared = declared;
        self.address = address;
        self.seen = now;
        self.open.push(Open { id, arrived: now, reach: None, chosen: false, answering: false });
    }

    /// The cursor of a poll is known: it shows what the follower has. `may_be_back` is false if the cursor was unknown
    /// and not absent, which happens to a single follower, too.
    pub(crate) fn show(&mut self, id: u64, reach: Reach, may_be_back: bool, now: Instant) {
        let Some(poll) = self.open.iter_mut().find(|poll| poll.id == id) else { return };
        poll.reach = Some(reach);
        let arrived = poll.arrived;
        let others = self.open.iter().filter(|poll| poll.id != id && !poll.answering);
        let least_other = others.map(|poll| poll.reach.unwrap_or(reach)).min();
        let before = self.steps.back().map(|(before, _)| *before);
        let is_back =
            may_be_back && before.is_some_and(|before| before.generation == reach.generation && reach < before);
        if least_other.is_some() || is_back {
            let least = least_other.map_or(reach, |other| other.min(reach));
            let until = now + self.lease();
            self.slower.retain(|(reach, earlier)| *earlier > now && (*reach < least || *earlier > until));
            self.slower.push((least, until));
        }
        if before != Some(reach) {
            // Only cursors below this one are steps towards it.
            self.steps.retain(|(earlier, _)| *earlier < reach);
            self.steps.push_back((reach, arrived));
            if self.steps.len() > MOST {
                self.steps.pop_front();
            }
        }
    }

    /// The page of a poll is being chosen.
    pub(crate) fn choosing(&mut self, id: u64) {
        if let Some(poll) = self.open.iter_mut().find(|poll| poll.id == id) {
            poll.chosen = true;
        }
    }

    /// The answer to a poll is being sent. If it is complete, it renews the follower's lease.
    pub(crate) fn answering(&mut self, id: u64) {
        if let Some(poll) = self.open.iter_mut().find(|poll| poll.id == id) {
            poll.answering = true;
        }
    }

    /// A poll is over.
    pub(crate) fn end(&mut self, id: u64, completely: bool, now: Instant) {
        let Some(at) = self.open.iter().position(|poll| poll.id == id) else { return };
        let poll = self.open.swap_remove(at);
        if completely {
            self.answered = self.answered.max(Some(poll.arrived));
            self.relies = self.relies.max(Some(poll.arrived + self.lease()));
        }
        match self.ended.back_mut() {
            Some((_, end)) if poll.arrived <= *end + CLOSELY => *end = now.max(*end),
            _ => self.ended.push_back((poll.arrived, now)),
        }
        if self.ended.len() > MOST {
            self.ended.pop_front();
        }
    }

    /// True if it may be forgotten: it has no poll, and refuses everything by now.
    pub(crate) fn is_over(&self, now: Instant) -> bool {
        let is_lenient = self.declared.accepts_stale || self.lenient.is_some_and(|until| now < until);
        self.open.is_empty() && !is_lenient && self.relies_until().is_none_or(|until| until < now)
    }

    /// Until when it relies on what it has, at the latest.
    fn relies_until(&self) -> Option<Instant> {
        self.relies.max(self.being_answered().map(|arrived| arrived + self.lease()))
    }

    /// The arrival of the last poll of which an answer may be on its way.
    fn being_answered(&self) -> Option<Instant> {
        self.open.iter().filter(|poll| poll.chosen || poll.answering).map(|poll| poll.arrived).max()
    }

    /// What it certainly has.
    fn reach(&self, now: Instant) -> Option<Reach> {
        let newest = self.steps.back().map(|(reach, _)| *reach)?;
        let slower = self.slower.iter().filter(|(_, until)| now < *until).map(|(reach, _)| *reach);
        Some(slower.min().map_or(newest, |least| least.min(newest)))
    }

    /// For how long it still counts as slower than its cursor says.
    fn doubted_for(&self, lacks: impl Fn(&Reach) -> bool, now: Instant) -> Option<Duration> {
        let slower = self.slower.iter().filter(|(reach, until)| now < *until && lacks(reach));
        slower.map(|(_, until)| until.saturating_duration_since(now)).max()
    }

    /// How it stands to the row with this number, in this generation.
    pub(crate) fn report(&self, client: Option<&str>, generation: u64, number: i64, now: Instant) -> Report {
        let ago = |instant: Instant| now.saturating_duration_since(instant).as_millis() as u64;
        let has = |reach: &Reach| reach.generation == generation && reach.number.is_some_and(|has| has >= number);
        let reach = self.reach(now).filter(|reach| reach.generation == generation);
        let applied = reach.as_ref().is_some_and(has);
        let first = self.steps.iter().find(|(reach, _)| has(reach)).map(|(_, arrived)| ago(*arrived));
        let lease = self.lease();
        let recent = self.ended.iter().filter(|(_, end)| now.saturating_duration_since(*end) < lease);
        let polls = recent.map(|(from, to)| (ago(*from), ago(*to)));
        let doubted = self.doubted_for(|reach| !has(reach), now);
        let lenient = self.lenient.is_some_and(|until| now < until);
        Report {
            client: client.map(str::to_owned),
            service: self.declared.service.clone(),
            instance: self.declared.instance.clone(),
            address: self.address.clone(),
            version: self.declared.version.clone(),
            lease_seconds: self.declared.lease_seconds,
            accepts_stale: self.declared.accepts_stale || lenient,
            doubted_ms: doubted.map(|doubted| doubted.as_millis() as u64),
            relies_ms: self.relies_until().map(|until| until.saturating_duration_since(now).as_millis() as u64),
            applied_ago: first.filter(|_| applied),
            number: reach.and_then(|reach| reach.number),
            lag_ms: None,
            seen_ago: ago(self.seen),
            answered_ago: self.answered.max(self.being_answered()).map(ago),
            polls: polls.chain(self.open.iter().take(MOST).map(|poll| (ago(poll.arrived), 0))).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(now: Instant) -> Entry {
        let declared = Declared {
            service: "s".into(),
            instance: "i".into(),
            lease_seconds: Some(10),
            accepts_stale: false,
            version: None,
        };
        Entry::new(declared, None, now)
    }

    fn at(number: i64) -> Reach {
        Reach { generation: 1, number: Some(number) }
    }

    /// A poll with this cursor, held from now on.
    fn poll(entry: &mut Entry, id: u64, reach: Reach, now: Instant) {
        entry.arrive(id, entry.declared.clone(), None, now);
        entry.show(id, reach, true, now);
    }

    fn applied(entry: &Entry, number: i64, now: Instant) -> bool {
        entry.report(None, 1, number, now).applied_ago.is_some()
    }

    #[test]
    fn what_was_sent_is_not_applied_until_the_next_poll_shows_it() {
        let start = Instant::now();
        let after = |seconds| start + Duration::from_secs(seconds);
        let mut one = entry(start);
        poll(&mut one, 1, at(5), start);
        assert!(applied(&one, 5, start) && !applied(&one, 6, start));
        one.answering(1);
        one.end(1, true, after(3));
        let report = one.report(None, 1, 6, after(4));
        assert_eq!((report.applied_ago, report.answered_ago), (None, Some(4_000)), "from its arrival");
        poll(&mut one, 2, at(6), after(5));
        assert_eq!(one.report(None, 1, 6, after(7)).applied_ago, Some(2_000));
        assert_eq!(one.report(None, 2, 6, after(7)).applied_ago, None, "in another history");
    }

    #[test]
    fn an_answer_that_was_not_sent_completely_does_not_count_once_it_is_over() {
        let start = Instant::now();
        let mut one = entry(start);
        poll(&mut one, 1, at(5), start);
        assert_eq!(one.report(None, 1, 5, start).answered_ago, None, "it is held");
        one.answering(1);
        assert_eq!(one.report(None, 1, 5, start).answered_ago, Some(0), "it may arrive");
        one.end(1, false, start);
        assert_eq!(one.report(None, 1, 5, start).answered_ago, None);
    }

    #[test]
    fn of_two_followers_with_one_name_the_slower_counts_for_a_lease() {
        let start = Instant::now();
        let after = |seconds| start + Duration::from_secs(seconds);
        let mut one = entry(start);
        poll(&mut one, 1, at(5), start);
        poll(&mut one, 2, at(6), start);
        assert!(!applied(&one, 6, start), "the other has a poll at 5");
        one.end(1, true, after(1));
        assert!(!applied(&one, 6, after(9)) && applied(&one, 6, after(11)));
        // Both of them are seen to have it; but there may be a third, of which nothing was heard since.
        poll(&mut one, 3, at(6), after(2));
        assert!(!applied(&one, 6, after(2)) && applied(&one, 6, after(13)));
    }

    #[test]
    fn a_page_that_is_being_chosen_may_still_renew_the_lease() {
        let start = Instant::now();
        let after = |seconds| start + Duration::from_secs(seconds);
        let mut one = entry(start);
        poll(&mut one, 1, at(5), after(1));
        one.choosing(1);
        let report = one.report(None, 1, 6, after(2));
        assert_eq!((report.answered_ago, report.relies_ms), (Some(1_000), Some(9_000)));
    }

    #[test]
    fn one_with_the_same_name_that_accepts_stale_lists_counts_for_a_lease() {
        let start = Instant::now();
        let mut one = entry(start);
        let lenient = Declared { accepts_stale: true, ..one.declared.clone() };
        one.arrive(1, lenient, None, start);
        one.end(1, true, start);
        let strict = Declared { accepts_stale: false, ..one.declared.clone() };
        one.arrive(2, strict, None, start);
        assert!(one.report(None, 1, 6, start).accepts_stale);
        assert!(!one.report(None, 1, 6, start + Duration::from_secs(11)).accepts_stale);
    }

    #[test]
    fn a_cursor_that_goes_back_counts_for_a_lease() {
        let start = Instant::now();
        let after = |seconds| start + Duration::from_secs(seconds);
        let mut one = entry(start);
        poll(&mut one, 1, at(6), start);
        one.end(1, true, start);
        poll(&mut one, 2, at(5), after(1));
        one.end(2, true, after(1));
        poll(&mut one, 3, at(6), after(2));
        assert!(!applied(&one, 6, after(2)) && !applied(&one, 6, after(10)) && applied(&one, 6, after(12)));
    }

    #[test]
    fn a_follower_that_was_reset_is_not_two() {
        let start = Instant::now();
        let mut one = entry(start);
        poll(&mut one, 1, at(6), start);
        one.end(1, true, start);
        one.arrive(2, one.declared.clone(), None, start);
        one.show(2, Reach { generation: 1, number: None }, false, start);
        one.end(2, true, start);
        assert!(!applied(&one, 6, start));
        poll(&mut one, 3, at(7), start);
        assert!(applied(&one, 7, start));
    }
}
