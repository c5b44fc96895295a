//! The server under load: this executable, started again as a separate process.

use std::io::Read;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use ficha_authority::{
    Admin, AdminSettings, Authority, Cost, DatabaseClock, DenylistSettings, Foundation, Issuer, MasterKeySource,
    PasswordSettings, SessionSettings, Settings, SigningSettings, Store, TokenSettings, first_start,
};
use ficha_server::{Server, ServerSettings};
use ficha_token::Algorithm;
use ficha_token::{SystemClock, SystemEntropy};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, ChildStdin, Command};

use crate::Outcome;
use crate::issuer::ISSUER;

/// The options of the child process.
#[derive(Args, Clone)]
pub struct ServeOptions {
    /// The database
    #[arg(long)]
    pub store: String,
    /// The master key's file
    #[arg(long)]
    pub master_key: PathBuf,
    /// The bcrypt cost
    #[arg(long)]
    pub cost: u32,
    /// How many logins may wait
    #[arg(long)]
    pub queue: usize,
}

impl ServeOptions {
    fn settings(&self) -> Outcome<Settings> {
        Ok(Settings {
            issuer: Issuer::parse(ISSUER)?,
            token: TokenSettings {
                access_ttl: Duration::from_secs(600),
                refresh_idle_ttl: Duration::from_secs(14 * 86_400),
                session_ttl: Duration::from_secs(90 * 86_400),
                refresh_grace: Duration::from_secs(30),
                audience: None,
                default_client: None,
            },
            password: PasswordSettings {
                bcrypt_cost: Cost::try_from(self.cost)?,
                max_stored_cost: 14,
                min_length: 15,
                threads: None,
                max_queue: self.queue,
                max_queue_per_source: self.queue,
            },
            signing: SigningSettings::KeyPair { algorithm: Algorithm::ES256, rotate_after: None },
            admin: AdminSettings::default(),
            sessions: SessionSettings::default(),
            denylist: DenylistSettings::default(),
        })
    }

    pub async fn foundation(&self) -> Outcome<Foundation> {
        let store = Store::connect(&self.store).await?;
        store.migrate().await?;
        Ok(Foundation {
            settings: Arc::new(self.settings()?),
            clock: Arc::new(DatabaseClock::measure(Arc::new(SystemClock), &store).await?),
            store,
            entropy: Arc::new(SystemEntropy),
            master_key: MasterKeySource { key: None, file: self.master_key.clone() },
        })
    }

    /// The administrator's operations on the same database, from this process.
    pub async fn admin(&self) -> Outcome<Admin> {
        Ok(Admin::open(self.foundation().await?)?)
    }
}

/// The child's main: serves until its standard input ends, so that it never outlives its parent.
pub async fn serve(options: ServeOptions) -> Outcome<()> {
    let base = options.foundation().await?;
    first_start(&base).await?;
    let authority = Authority::open(base).await?;
    let background = authority.spawn_background();
    let settings = ServerSettings {
        metrics_bind: None,
        gate_bind: None,
        admin: None,
        bind: SocketAddr::from(([127, 0, 0, 1], 0)),
        tls: None,
        trusted_proxies: Vec::new(),
        allowed_origins: Vec::new(),
        workers: None,
        drain: Duration::ZERO,
        console: true,
        max_connections_per_source: None,
    };
    let server = Server::bind(authority, settings)?;
    println!("{}", server.address());
    server.run(parent_gone()).await?;
    // In order, so that no other server waits for this one.
    background.finish().await;
    Ok(())
}

/// Ready once standard input ends, so that no child outlives its parent.
pub async fn parent_gone() {
    let (gone, parent_gone) = tokio::sync::oneshot::channel::<()>();
    std::thread::spawn(move || {
        let _ = std::io::stdin().read_to_end(&mut Vec::new());
        drop(gone);
    });
    let _ = parent_gone.await;
}

/// A running server.
pub struct ServerProcess {
    /// Where it listens.
    pub address: SocketAddr,
    child: Child,
    stdin: Option<ChildStdin>,
}

impl ServerProcess {
    /// Starts it and waits for its address.
    pub async fn start(options: &ServeOptions) -> Outcome<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        command.arg("serve").args(["--store", &options.store]).arg("--master-key").arg(&options.master_key);
        command.args(["--cost", &options.cost.to_string(), "--queue", &options.queue.to_string()]);
        Self::spawn(command).await
    }

    /// Starts a server that prints its address first and exits when its standard input ends.
    pub async fn spawn(mut command: Command) -> Outcome<Self> {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true).spawn()?;
        let stdin = child.stdin.take();
        let stdout = child.stdout.take().ok_or("the server has no output")?;
        let line = BufReader::new(stdout).lines().next_line().await?.ok_or("the server exited at once")?;
        Ok(Self { address: line.parse()?, child, stdin })
    }

    /// Its process id.
    pub fn id(&self) -> Outcome<u32> {
        Ok(self.child.id().ok_or("the server has exited")?)
    }

    /// Stops it.
    pub async fn stop(mut self) -> Outcome<()> {
        drop(self.stdin.take());
        self.child.wait().await?;
        Ok(())
    }
}
