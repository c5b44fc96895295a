//! The state that all handlers share.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use actix_web::dev::ServiceRequest;
use ficha_authority::{Authority, Issuer, Verdict};
use ficha_resource::{BearerGuard, DenySource, DenyVerdict, KeyLookup, KeySource, Verifier, VerifierSettings};
use ficha_token::Algorithm;
use ficha_token::DenyId;
use ficha_token::Expected;

use crate::api::events::Streams;
use crate::http::connections::Connections;
use crate::http::request_id::{RequestId, RequestIds};
use crate::oauth::resource::resource_metadata;
use crate::request::source::TrustedProxies;
use crate::routes::Routes;

/// How much memory the cache of verified tokens may take, in bytes: about 10,000 tokens.
const CACHE_BYTES: usize = 12 * 1024 * 1024;

/// The `Retry-After` while the database does not answer.
const STALE_RETRY: Duration = Duration::from_secs(1);

/// Shared by all handlers.
#[derive(Clone)]
pub struct State {
    /// The authorization server itself, without HTTP.
    pub authority: Authority,
    /// By which address browsers and administrators know the listener that a request came to: the issuer, or the same
    /// path at `admin.origin`.
    pub site: Arc<Issuer>,
    /// What that listener has.
    pub routes: Routes,
    /// Determines who sent a request.
    pub proxies: Arc<TrustedProxies>,
    /// Checks the tokens that are presented to this server itself.
    pub guard: BearerGuard,
    request_ids: RequestIds,
    /// The connections of clients.
    pub connections: Arc<Connections>,
    stopping: Arc<AtomicBool>,
    /// The streams of events.
    pub streams: Arc<Streams>,
    /// The receipts of pages that go on.
    pub receipts: Arc<Streams>,
}

impl State {
    /// The server protects its own bearer endpoints with the same library as other services.
    pub fn new(authority: Authority, proxies: TrustedProxies, connections: Arc<Connections>) -> Self {
        let source = Arc::new(Own(authority.clone()));
        let expected = Expected::for_any_audience(
            authority.settings().issuer.as_str(),
            [Algorithm::ES256, Algorithm::EdDSA, Algorithm::RS256, Algorithm::HS256],
        );
        let settings = VerifierSettings::new(expected).with_cache_bytes(CACHE_BYTES);
        let verifier = Verifier::new(settings, source.clone(), source, authority.clock().clone());
        let metadata = resource_metadata(authority.settings());
        let guard = BearerGuard::new(verifier).realm("ficha").resource_metadata(metadata.url());
        let request_ids = RequestIds::default();
        Self {
            site: Arc::new(authority.settings().issuer.clone()),
            routes: Routes::default(),
            authority,
            proxies: Arc::new(proxies),
            guard,
            request_ids,
            connections,
            stopping: Arc::default(),
            streams: Arc::new(Streams::of_events()),
            receipts: Arc::new(Streams::of_receipts()),
        }
    }

    /// The same for a listener: by which address it is known, and what it has.
    pub fn for_listener(&self, site: Issuer, routes: Routes) -> Self {
        Self { site: Arc::new(site), routes, ..self.clone() }
    }

    /// The id of a request that has just arrived.
    pub fn request_id(&self, request: &ServiceRequest) -> RequestId {
        let peer = request.peer_addr().map(|peer| peer.ip());
        let is_trusted = peer.is_some_and(|peer| self.proxies.trusts(peer));
        self.request_ids.of(request.headers(), is_trusted)
    }

    /// From now on clients and load balancers are told to use another server.
    pub fn stop(&self) {
        self.stopping.store(true, Ordering::Release);
    }

    /// True once the server is stopping.
    pub fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Acquire)
    }
}

/// The authority's own keys and denylist, as sources for the library.
struct Own(Authority);

impl KeySource for Own {
    fn find(&self, kid: &str) -> KeyLookup {
        let now = self.0.earliest_now();
        self.0.keys().current().verifying(kid, now).map_or(KeyLookup::Unknown, KeyLookup::Found)
    }

    fn generation(&self) -> u64 {
        self.0.keys().generation()
    }
}

impl DenySource for Own {
    fn look_up(&self, ids: &[DenyId], _now: i64) -> DenyVerdict {
        match self.0.denylist().check(ids, &**self.0.clock()) {
            Verdict::Clear => DenyVerdict::Clear,
            Verdict::Denied => DenyVerdict::Denied,
            Verdict::Stale => DenyVerdict::Stale { retry_after: STALE_RETRY },
        }
    }

    fn reached(&self) -> Option<i64> {
        // Tokens are issued by this same clock, and the denylist drops nothing after a clock change, so there is no
        // later time to remember. If there were, setting the clock back would make every new token look expired.
        Some(i64::MIN)
    }

    fn doubts_clock(&self) -> Option<Duration> {
        self.0.doubts_clock().then_some(STALE_RETRY)
    }

    fn doubts_start(&self) -> Option<Duration> {
        // This server signed the token, so its clock has shown that time before and was set back since.
        Some(STALE_RETRY)
    }

    fn doubts_end(&self, exp: i64) -> Option<Duration> {
        // A token that has expired at the earliest possible time has expired in any case.
        self.doubts_clock().filter(|_| exp > self.0.earliest_now())
    }
}
