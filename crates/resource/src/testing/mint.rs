//! Tokens for tests.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use ficha_token::{AccessClaims, Clock, SigningKey, SystemEntropy, ordered_uuid, random_uuid};
use serde_json::Value;
use uuid::Uuid;

use super::TestIssuer;

/// The default lifetime of a token, in seconds; Ficha's own default.
const LIFE_SECONDS: i64 = 600;

/// A token that is being built, from [`TestIssuer::token`] to [`TestToken::sign`].
///
/// ```
/// # use ficha_resource::TestIssuer;
/// # use serde_json::json;
/// let issuer = TestIssuer::new();
/// let token = issuer.token().scope("notes:read notes:write").claim("team", json!("blue")).sign();
/// let verified = issuer.oauth2().verify_now(&token).unwrap();
/// assert_eq!(verified.claims.extra["team"], "blue");
/// ```
#[must_use = "call sign() to get the token"]
pub struct TestToken {
    key: Arc<SigningKey>,
    claims: AccessClaims,
}

impl fmt::Debug for TestToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TestToken").field("claims", &self.claims).finish_non_exhaustive()
    }
}

impl TestToken {
    pub(super) fn new(issuer: &TestIssuer) -> Self {
        let clock = &**issuer.clock();
        let now = clock.unix_now();
        let claims = AccessClaims::new(
            issuer.issuer(),
            ordered_uuid(clock, &SystemEntropy),
            [issuer.inner.audience.as_str()],
            "test",
            ordered_uuid(clock, &SystemEntropy),
            random_uuid(&SystemEntropy),
            now..now + LIFE_SECONDS,
        );

        Self { key: issuer.signing_key(), claims }
    }

    /// Sets the user: `sub`.
    pub fn subject(mut self, subject: Uuid) -> Self {
        self.claims.sub = subject;
        self
    }

    /// Sets the scope: names separated by spaces.
    ///
    /// # Panics
    /// If it is not a valid scope (RFC 6749 §3.3).
    #[track_caller]
    pub fn scope(mut self, scope: &str) -> Self {
        self.claims.scope = scope.parse().expect("a valid scope (RFC 6749 section 3.3)");
        self
    }

    /// Sets the only audience, instead of that of the issuer, [`TestIssuer::AUDIENCE`] by default.
    pub fn audience(mut self, audience: &str) -> Self {
        self.claims.aud = vec![audience.to_owned()];
        self
    }

    /// Sets the client that it was issued to: `client_id`.
    pub fn client(mut self, client_id: &str) -> Self {
        client_id.clone_into(&mut self.claims.client_id);
        self
    }

    /// Sets the session: `sid`. Two tokens can share one.
    pub fn session(mut self, session: Uuid) -> Self {
        self.claims.sid = session;
        self
    }

    /// Sets the user's roles.
    pub fn roles(mut self, roles: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.claims.roles = roles.into_iter().map(Into::into).collect();
        self
    }

    /// Adds a custom claim.
    pub fn claim(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.claims.extra.insert(name.to_owned(), value.into());
        self
    }

    /// Sets the lifetime, by the issuer's clock. Fractions of a second are ignored.
    pub fn expires_in(mut self, life: Duration) -> Self {
        self.claims.exp = self.claims.iat + i64::try_from(life.as_secs()).unwrap_or(i64::MAX / 2);
        self
    }

    /// Signs the token.
    ///
    /// # Panics
    /// If no verifier would accept such claims: an empty audience, or a registered name in [`TestToken::claim`].
    #[track_caller]
    pub fn sign(self) -> String {
        self.key.sign(&self.claims).expect("the claims can be signed")
    }
}
