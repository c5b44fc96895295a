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
use actix_service::boxed::{self, BoxServiceFactory};
use actix_service::{IntoServiceFactory, ServiceFactory, ServiceFactoryExt, fn_service, map_config};
use actix_tls::accept::max_concurrent_tls_connect;
use actix_tls::accept::rustls_0_23::{Acceptor, TlsStream};
use actix_web::App;
use actix_web::dev::{AppConfig, Server};
use actix_web::middleware::from_fn;
use actix_web::rt::net::TcpStream;
use tokio::io::{AsyncRead, AsyncWrite};

use crate::api;
use crate::http::connections::Connections;
use crate::http::cors::{WebOrigin, cors};
use crate::http::headers::common_headers;
use crate::http::stream::{ClientStream, Patience};
use crate::http::unread_body::close_on_unread_body;
use crate::http::watched::Watched;
use crate::routes::{self, Routes};
use crate::server::{ServerError, ServerSettings};
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

/// Starts serving on `listener`, with TLS if there is a configuration for it; and `/metrics` on its own listener.
pub fn serve(
    listener: TcpListener,
    for_metrics: Option<TcpListener>,
    settings: &ServerSettings,
    tls: Option<rustls::ServerConfig>,
    state: State,
) -> Result<Server, ServerError> {
    let address = listener.local_addr()?;
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
    let routes = match &for_metrics {
        Some(_) => Routes::WithoutMetrics,
        None => Routes::All,
    };
    if let Some(listener) = for_metrics {
        let address = listener.local_addr()?;
        let site = Site { state: state.clone(), routes: Routes::Operation, allowed: Vec::new(), address };
        builder = builder.listen("metrics", listener, plain(site, stopping.clone()))?;
    }
    let site = Site { state, routes, allowed: settings.allowed_origins.clone(), address };
    let builder = match tls {
        None => builder.listen("http", listener, plain(site, stopping))?,
        Some(mut tls) => {
            tls.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
            let acceptor = Acceptor::new(tls);
            builder.listen("https", listener, move || {
                let http = http(site.clone(), stopping.clone());
                let negotiated = |stream: TlsStream<ClientStream>| {
                    let (inner, session) = stream.get_ref();
                    let is_http2 = session.alpn_protocol() == Some(b"h2");
                    let (protocol, peer) = (if is_http2 { Protocol::Http2 } else { Protocol::Http1 }, inner.peer());
                    let connection = Arc::clone(inner.connection());
                    (Watched::new(stream, connection), protocol, peer)
                };
                let handshake = acceptor.clone().map_err(drop).map(negotiated);
                admit(Arc::clone(&site.state.connections)).and_then(handshake).and_then(http)
            })?
        }
    };
    Ok(builder.run())
}

/// What is served at an address.
#[derive(Clone)]
struct Site {
    state: State,
    routes: Routes,
    /// Web pages of these origins may read answers.
    allowed: Vec<WebOrigin>,
    address: SocketAddr,
}

type PlainService = BoxServiceFactory<(), TcpStream, (), (), ()>;

/// HTTP without TLS.
fn plain<Signal: Future<Output = ()> + 'static>(
    site: Site,
    stopping: impl Fn() -> Signal + Clone + Send + 'static,
) -> impl Fn() -> PlainService + Clone + Send + 'static {
    move || {
        let http = http(site.clone(), stopping.clone());
        let plain = |stream: ClientStream| {
            let (peer, connection) = (stream.peer(), Arc::clone(stream.connection()));
            (Watched::new(stream, connection), Protocol::Http1, peer)
        };
        boxed::factory(admit(Arc::clone(&site.state.connections)).map(plain).and_then(http))
    }
}

/// Counts a new connection, or closes it because its source holds too many.
fn admit(
    connections: Arc<Connections>,
) -> impl ServiceFactory<TcpStream, Config = (), Response = ClientStream, Error = (), InitError = ()> {
    fn_service(move |stream: TcpStream| {
        let peer = stream.peer_addr().ok();
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
    stopping: impl Fn() -> Signal + 'static,
) -> impl ServiceFactory<(Watched<IO>, Protocol, Option<SocketAddr>), Config = (), Response = (), Error = (), InitError = ()>
where
    IO: AsyncRead + AsyncWrite + Unpin + 'static,
    Signal: Future<Output = ()> + 'static,
{
    let Site { state, routes, allowed, address } = site;
    let loopback = state.authority.settings().issuer.is_loopback();
    let closed = format!("{}{}", state.authority.settings().issuer.path(), api::PREFIX);
    let app = App::new()
        .wrap(cors(allowed, loopback, closed))
        .wrap(from_fn(common_headers))
        .wrap(from_fn(close_on_unread_body))
        .configure(move |app| routes::configure(app, &state, routes));
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
