//! A listening server.

use std::net::{SocketAddr, TcpListener};
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use ficha_authority::{Authority, Issuer, Settings, Tasks};

use crate::http::connections::Connections;
use crate::http::cors::WebOrigin;
use crate::http::gate_listener::{GateBind, GateListener, listen_at};
use crate::http::rlimit;
use crate::http::serve::serve;
use crate::http::tls::{Certificate, TlsSettings};
use crate::request::source::TrustedProxies;
use crate::state::State;

/// How many connections may wait to be accepted.
const BACKLOG: i32 = 2_048;

/// Where and how a server listens.
#[derive(Debug, Clone)]
pub struct ServerSettings {
    /// The address and port; port 0 takes any free one.
    pub bind: SocketAddr,
    /// Another address for `/metrics`, over plain HTTP. If set, the first one does not have it.
    pub metrics_bind: Option<SocketAddr>,
    /// Where proxies on this machine ask about tokens, over plain HTTP (`/verify`). `None`: nowhere.
    pub gate_bind: Option<GateBind>,
    /// An address of its own for the admin API and the console. If set, the first one does not have them, but for what is
    /// about one's own account.
    pub admin: Option<AdminSite>,
    /// HTTPS, if set.
    pub tls: Option<TlsSettings>,
    /// The proxies whose `X-Forwarded-For` and `Forwarded` headers are trusted.
    pub trusted_proxies: Vec<ipnet::IpNet>,
    /// Web pages of these origins may read responses. If the issuer is a loopback address, so may those of any loopback
    /// origin.
    pub allowed_origins: Vec<WebOrigin>,
    /// The number of worker threads; `None`: one per core.
    pub workers: Option<NonZeroUsize>,
    /// How long everything is still served after the signal to stop.
    pub drain: Duration,
    /// Whether there are pages for browsers: console and account. There are none with a shared secret, nor on plain HTTP
    /// unless that is a loopback address.
    pub console: bool,
    /// How many connections without an authenticated request one source may hold. `None`: a quarter of the files that
    /// the process may open.
    pub max_connections_per_source: Option<usize>,
}

/// Where the admin API and the console are, if not with everything else.
#[derive(Debug, Clone)]
pub struct AdminSite {
    /// The address and port; port 0 takes any free one. HTTPS as at the first one, unless `site` is plain HTTP.
    pub bind: SocketAddr,
    /// By which address browsers and administrators know it: an origin with the issuer's path.
    pub site: Issuer,
}

impl ServerSettings {
    /// By which address browsers and administrators know this server.
    pub fn site<'a>(&'a self, authority: &'a Settings) -> &'a Issuer {
        self.admin.as_ref().map_or(&authority.issuer, |admin| &admin.site)
    }

    /// True if there is a console.
    pub fn has_console(&self, authority: &Settings) -> bool {
        self.has_pages_at(authority, self.site(authority))
    }

    /// True if there are pages for browsers at the issuer, or at another site.
    pub(crate) fn has_pages_at(&self, authority: &Settings, site: &Issuer) -> bool {
        let is_safe = site.is_loopback() || !site.is_plain_http();
        self.console && !authority.shares_secret() && is_safe
    }

    /// Binds the addresses before anything else is created.
    pub fn listen(&self) -> Result<Listeners, ServerError> {
        Ok(Listeners {
            main: listen(self.bind, "server.bind")?,
            metrics: self.metrics_bind.map(|address| listen(address, "server.metrics_bind")).transpose()?,
            gate: self.gate_bind.as_ref().map(listen_gate).transpose()?,
            admin: self.admin.as_ref().map(|admin| listen(admin.bind, "admin.bind")).transpose()?,
        })
    }
}

/// The addresses of a server, bound.
#[derive(Debug)]
pub struct Listeners {
    pub(crate) main: TcpListener,
    pub(crate) metrics: Option<TcpListener>,
    pub(crate) admin: Option<TcpListener>,
    pub(crate) gate: Option<GateListener>,
}

impl Listeners {
    /// Where the server will listen.
    pub fn address(&self) -> Result<SocketAddr, ServerError> {
        Ok(self.main.local_addr()?)
    }

    /// Where it will listen for the admin API and the pages, if that is another address.
    pub fn admin_address(&self) -> Option<SocketAddr> {
        self.admin.as_ref().and_then(|listener| listener.local_addr().ok())
    }
}

fn listen(address: SocketAddr, setting: &'static str) -> Result<TcpListener, ServerError> {
    let failed = |why| ServerError::Bind { address, setting, why };
    let listener = TcpListener::bind(address).map_err(failed)?;
    // std queues 128 connections that are not accepted yet; a burst is larger.
    rustix::net::listen(&listener, BACKLOG).map_err(|error| failed(error.into()))?;
    Ok(listener)
}

