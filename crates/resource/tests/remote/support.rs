//! Shared test helpers.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use ficha_resource::{BearerBuilder, OAuth2PasswordBearer, VerifyError};
use ficha_token::{AccessClaims, Algorithm, Clock, ManualClock, SigningKey, TokenError};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::server::{AuthServer, key_set};

pub const START: i64 = 1_800_000_000;
pub const FAR: i64 = START + 1_000_000;

/// An authorization server with one key, and a clock.
pub struct World {
    pub server: AuthServer,
    pub key: SigningKey,
    pub clock: Arc<ManualClock>,
}

impl World {
    pub async fn new() -> Self {
        let server = AuthServer::start().await;
        let key = new_key();
        server.change(|state| state.jwks = key_set(&[&key]));
        Self { server, key, clock: Arc::new(clock()) }
    }

    /// A service that finds everything in the metadata.
    pub fn service(&self) -> BearerBuilder {
        let issuer = self.server.state().issuer.clone();
        OAuth2PasswordBearer::discover(issuer).audience("notes").clock(self.shared_clock())
    }

    pub fn shared_clock(&self) -> Arc<dyn Clock> {
        Arc::clone(&self.clock) as Arc<dyn Clock>
    }

    /// Claims that are valid for over a week.
    pub fn claims(&self) -> AccessClaims {
        let issuer = self.server.state().issuer.clone();
        let mut claims =
            AccessClaims::new(issuer, fresh_id(), ["notes"], "first-party", fresh_id(), fresh_id(), START..FAR);
        claims.scope = "notes:read".parse().unwrap();
        claims
    }

    pub fn token(&self) -> String {
        self.key.sign(&self.claims()).unwrap()
    }

    pub fn advance(&self, seconds: u64) {
        self.clock.advance(Duration::from_secs(seconds));
    }
}

pub fn new_key() -> SigningKey {
    SigningKey::generate(Algorithm::ES256).unwrap()
}

pub fn clock() -> ManualClock {
    ManualClock::new(OffsetDateTime::from_unix_timestamp(START).unwrap())
}

pub fn fresh_id() -> Uuid {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    Uuid::from_u64_pair(NEXT.fetch_add(1, Ordering::Relaxed), 7)
}

/// Waits until a condition is true.
pub async fn eventually(what: &str, condition: impl Fn() -> bool) {
    let waited = tokio::time::timeout(Duration::from_secs(15), async {
        while !condition() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    });
    assert!(waited.await.is_ok(), "timed out waiting for: {what}");
}

pub fn refusal(oauth2: &OAuth2PasswordBearer, token: &str) -> VerifyError {
    oauth2.verify_now(token).map(|_| ()).unwrap_err()
}

pub fn is_stale(oauth2: &OAuth2PasswordBearer, token: &str) -> bool {
    matches!(oauth2.verify_now(token), Err(VerifyError::Stale { .. }))
}

pub fn is_denied(oauth2: &OAuth2PasswordBearer, token: &str) -> bool {
    matches!(oauth2.verify_now(token), Err(VerifyError::Denied))
}

pub fn keys_unavailable(oauth2: &OAuth2PasswordBearer, token: &str) -> bool {
    matches!(oauth2.verify_now(token), Err(VerifyError::KeysUnavailable { .. }))
}

pub const UNKNOWN_KEY: VerifyError = VerifyError::Invalid(TokenError::UnknownKey);

/// The same value with a change.
pub fn changed<T>(mut value: T, change: impl FnOnce(&mut T)) -> T {
    change(&mut value);
    value
}
