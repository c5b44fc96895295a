//! A server, and apps that take tokens from it.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use ficha_authority::{Issuer, SessionQuery};
use ficha_client::{AccessToken, Builder, Clock, TokenSource};
use ficha_store::testing::TestDatabase;
use ficha_token::ManualClock;

use ficha_testing::{App, PASSWORD};

/// What an access token lives, unless a test says otherwise.
pub const LIFE: Duration = Duration::from_secs(600);

/// A server that is its own issuer, with a user `alice`. The app's clock is the server's.
pub struct World {
    pub app: App,
    pub issuer: String,
    _database: TestDatabase,
}

impl World {
    pub async fn start() -> Self {
        Self::start_below("").await
    }

    /// With an issuer that has a path.
    pub async fn start_below(path: &str) -> Self {
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

    /// An app that its users run.
    pub fn builder(&self) -> Builder {
        TokenSource::builder(&self.issuer, "first-party").clock(self.clock())
    }

    pub fn clock(&self) -> MovedClock {
        MovedClock(self.app.clock.clone())
    }

    /// The app, and alice logged in.
    pub async fn alice(&self, builder: Builder) -> TokenSource {
        let source = builder.build().unwrap();
        source.login("alice", PASSWORD).await.unwrap();
        source
    }

    /// True if the server takes the token.
    pub async fn takes(&self, token: &AccessToken) -> bool {
        self.app.me(token.secret()).await == reqwest::StatusCode::OK
    }

    /// The sessions of alice that can still be used.
    pub async fn live_sessions(&self) -> usize {
        let query = SessionQuery { user: Some("alice".into()), live_only: true, limit: 100, ..Default::default() };
        self.app.admin.sessions(query).await.unwrap().len()
    }

    /// What the server has counted: refreshes, retries of one, replays.
    pub async fn refreshes(&self) -> [u64; 3] {
        let text = self.app.get("/metrics").await.text().await.unwrap();
        ["ficha_refreshes_total", "ficha_refresh_retries_total", "ficha_refresh_replays_total"].map(|name| {
            let line = text.lines().find_map(|line| line.strip_prefix(&format!("{name} ")));
            line.unwrap().parse().unwrap()
        })
    }

    /// Lets time pass until a token that was issued now is due.
    pub async fn until_due(&self) {
        self.app.advance(LIFE - Duration::from_secs(20)).await;
    }
}

/// The clock that a test moves.
#[derive(Clone)]
pub struct MovedClock(Arc<ManualClock>);

impl Clock for MovedClock {
    fn now(&self) -> SystemTime {
        ficha_token::Clock::now(&*self.0).into()
    }
}
