//! Refresh and introspection with a million sessions in the store.

use sea_orm::{ConnectionTrait, Database};

use super::Bench;
use super::tokens;
use crate::Outcome;
use crate::child::ServerProcess;
use crate::result::{Figure, Row, show};
use crate::setup::Setup;

/// Refresh and introspection on a small store and on a filled one. The two alternate, round by round.
pub async fn run(bench: &Bench) -> Outcome<Vec<Row>> {
    bench.setup.set_cost(4).await?;
    let url = match &bench.options.postgres {
        None => None,
        Some(url) => Some(another_database(url).await?),
    };
    let large = Setup::prepare(url.as_deref()).await?;
    let few = ServerProcess::start(&bench.setup.serve(4, 256)).await?;
    let many = ServerProcess::start(&large.serve(4, 256)).await?;
    large.log_in(&many, 1).await?;
    fill(bench, &large).await?;
    let mut seen = [Vec::new(), Vec::new(), Vec::new(), Vec::new()];
    let length = bench.options.length();
    for _ in 0..bench.options.rounds {
        let (few_refresh, few_access) = tokens::refresh(&bench.setup, &few, length).await?;
        let (many_refresh, many_access) = tokens::refresh(&large, &many, length).await?;
        let few_introspect = tokens::introspect(&bench.setup, &few, &few_access, length).await?;
        let many_introspect = tokens::introspect(&large, &many, &many_access, length).await?;
        for (seen, figure) in seen.iter_mut().zip([few_refresh, many_refresh, few_introspect, many_introspect]) {
            seen.push(figure);
        }
    }
    few.stop().await?;
    many.stop().await?;
    let [few_refresh, many_refresh, few_introspect, many_introspect] = &seen;
    Ok(vec![
        compare(bench, "Refresh", few_refresh, many_refresh),
        compare(bench, "Introspection", few_introspect, many_introspect),
    ])
}

fn compare(bench: &Bench, name: &str, few: &[Figure], many: &[Figure]) -> Row {
    let share = Figure::ratio(many, few, |figure| figure.per_second);
    show(
        Row::loads(&format!("{name}, 64 callers, {} sessions more", bench.options.sessions), many)
            .with("without them", Figure::typical(few).per_second, "/s")
            .ratio("ratio", &share)
            .asked("at most 20 % less", share.median >= 0.8),
    )
}

/// Creates a second database on the same server, named after the first, and returns its URL.
async fn another_database(url: &str) -> Outcome<String> {
    let (server, name) = url.rsplit_once('/').ok_or("the URL names a database")?;
    let (name, options) = name.split_once('?').map_or((name, String::new()), |(name, rest)| (name, format!("?{rest}")));
    let database = Database::connect(url).await?;
    database.execute_unprepared(&format!("DROP DATABASE IF EXISTS \"{name}_large\"")).await?;
    database.execute_unprepared(&format!("CREATE DATABASE \"{name}_large\"")).await?;
    database.close().await?;
    Ok(format!("{server}/{name}_large{options}"))
}

/// Copies a session under new ids, as after many logins of many users.
async fn fill(bench: &Bench, large: &Setup) -> Outcome<()> {
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
    let database = Database::connect(&large.url).await?;
    let insert = format!(
        "INSERT INTO sessions (id, user_id, {same}) SELECT {new_id}, {new_id}, {same} \
         FROM (SELECT {same} FROM sessions WHERE revoked_at IS NULL AND live_key IS NULL LIMIT 1) AS one, {numbers} AS n"
    );
    database.execute_unprepared(&insert).await?;
    database.execute_unprepared("ANALYZE").await?;
    database.close().await?;
    Ok(())
}
