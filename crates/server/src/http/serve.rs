//! What happens on a connection, from its first byte: it is counted, TLS if there is a certificate, HTTP, and then the
//! routes.
//!
//! This is what `actix_web::HttpServer` builds, except that a connection can be refused before its TLS handshake, and
//! that its stream is our own.

use std::future::ready;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use actix_http::{Extensions, HttpService, Protocol};
use actix_server::{Server, ServerBuilder};
use actix_service::boxed::{self, BoxServiceFactory};
use actix_service::{IntoServiceFactory, ServiceFactory, ServiceFactoryExt, fn_service, map_config};
use actix_tls::accept::max_concurrent_tls_connect;
use actix_tls::accept::rustls_0_23::{Acceptor, TlsStream};
use actix_web::App;
use actix_web::dev::AppConfig;
use actix_web::middleware::from_fn;
use actix_web::rt::net::{TcpStream, UnixStream};
use ficha_authority::Issuer;
use tokio::io::{AsyncRead, AsyncWrite};

use crate::api;
use crate::http::connections::Connections;
use crate::http::cors::{WebOrigin, cors};
use crate::http::gate_listener::GateListener;
use crate::http::headers::common_headers;
use crate::http::stream::{ClientStream, Patience};
use crate::http::unread_body::close_on_unread_body;
use crate::http::watched::Watched;
use crate::pages;
use crate::routes::{self, Routes};
use crate::server::{AdminSite, Listeners, ServerError, ServerSettings};
use crate::state::State;

/// How long requests under way may take once the server stops, in seconds; `serve` ends within ten.
const FINISH_SECONDS: u64 = 6;
/// A client that has not sent its request's head by then is cut off.
const HEAD_LIMIT: Duration = Duration::from_secs(10);
/// How long an open connection may wait for its next request. On HTTP/2 the server then asks whether the client is there
/// and waits as long again: together less than the limit of silence in `stream.rs`.
const KEEP_ALIVE: Duration = Duration::from_secs(9);
/// How long connections are still open after the server has stopped accepting others.
const LAST_REQUESTS: Duration = Duration::from_millis(250);
/// How long the end of a connection may take.
const DISCONNECT_LIMIT: Duration = Duration::from_secs(1);

/// Starts serving on these addresses: `/metrics`, and the admin API with the pages, on their own if they have one; all but
/// `/metrics` with TLS if there is a configuration for it.
pub fn serve(
    listeners: Listeners,
    settings: &ServerSettings,
    tls: Option<rustls::ServerConfig>,
    state: State,
) -> Result<Server, ServerError> {
    // Connections are limited in `admit`; actix's own limits would make everybody wait for one host.
    max_concurrent_tls_connect(usize::MAX);
    let mut builder = Server::build().disable_signals().shutdown_timeout(FINISH_SECONDS);
    builder = builder.max_concurrent_connections(2 * state.connections.most());
    if let Some(workers) = settings.workers {
        builder = builder.workers(workers.get());
    }
    let signal = builder.graceful_shutdown_signal();
    let stopping = move || {
        let signal = signal.clone();
        async move {
            signal.notified().await;
            // A request may be on its way on a connection that was accepted just before.
            tokio::time::sleep(LAST_REQUESTS).await;
        }
    };
    let Listeners { main, metrics, admin, gate } = listeners;
    let authority = state.authority.settings();
    let (issuer, loopback) = (&authority.issuer, authority.issuer.is_loopback());
    let pages = settings.has_pages_at(authority, issuer);
    let routes = Routes {
        protocol: true,
        metrics: metrics.is_none(),
        admin: admin.is_none(),
        pages,
        console: pages && admin.is_none(),
        gate: false,
    };
    let main_site =
        Site { state: state.for_listener(issuer.clone(), routes), allowed: settings.allowed_origins.clone(), loopback };
    // No page of another origin may read what the others have.
    let closed = |site: &Issuer, routes: Routes, loopback: bool| Site {
        state: state.for_listener(site.clone(), routes),
        allowed: Vec::new(),
        loopback,
    };
    if let Some(listener) = metrics {
        let site = closed(issuer, Routes { metrics: true, ..Routes::default() }, loopback);
        builder = listen(builder, "metrics", listener, site, None, stopping.clone())?;
    }
    if let Some(listener) = gate {
        let site = closed(issuer, Routes { gate: true, ..Routes::default() }, false);
        builder = match listener {
            GateListener::Address(listener) => listen(builder, "gate", listener, site, None, stopping.clone())?,
            GateListener::Socket(listener, _) => {
                // The HTTP library wants a local address; no handler reads it.
                let address = SocketAddr::from(([127, 0, 0, 1], 0));
                builder.listen_uds("gate", listener, plain::<UnixStream, _>(site, address, stopping.clone()))?
            }
        };
    }
    if let (Some(listener), Some(AdminSite { site, .. })) = (admin, &settings.admin) {
        let pages = settings.has_pages_at(authority, site);
        let routes = Routes { admin: true, pages, console: pages, ..Routes::default() };
        let tls = tls.clone().filter(|_| !site.is_plain_http());
        builder = listen(builder, "admin", listener, closed(site, routes, false), tls, stopping.clone())?;
    }
    builder = listen(builder, "main", main, main_site, tls, stopping)?;
    Ok(builder.run())
}

