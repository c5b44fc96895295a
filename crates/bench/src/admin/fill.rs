//! Users and sessions, as after months of logins.

use sea_orm::{ConnectionTrait, Database};

use super::Bench;
use crate::Outcome;

/// The client that all these sessions belong to.
pub const CLIENT: &str = "shop";
/// A user with many live sessions.
pub const HEAVY: &str = "u7";
/// How many of those.
pub const HEAVY_SESSIONS: usize = 1_000;
/// Over how long the sessions were created, in seconds.
const SPAN: usize = 90 * 86_400;

/// Fills the store with SQL: a million logins would take an hour.
pub async fn run(bench: &Bench) -> Outcome<()> {
    let (users, sessions, live) = (bench.options.users, bench.options.sessions, bench.options.live);
    let sqlite = bench.options.postgres.is_none();
    let database = Database::connect(&bench.setup.url).await?;
    let numbers = |count: usize| match sqlite {
        true => {
            format!(
                "(WITH RECURSIVE s(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM s WHERE n < {count} - 1) SELECT n FROM s)"
            )
        }
        false => format!("(SELECT generate_series(0, {count} - 1)::bigint AS n)"),
    };
    let now = time::OffsetDateTime::now_utc().unix_timestamp();
    let now = if sqlite { now.to_string() } else { format!("{now}::bigint") };
    // Ids that begin with their time, as a server makes them.
    let id = |millis: &str, number: &str, prefix: &str| match sqlite {
        true => format!("unhex(printf('%012x7%03x8{prefix}%013x', {millis}, {number} % 4096, {number}))"),
        false => format!(
            "(lpad(to_hex({millis}), 12, '0') || '7' || lpad(to_hex({number} % 4096), 3, '0') || '8{prefix}' || \
             lpad(to_hex({number}), 13, '0'))::uuid"
        ),
    };
    let yes = if sqlite { "1" } else { "true" };
    let user_id = |number: &str| id(&format!("({now} - {SPAN}) * 1000"), number, "aa");
    let insert_users = format!(
        "INSERT INTO users (id, name, email, password_hash, password_cost, scopes, roles, enabled, auth_version, created_at) \
         SELECT {}, 'u' || n, 'u' || n || '@example.com', '!', 4, 'ficha:account notes:read', '', {yes}, 0, {now} - {SPAN} \
         FROM {} AS numbers",
        user_id("n"),
        numbers(users)
    );
    let created = format!("({now} - {SPAN} + n * {SPAN} / {sessions})");
    // The last are live: the heavy user's first among them.
    let is_live = format!("n >= {sessions} - {live}");
    let owner = format!("(CASE WHEN n >= {sessions} - {HEAVY_SESSIONS} THEN 7 ELSE n % {users} END)");
    let insert_sessions = format!(
        "INSERT INTO sessions (id, user_id, subject, client_id, scopes, roles, audience, generation, rotated_at, access_exp, \
         epoch, created_at, expires_at, idle_expires_at, address, user_agent, revoked_at, revoked_reason) \
         SELECT {}, {owner_id}, {owner_id}, '{CLIENT}', 'notes:read', '', 'notes', 3, {created}, {created} + 600, 0, {created}, \
         CASE WHEN {is_live} THEN {now} + 864000 ELSE {created} + 60 END, \
         CASE WHEN {is_live} THEN {now} + 864000 ELSE {created} + 60 END, \
         '10.' || (n / 65536 % 256) || '.' || (n / 256 % 256) || '.' || (n % 256), 'Browser/' || (n % 97), \
         CASE WHEN n % 3 = 0 AND NOT ({is_live}) THEN {created} + 30 END, \
         CASE WHEN n % 3 = 0 AND NOT ({is_live}) THEN 'logout' END \
         FROM {} AS numbers",
        id(&format!("{created} * 1000"), "n", "bb"),
        numbers(sessions),
        owner_id = user_id(&owner),
    );
    for statement in [insert_users.as_str(), insert_sessions.as_str(), "ANALYZE"] {
        database.execute_unprepared(statement).await?;
    }
    database.close().await?;
    Ok(())
}
