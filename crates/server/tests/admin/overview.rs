//! The overview.

use std::time::Duration;

use ficha_store::testing::TestDatabase;
use ficha_testing::PASSWORD;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::*;

fn kinds(overview: &Value) -> Vec<&str> {
    overview["attention"].as_array().expect("a list").iter().map(|one| one["kind"].as_str().expect("text")).collect()
}

fn sum(overview: &Value, what: &str) -> i64 {
    overview["series"].as_array().expect("a list").iter().map(|minute| minute[what].as_i64().expect("a number")).sum()
}

ficha_store::on_both_databases! {
    async fn it_shows_what_there_is_and_what_needs_attention(database: TestDatabase) {
        let app = app(&database).await;
        app.authority.maintain_once(&mut None).await.expect("it is noted");
        let chief = token(&app, "chief", "ficha:sessions ficha:clients").await;
        let alice = app.login("alice").await;
        app.login("alice").await;
        app.refresh(&alice.refresh).await;
        assert_eq!(app.http.post(app.url("/logout")).bearer_auth(&alice.access).send().await.expect("an answer").status(), 204);
        let wrong = [("grant_type", "password"), ("username", "alice"), ("password", "wrong wrong wrong")];
        assert_eq!(app.post("/token", &wrong).await.status(), 400);
        let seen = good(&app, Method::GET, "/overview", &chief.access).await;
        assert_eq!(seen["live_sessions"], 2);
        assert_eq!((seen["denylist"].as_u64(), &seen["attention"]), (Some(1), &json!([])));
        assert_eq!(seen["keys"].as_array().expect("a list").len(), 2);
        // The minute is not over yet.
        assert_eq!((seen["series"].as_array().expect("a list").len(), sum(&seen, "logins")), (60, 0));
        app.advance(Duration::from_secs(61)).await;
        app.authority.maintain_once(&mut None).await.expect("it is written");
        let add = async |body: Value| {
            let added = app.http.post(app.url("/api/v1/clients/shop/secrets")).bearer_auth(&chief.access).json(&body);
            assert_eq!(added.send().await.expect("an answer").status(), 201);
        };
        app.add_client("shop", |_| ()).await;
        // One that lasts is in place.
        add(json!({ "others_expire_at": later(&app, 3_600) })).await;
        assert_eq!(good(&app, Method::GET, "/overview", &chief.access).await["attention"], json!([]));
        add(json!({ "expires_at": later(&app, 300), "replace": true })).await;
        let other = app.another(&database).await;
        let seen = good(&other, Method::GET, "/overview?minutes=5", &chief.access).await;
        let counts = ["logins", "login_failures", "refreshes", "revocations"].map(|what| sum(&seen, what));
        assert_eq!((counts, seen["series"].as_array().expect("a list").len()), ([3, 1, 1, 1], 5));
        assert_eq!(kinds(&seen), ["secret_expires"]);
        app.advance(Duration::from_secs(301)).await;
        let seen = good(&app, Method::GET, "/overview", &chief.access).await;
        assert!(seen["attention"][0]["detail"].as_str().expect("text").contains("has expired"), "{seen}");
        // Who may not see clients is not told about them.
        let sessions = token(&app, "chief", "ficha:sessions").await.access;
        assert_eq!(good(&app, Method::GET, "/overview", &sessions).await["attention"], json!([]));
        for bad in ["minutes=0", "minutes=10081", "hours=1"] {
            problem(send(&app, Method::GET, &format!("/overview?{bad}"), &chief.access).await, 400, "invalid").await;
        }
        assert!(!seen.to_string().contains(PASSWORD));
    }
}

fn later(app: &ficha_testing::App, seconds: i64) -> String {
    use ficha_token::Clock;
    let time = app.clock.now() + time::Duration::seconds(seconds);
    time.replace_nanosecond(0)
        .expect("in range")
        .format(&time::format_description::well_known::Rfc3339)
        .expect("a time")
}
