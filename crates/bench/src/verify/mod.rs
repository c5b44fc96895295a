//! `verify`: the resource server's library, in process and over HTTP.

mod checks;
mod denylist;
mod hello;
mod over_http;
mod peers;
mod tokens;

use std::path::PathBuf;

use clap::Args;

use crate::Outcome;
use crate::calm;
use crate::result::Report;

pub use denylist::fill;
pub use hello::{HelloOptions, serve};

/// What to run, and for how long.
#[derive(Args, Clone)]
pub struct Options {
    /// How many rounds to run
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..))]
    rounds: u64,
    /// The length of each load, in milliseconds
    #[arg(long, default_value_t = 2_000)]
    milliseconds: u64,
    /// Don't build and measure the peers
    #[arg(long)]
    without_peers: bool,
    /// Only these parts: checks, denylist, http
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    /// The JSON file
    #[arg(long, default_value = "crates/bench/results/verify.json")]
    out: PathBuf,
}

impl Options {
    fn wants(&self, part: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|only| only == part)
    }

    fn command(&self) -> String {
        let only = if self.only.is_empty() { String::new() } else { format!(" --only {}", self.only.join(",")) };
        let peers = if self.without_peers { " --without-peers" } else { "" };
        format!("verify --rounds {} --milliseconds {}{peers}{only}", self.rounds, self.milliseconds)
    }
}

/// Runs the requested parts, prints each result at once, and writes the JSON.
pub async fn run(options: Options) -> Outcome<()> {
    let spin = calm::spin();
    let mut rows = Vec::new();
    if options.wants("checks") {
        rows.extend(tokio::task::block_in_place(|| checks::run(&options))?);
    }
    if options.wants("denylist") {
        rows.extend(denylist::run(&options).await?);
    }
    if options.wants("http") {
        rows.extend(over_http::run(&options).await?);
    }
    Report::new("verify", "", &options.command(), spin, rows)?.write(options.out)
}
