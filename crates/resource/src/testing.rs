//! An issuer for a service's own tests.

mod mint;
mod sources;

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use ficha_token::MAX_LEEWAY_SECONDS;
use ficha_token::{
    Algorithm, Clock, DENY_MARGIN_SECONDS, DenyEntry, DenyId, Expected, ManualClock, SigningKey, SystemClock,
    Unverified,
};

pub use self::mint::TestToken;
use self::sources::{Denied, Keys};
use crate::http_bearer::HttpBearer;
use crate::password_bearer::{Description, OAuth2PasswordBearer};
use crate::source::{DenySource, KeySource};
use crate::verifier::{Verifier, VerifierSettings};

/// The largest `until` that a test denies anything until: a day after its tokens could have expired.
const DENIED_FOR: i64 = 366 * 24 * 3600;

/// An issuer in this very process: it mints tokens, revokes them, and moves the clock, without a network.
///
/// It is in no feature of its own, since it brings no dependency; and it is no risk in a release, since its key is made
/// anew each time and nobody else trusts it.
///
/// ```
/// use std::time::Duration;
///
/// use ficha_resource::{TestIssuer, VerifyError};
///
/// let issuer = TestIssuer::new();
/// let oauth2 = issuer.oauth2();
/// let refusal = |token: &str| oauth2.verify(token).unwrap_err();
///
/// let token = issuer.token().scope("notes:read").sign();
/// assert!(oauth2.verify(&token).unwrap().claims.scope.contains("notes:read"));
///
/// issuer.revoke(&token);
/// assert_eq!(refusal(&token), VerifyError::Denied);
///
/// let short = issuer.token().expires_in(Duration::from_secs(60)).sign();
/// issuer.advance(Duration::from_secs(60));
/// assert!(matches!(refusal(&short), VerifyError::Invalid(_)));
///
/// issuer.set_stale(true);
/// assert!(matches!(refusal(&issuer.token().sign()), VerifyError::Stale { .. }));
/// ```
///
/// [`TestIssuer::oauth2`] goes where the real one would: `App::new().app_data(issuer.oauth2())`. The answers are then
/// 200, 401 and 503, and 403 for a token without the scope.
#[derive(Clone)]
pub struct TestIssuer {
    inner: Arc<Inner>,
}

struct Inner {
    key: RwLock<Arc<SigningKey>>,
    keys: Arc<Keys>,
    denied: Arc<Denied>,
    clock: Arc<ManualClock>,
    bearer: OAuth2PasswordBearer,
}

impl TestIssuer {
    /// The issuer of [`TestIssuer::new`].
    pub const ISSUER: &'static str = "https://issuer.test";
    /// The audience of its tokens, and the one that its bearer asks for.
    pub const AUDIENCE: &'static str = "test";

    /// An issuer with one ES256 key, whose clock shows the time of now and then stands still.
    pub fn new() -> Self {
        Self::named(Self::ISSUER)
    }

    /// The same under another name, for a test with several.
    ///
    /// # Panics
    /// If the random generator fails.
    pub fn named(issuer: &str) -> Self {
        Self::with_key(issuer, new_key())
    }

    /// The same with a key of the test's own, ES256 or EdDSA, so that a test can sign what no issuer would.
    pub fn with_key(issuer: &str, key: SigningKey) -> Self {
        let keys = Arc::new(Keys::new(key.verifying_key()));
        let denied = Arc::new(Denied::default());
        // Whole seconds, so that a token dies exactly when its life is over.
        let now = SystemClock.now();
        let clock = Arc::new(ManualClock::new(now - Duration::from_nanos(u64::from(now.nanosecond()))));
        let expected = Expected {
            issuer: issuer.to_owned(),
            audiences: vec![Self::AUDIENCE.to_owned()],
            leeway: 0,
            algorithms: vec![Algorithm::ES256, Algorithm::EdDSA],
        };
        let verifier = Verifier::new(
            VerifierSettings::new(expected),
            Arc::clone(&keys) as Arc<dyn KeySource>,
            Arc::clone(&denied) as Arc<dyn DenySource>,
            Arc::clone(&clock) as Arc<dyn Clock>,
        );
        let description = Description {
            issuer: issuer.to_owned(),
            token_url: Some(format!("{}/token", issuer.trim_end_matches('/'))),
            scopes: Vec::new(),
            realm: "test".to_owned(),
        };
        let bearer =
            OAuth2PasswordBearer::from_parts(verifier, description, Arc::clone(&denied) as Arc<dyn DenySource>);
        Self { inner: Arc::new(Inner { key: RwLock::new(Arc::new(key)), keys, denied, clock, bearer }) }
    }

