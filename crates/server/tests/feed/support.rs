//! Shared by these tests.

use std::collections::BTreeMap;
use std::time::Duration;

use ficha_store::testing::TestDatabase;
use ficha_token::{Clock, DenyId, DenyPage};
use reqwest::Response;
use tokio::task::JoinHandle;
use uuid::Uuid;

use ficha_testing::{App, Client, Tokens, claims};
pub use ficha_testing::{eventually, stays};

/// A wait that is longer than any test.
pub const LONG: &str = "wait=30";

/// No ids.
pub const NOTHING: [Uuid; 0] = [];

/// A server with the user alice.
pub async fn app_with_alice(database: &TestDatabase) -> App {
    let app = App::start(database).await;
    app.add_user("alice", "notes:read").await;
    app
}

/// A poll without credentials: the test's issuer is a loopback address.
pub async fn poll(app: &App, query: &str) -> Response {
    app.get(&format!("/denylist?{query}")).await
}

/// A poll with the credentials of a client.
pub async fn poll_as(app: &App, client: &Client, query: &str) -> Response {
    let request = app.http.get(app.url(&format!("/denylist?{query}")));
    request.basic_auth(&client.id, Some(&client.secret)).send().await.expect("the server answers")
}

/// A poll that must return a page.
pub async fn page(app: &App, query: &str) -> DenyPage {
    read_page(poll(app, query).await).await
}

pub async fn read_page(response: Response) -> DenyPage {
    assert_eq!(response.status(), 200, "{:?}", response.text().await);
    response.json().await.expect("a page")
}

/// The cursor of the end of the list.
pub async fn cursor(app: &App) -> String {
    let page = page(app, "").await;
    assert!(!page.more && !page.reset);
    page.cursor
}

/// A poll that is held. It has its place when this returns.
pub async fn held(app: &App, query: &str) -> JoinHandle<Response> {
    let before = app.authority.followers_waiting();
    let request = app.http.get(app.url(&format!("/denylist?{query}")));
    let poll = tokio::spawn(async move { request.send().await.expect("the server answers") });
    waiting(app, before + 1).await;
    poll
}

/// Waits until this many polls are held.
pub async fn waiting(app: &App, count: usize) {
    eventually(&format!("{count} polls are held"), async || app.authority.followers_waiting() == count).await;
}

/// The response to a poll, which must come soon.
pub async fn answered(poll: JoinHandle<Response>) -> Response {
    tokio::time::timeout(Duration::from_secs(10), poll).await.expect("it is answered soon").expect("a response")
}

/// The ids of a page.
pub fn ids(page: &DenyPage) -> Vec<Uuid> {
    page.entries.iter().map(|entry| entry.id.to_uuid()).collect()
}

pub fn jti(tokens: &Tokens) -> Uuid {
    claims(&tokens.access)["jti"].as_str().expect("a jti").parse().expect("a UUID")
}

pub fn sid(tokens: &Tokens) -> Uuid {
    claims(&tokens.access)["sid"].as_str().expect("a sid").parse().expect("a UUID")
}

/// Revokes an access token through the default client.
pub async fn revoke(app: &App, token: &str) {
    assert_eq!(app.post("/revoke", &[("token", token)]).await.status(), 200);
}

/// Logs in and revokes the access token; its id.
pub async fn revoked_token(app: &App) -> Uuid {
    let tokens = app.login("alice").await;
    revoke(app, &tokens.access).await;
    jti(&tokens)
}

/// A correct follower: it continues from its cursor, and only ever adds entries.
#[derive(Default)]
pub struct Follower {
    pub cursor: Option<String>,
    pub denied: BTreeMap<Uuid, i64>,
    pub resets: usize,
    pub polls: usize,
}

impl Follower {
    /// One poll. True if there is more.
    pub async fn poll(&mut self, app: &App, wait: u32) -> bool {
        let after = self.cursor.as_ref().map(|cursor| format!("after={cursor}&")).unwrap_or_default();
        let page = page(app, &format!("{after}wait={wait}")).await;
        self.polls += 1;
        self.resets += usize::from(page.reset);
        for entry in &page.entries {
            let until = self.denied.entry(entry.id.to_uuid()).or_default();
            *until = entry.until.max(*until);
        }
        self.cursor = Some(page.cursor);
        page.more
    }

    /// Polls until it is up to date.
    pub async fn catch_up(&mut self, app: &App) {
        while self.poll(app, 0).await {}
    }
}

/// Ten minutes from now, by the server's clock.
pub fn later(app: &App) -> i64 {
    app.clock.unix_now() + 600
}

/// True if the server itself rejects tokens with this id.
pub fn denies(app: &App, id: Uuid) -> bool {
    app.authority.denylist().contains(&DenyId::from(id), app.clock.unix_now())
}

/// The value of a metric.
pub async fn metric(app: &App, name: &str) -> u64 {
    let text = app.get("/metrics").await.text().await.expect("a text");
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.unwrap_or_else(|| panic!("there is no metric {name}")).parse().expect("a whole number")
}

/// Expects 503 with `Retry-After`.
pub async fn assert_unavailable(response: Response) {
    let after = response.headers().get("retry-after").and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    assert!(after.is_some_and(|seconds| seconds >= 1), "{:?}", response.headers());
    ficha_testing::error(response, 503, "temporarily_unavailable").await;
}
