//! `revoke`: how long until every service refuses a revoked token, and the cost of waiting followers.

mod follower;
mod latency;
mod services;
mod waiting;
mod whole_list;

use std::path::PathBuf;

use clap::Args;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::Outcome;
use crate::calm;
use crate::result::Report;
use crate::setup::Setup;

/// What to run, and for how long.
#[derive(Args, Clone)]
pub struct Options {
    /// A PostgreSQL database to use instead of a new SQLite file; it must be empty
    #[arg(long)]
    postgres: Option<String>,
    /// How many tokens to revoke, one after another
    #[arg(long, default_value_t = 500)]
    revocations: usize,
    /// How many followers must apply each revocation
    #[arg(long, default_value_t = 100)]
    followers: usize,
    /// How many services with the library must refuse each token
    #[arg(long, default_value_t = 10)]
    services: usize,
    /// How many followers wait, for the idle figures
    #[arg(long, default_value_t = 2_000)]
    waiting: usize,
    /// How long to measure the capacity, in seconds
    #[arg(long, default_value_t = 4)]
    seconds: u64,
    /// Only these parts: latency, waiting, list
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    /// The JSON file [default: crates/bench/results/revoke.json, or revoke-postgres.json]
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

/// Runs the requested parts, prints each result at once, and writes the JSON.
pub async fn run(options: Options) -> Outcome<()> {
    let spin = calm::spin();
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
    // Last, because the rows that it writes remain.
    if options.wants("list") {
        rows.extend(whole_list::run(&options, &setup).await?);
    }
    let (database, file) = match options.postgres {
        None => ("sqlite", "revoke.json"),
        Some(_) => ("postgres", "revoke-postgres.json"),
    };
    let report = Report::new("revoke", database, &options.command(), spin, rows)?;
    report.write(options.out.unwrap_or_else(|| PathBuf::from("crates/bench/results").join(file)))
}

/// Raises the limit of open files to the hard limit, for this process and the servers that it starts.
fn allow_many_connections() -> Outcome<()> {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    Ok(setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum })?)
}
