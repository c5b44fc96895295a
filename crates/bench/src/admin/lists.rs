//! Lists and counts of sessions.

use std::time::{Duration, Instant};

use super::fill::{CLIENT, HEAVY};
use super::{Bench, ask};
use crate::Outcome;
use crate::drive::Connection;
use crate::result::{Row, show};

/// What a page or a count may take at the 99th percentile.
const ASKED: f64 = 50.0;
/// What a page of a user with very many live sessions may take.
const HEAVY_ASKED: f64 = 200.0;

/// Each list and count, again and again.
pub async fn run(bench: &Bench) -> Outcome<Vec<Row>> {
    let (mut connection, authorization) = bench.sign_in().await?;
    let deep = deep_cursor(bench, &mut connection, &authorization).await?;
    let day = |ago: i64| {
        let at = time::OffsetDateTime::now_utc() - time::Duration::days(ago);
        at.format(&time::format_description::well_known::Rfc3339).map(|text| text.replace('+', "%2B"))
    };
    let (from, to) = (day(40)?, day(39)?);
    let filters = [
        ("first page", String::new()),
        ("a page in the middle", format!("after={deep}")),
        ("one user", "user=u4711".to_owned()),
        ("one client", format!("client={CLIENT}")),
        ("one address", "address=10.7.11.13".to_owned()),
        ("a network", "address=10.7.0.0/16".to_owned()),
        ("live, of a client", format!("client={CLIENT}&state=live")),
        ("expired, of a client", format!("client={CLIENT}&state=expired")),
        ("revoked, of a user", "user=u4711&state=revoked".to_owned()),
        ("a scope, of a client", format!("client={CLIENT}&scope=notes:read")),
        ("a user agent, of a client", format!("client={CLIENT}&user_agent=browser/31")),
        ("created within a day", format!("created_after={from}&created_before={to}")),
        (
            "refreshed within a day, of a client",
            format!("client={CLIENT}&refreshed_after={from}&refreshed_before={to}"),
        ),
        ("a reason, of a client", format!("client={CLIENT}&reason=logout")),
    ];
    let mut rows = Vec::new();
    for (name, filter) in &filters {
        let path = format!("/sessions?{filter}");
        rows.push(measure(bench, &mut connection, &authorization, &format!("List: {name}"), &path, ASKED).await?);
        // A list without a filter is counted by nobody but the overview.
        if !filter.is_empty() && !filter.starts_with("after") {
            let path = format!("/sessions?{filter}&count=only");
            rows.push(measure(bench, &mut connection, &authorization, &format!("Count: {name}"), &path, ASKED).await?);
        }
    }
    let path = format!("/sessions?user={HEAVY}&state=live&limit=200");
    let name = "List: a user with 1,000 live sessions, 200 of them";
    rows.push(measure(bench, &mut connection, &authorization, name, &path, HEAVY_ASKED).await?);
    rows.push(measure(bench, &mut connection, &authorization, "Overview", "/overview", ASKED).await?);
    Ok(rows)
}

/// The cursor of a page in the middle of the sessions.
async fn deep_cursor(bench: &Bench, connection: &mut Connection, authorization: &str) -> Outcome<String> {
    let path = format!("/sessions?user=u{}&state=expired", bench.options.users / 2);
    let page = ask(connection, &path, authorization).await?;
    let ids = page["items"].as_array().ok_or("items")?;
    Ok(ids.get(ids.len() / 2).and_then(|one| one["id"].as_str()).ok_or("an id")?.to_owned())
}

async fn measure(
    bench: &Bench,
    connection: &mut Connection,
    authorization: &str,
    name: &str,
    path: &str,
    asked: f64,
) -> Outcome<Row> {
    let mut times = Vec::<Duration>::new();
    let began = Instant::now();
    while times.len() < bench.options.times && (times.len() < 5 || began.elapsed() < Duration::from_secs(10)) {
        let sent = Instant::now();
        ask(connection, path, authorization).await?;
        times.push(sent.elapsed());
    }
    let row = Row::times(name, &mut times);
    let p99 = row.times.map_or(0.0, |times| times.p99_ms);
    Ok(show(row.asked(&format!("p99 under {asked} ms"), p99 < asked)))
}
