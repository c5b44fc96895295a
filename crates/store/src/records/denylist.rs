//! The denylist.

use ficha_token::DenyEntry;

/// The newest number of the denylist and what else a running server follows, read in one query.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// The newest denylist row's number; 0 before the first.
    pub number: i64,
    /// That row's random tag; 0 before the first.
    pub tag: i64,
    /// The global epoch, which a refresh compares.
    pub epoch: i64,
    /// Raised by every change to clients, scopes, keys and users' rights; servers then reload them.
    pub changes: i64,
    /// True once the first start is done.
    pub bootstrapped: bool,
    /// Which database it was read from.
    pub history: History,
    /// False if a heartbeat that this process wrote, and the database acknowledged, is older there: commits were lost.
    pub has_own_beat: bool,
    /// True while somebody asks all servers about their followers ([`Store::questions`](crate::Store::questions)).
    pub asked: bool,
}

/// Which of its histories a database has. A failover or a restore begins another one, from which the last commits of
/// the old one may be missing. Always the same on SQLite.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct History {
    /// PostgreSQL's system identifier, given to a cluster when it is created.
    pub system: i64,
    /// The timeline of its write-ahead log, which a promotion raises.
    pub timeline: u32,
}

/// A denylist row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DenyRow {
    /// Its number. Numbers are in commit order, without gaps.
    pub number: i64,
    /// Its random tag, which tells apart rows with the same number after a restore from a backup.
    pub tag: i64,
    /// What is denied, and until when.
    pub entry: DenyEntry,
}
