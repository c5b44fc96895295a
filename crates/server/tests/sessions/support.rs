//! Shared by these tests.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ficha_authority::ClientScopes;
use ficha_store::testing::TestDatabase;
use ficha_store::{EventRecord, SessionRecord};
use reqwest::Response;
use reqwest::header::RETRY_AFTER;
use serde_json::Value;
use uuid::Uuid;

pub use ficha_testing::eventually;
use ficha_testing::{App, Client, Tokens, claims};

/// The scopes that alice may be granted.
pub const SCOPES: &str = "notes:read notes:write";

/// The first server of a test, with the user alice.
pub async fn app_with_alice(database: &TestDatabase) -> App {
    let app = App::start(database).await;
    app.add_user("alice", SCOPES).await;
    app
}

/// A confidential client that may use every grant.
pub async fn jobs_client(app: &App, id: &str) -> Client {
    app.add_client(id, |new| {
        new.scopes = ClientScopes::Only("jobs:run notes:read notes:write".parse().expect("a scope"))
    })
    .await
}

/// A token that `client` obtains for itself.
pub async fn own_token(app: &App, client: &Client) -> Tokens {
    Tokens::of(app.post_as(client, "/token", &[("grant_type", "client_credentials"), ("scope", "jobs:run")]).await)
        .await
}

/// A refresh that must succeed.
pub async fn refreshed(app: &App, refresh_token: &str) -> Tokens {
    Tokens::of(app.refresh(refresh_token).await).await
}

/// A refresh through a client that authenticates.
pub async fn refresh_as(app: &App, client: &Client, refresh_token: &str) -> Response {
    app.post_as(client, "/token", &[("grant_type", "refresh_token"), ("refresh_token", refresh_token)]).await
}

/// The introspection response for `client`.
pub async fn introspect(app: &App, client: &Client, token: &str) -> Value {
    let response = app.post_as(client, "/introspect", &[("token", token)]).await;
    assert_eq!(response.status(), 200);
    response.json().await.expect("a JSON answer")
}

/// The session that an access token belongs to.
pub fn sid(access_token: &str) -> Uuid {
    claims(access_token)["sid"].as_str().expect("every token has a sid").parse().expect("a UUID")
}

/// The claim `sub`.
pub fn subject(access_token: &str) -> Uuid {
    claims(access_token)["sub"].as_str().expect("every token has a sub").parse().expect("a UUID")
}

/// A numeric claim.
pub fn number(access_token: &str, claim: &str) -> i64 {
    claims(access_token)[claim].as_i64().expect("a whole number")
}

/// The row of a session.
pub async fn row(database: &TestDatabase, id: Uuid) -> SessionRecord {
    database.store().await.session(id).await.expect("the database answers").expect("the session is there")
}

/// The events with this name. They are committed before the response.
pub async fn events(database: &TestDatabase, name: &str) -> Vec<EventRecord> {
    let mut found = database.store().await.all_events().await;
    found.retain(|event| event.event == name);
    found
}

/// The value of a metric.
pub async fn metric(app: &App, name: &str) -> u64 {
    let text = app.get("/metrics").await.text().await.expect("a text");
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.unwrap_or_else(|| panic!("there is no metric {name}")).parse().expect("a whole number")
}

pub fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

pub fn days(count: u64) -> Duration {
    seconds(count * 86_400)
}

/// Advances the clock that several servers share.
pub async fn advance_all(apps: &[&App], by: Duration) {
    apps[0].clock.advance(by);
    for app in apps {
        app.authority.follow().await.expect("the database answers");
    }
}

/// Expects 503 with `Retry-After`, and nothing that says the token is invalid.
pub fn assert_unavailable(response: &Response) {
    assert_eq!(response.status(), 503);
    let seconds = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    assert!(seconds.is_some_and(|seconds| seconds >= 1), "{:?}", response.headers());
    assert!(!response.headers().contains_key("www-authenticate"), "a challenge would log users out");
}

/// Expects that nothing of a session works any more.
pub async fn assert_dead(app: &App, tokens: &Tokens) {
    assert_eq!(app.me(&tokens.access).await, 401);
    ficha_testing::error(app.refresh(&tokens.refresh).await, 400, "invalid_grant").await;
}

/// The other form of an ES256 token, with the same claims and a valid signature: `n - s` in place of `s`.
pub fn twin(token: &str) -> String {
    /// The order of P-256 (SEC 2 §2.4.2).
    const ORDER: [u8; 32] = [
        0xFF, 0xFF, 0xFF, 0xFF, 0x00, 0x00, 0x00, 0x00, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xBC, 0xE6,
        0xFA, 0xAD, 0xA7, 0x17, 0x9E, 0x84, 0xF3, 0xB9, 0xCA, 0xC2, 0xFC, 0x63, 0x25, 0x51,
    ];
    let (message, signature) = token.rsplit_once('.').expect("three parts");
    let mut signature = URL_SAFE_NO_PAD.decode(signature).expect("base64url");
    let mut borrow = 0;
    for place in (0..32).rev() {
        let difference = i16::from(ORDER[place]) - i16::from(signature[32 + place]) - borrow;
        borrow = i16::from(difference < 0);
        signature[32 + place] = (difference & 0xFF) as u8;
    }
    format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature))
}
