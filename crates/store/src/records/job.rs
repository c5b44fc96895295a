//! Work of many transactions that an administrator has asked for.

use uuid::Uuid;

use crate::Cause;

/// What a job does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JobKind {
    /// It ends the sessions that fitted a filter when it was accepted.
    RevokeSessions,
    /// It creates users.
    ImportUsers,
}

/// How far a job is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JobState {
    /// What it works on is being written down.
    Receiving,
    /// It has been accepted.
    Queued,
    /// A server works on it.
    Running,
    /// It is complete.
    Done,
    /// It can't be completed.
    Failed,
    /// It was stopped, or who began it was signed out.
    Stopped,
}

/// A job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobRecord {
    /// Its id.
    pub id: Uuid,
    /// What it does.
    pub kind: JobKind,
    /// How far it is.
    pub state: JobState,
    /// Who began it; with the session that must not have ended, for those that stop with it.
    pub cause: Cause,
    /// Why, if that was said.
    pub why: Option<String>,
    /// How many items there are.
    pub total: i64,
    /// How many of them are done, `unchanged` included.
    pub done: i64,
    /// How many needed no change.
    pub unchanged: i64,
    /// How many could not be done.
    pub failed: i64,
    /// The next part to be worked on.
    pub next_part: i64,
    /// When it was accepted.
    pub started_at: i64,
    /// When it ended.
    pub finished_at: Option<i64>,
    /// Why it has failed.
    pub error: Option<String>,
    /// Who works on it.
    pub(crate) worker: Uuid,
    /// Raised with each step.
    pub(crate) moved: i64,
}

/// A job to be begun.
#[derive(Debug, Clone)]
pub struct NewJob {
    /// Its id.
    pub id: Uuid,
    /// What it does.
    pub kind: JobKind,
    /// Who begins it.
    pub cause: Cause,
    /// Why, if that is said.
    pub why: Option<String>,
    /// How many items there are.
    pub total: i64,
    /// How many of them can't be done, as is known already.
    pub failed: i64,
    /// When.
    pub now: i64,
}

/// The right to work on a job. Only the newest one has it: whoever takes the job over gets another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JobWork {
    /// The job.
    pub job: Uuid,
    /// A random value for this worker alone.
    pub(crate) worker: Uuid,
}

/// What has become of a part of a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum JobStep<T> {
    /// It is committed.
    Done(T),
    /// Another worker has taken over, the job has ended, or that part was done before.
    NotOurs,
}

impl JobKind {
    /// Every kind.
    pub const ALL: [Self; 2] = [Self::RevokeSessions, Self::ImportUsers];

    /// The name that is stored and displayed.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::RevokeSessions => "revoke_sessions",
            Self::ImportUsers => "import_users",
        }
    }

    /// Parses what [`JobKind::as_str`] shows.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }
}

impl JobState {
    /// Every state.
    pub const ALL: [Self; 6] = [Self::Receiving, Self::Queued, Self::Running, Self::Done, Self::Failed, Self::Stopped];

    /// The name that is stored and displayed.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Receiving => "receiving",
            Self::Queued => "queued",
            Self::Running => "running",
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Stopped => "stopped",
        }
    }

    /// Parses what [`JobState::as_str`] shows.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == text)
    }

    /// True once nobody works on it any more.
    pub fn is_over(self) -> bool {
        matches!(self, Self::Done | Self::Failed | Self::Stopped)
    }
}

impl JobRecord {
    /// True if `work` still has the right to work on it.
    pub fn is_of(&self, work: JobWork) -> bool {
        self.worker == work.worker && !self.state.is_over()
    }

    /// True if it has neither moved nor changed hands since `seen` was read.
    pub fn stands_still_since(&self, seen: &Self) -> bool {
        (self.worker, self.moved, self.state) == (seen.worker, seen.moved, seen.state)
    }
}
