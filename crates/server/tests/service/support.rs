//! Shared by these tests.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use ficha_authority::Issuer;
use ficha_store::testing::TestDatabase;

use crate::place::Place;
pub use ficha_testing::eventually;
use ficha_testing::{App, Options, Tokens};

/// The name of the service, and the audience of every token.
pub const AUDIENCE: &str = "notes";

/// The default lease.
pub const LEASE: Duration = Duration::from_secs(30);

/// The smallest clock step in these tests.
pub const TICK: Duration = Duration::from_millis(1);

const ANY_PORT: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

/// A server with the user alice, at the address where services look for it.
pub async fn server_at(database: &TestDatabase, place: Place) -> App {
    server_with(database, place, |_| ()).await
}

/// The same, with settings other than the defaults.
pub async fn server_with(database: &TestDatabase, place: Place, change: impl FnOnce(&mut Options)) -> App {
    let app = App::start_with(database, |options| {
        at(place)(options);
        change(options);
    })
    .await;
    add_alice(&app).await;
    app
}

/// A server with the user alice on any free port, whose issuer is another address.
pub async fn server_behind(database: &TestDatabase, issuer: &str) -> App {
    let app = App::start_with(database, |options| settings(options, issuer, ANY_PORT)).await;
    add_alice(&app).await;
    app
}

async fn add_alice(app: &App) {
    app.add_user("alice", "notes:read notes:write").await;
}

/// The settings of a server of `issuer`.
fn settings(options: &mut Options, issuer: &str, bind: SocketAddr) {
    options.settings.issuer = Issuer::parse(issuer).expect("a good issuer");
    options.settings.token.audience = Some(AUDIENCE.to_owned());
    options.server.bind = bind;
}

/// [`settings`] of a server at its usual address.
pub fn at(place: Place) -> impl FnOnce(&mut Options) {
    move |options| settings(options, &place.issuer(), place.address())
}

/// [`settings`] of another server of the same issuer, on any free port.
pub fn on_another_port(place: Place) -> impl FnOnce(&mut Options) {
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
