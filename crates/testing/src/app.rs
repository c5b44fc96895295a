//! A server on port 0 over a real database, with a clock that tests move by hand. Tests talk to it over HTTP.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use ficha_authority::{
    Actor, Admin, AdminSettings, Authority, Background, ClientScopes, Cost, DenylistSettings, Foundation, Grant,
    Issuer, MasterKeySource, NewClient, NewPassword, NewUser, Password, PasswordSettings, Secret, SessionSettings,
    Settings, SigningSettings, TokenSettings, first_start,
};
use ficha_server::{GateBind, Server, ServerSettings, TlsSettings};
use ficha_store::testing::TestDatabase;
use ficha_token::Algorithm;
use ficha_token::{ManualClock, SystemEntropy};
use reqwest::{Response, StatusCode};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::http::{Client, Tokens, client};

/// The issuer of the tokens in tests. No request is ever sent to this address.
pub const ISSUER: &str = "http://127.0.0.1:8000";

/// A password that the policy accepts.
pub const PASSWORD: &str = "seven quiet otters juggle";

/// What a test can set before the server starts.
pub struct Options {
    pub settings: Settings,
    pub server: ServerSettings,
    /// False: no background tasks run, so changes by other processes go unnoticed until a request reads the database.
    pub background: bool,
    /// Another URL of the test's database, such as that of a proxy.
    pub store_url: Option<String>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            settings: Settings {
                issuer: Issuer::parse(ISSUER).expect("a valid issuer"),
                token: TokenSettings {
                    access_ttl: Duration::from_secs(600),
                    refresh_idle_ttl: Duration::from_secs(14 * 86_400),
                    session_ttl: Duration::from_secs(90 * 86_400),
                    refresh_grace: Duration::from_secs(30),
                    audience: None,
                    default_client: None,
                },
                password: PasswordSettings {
                    bcrypt_cost: Cost::try_from(4).expect("4 is a valid cost"),
                    max_stored_cost: 14,
                    min_length: 15,
                    threads: None,
                    max_queue: 64,
                    max_queue_per_source: 64,
                },
                signing: SigningSettings::KeyPair { algorithm: Algorithm::ES256, rotate_after: None },
                denylist: DenylistSettings::default(),
                admin: AdminSettings::default(),
                // Most tests of what is deleted are about the end of a session.
                sessions: SessionSettings { keep_ended: Duration::ZERO },
            },
            server: ServerSettings {
                metrics_bind: None,
                gate_bind: None,
                admin: None,
                bind: SocketAddr::from(([127, 0, 0, 1], 0)),
                tls: None,
                trusted_proxies: Vec::new(),
                allowed_origins: Vec::new(),
                workers: std::num::NonZeroUsize::new(2),
                drain: Duration::ZERO,
                console: true,
                max_connections_per_source: None,
            },
            background: true,
            store_url: None,
        }
    }
}

impl Options {
    pub fn tls(mut self, certificate: PathBuf, key: PathBuf) -> Self {
        self.server.tls = Some(TlsSettings { certificate, key });
        self
    }
}

/// What an authority is built on, with its master key in `folder`.
pub async fn foundation(database: &TestDatabase, folder: &std::path::Path) -> Foundation {
    #[expect(clippy::disallowed_methods, reason = "a test starts at the real time, and moves its clock itself")]
    let clock = Arc::new(ManualClock::new(time::OffsetDateTime::now_utc()));
    Foundation {
        settings: Arc::new(Options::default().settings),
        store: database.store().await,
        clock,
        entropy: Arc::new(SystemEntropy),
        master_key: MasterKeySource { key: None, file: folder.join("master.key") },
    }
}

/// A running server.
pub struct App {
    pub address: SocketAddr,
    /// Where the admin API and the pages are, if they have an address of their own.
    pub admin_address: Option<SocketAddr>,
    /// Where proxies ask about tokens, if they may.
    pub gate: Option<GateBind>,
    pub clock: Arc<ManualClock>,
    pub authority: Authority,
    /// The store that it uses.
    pub store: ficha_store::Store,
    pub admin: Admin,
    pub http: reqwest::Client,
    /// The password of the user `admin`; empty if this was not the first start on the database.
    pub admin_password: String,
    scheme: &'static str,
    files: Arc<tempfile::TempDir>,
    pub background: Option<Background>,
    stop: Option<oneshot::Sender<()>>,
    server: Option<JoinHandle<()>>,
}