/// Serves a site on a listener, with TLS if there is a configuration for it.
fn listen<Signal: Future<Output = ()> + 'static>(
    builder: ServerBuilder,
    name: &str,
    listener: TcpListener,
    site: Site,
    tls: Option<rustls::ServerConfig>,
    stopping: impl Fn() -> Signal + Clone + Send + 'static,
) -> Result<ServerBuilder, ServerError> {
    let address = listener.local_addr()?;
    let Some(mut tls) = tls else {
        return Ok(builder.listen(name, listener, plain::<TcpStream, _>(site, address, stopping))?);
    };
    tls.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let acceptor = Acceptor::new(tls);
    Ok(builder.listen(name, listener, move || {
        let http = http(site.clone(), address, stopping.clone());
        let negotiated = |stream: TlsStream<ClientStream>| {
            let (inner, session) = stream.get_ref();
            let is_http2 = session.alpn_protocol() == Some(b"h2");
            let (protocol, peer) = (if is_http2 { Protocol::Http2 } else { Protocol::Http1 }, inner.peer());
            let connection = Arc::clone(inner.connection());
            (Watched::new(stream, connection), protocol, peer)
        };
        let handshake = acceptor.clone().map_err(drop).map(negotiated);
        admit(Arc::clone(&site.state.connections)).and_then(handshake).and_then(http)
    })?)
}

/// What is served at an address.
#[derive(Clone)]
struct Site {
    state: State,
    /// Web pages of these origins may read answers.
    allowed: Vec<WebOrigin>,
    /// Those of any loopback origin may, too.
    loopback: bool,
}

type PlainService<S> = BoxServiceFactory<(), S, (), (), ()>;

/// HTTP without TLS.
fn plain<S: Accepted, Signal: Future<Output = ()> + 'static>(
    site: Site,
    address: SocketAddr,
    stopping: impl Fn() -> Signal + Clone + Send + 'static,
) -> impl Fn() -> PlainService<S> + Clone + Send + 'static {
    move || {
        let http = http(site.clone(), address, stopping.clone());
        let plain = |stream: ClientStream<S>| {
            let (peer, connection) = (stream.peer(), Arc::clone(stream.connection()));
            (Watched::new(stream, connection), Protocol::Http1, peer)
        };
        boxed::factory(admit(Arc::clone(&site.state.connections)).map(plain).and_then(http))
    }
}

/// A connection as the system accepts it.
trait Accepted: AsyncRead + AsyncWrite + Unpin + 'static {
    /// Who has opened it; `None` if it is not from the network.
    fn peer(&self) -> Option<SocketAddr>;
}

impl Accepted for TcpStream {
    fn peer(&self) -> Option<SocketAddr> {
        self.peer_addr().ok()
    }
}

impl Accepted for UnixStream {
    fn peer(&self) -> Option<SocketAddr> {
        None
    }
}

/// Counts a new connection, or closes it because its source holds too many.
fn admit<S: Accepted>(
    connections: Arc<Connections>,
) -> impl ServiceFactory<S, Config = (), Response = ClientStream<S>, Error = (), InitError = ()> {
    fn_service(move |stream: S| {
        let peer = stream.peer();
        ready(
            connections
                .admit(peer)
                .map(|connection| ClientStream::new(stream, peer, connection, Patience::default()))
                .ok_or(()),
        )
    })
}

/// HTTP and the routes.
fn http<IO, Signal>(
    site: Site,
    address: SocketAddr,
    stopping: impl Fn() -> Signal + 'static,
) -> impl ServiceFactory<(Watched<IO>, Protocol, Option<SocketAddr>), Config = (), Response = (), Error = (), InitError = ()>
where
    IO: AsyncRead + AsyncWrite + Unpin + 'static,
    Signal: Future<Output = ()> + 'static,
{
    let Site { state, allowed, loopback } = site;
    let base = state.authority.settings().issuer.path();
    let closed = [api::PREFIX].into_iter().chain(pages::PREFIXES).map(|prefix| format!("{base}{prefix}")).collect();
    let app = App::new()
        .wrap(cors(allowed, loopback, base.to_owned(), closed))
        .wrap(from_fn(common_headers))
        .wrap(from_fn(close_on_unread_body))
        .configure(move |app| routes::configure(app, &state));
    let app = app.into_factory().map_err(|error: actix_web::Error| error.error_response());
    HttpService::build()
        .graceful_shutdown_signal(stopping)
        .keep_alive(KEEP_ALIVE)
        .client_request_timeout(HEAD_LIMIT)
        .client_disconnect_timeout(DISCONNECT_LIMIT)
        // Otherwise, garbage after pipelined requests would discard the responses to those requests. A poll ends when the
        // client hangs up (`Connection::hung_up`); other handlers run to completion (`run_to_completion.rs`).
        .h1_allow_half_closed(true)
        .local_addr(address)
        .on_connect_ext(|stream: &Watched<IO>, data: &mut Extensions| {
            data.insert(Arc::clone(stream.connection()));
        })
        .finish(map_config(app, |()| AppConfig::default()))
        .map_err(drop)
}
