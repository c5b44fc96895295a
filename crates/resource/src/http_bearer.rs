//! Bearer tokens without the password flow.

use std::sync::Arc;

use crate::builder::Builder;
use crate::error::VerifyError;
use crate::health::{Readiness, Stats};
use crate::password_bearer::{Description, OAuth2PasswordBearer};
use crate::source::OnStale;
use crate::verified::Verified;
use crate::verifier::Verifier;

/// An [`OAuth2PasswordBearer`] whose OpenAPI description asks for a bearer token only, and does not say where to obtain
/// one. Everything else is the same.
#[derive(Debug, Clone)]
pub struct HttpBearer(OAuth2PasswordBearer);

impl HttpBearer {
    /// See [`OAuth2PasswordBearer::discover`].
    pub fn discover(issuer: impl Into<String>) -> Builder<Self> {
        Builder::new(issuer.into(), true)
    }

    /// See [`OAuth2PasswordBearer::by_hand`].
    pub fn by_hand(issuer: impl Into<String>) -> Builder<Self> {
        Builder::new(issuer.into(), false)
    }

    /// The same value as an [`OAuth2PasswordBearer`].
    pub fn as_bearer(&self) -> &OAuth2PasswordBearer {
        &self.0
    }

    /// See [`OAuth2PasswordBearer::verifier`].
    pub fn verifier(&self) -> &Verifier {
        self.0.verifier()
    }

    /// See [`OAuth2PasswordBearer::verify`].
    pub fn verify(&self, token: &str) -> Result<Arc<Verified>, VerifyError> {
        self.0.verify(token)
    }

    /// See [`OAuth2PasswordBearer::verify_waiting`].
    pub async fn verify_waiting(&self, token: &str) -> Result<Arc<Verified>, VerifyError> {
        self.0.verify_waiting(token).await
    }

    /// See [`OAuth2PasswordBearer::verify_waiting_with`].
    pub async fn verify_waiting_with(&self, token: &str, on_stale: OnStale) -> Result<Arc<Verified>, VerifyError> {
        self.0.verify_waiting_with(token, on_stale).await
    }

    /// See [`OAuth2PasswordBearer::ready`].
    pub fn ready(&self) -> Readiness {
        self.0.ready()
    }

    /// See [`OAuth2PasswordBearer::stats`].
    pub fn stats(&self) -> Stats {
        self.0.stats()
    }

    /// See [`OAuth2PasswordBearer::description`].
    pub fn description(&self) -> &Description {
        self.0.description()
    }
}

impl From<OAuth2PasswordBearer> for HttpBearer {
    fn from(bearer: OAuth2PasswordBearer) -> Self {
        Self(bearer)
    }
}
