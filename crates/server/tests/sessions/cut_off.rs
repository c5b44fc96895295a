//! The connection to PostgreSQL goes silent, or loses a response. SQLite has no such connection.

use std::time::{Duration, Instant};

use ficha_store::testing::TestDatabase;
use reqwest::Response;
use tokio::join;

use crate::support::*;
use ficha_testing::wire::Wire;
use ficha_testing::{App, PASSWORD, Tokens, error};

/// A batch times out after 10 s, and getting a connection after 5 s; the rest is tolerance.
const LIMIT: Duration = Duration::from_secs(20);

/// A server that reaches its database through a proxy, a server that reaches it directly, and the user alice.
async fn wired(database: &TestDatabase) -> (Wire, App, App) {
    wired_with(database, true).await
}

/// The same, and the first server writes nothing that no request asks for: what is lost next is the answer to a request.
async fn wired_without_tasks(database: &TestDatabase) -> (Wire, App, App) {
    wired_with(database, false).await
}

async fn wired_with(database: &TestDatabase, background: bool) -> (Wire, App, App) {
    let direct = app_with_alice(database).await;
    let wire = Wire::to(database).await;
    let wired = direct.another_with(database, |options| {
        options.store_url = Some(wire.url());
        options.background = background;
    });
    let wired = wired.await;
    (wire, wired, direct)
}

