//! Clients over HTTP.

use ficha_store::testing::TestDatabase;
use ficha_testing::{App, Client};
use reqwest::{Method, Response};
use serde_json::{Value, json};

use crate::support::*;

async fn with_body(app: &App, method: Method, path: &str, token: &str, body: &Value) -> Response {
    let url = app.url(&format!("/api/v1{path}"));
    app.http.request(method, url).bearer_auth(token).json(body).send().await.expect("an answer")
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
}
