//! Operation: health, metrics, and a graceful shutdown.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use ficha_store::testing::TestDatabase;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use crate::raw;
use ficha_testing::{App, PASSWORD, Tokens, eventually};

/// Parses the Prometheus text format strictly, line by line. Returns the values by name, including the label if any.
fn parse(text: &str) -> HashMap<String, f64> {
    assert!(text.ends_with('\n'), "the last line must end with a newline");
    let is_name = |name: &str| {
        let starts = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
        starts && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
    };
    let (mut kinds, mut helped, mut values) = (HashMap::new(), HashSet::new(), HashMap::new());
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            let (name, words) = rest.split_once(' ').expect("a name and a help text");
            assert!(is_name(name) && !words.is_empty() && helped.insert(name), "{line}");
        } else if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').expect("a name and a type");
            assert!(helped.contains(name) && matches!(kind, "counter" | "gauge"), "{line}");
            assert_eq!(kind == "counter", name.ends_with("_total"), "{line}");
            assert!(kinds.insert(name, kind).is_none(), "{line} appears twice");
        } else {
            let (series, value) = line.rsplit_once(' ').expect("a name and a value");
            let name = match series.split_once('{') {
                None => series,
                Some((name, labels)) => {
                    for label in labels.strip_suffix('}').expect("labels end").split(',') {
                        let (label, value) = label.split_once('=').expect("a label and its value");
                        let inner = value.strip_prefix('"').and_then(|value| value.strip_suffix('"'));
                        assert!(is_name(label) && inner.is_some_and(|inner| !inner.contains(['"', '\\'])), "{line}");
                    }
                    name
                }
            };
            assert!(is_name(name) && kinds.contains_key(name), "{line}");
            let value: f64 = value.parse().expect("a value is a number");
            assert!(value >= 0.0 && values.insert(series.to_owned(), value).is_none(), "{line}");
        }
    }
    assert!(kinds.keys().all(|name| values.keys().any(|series| series.starts_with(name))), "a metric without a value");
    values
}

async fn metrics(app: &App) -> (String, HashMap<String, f64>) {
    let response = app.get("/metrics").await;
    assert_eq!(response.status(), 200);
    assert_eq!(response.headers()["content-type"], "text/plain; version=0.0.4; charset=utf-8");
    let text = response.text().await.expect("text");
    let values = parse(&text);
    (text, values)
}

