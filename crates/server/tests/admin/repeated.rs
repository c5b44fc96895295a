//! `Idempotency-Key`: a request that is sent again makes nothing twice.

use ficha_store::testing::TestDatabase;
use ficha_testing::App;
use futures_util::future::join_all;
use reqwest::{Method, Response};
use serde_json::{Value, json};

use crate::support::*;

async fn post(app: &App, path: &str, token: &str, key: &str, body: &Value) -> Response {
    let request = app.http.post(app.url(&format!("/api/v1{path}"))).bearer_auth(token).header("idempotency-key", key);
    request.json(body).send().await.expect("an answer")
}

/// The body of a 201, and whether it is the answer to a repeated request.
async fn created(response: Response) -> (Value, bool) {
    assert_eq!(response.status(), 201);
    let is_replayed = response.headers().get("idempotency-replayed").is_some();
    (response.json().await.expect("JSON"), is_replayed)
}

ficha_store::on_both_databases! {
    async fn a_repeated_request_creates_nothing_twice_and_shows_no_secret(database: TestDatabase) {
        let app = app(&database).await;
        let chief = token(&app, "chief", "ficha:users ficha:clients").await.access;
        let bob = json!({ "name": "bob", "scopes": [] });
        let (first, replayed) = created(post(&app, "/users", &chief, "k1", &bob).await).await;
        assert!(!replayed && first["password"].is_string(), "{first}");
        // Another session of the same person.
        let again = token(&app, "chief", "ficha:users ficha:clients").await.access;
        let (second, replayed) = created(post(&app, "/users", &again, "k1", &bob).await).await;
        assert!(replayed && second.get("password").is_none(), "{second}");
        assert_eq!(second["id"], first["id"]);
        problem(post(&app, "/users", &chief, "k1", &json!({ "name": "eve" })).await, 422, "key-reused").await;
        problem(post(&app, "/users", &chief, "k2", &bob).await, 409, "taken").await;
        let shop = json!({ "id": "shop", "grants": ["password"], "scopes": [] });
        problem(post(&app, "/clients", &chief, "k1", &shop).await, 422, "key-reused").await;
        let (first, _) = created(post(&app, "/clients", &chief, "k3", &shop).await).await;
        let (second, replayed) = created(post(&app, "/clients", &chief, "k3", &shop).await).await;
        assert!(first["secret"].is_string() && second.get("secret").is_none() && replayed);
        assert_eq!(second["secrets"], first["secrets"]);
        let path = "/clients/shop/secrets";
        let (first, _) = created(post(&app, path, &chief, "k4", &json!({})).await).await;
        let (second, replayed) = created(post(&app, path, &chief, "k4", &json!({})).await).await;
        assert!(first["secret"].is_string() && second.get("secret").is_none() && replayed);
        assert_eq!((&second["id"], good(&app, Method::GET, "/clients/shop", &chief).await["secrets"].as_array().map(Vec::len)), (&first["id"], Some(2)));
        // What was deleted since does not come back, also if the server died before it could note that it was there.
        database.store().await.run_sql("UPDATE idempotency_keys SET created = (1 = 0)").await.expect("they are there");
        assert!(created(post(&app, "/users", &chief, "k1", &bob).await).await.1);
        good(&app, Method::DELETE, "/users/bob", &chief).await;
        problem(post(&app, "/users", &chief, "k1", &bob).await, 409, "conflict").await;
        for bad in ["", &"k".repeat(256)] {
            problem(post(&app, "/users", &chief, bad, &bob).await, 400, "invalid").await;
        }
        // After a day it is forgotten.
        app.advance(std::time::Duration::from_secs(86_402)).await;
        app.authority.maintain_once(&mut None).await.expect("it is forgotten");
        let chief = token(&app, "chief", "ficha:users").await.access;
        assert!(!created(post(&app, "/users", &chief, "k1", &json!({ "name": "eve" })).await).await.1);
    }

    async fn keys_of_two_callers_have_nothing_to_do_with_each_other(database: TestDatabase) {
        let app = app(&database).await;
        app.add_user("deputy", "ficha:users").await;
        let (chief, deputy) = (token(&app, "chief", "ficha:users").await.access, token(&app, "deputy", "ficha:users").await.access);
        created(post(&app, "/users", &chief, "k", &json!({ "name": "ana" })).await).await;
        created(post(&app, "/users", &deputy, "k", &json!({ "name": "bea" })).await).await;
    }

    async fn of_many_that_are_sent_at_once_one_creates_it(database: TestDatabase) {
        let app = app(&database).await;
        let chief = token(&app, "chief", "ficha:users ficha:clients").await.access;
        for round in 0..4 {
            let (user, client) = (json!({ "name": format!("user{round}") }), json!({ "id": format!("client{round}"), "grants": [], "scopes": [] }));
            let key = format!("k{round}");
            for (path, body, id, secret, key) in [
                ("/users", &user, "id", "password", key.clone()), ("/clients", &client, "id", "secret", format!("c{key}")),
            ] {
                let all = join_all((0..6).map(|_| post(&app, path, &chief, &key, body))).await;
                let mut answers = Vec::new();
                for response in all {
                    answers.push(created(response).await.0);
                }
                assert!(answers.iter().all(|answer| answer[id] == answers[0][id]), "{answers:?}");
                assert_eq!(answers.iter().filter(|answer| answer.get(secret).is_some()).count(), 1, "{answers:?}");
            }
        }
    }

    async fn an_upload_is_accepted_once(database: TestDatabase) {
        let app = app(&database).await;
        let chief = token(&app, "chief", "ficha:users").await.access;
        let hash = "$2b$04$s.2BA/eSMdb2ueeNfURDYOdVyGc/JrdLBPZGNNLri05M9HwgRAX1a";
        let mut jobs = Vec::new();
        for _ in 0..2 {
            let request = app.http.post(app.url("/api/v1/users/import")).bearer_auth(&chief).header("idempotency-key", "k");
            let file = format!("name,password_hash\nana,{hash}\n");
            let accepted = request.header("content-type", "text/csv").body(file).send().await.expect("an answer");
            assert_eq!(accepted.status(), 202);
            assert_eq!(accepted.headers().contains_key("idempotency-replayed"), !jobs.is_empty());
            jobs.push(accepted.json::<Value>().await.expect("JSON")["job"].clone());
        }
        assert_eq!(jobs[0], jobs[1]);
        assert_eq!(ids(&good(&app, Method::GET, "/jobs", &chief).await).len(), 1);
    }
}
