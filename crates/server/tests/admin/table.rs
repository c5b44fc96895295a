//! Who may do what, for every route.

use ficha_authority::ClientScopes;
use ficha_store::testing::TestDatabase;
use ficha_testing::{PASSWORD, Tokens};
use reqwest::Method;

use crate::support::*;

/// Each route, and the scopes that may use it. A new route gets a line here.
const ROUTES: [(&str, &str, &str); 44] = [
    ("GET", "/sessions", "ficha:admin ficha:admin:read ficha:sessions ficha:users ficha:clients"),
    ("GET", "/sessions?count=only", "ficha:admin ficha:admin:read ficha:sessions ficha:users ficha:clients"),
    ("GET", "/sessions/{id}", "ficha:admin ficha:admin:read ficha:sessions ficha:users ficha:clients"),
    ("DELETE", "/sessions/{id}", "ficha:admin ficha:sessions"),
    ("GET", "/overview", "ficha:admin ficha:admin:read ficha:sessions"),
    ("GET", "/resource-servers", "ficha:admin ficha:admin:read ficha:sessions"),
    ("GET", "/audit", "ficha:admin ficha:admin:read ficha:audit ficha:account"),
    ("GET", "/audit/export", "ficha:admin ficha:admin:read ficha:audit ficha:account"),
    ("GET", "/me/events", "ficha:account"),
    (
        "GET",
        "/events",
        "ficha:admin ficha:admin:read ficha:sessions ficha:users ficha:clients ficha:audit ficha:account",
    ),
    ("GET", "/users", "ficha:admin ficha:admin:read ficha:users"),
    ("GET", "/users/{user}", "ficha:admin ficha:admin:read ficha:users"),
    ("GET", "/users/{user}/export", "ficha:admin ficha:admin:read ficha:users"),
    ("PATCH", "/users/{user}", "ficha:admin ficha:users"),
    ("POST", "/users/{user}/unlock", "ficha:admin ficha:users"),
    ("POST", "/users/{user}/enable", "ficha:admin ficha:users"),
    ("POST", "/users/{user}/revoke-sessions", "ficha:admin ficha:sessions ficha:users"),
    ("DELETE", "/users/{user}", "ficha:admin ficha:users"),
    ("GET", "/me", "ficha:account"),
    ("GET", "/me/sessions", "ficha:account"),
    ("DELETE", "/me/sessions/{id}", "ficha:account"),
    ("POST", "/me/sessions/revoke-others", "ficha:account"),
    ("POST", "/users", "ficha:admin ficha:users"),
    ("POST", "/users/{user}/password", "ficha:admin ficha:users"),
    ("POST", "/users/{user}/disable", "ficha:admin ficha:users"),
    ("GET", "/clients", "ficha:admin ficha:admin:read ficha:clients"),
    ("GET", "/clients/plain", "ficha:admin ficha:admin:read ficha:clients"),
    ("PATCH", "/clients/plain", "ficha:admin ficha:clients"),
    ("DELETE", "/clients/nosuch", "ficha:admin ficha:clients"),
    ("POST", "/clients", "ficha:admin ficha:clients"),
    ("GET", "/keys", "ficha:admin ficha:admin:read"),
    ("POST", "/keys/rotate", "ficha:admin"),
    // Not confirmed.
    ("POST", "/keys/purge", "ficha:admin"),
    ("POST", "/clients/plain/secrets", "ficha:admin ficha:clients"),
    ("DELETE", "/clients/plain/secrets/{id}", "ficha:admin ficha:clients"),
    ("POST", "/users/import", "ficha:admin ficha:users"),
    ("GET", "/jobs", "ficha:admin ficha:admin:read ficha:sessions ficha:users ficha:clients"),
    ("GET", "/jobs/{none}", "ficha:admin ficha:admin:read ficha:sessions ficha:users ficha:clients"),
    ("DELETE", "/jobs/{none}", "ficha:admin ficha:sessions ficha:users ficha:clients"),
    ("GET", "/scopes", "ficha:admin ficha:admin:read ficha:clients"),
    ("GET", "/scopes/ficha:audit", "ficha:admin ficha:admin:read ficha:clients"),
    ("PUT", "/scopes/notes:read", "ficha:admin ficha:clients"),
    ("DELETE", "/scopes/nosuch", "ficha:admin ficha:clients"),
    // Without a body it is refused after the caller was looked at.
    ("POST", "/sessions/revoke", "ficha:admin ficha:sessions"),
];

const SCOPES: [&str; 7] = [
    "ficha:admin",
    "ficha:admin:read",
    "ficha:sessions",
    "ficha:users",
    "ficha:clients",
    "ficha:audit",
    "ficha:account",
];

