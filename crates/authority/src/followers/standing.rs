//! How followers stand to a revocation: what a receipt consists of.

/// How far the clocks of two servers may differ, in milliseconds.
pub(super) const CLOCKS_DIFFER: i64 = 5_000;

/// How a follower stands to a revocation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It has applied it: the cursor of a poll covers it.
    Applied,
    /// It may not have it yet.
    Behind,
    /// Its lease has ended: it refuses everything.
    CutOff,
    /// It may not have it, and goes on accepting tokens.
    AcceptsStale,
}

impl Standing {
    /// As text.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Applied => "applied",
            Self::Behind => "behind",
            Self::CutOff => "cut_off",
            Self::AcceptsStale => "accepts_stale",
        }
    }
}

/// A follower, and how it stands to a revocation, or to the newest row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FollowerState {
    /// The service that it is part of.
    pub service: String,
    /// Which instance.
    pub instance: String,
    /// The client with which it authenticates.
    pub client: Option<String>,
    /// From where it polls.
    pub address: Option<String>,
    /// What it runs.
    pub version: Option<String>,
    /// How long it relies on an answer.
    pub lease_seconds: Option<u64>,
    /// True if it goes on accepting tokens after that.
    pub accepts_stale: bool,
    /// How it stands.
    pub standing: Standing,
    /// How long after the revocation began the poll arrived that shows it was applied, in milliseconds.
    pub after_ms: Option<u64>,
    /// When it refuses everything at the latest unless it gets an answer before, in Unix milliseconds.
    pub refuses_at: Option<i64>,
    /// How many rows it lacks at most.
    pub cursor_lag: Option<i64>,
    /// How long ago the first of them was written.
    pub lag_ms: Option<u64>,
    /// When its last poll arrived, in Unix milliseconds.
    pub last_seen: i64,
}

/// Who refuses what was revoked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// True if every follower has applied it or refuses everything, and every server has said so.
    pub complete: bool,
    /// Followers that have not named themselves.
    pub unnamed: u64,
    /// Servers that have not answered.
    pub silent: u64,
    /// The followers that have named themselves.
    pub services: Vec<FollowerState>,
    /// Which row of the denylist it is about: what [`Admin::watch_receipt`](crate::Admin::watch_receipt) takes.
    pub about: Option<String>,
}

impl Receipt {
    /// Nothing is known.
    pub(super) fn unknown() -> Self {
        Self { complete: false, unnamed: 0, silent: 1, services: Vec::new(), about: None }
    }
}

/// A follower, and what another server knew of it that does not answer any more: it may rely on what that one has told it.
pub(super) fn with_left(one: FollowerState, left: &FollowerState, wall: i64) -> FollowerState {
    // What it has shown after that is what it has.
    if one.standing == Standing::Applied {
        return one;
    }
    // What was seen there long before says nothing about what it does now; only how long it may rely on what it was told.
    let is_recent = left.last_seen >= one.last_seen - CLOCKS_DIFFER;
    let accepts_stale = one.accepts_stale || (is_recent && left.accepts_stale);
    let has_no_end = one.refuses_at.is_none() || (is_recent && left.refuses_at.is_none());
    let refuses_at = one.refuses_at.max(left.refuses_at).filter(|_| !accepts_stale && !has_no_end);
    let last_seen = one.last_seen.max(left.last_seen);
    let standing = standing(false, accepts_stale, refuses_at, wall);
    FollowerState { standing, accepts_stale, refuses_at, last_seen, ..one }
}

/// How a follower stands: `refuses_at` is when its lease ends, in Unix milliseconds.
pub(super) fn standing(applied: bool, accepts_stale: bool, refuses_at: Option<i64>, wall: i64) -> Standing {
    match refuses_at {
        _ if applied => Standing::Applied,
        _ if accepts_stale => Standing::AcceptsStale,
        Some(at) if at <= wall => Standing::CutOff,
        _ => Standing::Behind,
    }
}
