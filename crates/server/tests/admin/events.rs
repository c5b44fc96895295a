//! The event log over HTTP: lists, exports, and events as they happen.

use std::time::Duration;

use ficha_store::testing::TestDatabase;
use ficha_testing::{App, eventually};
use reqwest::{Method, Response};
use serde_json::{Value, json};

use crate::support::*;

/// The names of the events in a list.
fn names(list: &Value) -> Vec<&str> {
    let items = list["items"].as_array().expect("items");
    items.iter().map(|item| item["event"].as_str().expect("a name")).collect()
}

pub async fn all_numbered(app: &App) {
    let pending = async || app.store.pending_events(1).await.expect("the database answers").is_empty();
    eventually("every event has a number", pending).await;
}

/// A stream of events.
struct Stream {
    response: Response,
    text: String,
}

impl Stream {
    async fn open(app: &App, token: &str, last: Option<&str>) -> Self {
        let request = app.http.get(app.url("/api/v1/events")).bearer_auth(token);
        let request = match last {
            Some(last) => request.header("last-event-id", last),
            None => request,
        };
        let response = request.send().await.expect("an answer");
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        let mut stream = Self { response, text: String::new() };
        assert!(stream.frame().await.expect("a beginning").contains("retry: "));
        stream
    }

    /// The next frame that is not a sign of life; `None` at the end.
    async fn frame(&mut self) -> Option<String> {
        loop {
            if let Some((frame, rest)) = self.text.split_once("\n\n") {
                let (frame, rest) = (frame.to_owned(), rest.to_owned());
                self.text = rest;
                if frame != ":" {
                    return Some(frame);
                }
                continue;
            }
            let chunk = tokio::time::timeout(Duration::from_secs(15), self.response.chunk()).await;
            let chunk = chunk.expect("something comes").ok().flatten()?;
            self.text.push_str(std::str::from_utf8(&chunk).expect("text"));
        }
    }

    /// The id and the name of the next event.
    async fn event(&mut self) -> Option<(String, String)> {
        let frame = self.frame().await?;
        let field = |name: &str| frame.lines().find_map(|line| line.strip_prefix(name)).map(str::to_owned);
        let data: Value = serde_json::from_str(&field("data: ").expect("data")).expect("JSON");
        let (id, event) = (field("id: ").expect("an id"), field("event: ").expect("a name"));
        if event != "gap" {
            assert_eq!(
                (&data["event"], &data["number"]),
                (&json!(event), &json!(id.parse::<i64>().expect("a number")))
            );
        }
        Some((id, event))
    }
}

