//! `revoke`: from a revocation to everybody refusing, and what it costs to let everybody wait for it.

mod follower;
mod latency;
mod services;
mod waiting;
mod whole_list;

use std::path::PathBuf;

use clap::Args;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::Outcome;
use crate::result::Report;
use crate::setup::Setup;

/// What to run, and for how long.
#[derive(Args, Clone)]
pub struct Options {
    /// A PostgreSQL database to use instead of a new SQLite file; it must be empty
    #[arg(long)]
    postgres: Option<String>,
    /// How many tokens are revoked, one after another
    #[arg(long, default_value_t = 500)]
    revocations: usize,
    /// How many followers must have applied each
    #[arg(long, default_value_t = 100)]
    followers: usize,
    /// How many services with the library must have refused each
    #[arg(long, default_value_t = 10)]
    services: usize,
    /// How many followers wait for the figures at rest
    #[arg(long, default_value_t = 2_000)]
    waiting: usize,
    /// Seconds for which the capacity is measured
    #[arg(long, default_value_t = 4)]
    seconds: u64,
    /// Only these parts: latency, waiting, list
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    /// Where the JSON goes; by default crates/bench/results/revoke.json, or revoke-postgres.json
    #[arg(long)]
    out: Option<PathBuf>,
}

impl Options {
    fn wants(&self, part: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|only| only == part)
    }

    fn command(&self) -> String {
        let postgres = if self.postgres.is_some() { " --postgres postgres://…" } else { "" };
        let only = if self.only.is_empty() { String::new() } else { format!(" --only {}", self.only.join(",")) };
        let Self { revocations, followers, services, waiting, .. } = self;
        let sizes =
            format!("--revocations {revocations} --followers {followers} --services {services} --waiting {waiting}");
        format!("revoke {sizes}{postgres}{only}")
    }
}

/// Runs everything that was asked for, prints it as it goes, and writes the JSON.
pub async fn run(options: Options) -> Outcome<()> {
    allow_many_connections()?;
    let setup = Setup::prepare(options.postgres.as_deref()).await?;
    setup.set_cost(4).await?;
    let mut rows = Vec::new();
    if options.wants("latency") {
        rows.extend(latency::run(&options, &setup).await?);
    }
    if options.wants("waiting") {
        rows.extend(waiting::run(&options, &setup).await?);
    }
    // Last: the rows that it writes stay.
    if options.wants("list") {
        rows.extend(whole_list::run(&options, &setup).await?);
    }
    let (database, file) = match options.postgres {
        None => ("sqlite", "revoke.json"),
        Some(_) => ("postgres", "revoke-postgres.json"),
    };
    let report = Report::new("revoke", database, &options.command(), rows)?;
    report.write(options.out.unwrap_or_else(|| PathBuf::from("crates/bench/results").join(file)))
}

/// As many open files as the system lets us have, for this process and for the servers that it starts.
fn allow_many_connections() -> Outcome<()> {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    Ok(setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum })?)
}
