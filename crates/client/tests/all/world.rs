//! A server, and apps that obtain tokens from it.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use ficha_authority::{Issuer, SessionQuery};
use ficha_client::{AccessToken, Clock, TokenSource, TokenSourceBuilder};
use ficha_store::testing::TestDatabase;
use ficha_token::ManualClock;

use ficha_testing::{App, PASSWORD, tester};

/// The lifetime of an access token, unless a test sets another.
pub const LIFETIME: Duration = Duration::from_secs(600);

/// A server that is its own issuer, with a user `alice`. The app uses the server's clock.
pub struct World {
    pub app: App,
    pub issuer: String,
    _database: TestDatabase,
}

impl World {
    pub async fn start() -> Self {
        Self::start_with_path("").await
    }

    /// Starts a server whose issuer has a path.
    pub async fn start_with_path(path: &str) -> Self {
        let database = TestDatabase::sqlite().await;
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let issuer = format!("http://{free}{path}");
        let app = App::start_with(&database, |options| {
            options.server.bind = free;
            options.settings.issuer = Issuer::parse(&issuer).unwrap();
        })
        .await;
        app.add_user("alice", "notes:read notes:write").await;
        Self { app, issuer, _database: database }
    }

    /// A public client.
    pub fn builder(&self) -> TokenSourceBuilder {
        TokenSource::builder(&self.issuer, "first-party").clock(self.clock())
    }

    pub fn clock(&self) -> TestClock {
        TestClock(self.app.clock.clone())
    }

    /// Builds the token source and logs alice in.
    pub async fn login_alice(&self, builder: TokenSourceBuilder) -> TokenSource {
        let source = builder.build().unwrap();
        source.login("alice", PASSWORD).await.unwrap();
        source
    }

    /// True if the server accepts the token.
    pub async fn accepts(&self, token: &AccessToken) -> bool {
        self.app.me(token.secret()).await == reqwest::StatusCode::OK
    }

    /// The number of active sessions of alice.
    pub async fn active_sessions(&self) -> usize {
        let query = SessionQuery { user: Some("alice".into()), live_only: true, limit: 100, ..Default::default() };
        self.app.admin.sessions(&tester(), query).await.unwrap().len()
    }

    /// The server's counters: refreshes, retried refreshes, replays.
    pub async fn refreshes(&self) -> [u64; 3] {
        let text = self.app.get("/metrics").await.text().await.unwrap();
        ["ficha_refreshes_total", "ficha_refresh_retries_total", "ficha_refresh_replays_total"].map(|name| {
            let line = text.lines().find_map(|line| line.strip_prefix(&format!("{name} ")));
            line.unwrap().parse().unwrap()
        })
    }

    /// Advances the clock until a token that was issued now is due for a refresh.
    pub async fn until_due(&self) {
        self.app.advance(LIFETIME - Duration::from_secs(20)).await;
    }
}

/// The clock that a test controls.
#[derive(Clone)]
pub struct TestClock(Arc<ManualClock>);

impl Clock for TestClock {
    fn now(&self) -> SystemTime {
        ficha_token::Clock::now(&*self.0).into()
    }
}
