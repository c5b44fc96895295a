//! A token issuer for the tests of a service.

mod mint;
mod sources;

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use ficha_token::{
    Algorithm, Clock, DENY_MARGIN_SECONDS, DenyEntry, DenyId, Entropy, Expected, MAX_LEEWAY_SECONDS, ManualClock,
    SigningKey, SystemClock, SystemEntropy, Unverified, random_uuid,
};

pub use self::mint::TestToken;
use self::sources::{Denied, Keys};
use crate::builder::BearerBuilder;
use crate::http_bearer::HttpBearer;
use crate::password_bearer::{Description, OAuth2PasswordBearer};
use crate::source::{DenySource, KeySource, OnStale};
use crate::verifier::{Verifier, VerifierSettings};

/// How long an id stays denied, in seconds: a year and a day.
const DENIED_FOR: i64 = 366 * 24 * 3600;

/// An issuer for tests, in the same process: it issues tokens, revokes them and moves the clock, without a network.
///
/// It needs no feature, because it adds no dependency. It is not a risk in a release build: each issuer generates its
/// own key, which nothing else trusts.
///
/// ```
/// use std::time::Duration;
///
/// use ficha_resource::{TestIssuer, VerifyError};
///
/// let issuer = TestIssuer::new();
/// let oauth2 = issuer.oauth2();
/// let refusal = |token: &str| oauth2.verify_now(token).unwrap_err();
///
/// let token = issuer.token().scope("notes:read").sign();
/// assert!(oauth2.verify_now(&token).unwrap().claims.scope.contains("notes:read"));
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
/// Use [`TestIssuer::oauth2`] in place of the real value: `App::new().app_data(issuer.oauth2())`. The service then
/// answers with 200, 401 and 503 as above, and with 403 if the token lacks the required scope.
#[derive(Clone)]
pub struct TestIssuer {
    inner: Arc<Inner>,
}

struct Inner {
    key: RwLock<Arc<SigningKey>>,
    keys: Arc<Keys>,
    denied: Arc<Denied>,
    clock: Arc<ManualClock>,
    audience: String,
    bearer: OAuth2PasswordBearer,
}

impl TestIssuer {
    /// The `iss` of [`TestIssuer::new`].
    pub const ISSUER: &'static str = "https://issuer.test";
    /// The audience of its tokens, and the one that [`TestIssuer::oauth2`] requires.
    pub const AUDIENCE: &'static str = "test";

    /// Creates an issuer with one ES256 key. Its clock shows the current time and stands still until
    /// [`TestIssuer::advance`] moves it.
    pub fn new() -> Self {
        Self::named(Self::ISSUER)
    }

    /// Like [`TestIssuer::new`], but with another `iss`, for tests with several issuers.
    ///
    /// # Panics
    /// If the random generator fails.
    pub fn named(issuer: &str) -> Self {
        Self::with_key(issuer, new_key(Algorithm::ES256))
    }

    /// Like [`TestIssuer::named`], but with a given ES256 or EdDSA key, so that a test can also sign tokens itself.
    pub fn with_key(issuer: &str, key: SigningKey) -> Self {
        let expected = Expected::new(issuer, [Self::AUDIENCE], [Algorithm::ES256, Algorithm::EdDSA]);
        let description = Description {
            issuer: issuer.to_owned(),
            token_url: Some(format!("{}/token", issuer.trim_end_matches('/'))),
            scopes: Vec::new(),
            realm: "test".to_owned(),
            resource: None,
        };
        Self::assemble(key, VerifierSettings::new(expected), description, OnStale::Refuse)
    }

    /// An issuer that fits a service's own settings: issuer, audience, algorithms, leeway, scopes, realm, and what to do
    /// about a stale list. Its tokens are for the first of the audiences. Everything that concerns the network is
    /// ignored, and so is a shared secret.
    ///
    /// ```
    /// use ficha_resource::{BearerBuilder, OAuth2PasswordBearer, TestIssuer};
    ///
    /// /// Used by the service, which calls `build()`, and by its tests.
    /// fn oauth2() -> BearerBuilder {
    ///     OAuth2PasswordBearer::discover("https://auth.example.com").audience("notes").realm("notes")
    /// }
    ///
    /// let issuer = TestIssuer::with_settings(oauth2());
    /// let verified = issuer.oauth2().verify_now(&issuer.token().sign()).unwrap();
    /// assert_eq!(verified.claims.aud, ["notes"]);
    /// ```
    ///
    /// # Panics
    /// If `build` would refuse the settings, or if HS384 or HS512 is the only algorithm.
    #[track_caller]
    pub fn with_settings<B: From<OAuth2PasswordBearer>>(settings: BearerBuilder<B>) -> Self {
        let (settings, description, on_stale) = match settings.without_network() {
            Ok(parts) => parts,
            Err(error) => panic!("the settings can't be used: {error}"),
        };
        let accepted = &settings.expected.algorithms;
        let usual = accepted.iter().find(|algorithm| **algorithm == Algorithm::ES256);
        let algorithm = usual.or(accepted.first()).copied().unwrap_or(Algorithm::ES256);
        Self::assemble(new_key(algorithm), settings, description, on_stale)
    }