impl App {
    pub async fn start(database: &TestDatabase) -> Self {
        Self::start_with(database, |_| ()).await
    }

    /// Starts with settings other than the defaults.
    pub async fn start_with(database: &TestDatabase, change: impl FnOnce(&mut Options)) -> Self {
        #[expect(clippy::disallowed_methods, reason = "a test starts at the real time, and moves its clock itself")]
        let clock = Arc::new(ManualClock::new(time::OffsetDateTime::now_utc()));
        let files = Arc::new(tempfile::tempdir().expect("a folder for the master key"));
        Self::start_at(database, clock, files, change).await
    }

    /// Another server on the same database, with the same clock and master key: a second process, or a restart.
    pub async fn another(&self, database: &TestDatabase) -> Self {
        Self::start_at(database, self.clock.clone(), self.files.clone(), |_| ()).await
    }

    pub async fn another_with(&self, database: &TestDatabase, change: impl FnOnce(&mut Options)) -> Self {
        Self::start_at(database, self.clock.clone(), self.files.clone(), change).await
    }

    async fn start_at(
        database: &TestDatabase,
        clock: Arc<ManualClock>,
        files: Arc<tempfile::TempDir>,
        change: impl FnOnce(&mut Options),
    ) -> Self {
        let mut options = Options::default();
        change(&mut options);
        let store = match &options.store_url {
            Some(url) => ficha_store::Store::connect(url).await.expect("the test's database can be opened"),
            None => database.store().await,
        };
        let base = Foundation {
            settings: Arc::new(options.settings),
            store: store.clone(),
            clock: clock.clone(),
            entropy: Arc::new(SystemEntropy),
            master_key: MasterKeySource { key: None, file: files.path().join("master.key") },
        };
        let first = first_start(&base).await.expect("the first start succeeds");
        let authority = Authority::open(base).await.expect("the authority opens");
        let background = options.background.then(|| authority.spawn_background());
        let tls = options.server.tls.is_some();
        let server = Server::bind(authority.clone(), options.server).expect("port 0 is free");
        let (address, admin_address) = (server.address(), server.admin_address());
        let gate = server.gate_bind();
        let (stop, stopped) = oneshot::channel();
        let server = tokio::spawn(async move {
            let stopped = async {
                let _ = stopped.await;
            };
            server.run(stopped).await.expect("the server runs");
        });
        let password = first.and_then(|first| first.admin_password);
        Self {
            address,
            admin_address,
            gate,
            clock,
            admin: authority.admin(),
            store,
            authority,
            http: client(),
            admin_password: password.map(|secret| secret.expose().to_owned()).unwrap_or_default(),
            scheme: if tls { "https" } else { "http" },
            files,
            background,
            stop: Some(stop),
            server: Some(server),
        }
    }

    /// Stops the server as SIGTERM would, and waits until it has stopped.
    pub async fn stop(&mut self) {
        drop(self.stop.take());
        if let Some(server) = self.server.take() {
            server.await.expect("the server stops without a panic");
        }
    }

    /// The same without waiting.
    pub fn begin_stop(&mut self) -> JoinHandle<()> {
        drop(self.stop.take());
        self.server.take().expect("it was not stopped before")
    }

    /// How many connections the server has open.
    pub async fn connections(&self) -> u64 {
        let text = self.get("/metrics").await.text().await.expect("a text");
        let count = text.lines().find_map(|line| line.strip_prefix("ficha_connections "));
        count.and_then(|count| count.parse().ok()).expect("the metric is there")
    }

    /// Stops the server and its background tasks.
    pub async fn end(mut self) -> Remains {
        self.stop().await;
        Remains { clock: self.clock.clone(), files: self.files.clone() }
    }

    pub fn url(&self, path: &str) -> String {
        format!("{}://{}{path}", self.scheme, self.address)
    }

