//! Shared by these tests.

use ficha_store::testing::TestDatabase;
pub use ficha_testing::copy_session;
use ficha_testing::{App, Options, PASSWORD, Tokens};
use reqwest::{Method, Response};
use serde_json::Value;
use uuid::Uuid;

/// A server with the user alice, and the administrator chief, who holds every scope.
pub async fn app(database: &TestDatabase) -> App {
    app_with(database, |_| ()).await
}

/// The same with settings other than the defaults.
pub async fn app_with(database: &TestDatabase, change: impl FnOnce(&mut Options)) -> App {
    let app = App::start_with(database, change).await;
    app.add_user("alice", "notes:read notes:write").await;
    app.add_user("chief", "ficha:admin ficha:admin:read ficha:sessions ficha:users ficha:clients ficha:audit").await;
    app
}

/// A token of a user with the server's own scopes, from the command line's client.
pub async fn token(app: &App, user: &str, scope: &str) -> Tokens {
    let form = [
        ("grant_type", "password"),
        ("client_id", "ficha-cli"),
        ("username", user),
        ("password", PASSWORD),
        ("scope", scope),
    ];
    Tokens::of(app.post("/token", &form).await).await
}

/// A request of the admin API.
pub async fn send(app: &App, method: Method, path: &str, token: &str) -> Response {
    let url = app.url(&format!("/api/v1{path}"));
    app.http.request(method, url).bearer_auth(token).send().await.expect("the server answers")
}

/// A request that must succeed.
pub async fn good(app: &App, method: Method, path: &str, token: &str) -> Value {
    let response = send(app, method, path, token).await;
    let (status, body) = (response.status(), response.text().await.expect("a body"));
    assert_eq!(status, 200, "{path}: {body}");
    serde_json::from_str(&body).expect("JSON")
}

/// A problem with this status and kind. Returns it.
pub async fn problem(response: Response, status: u16, kind: &str) -> Value {
    assert_eq!(response.headers()["content-type"], "application/problem+json");
    assert_eq!(response.headers()["cache-control"], "no-store");
    assert_eq!(response.status(), status);
    assert_eq!(response.headers().contains_key("www-authenticate"), status == 401);
    let body: Value = response.json().await.expect("JSON");
    assert_eq!(body["type"], format!("{}/problems/{kind}", ficha_testing::ISSUER));
    assert_eq!(body["status"], status);
    assert!(!body["title"].as_str().expect("a title").is_empty());
    body
}

/// The ids of a list.
pub fn ids(list: &Value) -> Vec<String> {
    let items = list["items"].as_array().expect("items");
    items.iter().map(|item| item["id"].as_str().expect("an id").to_owned()).collect()
}

/// The session of an access token.
pub fn session_of(tokens: &Tokens) -> Uuid {
    tokens.claims()["sid"].as_str().and_then(|text| text.parse().ok()).expect("a sid")
}