    fn assemble(key: SigningKey, settings: VerifierSettings, description: Description, on_stale: OnStale) -> Self {
        let audience = settings.expected.audiences.first().map_or(Self::AUDIENCE, String::as_str).to_owned();
        let keys = Arc::new(Keys::new(key.verifying_key()));
        let denied = Arc::new(Denied::default());
        // Whole seconds, so that a token expires exactly at the end of its lifetime.
        let now = SystemClock.now();
        let clock = Arc::new(ManualClock::new(now - Duration::from_nanos(u64::from(now.nanosecond()))));
        let verifier = Verifier::new(
            settings,
            Arc::clone(&keys) as Arc<dyn KeySource>,
            Arc::clone(&denied) as Arc<dyn DenySource>,
            Arc::clone(&clock) as Arc<dyn Clock>,
        );
        let bearer =
            OAuth2PasswordBearer::from_parts(verifier, description, Arc::clone(&denied) as Arc<dyn DenySource>);
        let bearer = bearer.on_stale(on_stale);
        Self { inner: Arc::new(Inner { key: RwLock::new(Arc::new(key)), keys, denied, clock, audience, bearer }) }
    }

    /// The value for the application under test. Unless [`TestIssuer::with_settings`] says otherwise, its leeway is 0, and
    /// it refuses tokens while the denylist is stale.
    pub fn oauth2(&self) -> OAuth2PasswordBearer {
        self.inner.bearer.clone()
    }

    /// The same, for an application that uses an [`HttpBearer`].
    pub fn http_bearer(&self) -> HttpBearer {
        HttpBearer::from(self.oauth2())
    }

    /// Starts a token for a new user and session, without scope, valid for ten minutes.
    pub fn token(&self) -> TestToken {
        TestToken::new(self)
    }

    /// Revokes one token, as `POST /revoke` does with an access token.
    ///
    /// # Panics
    /// If it is not a token of this issuer.
    #[track_caller]
    pub fn revoke(&self, token: &str) {
        self.deny(self.claims(token).jti.into());
    }

    /// Revokes the session of a token with all its tokens, as `POST /logout` does.
    ///
    /// # Panics
    /// If it is not a token of this issuer.
    #[track_caller]
    pub fn revoke_session(&self, token: &str) {
        self.deny(self.claims(token).sid.into());
    }

    /// Switches to a new key and revokes every token that the old one has signed, as `ficha key purge` does.
    pub fn purge_key(&self) {
        let old = self.signing_key();
        self.rotate_key();
        self.deny(DenyId::of_key(old.kid()));
    }

    /// Switches to a new key. Tokens signed with the old one stay valid.
    pub fn rotate_key(&self) {
        let key = new_key(self.signing_key().algorithm());
        self.inner.keys.add(key.verifying_key());
        *self.inner.key.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(key);
    }

    /// Removes all keys but the newest from the set, as a server does once their last tokens have expired.
    pub fn forget_old_keys(&self) {
        self.inner.keys.keep_only(self.signing_key().kid());
    }

    /// Makes the denylist stale, as if the authorization server could not be reached, or fresh again.
    pub fn set_stale(&self, stale: bool) {
        self.inner.denied.set_stale(stale);
    }

    /// Moves the clock forward.
    pub fn advance(&self, by: Duration) {
        self.inner.clock.advance(by);
    }

    /// The clock of this issuer and of the values that it hands out.
    pub fn clock(&self) -> &Arc<ManualClock> {
        &self.inner.clock
    }

    /// Its `iss`.
    pub fn issuer(&self) -> &str {
        &self.inner.bearer.description().issuer
    }

    fn signing_key(&self) -> Arc<SigningKey> {
        Arc::clone(&self.inner.key.read().unwrap_or_else(PoisonError::into_inner))
    }

    #[track_caller]
    fn claims(&self, token: &str) -> ficha_token::AccessClaims {
        let unverified = Unverified::parse(token).expect("the text is a token");
        let key = self.inner.keys.of(unverified.kid()).expect("it is a token of this issuer");
        unverified.verify_signature(&key).expect("it is a token of this issuer")
    }

    fn deny(&self, id: DenyId) {
        let until = self.inner.clock.unix_now() + DENIED_FOR + DENY_MARGIN_SECONDS + i64::from(MAX_LEEWAY_SECONDS);
        self.inner.denied.add(DenyEntry::new(id, until));
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

#[track_caller]
fn new_key(algorithm: Algorithm) -> SigningKey {
    if algorithm != Algorithm::HS256 {
        return SigningKey::generate(algorithm).expect("a key of this algorithm can be generated");
    }
    let mut secret = [0; 32];
    SystemEntropy.fill(&mut secret);
    let kid = random_uuid(&SystemEntropy).to_string();
    SigningKey::from_secret(&secret, kid).expect("the secret is long enough")
}
