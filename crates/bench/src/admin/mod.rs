//! `admin`: the admin API and the console on a large store: lists, counts, pages, an import, a revocation of very many
//! sessions.

mod bulk;
mod fill;
mod import;
mod lists;
mod pages;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use clap::Args;
use ficha_authority::{Actor, NewPassword, NewUser, Password};
use serde_json::Value;

use crate::Outcome;
use crate::calm;
use crate::child::ServerProcess;
use crate::drive::Connection;
use crate::result::Report;
use crate::setup::{PASSWORD, Setup};

/// What to run, and on how much.
#[derive(Args, Clone)]
pub struct Options {
    /// A PostgreSQL database to use instead of a new SQLite file; it must be empty
    #[arg(long)]
    postgres: Option<String>,
    /// How many sessions there are
    #[arg(long, default_value_t = 1_000_000)]
    sessions: usize,
    /// Of how many users
    #[arg(long, default_value_t = 100_000)]
    users: usize,
    /// How many of the sessions are live
    #[arg(long, default_value_t = 20_000)]
    live: usize,
    /// How often each list is asked for
    #[arg(long, default_value_t = 200)]
    times: usize,
    /// How many users are imported
    #[arg(long, default_value_t = 100_000)]
    imported: usize,
    /// Only these parts: lists, pages, import, bulk
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    /// The JSON file [default: crates/bench/results/admin-sqlite.json, or admin-postgres.json]
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
        let Self { sessions, users, live, times, imported, .. } = self;
        let sizes =
            format!("--sessions {sessions} --users {users} --live {live} --times {times} --imported {imported}");
        format!("admin {sizes}{postgres}{only}")
    }
}

/// A server with an administrator.
pub struct Bench {
    pub options: Options,
    pub setup: Setup,
    pub server: ServerProcess,
}

/// The administrator.
const CHIEF: &str = "chief";

/// Runs the requested parts, prints each result at once, and writes the JSON.
pub async fn run(options: Options) -> Outcome<()> {
    let spin = calm::spin();
    let setup = Setup::prepare(options.postgres.as_deref()).await?;
    setup.set_cost(4).await?;
    add_chief(&setup).await?;
    let server = ServerProcess::start(&setup.serve(4, 256)).await?;
    let bench = Bench { options, setup, server };
    fill::run(&bench).await?;
    let mut rows = Vec::new();
    if bench.options.wants("lists") {
        rows.extend(lists::run(&bench).await?);
    }
    if bench.options.wants("pages") {
        rows.extend(pages::run(&bench).await?);
    }
    if bench.options.wants("import") {
        rows.push(import::run(&bench).await?);
    }
    // Last: it ends what the others look at.
    if bench.options.wants("bulk") {
        rows.extend(bulk::run(&bench).await?);
    }
    bench.server.stop().await?;
    let options = bench.options;
    let (database, file) = match options.postgres {
        None => ("sqlite", "admin-sqlite.json"),
        Some(_) => ("postgres", "admin-postgres.json"),
    };
    let report = Report::new("admin", database, &options.command(), spin, rows)?;
    report.write(options.out.unwrap_or_else(|| PathBuf::from("crates/bench/results").join(file)))
}

async fn add_chief(setup: &Setup) -> Outcome<()> {
    let chief = NewUser {
        name: CHIEF.into(),
        email: None,
        password: NewPassword::Plain(Password::new(PASSWORD)),
        scopes: "ficha:admin".parse()?,
        roles: Vec::new(),
        must_change: false,
    };
    setup.serve(4, 256).admin().await?.add_user(&Actor::command_line("bench"), chief).await?;
    Ok(())
}

impl Bench {
    /// A connection, and the `Authorization` of an administrator.
    pub async fn sign_in(&self) -> Outcome<(Connection, String)> {
        let mut connection = Connection::open(self.server.address).await?;
        let password = PASSWORD.replace(' ', "+");
        let form =
            format!("grant_type=password&client_id=ficha-cli&username={CHIEF}&password={password}&scope=ficha:admin");
        let answer = connection.post("/token", None, &form).await?;
        let authorization = format!("Bearer {}", answer.text("access_token")?);
        Ok((connection, authorization))
    }
}

/// Asks once; the body of a good answer.
pub async fn ask(connection: &mut Connection, path: &str, authorization: &str) -> Outcome<Value> {
    let answer = connection.get(&format!("/api/v1{path}"), Some(authorization)).await?;
    match answer.status {
        200 => Ok(serde_json::from_slice(&answer.body)?),
        status => Err(format!("{path}: {status} {}", String::from_utf8_lossy(&answer.body)).into()),
    }
}

/// Posts a body of this type; the body of a good answer.
pub async fn post(
    connection: &mut Connection,
    path: &str,
    authorization: &str,
    kind: &str,
    body: &str,
) -> Outcome<Value> {
    let request = format!(
        "POST /api/v1{path} HTTP/1.1\r\nhost: localhost\r\nauthorization: {authorization}\r\ncontent-type: {kind}\r\n\
         content-length: {}\r\n\r\n{body}",
        body.len()
    );
    let answer = connection.send(request.as_bytes()).await?;
    match answer.status {
        200..300 => Ok(serde_json::from_slice(&answer.body)?),
        status => Err(format!("{path}: {status} {}", String::from_utf8_lossy(&answer.body)).into()),
    }
}

/// Waits until a job is over; the job, and when it was.
pub async fn job_over(connection: &mut Connection, id: &str, authorization: &str) -> Outcome<(Value, Instant)> {
    loop {
        let job = ask(connection, &format!("/jobs/{id}"), authorization).await?;
        if job["finished_at"].is_string() {
            return Ok((job, Instant::now()));
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
