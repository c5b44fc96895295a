//! Tokens for tests.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use ficha_token::{AccessClaims, Clock, Scope, SigningKey, SystemEntropy, ordered_uuid, random_uuid};
use serde_json::Value;
use uuid::Uuid;

use super::TestIssuer;

/// How long a token is good unless it is said otherwise, in seconds. It is Ficha's own default.
const LIFE_SECONDS: i64 = 600;

/// A token that is being made. [`TestIssuer::token`] begins it, [`TestToken::sign`] ends it.
///
/// ```
/// # use ficha_resource::TestIssuer;
/// # use serde_json::json;
/// let issuer = TestIssuer::new();
/// let token = issuer.token().scope("notes:read notes:write").claim("team", json!("blue")).sign();
/// let verified = issuer.oauth2().verify(&token).unwrap();
/// assert_eq!(verified.claims.extra["team"], "blue");
/// ```
#[must_use = "it is no token before sign() is called"]
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
        let claims = AccessClaims {
            iss: issuer.issuer().to_owned(),
            sub: ordered_uuid(clock, &SystemEntropy),
            aud: vec![TestIssuer::AUDIENCE.to_owned()],
            exp: now + LIFE_SECONDS,
            iat: now,
            nbf: None,
            jti: random_uuid(&SystemEntropy),
            client_id: "test".to_owned(),
            scope: Scope::empty(),
            sid: ordered_uuid(clock, &SystemEntropy),
            auth_time: now,
            roles: Vec::new(),
            extra: serde_json::Map::new(),
        };
        Self { key: issuer.signing_key(), claims }
    }

    /// For whom: `sub`.
    pub fn subject(mut self, subject: Uuid) -> Self {
        self.claims.sub = subject;
        self
    }

    /// What it allows: names separated by spaces.
    ///
    /// # Panics
    /// If it is no scope (RFC 6749 §3.3).
    pub fn scope(mut self, scope: &str) -> Self {
        self.claims.scope = scope.parse().expect("it is a scope by RFC 6749 section 3.3");
        self
    }

    /// The one service that it is for, instead of [`TestIssuer::AUDIENCE`].
    pub fn audience(mut self, audience: &str) -> Self {
        self.claims.aud = vec![audience.to_owned()];
        self
    }

    /// The client that it was issued to.
    pub fn client(mut self, client_id: &str) -> Self {
        client_id.clone_into(&mut self.claims.client_id);
        self
    }

    /// The session that it belongs to, so that two tokens can share one.
    pub fn session(mut self, session: Uuid) -> Self {
        self.claims.sid = session;
        self
    }

    /// The user's roles.
    pub fn roles(mut self, roles: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.claims.roles = roles.into_iter().map(Into::into).collect();
        self
    }

    /// A claim of one's own.
    pub fn claim(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.claims.extra.insert(name.to_owned(), value.into());
        self
    }

    /// How long it is good, by the issuer's clock. Parts of a second don't count.
    pub fn expires_in(mut self, life: Duration) -> Self {
        self.claims.exp = self.claims.iat + i64::try_from(life.as_secs()).unwrap_or(i64::MAX / 2);
        self
    }

    /// Signs it.
    ///
    /// # Panics
    /// If no verifier would take such claims: an empty audience, a name in [`TestToken::claim`] that an RFC has taken.
    pub fn sign(self) -> String {
        self.key.sign(&self.claims).expect("the claims can be signed")
    }
}
