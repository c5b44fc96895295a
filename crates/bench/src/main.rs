//! Load scenarios and their report.
//!
//! `cargo run --release -p ficha-bench -- issue` starts a server as a separate process (this executable again), puts it
//! under load over loopback, measures the limits of the machine in the same run, and writes JSON. `-- verify` does that
//! for the resource server's library and compares it with other libraries (`peers`), and `-- revoke` for the denylist's
//! feed, and `-- admin` for the admin API. `-- tables` writes the tables of docs/src/performance-results.md from the committed JSON.
#![expect(clippy::disallowed_methods, reason = "a benchmark measures real time")]

mod admin;
mod calm;
mod child;
mod drive;
mod issue;
mod issuer;
mod limits;
mod measure;
mod result;
mod revoke;
mod setup;
mod tables;
mod verify;

use std::path::PathBuf;

use clap::{Parser, Subcommand};

type Outcome<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

#[derive(Parser)]
#[command(about = "Measures Ficha, and the limits of the machine in the same run")]
struct Arguments {
    #[command(subcommand)]
    scenario: Scenario,
}

#[derive(Subcommand)]
enum Scenario {
    /// The authorization server: logins, refreshes, revocations, introspection
    Issue(issue::Options),
    /// The resource server's library: warm and cold checks, the denylist in memory, a protected hello and its peers
    Verify(verify::Options),
    /// The denylist's feed: from a revocation to every follower, idle followers, a first list
    Revoke(revoke::Options),
    /// The admin API on a large store: lists, counts, a revocation of very many sessions, an import
    Admin(admin::Options),
    /// Write the tables of the page of measurements from the JSON files
    Tables {
        /// The page
        #[arg(long, default_value = "docs/src/performance-results.md")]
        page: PathBuf,
        /// Where the JSON files are
        #[arg(long, default_value = "crates/bench/results")]
        results: PathBuf,
    },
    /// The server under load
    #[command(hide = true)]
    Serve(child::ServeOptions),
    /// The service that `verify` puts under load
    #[command(hide = true)]
    Hello(verify::HelloOptions),
    /// Fill a denylist and print how much memory it takes
    #[command(hide = true)]
    FillDenylist {
        /// How many ids
        count: usize,
    },
}

fn main() -> Outcome<()> {
    let arguments = Arguments::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        match arguments.scenario {
            Scenario::Admin(options) => admin::run(options).await,
            Scenario::Issue(options) => issue::run(options).await,
            Scenario::Tables { page, results } => tables::write(&page, &results),
            Scenario::Verify(options) => verify::run(options).await,
            Scenario::Revoke(options) => revoke::run(options).await,
            Scenario::Serve(options) => child::serve(options).await,
            Scenario::Hello(options) => verify::serve(options).await,
            Scenario::FillDenylist { count } => verify::fill(count),
        }
    })
}