    /// What the application under test gets instead of the real one. Its leeway is 0, and it refuses on a stale list.
    pub fn oauth2(&self) -> OAuth2PasswordBearer {
        self.inner.bearer.clone()
    }

    /// The same for an application that takes an [`HttpBearer`].
    pub fn http_bearer(&self) -> HttpBearer {
        HttpBearer::from(self.oauth2())
    }

    /// Begins a token: of a user and a session of its own, without scope, good for ten minutes.
    pub fn token(&self) -> TestToken {
        TestToken::new(self)
    }

    /// Revokes one token, as `POST /revoke` does with an access token.
    ///
    /// # Panics
    /// If it is no token of this issuer.
    pub fn revoke(&self, token: &str) {
        self.deny(self.claims(token).jti.into());
    }

    /// Revokes the session of a token with all its tokens, as `POST /logout` does.
    ///
    /// # Panics
    /// If it is no token of this issuer.
    pub fn revoke_session(&self, token: &str) {
        self.deny(self.claims(token).sid.into());
    }

    /// Makes a new key and revokes the old one with everything that it has signed, as `ficha key purge` does.
    pub fn purge_key(&self) {
        let old = self.signing_key();
        self.rotate_key();
        self.deny(DenyId::of_key(old.kid()));
    }

    /// Makes a new key. Tokens of the old one stay good.
    pub fn rotate_key(&self) {
        let key = new_key();
        self.inner.keys.add(key.verifying_key());
        *self.inner.key.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(key);
    }

    /// Takes all keys but the newest out of the set, as happens when the last of their tokens has expired.
    pub fn forget_old_keys(&self) {
        self.inner.keys.keep_only(self.signing_key().kid());
    }

    /// Says whether the denylist is too old to vouch for anything, as when the authorization server is away.
    pub fn set_stale(&self, stale: bool) {
        self.inner.denied.set_stale(stale);
    }

    /// Lets time pass.
    pub fn advance(&self, by: Duration) {
        self.inner.clock.advance(by);
    }

    /// The clock that decides about everything here.
    pub fn clock(&self) -> &Arc<ManualClock> {
        &self.inner.clock
    }

    /// The name of it, as `iss` has it.
    pub fn issuer(&self) -> &str {
        &self.inner.bearer.description().issuer
    }

    fn signing_key(&self) -> Arc<SigningKey> {
        Arc::clone(&self.inner.key.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn claims(&self, token: &str) -> ficha_token::AccessClaims {
        let unverified = Unverified::parse(token).expect("it is a token");
        let key = self.inner.keys.of(unverified.kid()).expect("it is a token of this issuer");
        unverified.verify_signature(&key).expect("it is a token of this issuer")
    }

    fn deny(&self, id: DenyId) {
        let until = self.inner.clock.unix_now() + DENIED_FOR + DENY_MARGIN_SECONDS + i64::from(MAX_LEEWAY_SECONDS);
        self.inner.denied.add(DenyEntry { id, until });
    }
}

impl Default for TestIssuer {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for TestIssuer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TestIssuer").field("issuer", &self.issuer()).finish_non_exhaustive()
    }
}

fn new_key() -> SigningKey {
    SigningKey::generate(Algorithm::ES256).expect("the random generator answers")
}
