//! One follower that several servers have seen: it moves from one to another, or there are two with its name.

use super::entry::UNKNOWN_LEASE;
use super::report::Report;

/// Two followers are told from one by polls at the same time. So much of that may come from the time that a report takes
/// from one server to another, in milliseconds.
const UNCERTAIN: u64 = 100;

impl Report {
    /// The same after this many milliseconds without news.
    pub(crate) fn later(mut self, ms: u64) -> Self {
        for ago in [&mut self.applied_ago, &mut self.answered_ago, &mut self.lag_ms].into_iter().flatten() {
            *ago += ms;
        }
        self.seen_ago += ms;
        self.doubted_ms = self.doubted_ms.and_then(|doubted| doubted.checked_sub(ms));
        self.relies_ms = self.relies_ms.map(|relies| relies.saturating_sub(ms));
        for (from, to) in &mut self.polls {
            *from += ms;
            // One that is not over is taken to go on.
            *to += if *to == 0 { 0 } else { ms };
        }
        self
    }

    fn lease_ms(&self) -> u64 {
        self.lease_seconds.map_or(UNKNOWN_LEASE.as_millis() as u64, |seconds| seconds * 1_000)
    }

    /// When its last poll was over, in milliseconds ago.
    fn last(&self) -> u64 {
        self.polls.iter().map(|(_, to)| *to).min().unwrap_or(u64::MAX)
    }
}

/// What servers say of one name, at least one of them. What was answered by any counts.
pub(crate) fn merge(mut reports: Vec<Report>) -> Option<Report> {
    reports.sort_by_key(|report| report.seen_ago);
    let pairs =
        || reports.iter().enumerate().flat_map(|(at, one)| reports[at + 1..].iter().map(move |other| (one, other)));
    let are_two = pairs().any(|(one, other)| overlap(one, other) > UNCERTAIN || goes_back(one, other));
    let counts = |report: &&Report| are_two && report.last() < report.lease_ms();
    let is_slower = reports.iter().filter(counts).any(|report| report.applied_ago.is_none());
    let is_doubted = reports.iter().any(|report| report.doubted_ms.is_some());
    let least = reports.iter().filter(counts).map(|report| report.number).min();
    let answered_ago = reports.iter().filter_map(|report| report.answered_ago).min();
    let relies_ms = reports.iter().filter_map(|report| report.relies_ms).max();
    let accepts_stale = reports.iter().filter(counts).any(|report| report.accepts_stale);
    let polls = reports.iter().flat_map(|report| report.polls.iter().copied()).collect();
    let latest = reports.into_iter().next()?;
    Some(Report {
        applied_ago: latest.applied_ago.filter(|_| !is_slower && !is_doubted),
        number: least.map_or(latest.number, |least| least.min(latest.number)),
        answered_ago,
        relies_ms,
        accepts_stale: latest.accepts_stale || accepts_stale,
        polls,
        ..latest
    })
}

/// For how many milliseconds both had a poll.
fn overlap(one: &Report, other: &Report) -> u64 {
    let both = |a: &(u64, u64), b: &(u64, u64)| a.0.min(b.0).saturating_sub(a.1.max(b.1));
    one.polls.iter().flat_map(|a| other.polls.iter().map(move |b| both(a, b))).sum()
}

/// True if one had the row before the other was seen without it.
fn goes_back(one: &Report, other: &Report) -> bool {
    let back = |has: &Report, lacks: &Report| {
        lacks.applied_ago.is_none() && has.applied_ago.is_some_and(|applied| applied > lacks.seen_ago + UNCERTAIN)
    };
    back(one, other) || back(other, one)
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
            doubted_ms: None,
            relies_ms: Some(10_000_u64.saturating_sub(seen_ago)),
            applied_ago,
            number: Some(if applied_ago.is_some() { 6 } else { 5 }),
            lag_ms: None,
            seen_ago,
            answered_ago: Some(seen_ago),
            polls: polls.to_vec(),
        }
    }

    fn both(one: &Report, other: &Report) -> Report {
        merge(vec![one.clone(), other.clone()]).unwrap()
    }

    #[test]
    fn a_follower_that_has_moved_to_another_server_is_where_it_was_seen_last() {
        let before = report(None, 5_000, &[(9_000, 5_000), (5_000, 40)]);
        let now = report(Some(20), 20, &[(20, 0)]);
        assert_eq!(both(&before, &now).applied_ago, Some(20));
        assert_eq!(both(&now, &before).answered_ago, Some(20));
        // It went back to a server that does not have the row.
        let (before, now) = (report(Some(900), 900, &[(900, 50)]), report(None, 40, &[(40, 0)]));
        assert_eq!(both(&before, &now).applied_ago, None);
    }

    #[test]
    fn two_with_one_name_count_as_the_slower_for_a_lease() {
        let (fast, slow) = (report(Some(20), 20, &[(4_000, 30), (20, 0)]), report(None, 3_000, &[(3_000, 40)]));
        assert_eq!((both(&fast, &slow).applied_ago, both(&slow, &fast).number), (None, Some(5)));
        // A third does not hide that.
        let third = report(Some(10), 10, &[(10, 0)]);
        for order in [[&fast, &slow, &third], [&third, &fast, &slow], [&slow, &third, &fast]] {
            assert_eq!(merge(order.into_iter().cloned().collect()).unwrap().applied_ago, None);
        }
        let (fast, slow) = (fast.later(10_000), slow.later(10_000));
        assert_eq!(both(&slow, &fast).applied_ago, Some(10_020), "it refuses everything by now");
    }

    #[test]
    fn a_doubt_of_one_server_holds_at_another() {
        let doubted = Report { doubted_ms: Some(5_000), ..report(None, 3_000, &[(3_000, 500)]) };
        let now = report(Some(20), 20, &[(20, 0)]);
        assert_eq!(both(&doubted, &now).applied_ago, None);
        assert_eq!(both(&doubted.later(6_000), &now).applied_ago, Some(20));
    }
}
