//! Keys and scopes over HTTP.

use ficha_store::testing::TestDatabase;
use ficha_testing::App;
use reqwest::{Method, Response};
use serde_json::{Value, json};

use crate::support::*;

async fn with_body(app: &App, method: Method, path: &str, token: &str, body: &Value) -> Response {
    let url = app.url(&format!("/api/v1{path}"));
    app.http.request(method, url).bearer_auth(token).json(body).send().await.expect("an answer")
}

ficha_store::on_both_databases! {
    async fn a_scope_is_declared_only_if_it_is_or_is_not(database: TestDatabase) {
        let app = app(&database).await;
        let chief = token(&app, "chief", "ficha:clients").await.access;
        let put = async |headers: &[(&str, &str)]| {
            let url = app.url("/api/v1/scopes/notes:read");
            let request = app.http.put(url).bearer_auth(&chief).json(&json!({ "description": "x" }));
            let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
            request.send().await.expect("an answer").status().as_u16()
        };
        // A scope has no entity tag (RFC 9110 §13.1).
        for (headers, before, after) in [
            (&[("If-Match", "*")][..], 412, 200),
            (&[("If-Match", "\"a\"")], 412, 412),
            (&[("If-None-Match", "*")], 200, 412),
            (&[("If-None-Match", "W/\"a\"")], 200, 200),
            (&[("If-Match", "*"), ("If-None-Match", "\"a\"")], 412, 200),
            (&[("If-Match", "*"), ("If-None-Match", "*")], 412, 412),
            (&[], 200, 200),
        ] {
            let _ = app.admin.remove_scope(&ficha_testing::tester(), "notes:read").await;
            assert_eq!(put(headers).await, before, "{headers:?} before");
            app.admin.declare_scope(&ficha_testing::tester(), "notes:read", "y").await.expect("it is declared");
            assert_eq!(put(headers).await, after, "{headers:?} after");
        }
        problem(send(&app, Method::DELETE, "/scopes/ficha:admin", &chief).await, 400, "invalid").await;
    }

    async fn keys_are_listed_rotated_and_purged(database: TestDatabase) {
        let app = app(&database).await;
        let chief = token(&app, "chief", "ficha:admin").await.access;
        let alice = app.login("alice").await;
        let states = async |token: &str| -> Vec<(String, String)> {
            let list = good(&app, Method::GET, "/keys", token).await;
            assert!(!list.to_string().contains("sealed"), "{list}");
            let items = list["items"].as_array().expect("items");
            let text = |one: &Value, name: &str| one[name].as_str().expect("text").to_owned();
            items.iter().map(|one| (text(one, "purpose"), text(one, "state"))).collect()
        };
        let pair = |purpose: &str, state: &str| (purpose.to_owned(), state.to_owned());
        let before = states(&chief).await;
        assert!(before.contains(&pair("sign", "current")) && before.contains(&pair("refresh", "current")), "{before:?}");
        let rotated = good(&app, Method::POST, "/keys/rotate", &chief).await;
        assert!(rotated["kid"].is_string() && states(&chief).await.contains(&pair("sign", "next")));
        problem(send(&app, Method::POST, "/keys/rotate", &chief).await, 409, "conflict").await;
        for unconfirmed in [json!({}), json!({ "confirm": "yes" }), json!({ "confirm": null })] {
            problem(with_body(&app, Method::POST, "/keys/purge", &chief, &unconfirmed).await, 400, "invalid").await;
        }
        assert_eq!(app.me(&alice.access).await, 200);
        let done = with_body(&app, Method::POST, "/keys/purge?wait=1", &chief, &json!({ "confirm": "purge" })).await;
        assert_eq!(done.status(), 200);
        let done: Value = done.json().await.expect("JSON");
        assert_eq!((&done["all"], &done["receipt"]["complete"]), (&json!(true), &json!(true)));
        assert_eq!(app.me(&alice.access).await, 401);
        problem(send(&app, Method::GET, "/keys", &chief).await, 401, "unauthorized").await;
        let again = token(&app, "chief", "ficha:admin").await.access;
        assert!(states(&again).await.contains(&pair("sign", "purged")));
    }

    async fn scopes_are_declared_described_and_removed(database: TestDatabase) {
        let app = app(&database).await;
        let chief = token(&app, "chief", "ficha:clients").await.access;
        let path = "/scopes/notes:print";
        problem(send(&app, Method::GET, path, &chief).await, 404, "not-found").await;
        let put = async |description: Value| with_body(&app, Method::PUT, path, &chief, &json!({ "description": description })).await;
        for text in ["Print notes", "Print all notes", "Print all notes"] {
            assert_eq!(put(json!(text)).await.status(), 200);
            assert_eq!(good(&app, Method::GET, path, &chief).await, json!({ "name": "notes:print", "description": text }));
        }
        for bad in [json!(""), json!("a\u{1b}b"), json!(1), Value::Null] {
            problem(put(bad).await, 400, "invalid").await;
        }
        problem(with_body(&app, Method::PUT, "/scopes/a%20b", &chief, &json!({ "description": "x" })).await, 400, "invalid").await;
        let list = good(&app, Method::GET, "/scopes", &chief).await;
        assert!(list["items"].as_array().expect("items").iter().any(|one| one["name"] == "notes:print"));
        assert_eq!(good(&app, Method::DELETE, path, &chief).await, json!({ "removed": true }));
        problem(send(&app, Method::DELETE, path, &chief).await, 404, "not-found").await;
    }
}
