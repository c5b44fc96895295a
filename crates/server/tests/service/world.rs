//! What these tests share.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use ficha_authority::Issuer;
use ficha_store::testing::TestDatabase;

use crate::place::Place;
use ficha_testing::{App, Options, Tokens};

/// What the service is called, and every token's audience.
pub const AUDIENCE: &str = "notes";

/// The lease of a service that sets none.
pub const LEASE: Duration = Duration::from_secs(30);

/// The smallest step of a clock here.
pub const TICK: Duration = Duration::from_millis(1);

const ANY_PORT: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

/// A server with its user alice, where services look for it.
pub async fn server_at(database: &TestDatabase, place: Place) -> App {
    server_with(database, place, |_| ()).await
}

/// The same, with other settings than the usual ones.
pub async fn server_with(database: &TestDatabase, place: Place, change: impl FnOnce(&mut Options)) -> App {
    let app = App::start_with(database, |options| {
        at(place)(options);
        change(options);
    })
    .await;
    add_alice(&app).await;
    app
}

/// A server with its user alice on any free port, of an issuer that stands elsewhere.
pub async fn server_behind(database: &TestDatabase, issuer: &str) -> App {
    let app = App::start_with(database, |options| settings(options, issuer, ANY_PORT)).await;
    add_alice(&app).await;
    app
}

async fn add_alice(app: &App) {
    app.add_user("alice", "notes:read notes:write").await;
}

/// What makes a server one of `issuer`.
fn settings(options: &mut Options, issuer: &str, bind: SocketAddr) {
    options.settings.issuer = Issuer::parse(issuer).expect("a good issuer");
    options.settings.token.audience = Some(AUDIENCE.to_owned());
    options.server.bind = bind;
}

/// [`settings`] of a server that has its place.
pub fn at(place: Place) -> impl FnOnce(&mut Options) {
    move |options| settings(options, &place.issuer(), place.address())
}

/// [`settings`] of another server of that issuer, on any free port.
pub fn beside(place: Place) -> impl FnOnce(&mut Options) {
    move |options| settings(options, &place.issuer(), ANY_PORT)
}

/// Revokes a token through the default client: an access token alone, or a refresh token's session.
pub async fn revoke(app: &App, token: &str) {
    assert_eq!(app.post("/revoke", &[("token", token)]).await.status(), 200);
}

/// A refresh that must succeed.
pub async fn refreshed(app: &App, tokens: &Tokens) -> Tokens {
    Tokens::of(app.refresh(&tokens.refresh).await).await
}

pub fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

/// Waits for what the network brings; twenty seconds at most.
pub async fn eventually(what: &str, mut check: impl AsyncFnMut() -> bool) {
    let arrived = tokio::time::timeout(seconds(20), async {
        while !check().await {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    });
    assert!(arrived.await.is_ok(), "it never came: {what}");
}
