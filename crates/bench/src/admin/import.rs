//! An import of very many users.

use std::fmt::Write;
use std::time::Instant;

use super::{Bench, job_over, post};
use crate::Outcome;
use crate::result::{Row, show};

/// Of no password that matters.
const HASH: &str = "$2b$12$R9h/cIPz0gi.URNNX3kh2OPST9/PgBkqquzi.Ss7KIUgO2t0jWMUW";
/// How long it may take, in seconds.
const ASKED: f64 = 30.0;

/// From the upload to the end of the job.
pub async fn run(bench: &Bench) -> Outcome<Row> {
    let (mut connection, authorization) = bench.sign_in().await?;
    let count = bench.options.imported;
    let mut file = "name,email,password_hash,scopes,roles\n".to_owned();
    for user in 0..count {
        writeln!(file, "imported{user},imported{user}@example.com,{HASH},notes:read,editor")?;
    }
    let began = Instant::now();
    let accepted = post(&mut connection, "/users/import", &authorization, "text/csv", &file).await?;
    let accepted_after = began.elapsed();
    let id = accepted["job"].as_str().ok_or("a job")?;
    let (job, over) = job_over(&mut connection, id, &authorization).await?;
    if job["done"].as_u64() != Some(count as u64) || job["unchanged"].as_u64() != Some(0) {
        return Err(format!("not all were imported: {job}").into());
    }
    let took = (over - began).as_secs_f64();
    let name = format!("Import of {count} users");
    let row = Row::number(&name, took, "s").with("accepted after", accepted_after.as_secs_f64(), "s");
    Ok(show(row.asked(&format!("under {ASKED} s"), took < ASKED)))
}
