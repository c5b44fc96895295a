//! `ficha job …`, and waiting for a job.

use clap::{Args, Subcommand};
use ficha_client::admin::{Job, JobReport};
use uuid::Uuid;

use super::login::Loaded;
use crate::admin_context::Empty;
use crate::error::CliError;
use crate::lists;
use crate::output::{self, or_dash};
use crate::place::{At, Part, Place};
use crate::report::{Fields, Report};

#[derive(Debug, Args)]
pub struct Arguments {
    #[command(flatten)]
    at: At,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List jobs, newest first: imports of users, and revocations of very many sessions
    List(Part),
    /// Show one job, and which lines of an import could not be used
    Show {
        /// The job's id
        #[arg(value_parser = lists::id)]
        job: Uuid,
    },
    /// Stop a job; what it has done stays
    Stop {
        /// The job's id
        #[arg(value_parser = lists::id)]
        job: Uuid,
    },
}

impl Arguments {
    /// True if the command changes something.
    pub fn changes(&self) -> bool {
        !matches!(self.command, Command::List(_) | Command::Show { .. })
    }
}

/// Runs the command.
pub async fn run(arguments: Arguments, configuration: Loaded) -> Result<(), CliError> {
    let Arguments { at, command } = arguments;
    at.run(configuration, Empty::Refuse, async |place, report| run_at(place, report, command).await).await
}

async fn run_at(place: &Place, report: Report, command: Command) -> Result<(), CliError> {
    match command {
        Command::List(part) => report.list(HEADINGS, &place.jobs(part).await?, row),
        Command::Show { job } => {
            let job = place.job(job).await?;
            report.show(&job)?;
            if report.is_json() { Ok(()) } else { print_report(&job) }
        }
        Command::Stop { job } => {
            let job = place.stop_job(job).await?;
            report.say(&format!("job {} is {}; {} of {} are done", job.id, job.state, job.done, job.total), &job)
        }
    }
}

const HEADINGS: [&str; 7] = ["ID", "KIND", "STATE", "BY", "DONE", "STARTED", "FINISHED"];

fn row(job: &Job) -> [String; 7] {
    let (progress, finished) = (format!("{} of {}", job.done, job.total), or_dash(job.finished_at.as_deref()));
    [job.id.clone(), job.kind.clone(), job.state.clone(), by(job), progress, job.started_at.clone(), finished]
}

impl Fields for Job {
    fn fields(&self) -> Vec<(&'static str, String)> {
        vec![
            ("id", self.id.clone()),
            ("kind", self.kind.clone()),
            ("state", self.state.clone()),
            ("begun by", by(self)),
            ("why", or_dash(self.why.as_deref())),
            ("done", format!("{} of {}", self.done, self.total)),
            ("unchanged", self.unchanged.to_string()),
            ("failed", self.failed.to_string()),
            ("error", or_dash(self.error.as_deref())),
            ("started", self.started_at.clone()),
            ("finished", or_dash(self.finished_at.as_deref())),
        ]
    }
}

fn by(job: &Job) -> String {
    match &job.by.name {
        Some(name) => format!("{}:{name}", job.by.kind),
        None => job.by.kind.clone(),
    }
}

/// Prints which lines could not be used.
pub fn print_report(job: &Job) -> Result<(), CliError> {
    let lines = job.report.as_ref().map_or(&[][..], |JobReport { lines, .. }| lines);
    let rows: Vec<_> = lines.iter().map(|line| [line.line.to_string(), line.problem.clone()]).collect();
    if rows.is_empty() { Ok(()) } else { output::table(["LINE", "PROBLEM"], &rows) }
}