/// Expects 503 within [`LIMIT`].
async fn refused_in_time(what: &str, answer: impl Future<Output = Response>) {
    #[expect(clippy::disallowed_methods, reason = "a silent socket is measured in real time")]
    let started = Instant::now();
    let answer = tokio::time::timeout(2 * LIMIT, answer).await;
    let answer = answer.unwrap_or_else(|_| panic!("{what} never ends"));
    assert!(started.elapsed() < LIMIT, "{what} took {:?}", started.elapsed());
    assert_unavailable(&answer);
    error(answer, 503, "temporarily_unavailable").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_with_a_silent_database_answers_in_time_and_recovers_by_itself() {
    let Some(database) = TestDatabase::postgres().await else { return };
    let (wire, app, _direct) = wired(&database).await;
    let client = jobs_client(&app, "app").await;
    let (first, other) = (app.login_as(&client, "alice").await, app.login_as(&client, "alice").await);
    assert_eq!(introspect(&app, &client, &first.access).await["active"], true);

    wire.silence();
    let login = [("grant_type", "password"), ("username", "alice"), ("password", PASSWORD)];
    let narrow = [("grant_type", "refresh_token"), ("refresh_token", &other.refresh), ("scope", "notes:read")];
    let revoke = [("token", other.access.as_str())];
    let vouching = async {
        // Two seconds on the clock that limits vouching, though no real time has passed.
        app.clock.advance(seconds(3));
        let form = [("token", first.access.as_str())];
        let introspected = app.post_as(&client, "/introspect", &form);
        let answer = tokio::time::timeout(seconds(1), introspected).await.expect("it waits for no database");
        error(answer, 503, "temporarily_unavailable").await;
        assert_unavailable(&app.get_with("/users/me", &first.access).await);
        assert_unavailable(&app.get("/health/ready").await);
    };
    // By the server's clock no time passes, so it still counts as in contact with its database.
    join!(
        refused_in_time("a refresh", refresh_as(&app, &client, &first.refresh)),
        refused_in_time("a refresh that looks at its scope first", app.post_as(&client, "/token", &narrow)),
        refused_in_time("a login", app.post_as(&client, "/token", &login)),
        refused_in_time("a revocation", app.post_as(&client, "/revoke", &revoke)),
    );
    vouching.await;

    wire.resume();
    eventually("the server is back", async || app.get("/health/ready").await.status() == 200).await;
    assert_eq!(app.me(&first.access).await, 200);
    assert_eq!(introspect(&app, &client, &first.access).await["active"], true);
    // A request that timed out may still lock its row for a moment, and may still be committed. Either way, the
    // client's token still gets its successor.
    let renewed = async {
        loop {
            let answer = refresh_as(&app, &client, &first.refresh).await;
            if answer.status() == 200 {
                return Tokens::of(answer).await;
            }
            assert_unavailable(&answer);
        }
    };
    let renewed = tokio::time::timeout(2 * LIMIT, renewed).await.expect("it can be refreshed again");
    assert_eq!(app.me(&renewed.access).await, 200);
    Tokens::of(refresh_as(&app, &client, &renewed.refresh).await).await;
    app.login_as(&client, "alice").await;
    assert_eq!(app.post_as(&client, "/revoke", &revoke).await.status(), 200);
    assert_eq!(app.me(&other.access).await, 401);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refresh_whose_commit_is_not_confirmed_is_503_and_its_retry_gets_the_successor() {
    let Some(database) = TestDatabase::postgres().await else { return };
    let (wire, app, direct) = wired_without_tasks(&database).await;
    let first = app.login("alice").await;
    let session = sid(&first.access);
    wire.lose("UPDATE 1");
    let answer = app.refresh(&first.refresh).await;
    assert!(wire.has_lost(), "there was a response to lose");
    assert_unavailable(&answer);
    error(answer, 503, "temporarily_unavailable").await;
    assert_eq!(row(&database, session).await.generation, 1, "it was committed anyway");

    let second = refreshed(&app, &first.refresh).await;
    let now = row(&database, session).await;
    assert_eq!((now.generation, now.revoked), (1, None), "that was a retry");
    assert_eq!(app.me(&second.access).await, 200);
    assert_eq!(direct.me(&second.access).await, 200);
    assert_eq!(refreshed(&direct, &first.refresh).await.refresh, second.refresh, "nothing forks");
    refreshed(&app, &second.refresh).await;
    assert_eq!(metric(&app, "ficha_refresh_replays_total").await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unconfirmed_login_or_revocation_is_503_and_may_be_retried() {
    let Some(database) = TestDatabase::postgres().await else { return };
    let (wire, app, direct) = wired_without_tasks(&database).await;
    let tokens = app.login("alice").await;
    wire.lose("COMMIT");
    let login = [("grant_type", "password"), ("username", "alice"), ("password", PASSWORD)];
    assert_unavailable(&app.post("/token", &login).await);
    assert!(wire.has_lost(), "there was a response to lose");
    assert_eq!(app.me(&app.login("alice").await.access).await, 200);

    wire.lose("COMMIT");
    assert_unavailable(&app.post("/revoke", &[("token", &tokens.refresh)]).await);
    assert!(wire.has_lost(), "there was a response to lose");
    // It was committed, so every server rejects it after its next read; the retry confirms it.
    assert_eq!(app.post("/revoke", &[("token", &tokens.refresh)]).await.status(), 200);
    assert_dead(&app, &tokens).await;
    eventually("the other server rejects it", async || direct.me(&tokens.access).await == 401).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_listener_that_receives_nothing_is_noticed_at_the_next_commit_and_replaced() {
    let Some(database) = TestDatabase::postgres().await else { return };
    let (wire, app, direct) = wired(&database).await;
    for round in 1..=2 {
        eventually("it listens", async || wire.listeners() == round).await;
        // It must have received a notification first: otherwise it would not be trusted anyway.
        eventually("it has heard", async || wire.hears()).await;
        wire.deafen();
        let tokens = direct.login("alice").await;
        direct.post("/revoke", &[("token", &tokens.refresh)]).await;
        eventually("it is rejected", async || app.me(&tokens.access).await == 401).await;
        eventually("another listens in its place", async || wire.listeners() == round + 1).await;
    }
    // A listener that works is kept, however much is revoked.
    for _ in 0..10 {
        let tokens = direct.login("alice").await;
        direct.post("/revoke", &[("token", &tokens.refresh)]).await;
        eventually("it is rejected", async || app.me(&tokens.access).await == 401).await;
    }
    assert_eq!(wire.listeners(), 3);
}
