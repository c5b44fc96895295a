//! What every handler works with.

use std::sync::Arc;
use std::time::Duration;

use ficha_authority::{Authority, Verdict};
use ficha_resource::{BearerGuard, DenySource, DenyVerdict, KeyLookup, KeySource, Verifier, VerifierSettings};
use ficha_token::Algorithm;
use ficha_token::DenyId;
use ficha_token::Expected;

use crate::request::source::TrustedProxies;

/// How much memory verified tokens may take, in bytes: some 10,000 of them.
const CACHE_BYTES: usize = 12 * 1024 * 1024;

/// What a refused caller is told to wait while the database is gone.
const STALE_RETRY: Duration = Duration::from_secs(1);

/// Shared by all handlers.
#[derive(Clone)]
pub struct State {
    /// The rules.
    pub authority: Authority,
    /// Who sent a request.
    pub proxies: Arc<TrustedProxies>,
    /// Checks the tokens that are presented to this server itself.
    pub guard: BearerGuard,
}

impl State {
    /// The server guards its own bearer endpoints with the library that it offers to everybody else.
    pub fn new(authority: Authority, proxies: TrustedProxies) -> Self {
        let source = Arc::new(Own(authority.clone()));
        let expected = Expected {
            issuer: authority.settings().issuer.as_str().to_owned(),
            // Any token of ours will do here, whatever service it is for.
            audiences: Vec::new(),
            leeway: 0,
            algorithms: vec![Algorithm::ES256, Algorithm::EdDSA, Algorithm::RS256, Algorithm::HS256],
        };
        let settings = VerifierSettings::new(expected).with_cache_bytes(CACHE_BYTES);
        let verifier = Verifier::new(settings, source.clone(), source, authority.clock().clone());
        let guard = BearerGuard::new(verifier).realm("ficha");
        Self { authority, proxies: Arc::new(proxies), guard }
    }
}

/// The authority's own keys and denylist, as the library asks for them.
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
    fn check(&self, ids: &[DenyId], _now: i64) -> DenyVerdict {
        match self.0.denylist().check(ids, &**self.0.clock()) {
            Verdict::Clear => DenyVerdict::Clear,
            Verdict::Denied => DenyVerdict::Denied,
            Verdict::Stale => DenyVerdict::Stale { retry_after: STALE_RETRY },
        }
    }

    fn reached(&self) -> Option<i64> {
        // The issuer's own clock is the one that its tokens are made by, and the list drops nothing by a clock that was set:
        // there is no later time to hold on to. Were there one, a clock put back would have every new token expired.
        Some(i64::MIN)
    }

    fn doubts_clock(&self) -> Option<Duration> {
        self.0.doubts_clock().then_some(STALE_RETRY)
    }

    fn doubts_start(&self) -> Option<Duration> {
        // This issuer signed it, so it has been that time here: the clock was put back since.
        Some(STALE_RETRY)
    }

    fn doubts_end(&self, exp: i64) -> Option<Duration> {
        // What has expired by every time that it may be has expired.
        self.doubts_clock().filter(|_| exp > self.0.earliest_now())
    }
}
