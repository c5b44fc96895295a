//! Refresh and introspection with a million sessions in the store.

use sea_orm::{ConnectionTrait, Database};

use super::Bench;
use super::tokens;
use crate::Outcome;
use crate::child::ServerProcess;
use crate::result::{Figure, Row, show};

/// Refresh and introspection before and after the store is filled, in one run.
pub async fn run(bench: &Bench) -> Outcome<Vec<Row>> {
    bench.setup.set_cost(4).await?;
    let before = figures(bench).await?;
    fill(bench).await?;
    let after = figures(bench).await?;
    let rows = ["Refresh", "Introspection"].into_iter().zip(before.into_iter().zip(after));
    Ok(rows.map(|(name, (few, many))| compare(bench, name, few, many)).collect())
}

fn compare(bench: &Bench, name: &str, few: Figure, many: Figure) -> Row {
    let share = many.per_second / few.per_second;
    show(
        Row::load(&format!("{name}, 64 callers, {} sessions more", bench.options.sessions), many)
            .with("before", few.per_second, "/s")
            .with("ratio", share, "×")
            .asked("at most 20 % less", share >= 0.8),
    )
}

async fn figures(bench: &Bench) -> Outcome<[Figure; 2]> {
    let server = ServerProcess::start(&bench.setup.serve(4, 256)).await?;
    let (refresh, access) = tokens::refresh(bench, &server).await?;
    let introspect = tokens::introspect(bench, &server, &access).await?;
    server.stop().await?;
    Ok([refresh, introspect])
}

/// Copies a session under new ids, as after many logins of many users.
async fn fill(bench: &Bench) -> Outcome<()> {
    let count = bench.options.sessions;
    let (new_id, numbers) = match bench.options.postgres {
        None => (
            "randomblob(16)",
            format!(
                "(WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {count}) SELECT i FROM n)"
            ),
        ),
        Some(_) => ("gen_random_uuid()", format!("generate_series(1, {count})")),
    };
    let same = "subject, client_id, scopes, roles, audience, generation, rotated_at, access_exp, epoch, created_at, \
                expires_at, idle_expires_at, address, user_agent, revoked_at, revoked_reason, live_key";
    let database = Database::connect(&bench.setup.url).await?;
    let insert = format!(
        "INSERT INTO sessions (id, user_id, {same}) SELECT {new_id}, {new_id}, {same} \
         FROM (SELECT {same} FROM sessions WHERE revoked_at IS NULL AND live_key IS NULL LIMIT 1) AS one, {numbers} AS n"
    );
    database.execute_unprepared(&insert).await?;
    database.execute_unprepared("ANALYZE").await?;
    database.close().await?;
    Ok(())
}
