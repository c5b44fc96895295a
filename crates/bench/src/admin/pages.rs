//! Pages of the console.

use std::time::{Duration, Instant};

use ficha_authority::{Authority, Password, RequestSource};

use super::fill::CLIENT;
use super::{Bench, CHIEF};
use crate::Outcome;
use crate::drive::Connection;
use crate::result::{Row, show};
use crate::setup::PASSWORD;

/// What a page may take at the 99th percentile.
const ASKED: f64 = 50.0;

/// Each page, again and again.
pub async fn run(bench: &Bench) -> Outcome<Vec<Row>> {
    let authority = Authority::open(bench.setup.serve(4, 256).foundation().await?).await?;
    let signed_in = authority.sign_in(&RequestSource::default(), CHIEF, Password::new(PASSWORD)).await?;
    let mut connection = Connection::open(bench.server.address).await?;
    let pages = [
        ("the overview", "/console".to_owned()),
        ("the overview of a week", "/console?range=week".to_owned()),
        ("sessions", "/console/sessions".to_owned()),
        ("sessions of a user", "/console/sessions?user=u4711".to_owned()),
        ("live sessions of a client", format!("/console/sessions?client={CLIENT}&state=live")),
        ("users", "/console/users".to_owned()),
        ("the event log", "/console/audit".to_owned()),
        ("one's own sessions", "/account/sessions".to_owned()),
    ];
    let mut rows = Vec::new();
    for (name, path) in pages {
        let cookie = signed_in.cookie.expose();
        let request = format!("GET {path} HTTP/1.1\r\nhost: localhost\r\ncookie: ficha={cookie}\r\n\r\n");
        let mut times = Vec::<Duration>::new();
        let began = Instant::now();
        while times.len() < bench.options.times && (times.len() < 5 || began.elapsed() < Duration::from_secs(10)) {
            let sent = Instant::now();
            let answer = connection.send(request.as_bytes()).await?;
            if answer.status != 200 {
                return Err(format!("{path}: {}", answer.status).into());
            }
            times.push(sent.elapsed());
        }
        let row = Row::times(&format!("Page: {name}"), &mut times);
        let p99 = row.times.map_or(0.0, |times| times.p99_ms);
        rows.push(show(row.asked(&format!("p99 under {ASKED} ms"), p99 < ASKED)));
    }
    Ok(rows)
}
