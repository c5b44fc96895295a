//! A job as shown, wherever it is.

use ficha_authority::{JobRecord, JobReport};
use ficha_client::admin::Job;
use serde::Serialize;

use crate::error::CliError;
use crate::output::{self, or_dash, time};

/// A job.
#[derive(Debug, Serialize)]
pub struct Shown {
    pub id: String,
    pub kind: String,
    pub state: String,
    by: String,
    why: Option<String>,
    pub total: u64,
    pub done: u64,
    pub unchanged: u64,
    pub failed: u64,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    lines: Vec<Line>,
    error: Option<String>,
    started_at: String,
    finished_at: Option<String>,
}

/// A line of an import that could not be used.
#[derive(Debug, Serialize)]
struct Line {
    line: u64,
    problem: String,
}

impl Shown {
    /// True once nobody works on it any more.
    pub fn is_over(&self) -> bool {
        self.finished_at.is_some()
    }

    /// How many items it has changed.
    pub fn changed(&self) -> u64 {
        self.done.saturating_sub(self.unchanged)
    }

    /// A row of the list.
    pub fn row(self) -> [String; 7] {
        let progress = format!("{} of {}", self.done, self.total);
        let finished = or_dash(self.finished_at.as_deref());
        [self.id, self.kind, self.state, self.by, progress, self.started_at, finished]
    }

    /// Prints all of it.
    pub fn print(self, json: bool) -> Result<(), CliError> {
        if json {
            return output::json(&self);
        }
        let lines = self.lines_of_report();
        output::fields(&[
            ("id", self.id),
            ("kind", self.kind),
            ("state", self.state),
            ("begun by", self.by),
            ("why", or_dash(self.why.as_deref())),
            ("done", format!("{} of {}", self.done, self.total)),
            ("unchanged", self.unchanged.to_string()),
            ("failed", self.failed.to_string()),
            ("error", or_dash(self.error.as_deref())),
            ("started", self.started_at),
            ("finished", or_dash(self.finished_at.as_deref())),
        ])?;
        print_lines(&lines)
    }

    /// Prints which lines could not be used.
    pub fn print_report(&self) -> Result<(), CliError> {
        print_lines(&self.lines_of_report())
    }

    fn lines_of_report(&self) -> Vec<[String; 2]> {
        self.lines.iter().map(|line| [line.line.to_string(), line.problem.clone()]).collect()
    }

    /// An error if it was not completed.
    pub fn completed(self) -> Result<Self, CliError> {
        match (&*self.state, &self.error) {
            ("done", _) => Ok(self),
            (state, Some(why)) => Err(CliError::Input(format!("the job {} has {state}: {why}", self.id))),
            (state, None) => Err(CliError::Input(format!("the job {} is {state}", self.id))),
        }
    }
}

fn print_lines(lines: &[[String; 2]]) -> Result<(), CliError> {
    if lines.is_empty() { Ok(()) } else { output::table(["LINE", "PROBLEM"], lines) }
}

impl From<JobRecord> for Shown {
    fn from(job: JobRecord) -> Self {
        let count = |number: i64| u64::try_from(number).unwrap_or_default();
        let actor = &job.cause.actor;
        Self {
            id: job.id.to_string(),
            kind: job.kind.as_str().to_owned(),
            state: job.state.as_str().to_owned(),
            by: by(actor.kind(), actor.name()),
            why: job.why,
            total: count(job.total),
            done: count(job.done),
            unchanged: count(job.unchanged),
            failed: count(job.failed),
            lines: Vec::new(),
            error: job.error,
            started_at: time(job.started_at),
            finished_at: job.finished_at.map(time),
        }
    }
}

impl From<JobReport> for Shown {
    fn from(JobReport { job, lines }: JobReport) -> Self {
        let line = |(line, problem)| Line { line: u64::try_from(line).unwrap_or_default(), problem };
        Self { lines: lines.into_iter().map(line).collect(), ..Self::from(job) }
    }
}

impl From<Job> for Shown {
    fn from(job: Job) -> Self {
        let lines = job.report.map(|report| report.lines).unwrap_or_default();
        Self {
            id: job.id,
            kind: job.kind,
            state: job.state,
            by: by(&job.by.kind, job.by.name.as_deref()),
            why: job.why,
            total: job.total,
            done: job.done,
            unchanged: job.unchanged,
            failed: job.failed,
            lines: lines.into_iter().map(|line| Line { line: line.line, problem: line.problem }).collect(),
            error: job.error,
            started_at: job.started_at,
            finished_at: job.finished_at,
        }
    }
}

fn by(kind: &str, name: Option<&str>) -> String {
    name.map_or_else(|| kind.to_owned(), |name| format!("{kind}:{name}"))
}