fn listen_gate(bind: &GateBind) -> Result<GateListener, ServerError> {
    match bind {
        GateBind::Address(address) => listen(*address, "server.gate_bind").map(GateListener::Address),
        GateBind::Socket(path) => match listen_at(path) {
            Ok(listener) => Ok(GateListener::Socket(listener, path.clone())),
            Err(why) => Err(ServerError::Socket { path: path.clone(), why }),
        },
    }
}

/// Why a server can't listen.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// The address can't be listened on.
    #[error("can't listen on {address} ({setting}): {why}")]
    Bind {
        /// The address.
        address: SocketAddr,
        /// The setting that names it.
        setting: &'static str,
        /// What the operating system says.
        why: std::io::Error,
    },
    /// The Unix socket of the gate can't be listened on.
    #[error(
        "can't listen at the socket {} (server.gate_bind): {why}",
        path.display()
    )]
    Socket {
        /// Its path.
        path: PathBuf,
        /// What the operating system says.
        why: std::io::Error,
    },
    /// A TLS file can't be used.
    #[error("the TLS file {} can't be used: {why}", path.display())]
    Tls {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// The running server failed.
    #[error("the server failed: {0}")]
    Run(#[from] std::io::Error),
}

/// A server that is bound to its address and does not answer yet.
pub struct Server {
    listeners: Listeners,
    address: SocketAddr,
    authority: Authority,
    settings: ServerSettings,
    certificate: Option<Arc<Certificate>>,
}

impl Server {
    /// Binds the address and reads the TLS files.
    pub fn bind(authority: Authority, settings: ServerSettings) -> Result<Self, ServerError> {
        Self::on(settings.listen()?, authority, settings)
    }

    /// Serves on addresses that were bound before ([`ServerSettings::listen`]). Clients that connected in the meantime
    /// waited for the server instead of being refused.
    pub fn on(listeners: Listeners, authority: Authority, settings: ServerSettings) -> Result<Self, ServerError> {
        let certificate = settings.tls.as_ref().map(TlsSettings::load).transpose()?;
        let address = listeners.address()?;
        Ok(Self { listeners, address, authority, settings, certificate })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where it listens for requests of `/metrics`, if that is another address.
    pub fn metrics_address(&self) -> Option<SocketAddr> {
        self.listeners.metrics.as_ref().and_then(|listener| listener.local_addr().ok())
    }

    /// Where it listens for `/verify`, if it does.
    pub fn gate_bind(&self) -> Option<GateBind> {
        self.listeners.gate.as_ref().and_then(GateListener::bind)
    }

    /// Where it listens for the admin API and the pages, if that is another address.
    pub fn admin_address(&self) -> Option<SocketAddr> {
        self.listeners.admin_address()
    }

    /// Serves until `stop` is ready, then drains, and finishes the requests under way.
    pub async fn run(self, stop: impl Future<Output = ()>) -> Result<(), ServerError> {
        self.run_until(stop, std::future::pending()).await
    }

    /// The same; once `now` is ready as well, it ends without waiting for anything.
    ///
    /// Draining means that everything is still served, but `/health/ready` is 503 and answers close their connection, so
    /// that load balancers and clients have turned to another server by the time that this one refuses connections.
    pub async fn run_until(
        self,
        stop: impl Future<Output = ()>,
        now: impl Future<Output = ()>,
    ) -> Result<(), ServerError> {
        let connections = Connections::new(
            rlimit::raise_limit(),
            self.settings.max_connections_per_source,
            self.settings.trusted_proxies.clone(),
        );
        let state =
            State::new(self.authority.clone(), TrustedProxies::new(self.settings.trusted_proxies.clone()), connections);
        let mut tasks = Tasks::new(self.authority.metrics().clone());
        if let Some(certificate) = self.certificate.clone() {
            tasks.keep("certificate", move || certificate.clone().watch());
        }
        let (authority, drain) = (self.authority.clone(), self.settings.drain);
        let tls = self.certificate.as_ref().map(Certificate::server_config).transpose()?;
        let server = serve(self.listeners, &self.settings, tls, state.clone())?;
        let handle = server.handle();
        let stopper = async {
            stop.await;
            state.stop();
            let gracefully = async {
                tokio::time::sleep(drain).await;
                authority.release_followers();
                handle.stop(true).await;
            };
            tokio::select! {
                () = gracefully => {}
                () = now => {
                    tracing::warn!("stopping at once: requests in progress are cut off");
                    // While it stops gracefully it hears nothing else, so there is nothing to wait for.
                    drop(handle.stop(false));
                    return;
                }
            }
            // The server's own future ends too; this one only waits to be dropped with it.
            std::future::pending::<()>().await;
        };
        let ended = tokio::select! {
            ended = server => ended,
            () = stopper => Ok(()),
        };
        drop(tasks);
        Ok(ended?)
    }
}