ficha_store::on_both_databases! {
    async fn a_running_server_is_live_and_ready(database: TestDatabase) {
        let app = App::start(&database).await;
        for path in ["/health/live", "/health/ready"] {
            let response = app.get(path).await;
            assert_eq!(response.status(), 200, "{path}");
            assert_eq!(response.headers()["cache-control"], "no-store", "{path}");
            assert_eq!(response.json::<Value>().await.expect("it is JSON"), json!({ "status": "ok" }), "{path}");
        }
    }

    async fn a_server_without_its_database_is_live_but_not_ready_and_logs_nobody_out(database: TestDatabase) {
        let app = App::start(&database).await;
        app.add_user("alice", "").await;
        let token = app.login("alice").await.access;
        let store = database.store().await;
        store.run_sql("ALTER TABLE globals RENAME TO away").await.expect("a table can be renamed");
        assert_eq!(app.get("/health/ready").await.status(), 200, "two seconds have not passed");
        app.clock.advance(Duration::from_millis(2_100));
        assert_eq!(app.get("/health/live").await.status(), 200);
        let response = app.get("/health/ready").await;
        assert_eq!(response.status(), 503);
        assert!(response.text().await.expect("text").contains("database"));
        // Not 401: a client would discard a valid token.
        let response = app.get_with("/users/me", &token).await;
        assert_eq!(response.status(), 503);
        assert!(response.headers().contains_key("retry-after") && !response.headers().contains_key("www-authenticate"));
        assert_eq!(metrics(&app).await.1["ficha_database_fresh"], 0.0);

        store.run_sql("ALTER TABLE away RENAME TO globals").await.expect("a table can be renamed back");
        app.advance(Duration::ZERO).await;
        assert_eq!(app.get("/health/ready").await.status(), 200);
        assert_eq!(app.me(&token).await, 200);
        assert_eq!(metrics(&app).await.1["ficha_database_fresh"], 1.0);
    }

    async fn counters_count_and_contain_nothing_personal(database: TestDatabase) {
        let app = App::start(&database).await;
        let id = app.add_user("alice-in-wonderland", "notes:read").await;
        let client = app.add_client("worker-of-notes", |_| ()).await;
        let (_, before) = metrics(&app).await;

        let tokens = app.login("alice-in-wonderland").await;
        let wrong = [("grant_type", "password"), ("username", "alice-in-wonderland"), ("password", "not-the-password")];
        assert_eq!(app.post("/token", &wrong).await.status(), 400);
        let renewed = Tokens::of(app.refresh(&tokens.refresh).await).await;
        Tokens::of(app.refresh(&tokens.refresh).await).await;
        let own = Tokens::of(app.post_as(&client, "/token", &[("grant_type", "client_credentials")]).await).await;
        let impostor = ficha_testing::Client { secret: "wrong".into(), ..client.clone() };
        assert_eq!(app.post_as(&impostor, "/token", &[("grant_type", "client_credentials")]).await.status(), 401);
        assert_eq!(app.me(&renewed.access).await, 200);
        assert_eq!(app.me(&renewed.access).await, 200);
        assert_eq!(app.post("/revoke", &[("token", &renewed.refresh)]).await.status(), 200);

        let (text, after) = metrics(&app).await;
        let moved = |name: &str| after[name] - before[name];
        for (name, by) in [
            ("ficha_logins_total", 1.0),
            ("ficha_login_failures_total", 1.0),
            ("ficha_logins_throttled_total", 0.0),
            ("ficha_refreshes_total", 1.0),
            ("ficha_refresh_retries_total", 1.0),
            ("ficha_refresh_replays_total", 0.0),
            ("ficha_client_tokens_total", 1.0),
            ("ficha_client_failures_total", 1.0),
            ("ficha_revocations_total", 1.0),
            ("ficha_verified_token_cache_misses_total", 1.0),
            ("ficha_verified_token_cache_hits_total", 1.0),
            ("ficha_denylist_entries", 1.0),
        ] {
            assert_eq!(moved(name), by, "{name}\n{text}");
        }
        assert!(moved("ficha_hashes_total") >= 2.0, "{text}");

        let sid = tokens.claims()["sid"].as_str().expect("a sid").to_owned();
        let secrets = [&tokens.access, &tokens.refresh, &renewed.access, &renewed.refresh, &own.access, &client.secret];
        for secret in secrets.into_iter().chain([&sid, &id.to_string()]) {
            assert!(!text.contains(secret.as_str()));
        }
        for name in ["alice", "wonderland", "admin", "worker", "first-party", "notes", "127.0.0.1", "password\""] {
            assert!(!text.contains(name), "{name} is in {text}");
        }
    }

    async fn a_server_that_stops_finishes_the_requests_in_progress(database: TestDatabase) {
        let mut app = App::start(&database).await;
        app.add_user("alice", "").await;
        let address = app.address;
        // A keep-alive connection must not delay the server.
        assert_eq!(app.get("/health/live").await.status(), 200);
        let mut idle = raw::connect(address).await;
        idle.write_all(b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n").await.expect("the server reads");
        raw::read_until(&mut idle, "}").await;

        let body = format!("grant_type=password&username=alice&password={}", PASSWORD.replace(' ', "+"));
        let head = format!(
            "POST /token HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\n\
             Expect: 100-continue\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        let mut stream = raw::connect(address).await;
        stream.write_all(head.as_bytes()).await.expect("the server reads");
        // From here on, the request is certainly in progress.
        assert_eq!(raw::read_until(&mut stream, "\r\n\r\n").await, "HTTP/1.1 100 Continue\r\n\r\n");

        let stopping = tokio::spawn(async move {
            app.stop().await;
            app
        });
        eventually("a server that stops refuses new connections", async || TcpStream::connect(address).await.is_err())
            .await;
        stream.write_all(body.as_bytes()).await.expect("the server still reads");
        let answer = raw::read_to_end(&mut stream).await;
        assert!(answer.starts_with("HTTP/1.1 200 ") && answer.contains("\"access_token\""), "{answer}");
        let limit = Duration::from_secs(10);
        tokio::time::timeout(limit, stopping).await.expect("the server stops in time").expect("it does not panic");
        assert_eq!(raw::read_to_end(&mut idle).await, "");
    }
}