    /// Advances the clock, and lets the server read its database at the new time.
    pub async fn advance(&self, by: Duration) {
        self.clock.advance(by);
        self.authority.follow().await.expect("the database answers");
    }

    pub async fn get(&self, path: &str) -> Response {
        self.http.get(self.url(path)).send().await.expect("the server answers")
    }

    /// A GET with a bearer token.
    pub async fn get_with(&self, path: &str, token: &str) -> Response {
        self.http.get(self.url(path)).bearer_auth(token).send().await.expect("the server answers")
    }

    /// Posts a form without client authentication.
    pub async fn post(&self, path: &str, form: &[(&str, &str)]) -> Response {
        self.http.post(self.url(path)).form(form).send().await.expect("the server answers")
    }

    /// Posts a form from a client that authenticates with HTTP Basic.
    pub async fn post_as(&self, client: &Client, path: &str, form: &[(&str, &str)]) -> Response {
        let request = self.http.post(self.url(path)).form(form);
        request.basic_auth(&client.id, Some(&client.secret)).send().await.expect("the server answers")
    }

    /// Adds a user with [`PASSWORD`].
    pub async fn add_user(&self, name: &str, scopes: &str) -> uuid::Uuid {
        let new = NewUser {
            name: name.into(),
            email: None,
            password: NewPassword::Plain(Password::new(PASSWORD)),
            scopes: scopes.parse().expect("a valid scope"),
            roles: Vec::new(),
            must_change: false,
        };
        self.admin.add_user(&tester(), new).await.expect("the user is added").id
    }

    /// Adds a client; `change` sets what differs from a confidential one with every grant and any scope.
    pub async fn add_client(&self, id: &str, change: impl FnOnce(&mut NewClient)) -> Client {
        let mut new = NewClient {
            id: id.into(),
            public: false,
            grants: vec![Grant::Password, Grant::RefreshToken, Grant::ClientCredentials],
            scopes: ClientScopes::Any,
            audience: None,
            serves: Vec::new(),
            forwards_address: false,
            own_scopes: false,
        };
        change(&mut new);
        if new.public {
            new.grants.retain(|grant| *grant != Grant::ClientCredentials);
        }
        if new.grants == [Grant::ClientCredentials] && new.scopes == ClientScopes::Any {
            new.scopes = ClientScopes::Only("jobs:run".parse().expect("a valid scope"));
        }
        let (client, secret) = self.admin.add_client(&tester(), new).await.expect("the client is added");
        Client { id: client.id, secret: secret.as_ref().map(Secret::expose).unwrap_or_default().to_owned() }
    }

    /// Logs in with [`PASSWORD`] through the default client.
    pub async fn login(&self, name: &str) -> Tokens {
        let form = [("grant_type", "password"), ("username", name), ("password", PASSWORD)];
        Tokens::of(self.post("/token", &form).await).await
    }

    /// Logs in with [`PASSWORD`] through a client.
    pub async fn login_as(&self, client: &Client, name: &str) -> Tokens {
        let form = [("grant_type", "password"), ("username", name), ("password", PASSWORD)];
        Tokens::of(self.post_as(client, "/token", &form).await).await
    }

    /// Presents a refresh token through the default client.
    pub async fn refresh(&self, token: &str) -> Response {
        self.post("/token", &[("grant_type", "refresh_token"), ("refresh_token", token)]).await
    }

    /// The status of `/users/me` for a token.
    pub async fn me(&self, token: &str) -> StatusCode {
        self.get_with("/users/me", token).await.status()
    }
}

/// Who administers in tests.
pub fn tester() -> Actor {
    Actor::command_line("tester")
}

/// What is left of a server that has stopped: its clock, and the folder of its master key.
pub struct Remains {
    clock: Arc<ManualClock>,
    files: Arc<tempfile::TempDir>,
}

impl Remains {
    /// Starts another server in its place.
    pub async fn start(self, database: &TestDatabase) -> App {
        self.start_with(database, |_| ()).await
    }

    pub async fn start_with(self, database: &TestDatabase, change: impl FnOnce(&mut Options)) -> App {
        App::start_at(database, self.clock, self.files, change).await
    }
}