ficha_store::on_both_databases! {
    async fn every_route_asks_the_table(database: TestDatabase) {
        let app = app(&database).await;
        let (victim, stranger) = (app.login("alice").await, app.login("alice").await);
        let id = victim.claims()["sid"].as_str().expect("a sid").to_owned();
        let missing = uuid::Uuid::from_u128(9).to_string();
        app.add_client("plain", |new| new.scopes = ClientScopes::Only("notes:read".parse().expect("a scope"))).await;
        let plain = app.add_user("plain", "notes:read").await.to_string();
        // A third party has the administrator's password, and even a client with such a scope in its list.
        let third = app.add_client("third", |new| {
            new.scopes = ClientScopes::Only("ficha:admin notes:read".parse().expect("scopes"));
        });
        let third = third.await;
        let form = [("grant_type", "password"), ("username", "chief"), ("password", PASSWORD)];
        for (method, route, allowed) in ROUTES {
            let method: Method = method.parse().expect("a method");
            // A refused one, and one of somebody that is not there: nothing tells them apart.
            let mut refusals = Vec::new();
            for (id, user) in [(&id, &plain), (&missing, &missing)] {
                let path = route.replace("{id}", id).replace("{user}", user);
                let url = app.url(&format!("/api/v1{path}"));
                let none = app.http.request(method.clone(), url).send().await.expect("an answer");
                problem(none, 401, "unauthorized").await;
                problem(send(&app, method.clone(), &path, "nonsense").await, 401, "unauthorized").await;
                // Anew: some routes end all sessions of who asks.
                let third = Tokens::of(app.post_as(&third, "/token", &form).await).await.access;
                for foreign in [&third, &stranger.access] {
                    problem(send(&app, method.clone(), &path, foreign).await, 403, "forbidden").await;
                }
                for scope in SCOPES {
                    let own = token(&app, "chief", scope).await;
                    let response = send(&app, method.clone(), &path, &own.access).await;
                    let is_allowed = allowed.split(' ').any(|name| name == scope);
                    if !is_allowed {
                        refusals.push((scope, problem(response, 403, "forbidden").await["detail"].clone()));
                    } else if id == &missing && route.contains('{') && method != Method::POST && method != Method::PATCH {
                        problem(response, 404, "not-found").await;
                    } else {
                        // What is right about the rest of the request is tested elsewhere.
                        assert!(![401, 403].contains(&response.status().as_u16()), "{method} {path} {scope}");
                    }
                }
            }
            let (there, not_there) = refusals.split_at(refusals.len() / 2);
            assert_eq!(there, not_there, "{method} {route}");
        }
    }

    async fn what_is_not_there_and_what_is_not_allowed_say_nothing_to_strangers(database: TestDatabase) {
        let app = app(&database).await;
        let chief = token(&app, "chief", "ficha:admin").await;
        for (method, path) in [(Method::GET, "/nothing"), (Method::POST, "/sessions"), (Method::PUT, "/sessions/x")] {
            problem(send(&app, method.clone(), path, "nonsense").await, 401, "unauthorized").await;
            let expected = if path == "/nothing" { (404, "not-found") } else { (405, "method-not-allowed") };
            problem(send(&app, method, path, &chief.access).await, expected.0, expected.1).await;
        }
    }

    /// As before an upgrade: the session has the scope, and its client has no flag.
    async fn a_session_from_before_the_flag_administers_nothing(database: TestDatabase) {
        let app = app(&database).await;
        let chief = token(&app, "chief", "ficha:admin").await;
        database.store().await.run_sql("UPDATE clients SET own_scopes = (1 = 0)").await.expect("the clients are there");
        problem(send(&app, Method::GET, "/sessions", &chief.access).await, 403, "forbidden").await;
        let second = app.another(&database).await;
        let form = [("grant_type", "refresh_token"), ("client_id", "ficha-cli"), ("refresh_token", &chief.refresh)];
        assert_eq!(Tokens::of(second.post("/token", &form).await).await.body["scope"], "");
    }

    /// What ends their own session, an administrator can do as well.
    async fn an_administrator_can_purge_and_delete_themselves(database: TestDatabase) {
        let app = app(&database).await;
        app.add_user("other", "ficha:admin").await;
        let scope = "ficha:admin".parse().expect("a scope");
        let actor = async |name: &str| {
            let own = token(&app, name, "ficha:admin").await;
            let id = |claim: &str| own.claims()[claim].as_str().expect("an id").parse().expect("a UUID");
            let source = ficha_authority::RequestSource::default();
            ficha_authority::Actor::user(id("sub"), name, &scope, source).in_session(id("sid"))
        };
        let other = actor("other").await;
        app.admin.delete_user(&other, "other").await.expect("it is their right");
        let ended = app.admin.set_user_email(&other, "alice", Some("x@example.com")).await;
        assert!(matches!(ended, Err(ficha_authority::AdminError::ActorEnded)), "{ended:?}");
        assert!(app.admin.revoke_user(&other, "alice").await.is_err());
        assert!(app.admin.erase_user(&other, "alice").await.is_err());
        let chief = actor("chief").await;
        app.admin.purge_keys(&chief).await.expect("it is their right");
        let chief = actor("chief").await;
        app.admin.delete_client(&chief, "ficha-cli").await.expect("it is their right");
        let events = database.store().await.all_events().await;
        for name in ["user.deleted", "key.purged", "client.deleted"] {
            assert!(events.iter().any(|event| event.event == name), "{name}");
        }
    }

    /// A token stops working with its session, and so does what it was about to change.
    async fn who_is_signed_out_administers_nothing(database: TestDatabase) {
        let app = app(&database).await;
        let victim = app.login("alice").await;
        let path = format!("/sessions/{}", victim.claims()["sid"].as_str().expect("a sid"));
        let chief = token(&app, "chief", "ficha:admin").await;
        let other = token(&app, "chief", "ficha:sessions").await;
        let own = format!("/sessions/{}", chief.claims()["sid"].as_str().expect("a sid"));
        let ended = good(&app, Method::DELETE, &own, &other.access).await;
        assert_eq!(ended, serde_json::json!({ "matched": 1, "revoked": 1 }));
        problem(send(&app, Method::DELETE, &path, &chief.access).await, 401, "unauthorized").await;
        assert_eq!(app.me(&victim.access).await, 200);
    }
}
