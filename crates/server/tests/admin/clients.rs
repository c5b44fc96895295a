//! Clients over HTTP.

use std::time::Duration;

use ficha_store::testing::TestDatabase;
use ficha_testing::{App, Client, PASSWORD, Tokens};
use ficha_token::Clock;
use reqwest::{Method, Response};
use serde_json::{Value, json};

use crate::support::*;

async fn with_body(app: &App, method: Method, path: &str, token: &str, body: &Value) -> Response {
    let url = app.url(&format!("/api/v1{path}"));
    app.http.request(method, url).bearer_auth(token).json(body).send().await.expect("an answer")
}

async fn login_public(app: &App, client: &str) -> Tokens {
    let form = [("grant_type", "password"), ("client_id", client), ("username", "alice"), ("password", PASSWORD)];
    Tokens::of(app.post("/token", &form).await).await
}

ficha_store::on_both_databases! {
    async fn a_client_is_created_changed_disabled_and_deleted(database: TestDatabase) {
        let app = app(&database).await;
        let chief = token(&app, "chief", "ficha:clients").await.access;
        let new = json!({ "id": "my shop", "grants": ["password", "refresh_token"], "scopes": ["notes:read"] });
        let response = with_body(&app, Method::POST, "/clients", &chief, &new).await;
        assert_eq!(response.status(), 201);
        let location = response.headers()["location"].to_str().expect("text").to_owned();
        assert!(location.ends_with("/api/v1/clients/my%20shop"), "{location}");
        let made: Value = response.json().await.expect("JSON");
        assert_eq!((&made["public"], &made["enabled"], &made["scopes"]), (&json!(false), &json!(true), &json!(["notes:read"])));
        let shop = Client { id: "my shop".into(), secret: made["secret"].as_str().expect("a secret").to_owned() };
        problem(with_body(&app, Method::POST, "/clients", &chief, &new).await, 409, "taken").await;
        let path = "/clients/my%20shop";
        let shown = send(&app, Method::GET, path, &chief).await;
        let tag = shown.headers()["etag"].to_str().expect("text").to_owned();
        let shown: Value = shown.json().await.expect("JSON");
        assert!(shown.get("secret").is_none() && shown.get("secret_hash").is_none(), "{shown}");
        let session = app.login_as(&shop, "alice").await;
        // More rights end nothing, fewer end all its sessions.
        let more = with_body(&app, Method::PATCH, path, &chief, &json!({ "scopes": "any" })).await;
        assert_eq!(more.json::<Value>().await.expect("JSON")["scopes"], "any");
        assert_eq!(app.me(&session.access).await, 200);
        let outdated = app.http.patch(app.url(&format!("/api/v1{path}"))).bearer_auth(&chief).header("if-match", &tag);
        let outdated = outdated.json(&json!({ "scopes": [] })).send().await.expect("an answer");
        problem(outdated, 412, "precondition-failed").await;
        let fewer = with_body(&app, Method::PATCH, &format!("{path}?wait=0"), &chief, &json!({ "scopes": ["notes:write"] })).await;
        let fewer: Value = fewer.json().await.expect("JSON");
        assert_eq!((&fewer["scopes"], &fewer["receipt"]["complete"]), (&json!(["notes:write"]), &json!(true)));
        assert_eq!(app.me(&session.access).await, 401);
        let session = app.login_as(&shop, "alice").await;
        let off = with_body(&app, Method::PATCH, path, &chief, &json!({ "enabled": false })).await;
        assert_eq!(off.json::<Value>().await.expect("JSON")["enabled"], false);
        assert_eq!(app.me(&session.access).await, 401);
        assert_eq!(with_body(&app, Method::PATCH, path, &chief, &json!({ "enabled": true })).await.status(), 200);
        app.login_as(&shop, "alice").await;
        let list = good(&app, Method::GET, "/clients?limit=2", &chief).await;
        let rest = good(&app, Method::GET, &format!("/clients?after={}", list["next"].as_str().expect("more")), &chief).await;
        assert!([ids(&list), ids(&rest)].concat().contains(&"my shop".to_owned()));
        assert_eq!(good(&app, Method::DELETE, path, &chief).await, json!({ "revoked": 1 }));
        problem(send(&app, Method::GET, path, &chief).await, 404, "not-found").await;
    }

    async fn what_a_client_can_t_have_is_refused(database: TestDatabase) {
        let app = app(&database).await;
        let chief = token(&app, "chief", "ficha:clients").await.access;
        app.add_client("shop", |_| ()).await;
        for bad in [
            json!({}), json!({ "id": "a", "grants": ["implicit"], "scopes": [] }), json!({ "id": "a", "grants": ["password"], "scopes": "all" }),
            json!({ "id": "a", "grants": ["password"], "scopes": ["a b"] }), json!({ "id": " a", "grants": ["password"], "scopes": [] }),
            json!({ "id": "a", "public": true, "grants": ["client_credentials"], "scopes": [] }),
            json!({ "id": "a", "grants": ["password"], "scopes": [1] }), json!({ "id": "a", "grants": [], "scopes": [], "secret": "x" }),
        ] {
            problem(with_body(&app, Method::POST, "/clients", &chief, &bad).await, 400, "invalid").await;
        }
        for bad in [
            json!({ "id": "other" }), json!({ "enabled": false, "serves": ["notes"] }), json!({ "scopes": 1 }), json!({ "enabled": null }),
            json!({ "grants": null }),
        ] {
            problem(with_body(&app, Method::PATCH, "/clients/shop", &chief, &bad).await, 400, "invalid").await;
        }
        // Nothing of the server's own, and not the flag.
        for beyond in [json!({ "scopes": ["ficha:admin"] }), json!({ "own_scopes": true })] {
            problem(with_body(&app, Method::PATCH, "/clients/shop", &chief, &beyond).await, 403, "forbidden").await;
        }
        problem(send(&app, Method::DELETE, "/clients/ficha-cli", &chief).await, 403, "forbidden").await;
        let flagged = json!({ "id": "a", "grants": ["password"], "scopes": ["notes:read"], "own_scopes": true });
        problem(with_body(&app, Method::POST, "/clients", &chief, &flagged).await, 403, "forbidden").await;
    }

    async fn a_secret_is_replaced_without_a_gap(database: TestDatabase) {
        let app = app(&database).await;
        let chief = token(&app, "chief", "ficha:clients").await.access;
        let old = app.add_client("shop", |_| ()).await;
        let add = async |body: Value| with_body(&app, Method::POST, "/clients/shop/secrets", &chief, &body).await;
        let tag = async || send(&app, Method::GET, "/clients/shop", &chief).await.headers()["etag"].clone();
        app.advance(Duration::from_secs(1)).await;
        let until = at(&app, 60);
        let response = add(json!({ "others_expire_at": until })).await;
        assert_eq!((response.status().as_u16(), response.headers()["cache-control"].to_str().expect("text")), (201, "no-store"));
        let added: Value = response.json().await.expect("JSON");
        let new = Client { id: "shop".into(), secret: added["secret"].as_str().expect("a secret").to_owned() };
        assert_eq!((&added["expires_at"], &added["last_used_at"]), (&json!(null), &json!(null)));
        // Both work, and that they are used is no change of the client.
        let before = tag().await;
        for client in [&old, &new] {
            app.login_as(client, "alice").await;
        }
        app.advance(Duration::from_secs(61)).await;
        app.authority.maintain_once(&mut None).await.expect("it is written");
        let chief = token(&app, "chief", "ficha:clients").await.access;
        let shown = send(&app, Method::GET, "/clients/shop", &chief).await;
        assert_eq!(shown.headers()["etag"], before);
        let shown: Value = shown.json().await.expect("JSON");
        let secrets = shown["secrets"].as_array().expect("a list");
        assert_eq!(secrets.iter().map(|one| one["expires_at"].clone()).collect::<Vec<_>>(), [json!(until), json!(null)]);
        assert!(secrets.iter().all(|one| one["last_used_at"].is_string() && one.get("hash").is_none()), "{shown}");
        // The old one has expired, and the new one goes on.
        let form = [("grant_type", "password"), ("username", "alice"), ("password", PASSWORD)];
        assert_eq!(app.post_as(&old, "/token", &form).await.status(), 401);
        app.login_as(&new, "alice").await;
        // An expired one takes no place.
        let add = async |body: Value| with_body(&app, Method::POST, "/clients/shop/secrets", &chief, &body).await;
        let third: Value = add(json!({})).await.json().await.expect("JSON");
        assert_eq!(good(&app, Method::GET, "/clients/shop", &chief).await["secrets"].as_array().expect("a list").len(), 2);
        problem(add(json!({})).await, 409, "conflict").await;
        let path = |id: &Value| format!("/clients/shop/secrets/{}", id.as_str().expect("an id"));
        assert_eq!(good(&app, Method::DELETE, &path(&added["id"]), &chief).await, json!({ "removed": true }));
        assert_eq!(app.post_as(&new, "/token", &form).await.status(), 401);
        problem(send(&app, Method::DELETE, &path(&added["id"]), &chief).await, 404, "not-found").await;
        problem(send(&app, Method::DELETE, &path(&third["id"]), &chief).await, 409, "conflict").await;
        let third = Client { id: "shop".into(), secret: third["secret"].as_str().expect("a secret").to_owned() };
        app.login_as(&third, "alice").await;
    }

    async fn of_two_secrets_added_at_once_one_is_refused(database: TestDatabase) {
        let app = app(&database).await;
        let chief = token(&app, "chief", "ficha:clients").await.access;
        for round in 0..8 {
            app.add_client(&format!("shop{round}"), |_| ()).await;
            let path = format!("/clients/shop{round}/secrets");
            let body = json!({});
            let add = || with_body(&app, Method::POST, &path, &chief, &body);
            let (one, other) = tokio::join!(add(), add());
            let mut seen = [one.status().as_u16(), other.status().as_u16()];
            seen.sort_unstable();
            assert_eq!(seen, [201, 409]);
            let shown = good(&app, Method::GET, &format!("/clients/shop{round}"), &chief).await;
            assert_eq!(shown["secrets"].as_array().expect("a list").len(), 2);
        }
    }

    async fn a_public_client_gets_a_secret_and_its_sessions_go_on_with_it(database: TestDatabase) {
        let app = app(&database).await;
        let chief = token(&app, "chief", "ficha:clients ficha:audit").await.access;
        app.add_client("shop", |new| new.public = true).await;
        let session = login_public(&app, "shop").await;
        let change = async |body: Value| with_body(&app, Method::PATCH, "/clients/shop", &chief, &body).await;
        let response = change(json!({ "public": false, "serves": ["notes"] })).await;
        assert_eq!(response.headers()["cache-control"], "no-store");
        let made: Value = response.json().await.expect("JSON");
        assert_eq!((&made["public"], &made["serves"], &made["revoked"]), (&json!(false), &json!(["notes"]), &json!(0)));
        let with = Client { id: "shop".into(), secret: made["secret"].as_str().expect("a secret").to_owned() };
        app.advance(Duration::ZERO).await;
        assert_eq!(app.me(&session.access).await, 200);
        let refresh = [("grant_type", "refresh_token"), ("refresh_token", &*session.refresh)];
        let public = [refresh[0], refresh[1], ("client_id", "shop")];
        assert_eq!(app.post("/token", &public).await.status(), 401);
        assert_eq!(app.post_as(&with, "/token", &refresh).await.status(), 200);
        // Once more changes nothing, and shows nothing.
        let again: Value = change(json!({ "public": false })).await.json().await.expect("JSON");
        assert!(again.get("secret").is_none() && again["secrets"].as_array().expect("a list").len() == 1, "{again}");
        // A public client serves nothing; with that, it may be public. What needed the secret before is worth nothing now.
        problem(change(json!({ "public": true })).await, 400, "invalid").await;
        problem(change(json!({ "public": null })).await, 400, "invalid").await;
        let session = app.login_as(&with, "alice").await;
        let made: Value = change(json!({ "public": true, "serves": [] })).await.json().await.expect("JSON");
        assert_eq!((&made["public"], &made["secrets"], &made["revoked"]), (&json!(true), &json!([]), &json!(2)));
        assert_eq!(app.me(&session.access).await, 401);
        app.advance(Duration::ZERO).await;
        let refresh = [("grant_type", "refresh_token"), ("refresh_token", &*session.refresh), ("client_id", "shop")];
        assert_eq!(app.post("/token", &refresh).await.status(), 400);
        let secret = [("grant_type", "password"), ("username", "alice"), ("password", PASSWORD)];
        assert_eq!(app.post_as(&with, "/token", &secret).await.status(), 401);
        login_public(&app, "shop").await;
        crate::events::all_numbered(&app).await;
        let events = good(&app, Method::GET, "/audit?client=shop&event=client.", &chief).await;
        let events = events["items"].as_array().expect("a list");
        let seen = |event: &str, detail: &str| {
            events.iter().any(|one| one["event"] == event && one["detail"].to_string().contains(detail))
        };
        assert!(seen("client.changed", r#""after":{"public":false"#), "{events:?}");
        assert!(seen("client.changed", r#""before":{"public":false"#), "{events:?}");
        assert!(seen("client.secret_added", "") && seen("client.secret_removed", ""), "{events:?}");
        // Neither the command line nor the console could send one, nor who names no client.
        let all = token(&app, "chief", "ficha:admin").await.access;
        for own in ["ficha-cli", "ficha-console", "first-party"] {
            let body = json!({ "public": false });
            problem(with_body(&app, Method::PATCH, &format!("/clients/{own}"), &all, &body).await, 400, "invalid").await;
        }
    }

    /// The lock on its row and the comparison of its version decide: each answer that shows a secret shows one that counts.
    async fn of_two_that_make_a_client_confidential_one_gets_the_secret(database: TestDatabase) {
        let app = app(&database).await;
        let chief = token(&app, "chief", "ficha:clients").await.access;
        for round in 0..8 {
            let id = format!("shop{round}");
            app.add_client(&id, |new| new.public = true).await;
            let path = format!("/clients/{id}");
            let body = json!({ "public": false });
            let change = async || with_body(&app, Method::PATCH, &path, &chief, &body).await.json::<Value>().await.expect("JSON");
            let (one, other) = tokio::join!(change(), change());
            let shown: Vec<_> = [&one, &other].into_iter().filter_map(|answer| answer["secret"].as_str()).collect();
            let [secret] = shown[..] else { panic!("{one} {other}") };
            app.advance(Duration::ZERO).await;
            app.login_as(&Client { id, secret: secret.to_owned() }, "alice").await;
        }
    }

    async fn secrets_that_can_t_be_are_refused(database: TestDatabase) {
        let app = app(&database).await;
        let chief = token(&app, "chief", "ficha:clients").await.access;
        app.add_client("shop", |_| ()).await;
        app.add_client("browser", |new| new.public = true).await;
        for bad in [
            json!({ "expires_at": "soon" }), json!({ "expires_at": at(&app, 0) }), json!({ "others_expire_at": at(&app, -60) }),
            json!({ "secret": "chosen" }), json!({ "expires_at": 1 }),
        ] {
            problem(with_body(&app, Method::POST, "/clients/shop/secrets", &chief, &bad).await, 400, "invalid").await;
        }
        problem(with_body(&app, Method::POST, "/clients/browser/secrets", &chief, &json!({})).await, 400, "invalid").await;
        problem(with_body(&app, Method::POST, "/clients/none/secrets", &chief, &json!({})).await, 404, "not-found").await;
        problem(send(&app, Method::DELETE, "/clients/shop/secrets/1", &chief).await, 404, "not-found").await;
        // A scoped administrator gets no secret of a client that may administer everything.
        let automation = json!({ "id": "robot", "grants": ["client_credentials"], "scopes": ["ficha:admin"], "own_scopes": true });
        let all = token(&app, "chief", "ficha:admin").await.access;
        assert_eq!(with_body(&app, Method::POST, "/clients", &all, &automation).await.status(), 201);
        problem(with_body(&app, Method::POST, "/clients/robot/secrets", &chief, &json!({})).await, 403, "forbidden").await;
        let robot = good(&app, Method::GET, "/clients/robot", &chief).await;
        let path = format!("/clients/robot/secrets/{}", robot["secrets"][0]["id"].as_str().expect("an id"));
        problem(send(&app, Method::DELETE, &path, &chief).await, 403, "forbidden").await;
        assert_eq!(with_body(&app, Method::POST, "/clients/robot/secrets", &all, &json!({})).await.status(), 201);
    }
}

/// A time so many seconds from now.
fn at(app: &App, seconds: i64) -> String {
    let time = app.clock.now() + time::Duration::seconds(seconds);
    time.replace_nanosecond(0)
        .expect("in range")
        .format(&time::format_description::well_known::Rfc3339)
        .expect("a time")
}
