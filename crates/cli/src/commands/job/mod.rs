//! `ficha job …`, and waiting for a job.

mod view;

use std::time::Duration;

use clap::{Args, Subcommand};
use ficha_authority::JobRecord;
use ficha_client::admin::AdminClient;
use indicatif::{ProgressBar, ProgressStyle};
use uuid::Uuid;

pub use self::view::Shown;
use super::login::Loaded;
use crate::admin_context::{AdminContext, Empty, actor};
use crate::error::CliError;
use crate::output;
use crate::place::{At, Place};
use crate::remote::Remote;

/// How often a job that is waited for is looked at.
const LOOK: Duration = Duration::from_millis(200);
/// How many jobs are read at a time.
const PAGE: u64 = 200;

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
    List {
        /// Print one JSON document
        #[arg(long)]
        json: bool,
    },
    /// Show one job, and which lines of an import could not be used
    Show {
        /// The job's id
        id: Uuid,
        /// Print one JSON document
        #[arg(long)]
        json: bool,
    },
    /// Stop a job; what it has done stays
    Stop {
        /// The job's id
        id: Uuid,
    },
}

impl Arguments {
    /// True if the command changes something.
    pub fn changes(&self) -> bool {
        !matches!(self.command, Command::List { .. } | Command::Show { .. })
    }
}

/// Runs the command.
pub async fn run(arguments: Arguments, configuration: Loaded) -> Result<(), CliError> {
    let Arguments { at, command } = arguments;
    match at.open(configuration, Empty::Refuse).await? {
        Place::Here(context) => here(&context, command).await,
        Place::There(remote) => {
            let outcome = there(&remote, command).await;
            remote.settled().await;
            outcome
        }
    }
}

async fn here(context: &AdminContext, command: Command) -> Result<(), CliError> {
    let admin = &context.admin;
    match command {
        Command::List { json } => {
            let (mut all, mut before) = (Vec::<JobRecord>::new(), None);
            loop {
                let page = admin.jobs(&actor(), before, PAGE).await?;
                before = page.last().map(|job| job.id).filter(|_| page.len() as u64 == PAGE);
                all.extend(page);
                if before.is_none() {
                    return list(all.into_iter().map(Shown::from), json);
                }
            }
        }
        Command::Show { id, json } => Shown::from(admin.job(&actor(), id).await?).print(json),
        Command::Stop { id } => stopped(&admin.stop_job(&actor(), id).await?.into()),
    }
}

async fn there(remote: &Remote, command: Command) -> Result<(), CliError> {
    let client = &remote.client;
    match command {
        Command::List { json } => {
            let jobs = remote.all(async |after, limit| client.jobs(after, limit).await).await?;
            list(jobs.into_iter().map(Shown::from), json)
        }
        Command::Show { id, json } => Shown::from(client.job(&id.to_string()).await?).print(json),
        Command::Stop { id } => stopped(&client.stop_job(&id.to_string()).await?.into()),
    }
}

fn list(jobs: impl Iterator<Item = Shown>, json: bool) -> Result<(), CliError> {
    if json {
        return output::json(&jobs.collect::<Vec<_>>());
    }
    let rows: Vec<_> = jobs.map(Shown::row).collect();
    output::table(["ID", "KIND", "STATE", "BY", "DONE", "STARTED", "FINISHED"], &rows)
}

fn stopped(job: &Shown) -> Result<(), CliError> {
    output::say(&format!("job {} is {}; {} of {} are done", job.id, job.state, job.done, job.total))
}

/// Works on a job that was just accepted here, and shows its progress. If a server is faster, it does the work.
pub async fn work_here(context: &AdminContext, id: Uuid) -> Result<Shown, CliError> {
    let watch = watch(async || Ok(context.admin.job(&actor(), id).await?.into()));
    let work = async { Ok(context.admin.run_job(id).await?) };
    tokio::try_join!(work, watch).map(|((), job)| job)
}

/// Waits for a job of a server elsewhere.
pub async fn watch_there(client: &AdminClient, id: &str) -> Result<Shown, CliError> {
    watch(async || Ok(client.job(id).await?.into())).await
}

/// Waits until a job is over. The bar is drawn on a terminal only, and vanishes at the end.
async fn watch(look: impl AsyncFn() -> Result<Shown, CliError>) -> Result<Shown, CliError> {
    let bar = ProgressBar::new(0);
    let style = ProgressStyle::with_template("{msg} {wide_bar} {pos} of {len}, {eta} left");
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    loop {
        let job = look().await.inspect_err(|_| bar.finish_and_clear())?;
        bar.set_length(job.total.saturating_sub(job.failed));
        bar.set_position(job.done);
        bar.set_message(job.kind.replace('_', " "));
        if job.is_over() {
            bar.finish_and_clear();
            return job.completed();
        }
        tokio::time::sleep(LOOK).await;
    }
}
