//! What one server says about its followers; also the text in which servers answer each other.

use serde::{Deserialize, Serialize};

/// One follower, as one server has seen it. All times are milliseconds before the report was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Report {
    pub(crate) client: Option<String>,
    pub(crate) service: String,
    pub(crate) instance: String,
    pub(crate) address: Option<String>,
    pub(crate) version: Option<String>,
    pub(crate) lease_seconds: Option<u64>,
    pub(crate) accepts_stale: bool,
    /// For how long it may still be two, of which one does not have the row, in milliseconds.
    pub(crate) doubted_ms: Option<u64>,
    /// For how long it relies on what it was answered, in milliseconds.
    pub(crate) relies_ms: Option<u64>,
    /// When the first poll arrived whose cursor covers the row in question; `None`: it may not have applied it.
    pub(crate) applied_ago: Option<u64>,
    /// The number of the newest row that it certainly has.
    pub(crate) number: Option<i64>,
    /// How long ago the first row that it lacks was read by the server.
    pub(crate) lag_ms: Option<u64>,
    /// When its last poll arrived.
    pub(crate) seen_ago: u64,
    /// When the last poll arrived that was answered completely, or is being answered.
    pub(crate) answered_ago: Option<u64>,
    /// Its last polls: when each arrived, and when it was over; 0: it is not over.
    pub(crate) polls: Vec<(u64, u64)>,
}

impl Report {
    pub(crate) fn key(&self) -> (Option<&str>, &str, &str) {
        (self.client.as_deref(), &self.service, &self.instance)
    }

    /// What changes if something has happened, and not merely because time has passed.
    fn substance(&self, now_ms: u64) -> Substance {
        let is_applied = self.applied_ago.is_some();
        // Of one that has it, it does not matter whether it polls, or when it was last answered.
        let is_held = !is_applied && self.polls.iter().any(|(_, end)| *end == 0);
        let answered = self.answered_ago.filter(|_| !is_applied).map(|ago| now_ms.saturating_sub(ago));
        ([is_applied, is_held, self.accepts_stale], answered)
    }
}

/// What one server says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Said {
    /// Followers that have not named themselves.
    pub(crate) unnamed: u64,
    pub(crate) reports: Vec<Report>,
}

impl Said {
    /// True if `later`, made at `later_ms`, says something else than this, made at `ms`, by a clock that both share.
    pub(crate) fn differs(&self, ms: u64, later: &Self, later_ms: u64) -> bool {
        self.unnamed != later.unnamed
            || self.reports.len() != later.reports.len()
            || self
                .reports
                .iter()
                .zip(&later.reports)
                .any(|(a, b)| a.key() != b.key() || differs(a.substance(ms), b.substance(later_ms)))
    }
}

/// Whether it has the row, polls without having it, and accepts stale lists; and when it was last answered.
type Substance = ([bool; 3], Option<u64>);

/// Rounding may move a time by a millisecond.
fn differs(a: Substance, b: Substance) -> bool {
    let moved = match (a.1, b.1) {
        (Some(a), Some(b)) => a.abs_diff(b) > 1,
        (a, b) => a != b,
    };
    a.0 != b.0 || moved
}
