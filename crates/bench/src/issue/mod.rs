//! `issue`: the authorization server under load.

pub mod callers;
mod million;
mod passwords;
mod raw;
mod tokens;

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use crate::Outcome;
use crate::calm;
use crate::child::ServerProcess;
use crate::measure::resident;
use crate::result::{Report, Row, show};
use crate::setup::Setup;

/// What to run, and for how long.
#[derive(Args, Clone)]
pub struct Options {
    /// A PostgreSQL database to use instead of a new SQLite file; it must be empty
    #[arg(long)]
    postgres: Option<String>,
    /// The length of each load, in seconds
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u64).range(1..))]
    seconds: u64,
    /// How many rounds to run; each ratio is of two loads of one round
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..))]
    rounds: u64,
    /// How many sessions to store for the large run; 0 skips it
    #[arg(long, default_value_t = 1_000_000)]
    sessions: u64,
    /// Only these parts: passwords, tokens, million
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    /// The JSON file [default: crates/bench/results/issue-DATABASE.json]
    #[arg(long)]
    out: Option<PathBuf>,
}

impl Options {
    fn length(&self) -> Duration {
        Duration::from_secs(self.seconds)
    }

    fn wants(&self, part: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|only| only == part)
    }
}

/// The options and the prepared database.
pub struct Bench {
    options: Options,
    setup: Setup,
}

/// Runs the requested parts, prints each result at once, and writes the JSON.
pub async fn run(options: Options) -> Outcome<()> {
    let spin = calm::spin();
    let setup = Setup::prepare(options.postgres.as_deref()).await?;
    let bench = Bench { options: options.clone(), setup };
    let mut rows = idle(&bench).await?;
    if options.wants("passwords") {
        rows.extend(passwords::run(&bench).await?);
    }
    if options.wants("tokens") {
        rows.extend(tokens::run(&bench).await?);
    }
    if options.wants("million") && options.sessions > 0 {
        rows.extend(million::run(&bench).await?);
    }
    let database = if options.postgres.is_some() { "postgres" } else { "sqlite" };
    let postgres = if options.postgres.is_some() { " --postgres postgres://…" } else { "" };
    let only = if options.only.is_empty() { String::new() } else { format!(" --only {}", options.only.join(",")) };
    let command = format!("issue --rounds {} --seconds {}{postgres}{only}", options.rounds, options.seconds);
    let report = Report::new("issue", database, &command, spin, rows)?;
    report.write(options.out.unwrap_or_else(|| PathBuf::from(format!("crates/bench/results/issue-{database}.json"))))
}

async fn idle(bench: &Bench) -> Outcome<Vec<Row>> {
    let server = ServerProcess::start(&bench.setup.serve(12, 256)).await?;
    tokio::time::sleep(Duration::from_secs(2)).await;
    let megabytes = resident(server.id()?)? as f64 / 1e6;
    server.stop().await?;
    Ok(vec![show(Row::number("Resident memory, idle", megabytes, "MB").asked("under 40 MB", megabytes < 40.0))])
}
