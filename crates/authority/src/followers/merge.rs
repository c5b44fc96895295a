//! One follower that several servers have seen: it moves from one to another, or there are two with its name.

use super::report::Report;

/// Two followers are told from one by polls at the same time. So much of that may come from the time that a report takes
/// from one server to another, in milliseconds.
const UNCERTAIN: u64 = 100;
/// The lease of a follower that does not tell its own, in milliseconds.
const DEFAULT_LEASE: u64 = 30_000;

impl Report {
    /// The same after this many milliseconds without news.
    pub(crate) fn later(mut self, ms: u64) -> Self {
        for ago in [&mut self.applied_ago, &mut self.answered_ago, &mut self.lag_ms].into_iter().flatten() {
            *ago += ms;
        }
        self.seen_ago += ms;
        for (from, to) in &mut self.polls {
            *from += ms;
            // One that is not over is taken to go on.
            *to += if *to == 0 { 0 } else { ms };
        }
        self
    }

    fn lease_ms(&self) -> u64 {
        self.lease_seconds.map_or(DEFAULT_LEASE, |seconds| seconds * 1_000)
    }

    /// When its last poll was over, in milliseconds ago.
    fn last(&self) -> u64 {
        self.polls.iter().map(|(_, to)| *to).min().unwrap_or(u64::MAX)
    }
}

/// What two servers say of one name. What was answered by either counts.
pub(crate) fn merge(one: Report, other: Report) -> Report {
    let are_two = overlap(&one, &other) > UNCERTAIN;
    let (latest, earlier) = if one.seen_ago <= other.seen_ago { (one, other) } else { (other, one) };
    let still_counts = are_two && earlier.last() < earlier.lease_ms();
    let slower = still_counts && earlier.applied_ago.is_none();
    let answered_ago = match (latest.answered_ago, earlier.answered_ago) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    };
    let number = if still_counts { latest.number.min(earlier.number) } else { latest.number };
    Report {
        applied_ago: latest.applied_ago.filter(|_| !slower),
        number,
        answered_ago,
        accepts_stale: latest.accepts_stale || (still_counts && earlier.accepts_stale),
        polls: latest.polls.into_iter().chain(earlier.polls).collect(),
        ..latest
    }
}

/// For how many milliseconds both had a poll.
fn overlap(one: &Report, other: &Report) -> u64 {
    let both = |a: &(u64, u64), b: &(u64, u64)| a.0.min(b.0).saturating_sub(a.1.max(b.1));
    one.polls.iter().flat_map(|a| other.polls.iter().map(move |b| both(a, b))).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(applied_ago: Option<u64>, seen_ago: u64, polls: &[(u64, u64)]) -> Report {
        Report {
            client: None,
            service: "s".into(),
            instance: "i".into(),
            address: None,
            version: None,
            lease_seconds: Some(10),
            accepts_stale: false,
            applied_ago,
            number: Some(if applied_ago.is_some() { 6 } else { 5 }),
            lag_ms: None,
            seen_ago,
            answered_ago: Some(seen_ago),
            polls: polls.to_vec(),
        }
    }

    #[test]
    fn a_follower_that_has_moved_to_another_server_is_where_it_was_seen_last() {
        let before = report(None, 5_000, &[(9_000, 5_000), (5_000, 40)]);
        let now = report(Some(20), 20, &[(20, 0)]);
        assert_eq!(merge(before.clone(), now.clone()).applied_ago, Some(20));
        assert_eq!(merge(now, before).answered_ago, Some(20));
        // It went back to a server that does not have the row.
        let (before, now) = (report(Some(900), 900, &[(900, 50)]), report(None, 40, &[(40, 0)]));
        assert_eq!(merge(before, now).applied_ago, None);
    }

    #[test]
    fn two_with_one_name_count_as_the_slower_for_a_lease() {
        let (fast, slow) = (report(Some(20), 20, &[(4_000, 30), (20, 0)]), report(None, 3_000, &[(3_000, 40)]));
        let both = merge(fast.clone(), slow.clone());
        assert_eq!((both.applied_ago, both.number), (None, Some(5)));
        let (fast, slow) = (fast.later(10_000), slow.later(10_000));
        assert_eq!(merge(slow, fast).applied_ago, Some(10_020), "it refuses everything by now");
    }
}
