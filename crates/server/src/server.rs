//! A listening server.

use std::net::{SocketAddr, TcpListener};
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use actix_web::middleware::from_fn;
use actix_web::{App, HttpServer};
use ficha_authority::{Authority, Tasks};

use crate::http::cors::{WebOrigin, cors};
use crate::http::headers::common_headers;
use crate::http::rlimit;
use crate::http::tls::{Certificate, TlsSettings};
use crate::request::source::TrustedProxies;
use crate::routes;
use crate::state::State;

/// How long requests under way may take once the server stops, in seconds; `serve` ends within ten.
const FINISH_SECONDS: u64 = 6;
/// A client that has not sent its request's head by then is cut off.
const HEAD_LIMIT: Duration = Duration::from_secs(10);

/// How many connections may wait to be accepted.
const BACKLOG: i32 = 2_048;

/// Where and how a server listens.
#[derive(Debug, Clone)]
pub struct ServerSettings {
    /// The address and port; port 0 takes any free one.
    pub bind: SocketAddr,
    /// HTTPS, if set.
    pub tls: Option<TlsSettings>,
    /// The proxies whose `X-Forwarded-For` and `Forwarded` headers are trusted.
    pub trusted_proxies: Vec<ipnet::IpNet>,
    /// Web pages of these origins may read responses. If the issuer is a loopback address, so may those of any loopback
    /// origin.
    pub allowed_origins: Vec<WebOrigin>,
    /// The number of worker threads; `None`: one per core.
    pub workers: Option<NonZeroUsize>,
}

impl ServerSettings {
    /// Binds the address before anything else is created.
    pub fn listen(&self) -> Result<TcpListener, ServerError> {
        let failed = |why| ServerError::Bind { address: self.bind, why };
        let listener = TcpListener::bind(self.bind).map_err(failed)?;
        // std queues 128 connections that are not accepted yet; a burst is larger.
        rustix::net::listen(&listener, BACKLOG).map_err(|error| failed(error.into()))?;
        Ok(listener)
    }
}

/// Why a server can't listen.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// The address can't be listened on.
    #[error("can't listen on {address}: {why}; stop what uses it, or set server.bind to another address")]
    Bind {
        /// The address.
        address: SocketAddr,
        /// What the operating system says.
        why: std::io::Error,
    },
    /// A TLS file can't be used.
    #[error("the TLS file {} can't be used: {why}; see server.tls.certificate and server.tls.key", path.display())]
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
    listener: TcpListener,
    address: SocketAddr,
    authority: Authority,
    settings: ServerSettings,
    certificate: Option<Arc<Certificate>>,
}

impl Server {
    /// Binds the address and reads the TLS files.
    pub fn bind(authority: Authority, settings: ServerSettings) -> Result<Self, ServerError> {
        let listener = settings.listen()?;
        Self::on(listener, authority, settings)
    }

    /// Serves on an address that was bound before ([`ServerSettings::listen`]). Clients that connected in the meantime
    /// waited for the server instead of being refused.
    pub fn on(listener: TcpListener, authority: Authority, settings: ServerSettings) -> Result<Self, ServerError> {
        let certificate = settings.tls.as_ref().map(TlsSettings::load).transpose()?;
        let address = listener.local_addr().map_err(|why| ServerError::Bind { address: settings.bind, why })?;
        Ok(Self { listener, address, authority, settings, certificate })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until `stop` is ready, then finishes the requests under way.
    pub async fn run(self, stop: impl Future<Output = ()>) -> Result<(), ServerError> {
        rlimit::raise_limit();
        let authority = self.authority.clone();
        let mut tasks = Tasks::new(authority.metrics().clone());
        if let Some(certificate) = self.certificate.clone() {
            tasks.keep("certificate", move || certificate.clone().watch());
        }
        let server = self.listen()?;
        let handle = server.handle();
        let stopper = async {
            stop.await;
            authority.release_followers();
            handle.stop(true).await;
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

    fn listen(self) -> Result<actix_web::dev::Server, ServerError> {
        let loopback = self.authority.settings().issuer.is_loopback();
        let allowed = self.settings.allowed_origins;
        let state = State::new(self.authority, TrustedProxies::new(self.settings.trusted_proxies));
        let mut server = HttpServer::new(move || {
            let state = state.clone();
            App::new()
                .wrap(cors(allowed.clone(), loopback))
                .wrap(from_fn(common_headers))
                .configure(move |app| routes::configure(app, &state))
        })
        // A poll ends with its connection; other handlers run to completion (`run_to_completion.rs`).
        .h1_allow_half_closed(false)
        .disable_signals()
        .shutdown_timeout(FINISH_SECONDS)
        .client_request_timeout(HEAD_LIMIT);
        if let Some(workers) = self.settings.workers {
            server = server.workers(workers.get());
        }
        let server = match &self.certificate {
            Some(certificate) => server.listen_rustls_0_23(self.listener, certificate.server_config()?)?,
            None => server.listen(self.listener)?,
        };
        Ok(server.run())
    }
}