ficha_store::on_both_databases! {
    async fn events_are_found_by_each_filter_and_page(database: TestDatabase) {
        let app = app(&database).await;
        let chief = token(&app, "chief", "ficha:audit ficha:account").await.access;
        for _ in 0..3 {
            app.login("alice").await;
        }
        app.admin.revoke_user(&ficha_testing::tester(), "alice").await.expect("she is there");
        all_numbered(&app).await;
        let list = async |query: &str| good(&app, Method::GET, &format!("/audit?{query}"), &chief).await;
        let all = list("limit=200").await;
        assert_eq!((&all["next"], &all["previous"]), (&Value::Null, &Value::Null));
        assert_eq!(names(&all)[0], "sessions.revoked");
        assert_eq!(names(&list("user=alice&event=login.").await), ["login.succeeded"; 3]);
        assert_eq!(names(&list("user=alice&event=login.succeeded&client=first-party&address=127.0.0.0/8").await).len(), 3);
        assert_eq!(names(&list("event=sessions.revoked&actor=tester").await).len(), 1);
        for none in ["user=nobody", "client=nobody", "address=192.0.2.1", "actor=nobody", "event=login", "until=2001-01-01T00:00:00Z"] {
            assert_eq!(names(&list(none).await), [""; 0], "{none}");
        }
        let item = &list("event=login.&limit=1").await["items"][0];
        let at = item["at"].as_str().expect("a time");
        assert!(!names(&list(&format!("since={at}&event=login.")).await).is_empty());
        assert!(names(&list(&format!("until={at}&event=login.")).await).len() < 4);
        let (session, by) = (item["session"].as_str().expect("an id"), item["actor"]["id"].as_str().expect("an id"));
        assert!(names(&list(&format!("session={session}")).await).contains(&"login.succeeded"));
        assert!(names(&list(&format!("actor={by}&event=login.")).await).len() >= 3);
        // Pages lead forth and back over each event once.
        let (mut forth, mut query) = (Vec::new(), "limit=3".to_owned());
        let mut last = loop {
            let page = list(&query).await;
            forth.extend(page["items"].as_array().expect("items").clone());
            match page["next"].as_str() {
                Some(next) => query = format!("limit=3&after={next}"),
                None => break page,
            }
        };
        assert_eq!(json!(forth), all["items"]);
        let mut back = last["items"].as_array().expect("items").clone();
        while let Some(previous) = last["previous"].as_str() {
            last = list(&format!("limit=3&before={previous}")).await;
            back.splice(0..0, last["items"].as_array().expect("items").clone());
        }
        assert_eq!(json!(back), all["items"]);
        for bad in ["nosuch=1", "since=yesterday", "address=x", "limit=201", "after=-1", "after=1&before=2", "session=x"] {
            problem(send(&app, Method::GET, &format!("/audit?{bad}"), &chief).await, 400, "invalid").await;
        }
    }

    async fn an_export_has_every_event_in_either_format(database: TestDatabase) {
        let app = app(&database).await;
        let chief = token(&app, "chief", "ficha:audit").await.access;
        app.add_user("=cmd", "").await;
        all_numbered(&app).await;
        let lines = send(&app, Method::GET, "/audit/export", &chief).await.text().await.expect("text");
        let lines: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
        let list = good(&app, Method::GET, "/audit?limit=200", &chief).await;
        let mut newest_first = lines.clone();
        newest_first.reverse();
        assert_eq!(json!(newest_first), list["items"]);
        let after = send(&app, Method::GET, "/audit/export?after=2&event=user.", &chief).await.text().await.expect("text");
        assert!(after.lines().all(|line| line.contains("\"event\":\"user.")) && !after.contains("\"number\":2,"));
        let response = send(&app, Method::GET, "/audit/export?format=csv", &chief).await;
        assert_eq!(response.headers()["content-type"], "text/csv; charset=utf-8");
        let text = response.text().await.expect("text");
        assert_eq!(text.lines().count(), lines.len() + 1);
        assert!(text.starts_with("number,at,event,actor_kind,"));
        problem(send(&app, Method::GET, "/audit/export?format=xml", &chief).await, 400, "invalid").await;
    }

    /// What others did to them, a user sees; but not who and from where, and no filter tells it.
    async fn a_user_sees_their_own_events_and_no_more(database: TestDatabase) {
        let app = app(&database).await;
        let alice = token(&app, "alice", "ficha:account").await.access;
        let chief = token(&app, "chief", "ficha:sessions").await;
        let victim = app.login("alice").await;
        let path = format!("/sessions/{}", victim.claims()["sid"].as_str().expect("a sid"));
        good(&app, Method::DELETE, &path, &chief.access).await;
        all_numbered(&app).await;
        let own = good(&app, Method::GET, "/audit", &alice).await;
        assert_eq!(own, good(&app, Method::GET, "/me/events", &alice).await);
        let id = good(&app, Method::GET, "/audit?event=login.", &alice).await["items"][0]["user"].clone();
        for event in own["items"].as_array().expect("items") {
            assert_eq!(event["user"], id, "{event}");
        }
        let ended = &own["items"][0];
        assert_eq!((&ended["event"], &ended["actor"]["kind"]), (&json!("session.revoked"), &json!("user")));
        for hidden in [&ended["actor"]["name"], &ended["actor"]["id"], &ended["address"], &ended["request_id"]] {
            assert_eq!(hidden, &Value::Null);
        }
        let chief_id = chief.claims()["sub"].as_str().expect("a sub").to_owned();
        let guesses = [
            "event=session.revoked&address=127.0.0.1".to_owned(),
            "event=session.revoked&actor=chief".to_owned(),
            format!("actor={chief_id}"),
            "user=chief".to_owned(),
            format!("user={chief_id}"),
        ];
        for guess in guesses {
            assert_eq!(names(&good(&app, Method::GET, &format!("/audit?{guess}"), &alice).await), [""; 0], "{guess}");
        }
    }

    async fn a_stream_sends_what_happens_and_goes_on_at_another_server(database: TestDatabase) {
        let app = app(&database).await;
        let other = app.another(&database).await;
        let chief = token(&app, "chief", "ficha:audit").await.access;
        all_numbered(&app).await;
        let mut stream = Stream::open(&app, &chief, None).await;
        app.login("alice").await;
        let (id, name) = stream.event().await.expect("an event");
        assert_eq!(name, "login.succeeded");
        drop(stream);
        // Nothing is lost in between, and nothing comes twice.
        let mut expected = Vec::new();
        for count in 0..5 {
            app.add_user(&format!("user{count}"), "").await;
            expected.push("user.created");
        }
        let mut stream = Stream::open(&other, &chief, Some(&id)).await;
        let mut at: i64 = id.parse().expect("a number");
        for name in expected {
            let (id, seen) = stream.event().await.expect("an event");
            at += 1;
            assert_eq!((id.parse(), seen.as_str()), (Ok(at), name));
        }
        app.login("alice").await;
        assert_eq!(stream.event().await.expect("an event").1, "login.succeeded");
        // What does not exist any more, or yet, is said.
        let mut ahead = Stream::open(&app, &chief, Some("1000000")).await;
        assert_eq!(ahead.event().await.expect("a gap").1, "gap");
        let bad = app.http.get(app.url("/api/v1/events")).bearer_auth(&chief).header("last-event-id", "x");
        problem(bad.send().await.expect("an answer"), 400, "invalid").await;
    }

    async fn a_scope_sees_the_events_that_it_is_about(database: TestDatabase) {
        let app = app(&database).await;
        let tokens = [
            ("chief", "ficha:users", "user.created"),
            ("chief", "ficha:clients", "client.created"),
            ("chief", "ficha:sessions", "login.succeeded"),
            ("alice", "ficha:account", "login.succeeded"),
        ];
        let mut streams = Vec::new();
        for (user, scope, event) in tokens {
            let own = token(&app, user, scope).await.access;
            all_numbered(&app).await;
            streams.push((Stream::open(&app, &own, None).await, event));
        }
        app.add_client("new", |_| ()).await;
        app.add_user("new", "").await;
        app.login("alice").await;
        for (mut stream, event) in streams {
            let seen = loop {
                // Of the logins, the streams that were opened before have seen some.
                let (_, name) = stream.event().await.expect("an event");
                if name == event {
                    break name;
                }
                assert_eq!(name, "login.succeeded");
            };
            assert_eq!(seen, event);
        }
    }

    async fn a_stream_ends_with_its_session_and_with_the_client_s_flag(database: TestDatabase) {
        let app = app(&database).await;
        let (first, second) = (token(&app, "chief", "ficha:audit").await, token(&app, "chief", "ficha:audit").await);
        all_numbered(&app).await;
        let mut stream = Stream::open(&app, &first.access, None).await;
        let mut other = Stream::open(&app, &second.access, None).await;
        let logout = app.http.post(app.url("/logout")).bearer_auth(&first.access).send().await;
        assert_eq!(logout.expect("an answer").status(), 204);
        let began = tokio::time::Instant::now();
        while let Some((_, name)) = stream.event().await {
            assert_ne!(name, "session.logged_out", "it happened after the end of the session");
        }
        assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
        assert_eq!(other.event().await.expect("an event").1, "session.logged_out");
        let change = ficha_authority::ClientChange { own_scopes: Some(false), ..Default::default() };
        app.admin.change_client(&ficha_testing::tester(), "ficha-cli", change).await.expect("it is there");
        while other.event().await.is_some() {}
    }

    async fn reading_is_recorded_if_the_setting_says_so(database: TestDatabase) {
        let app = app_with(&database, |options| options.settings.admin.record_reads = true).await;
        let chief = token(&app, "chief", "ficha:audit ficha:sessions").await.access;
        good(&app, Method::GET, "/sessions?user=alice", &chief).await;
        problem(send(&app, Method::GET, "/sessions?nosuch=1", &chief).await, 400, "invalid").await;
        all_numbered(&app).await;
        let reads = good(&app, Method::GET, "/audit?event=admin.read", &chief).await;
        assert_eq!(names(&reads), ["admin.read"]);
        let detail = &reads["items"][0]["detail"];
        assert_eq!(detail, &json!({ "path": "/api/v1/sessions", "parameters": ["user"] }));
    }
}
