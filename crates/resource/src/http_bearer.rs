//! Bearer tokens without the password flow.

use std::sync::Arc;

use crate::builder::BearerBuilder;
use crate::error::VerifyError;
use crate::password_bearer::{Description, OAuth2PasswordBearer};
use crate::presented::Presented;
use crate::readiness::Readiness;
use crate::resource_metadata::ResourceMetadata;
use crate::source::OnStale;
use crate::stats::Stats;
use crate::verified::Verified;
use crate::verifier::Verifier;

/// An [`OAuth2PasswordBearer`] whose OpenAPI description asks for a bearer token only, and does not say where to obtain
/// one. Everything else is the same.
///
/// ```
/// use ficha_resource::{HttpBearer, TestIssuer};
///
/// let issuer = TestIssuer::new();
/// let bearer = HttpBearer::from(issuer.oauth2());
/// assert!(bearer.verify_now(&issuer.token().sign()).is_ok());
/// ```
#[derive(Debug, Clone)]
pub struct HttpBearer(OAuth2PasswordBearer);

impl HttpBearer {
    /// See [`OAuth2PasswordBearer::discover`].
    pub fn discover(issuer: impl Into<String>) -> BearerBuilder<Self> {
        BearerBuilder::new(issuer.into(), true)
    }

    /// See [`OAuth2PasswordBearer::by_hand`].
    pub fn by_hand(issuer: impl Into<String>) -> BearerBuilder<Self> {
        BearerBuilder::new(issuer.into(), false)
    }

    /// The same value as an [`OAuth2PasswordBearer`].
    pub fn as_bearer(&self) -> &OAuth2PasswordBearer {
        &self.0
    }

    /// See [`OAuth2PasswordBearer::on_stale`].
    pub fn on_stale(self, on_stale: OnStale) -> Self {
        Self(self.0.on_stale(on_stale))
    }

    /// See [`OAuth2PasswordBearer::verifier`].
    pub fn verifier(&self) -> Verifier {
        self.0.verifier()
    }

    /// See [`OAuth2PasswordBearer::verify`].
    pub async fn verify(&self, presented: impl Into<Presented<'_>>) -> Result<Arc<Verified>, VerifyError> {
        self.0.verify(presented).await
    }

    /// See [`OAuth2PasswordBearer::verify_now`].
    pub fn verify_now<'a>(&self, presented: impl Into<Presented<'a>>) -> Result<Arc<Verified>, VerifyError> {
        self.0.verify_now(presented)
    }

    /// See [`OAuth2PasswordBearer::recheck`].
    pub fn recheck(&self, verified: &Verified) -> Result<(), VerifyError> {
        self.0.recheck(verified)
    }

    /// See [`OAuth2PasswordBearer::readiness`].
    pub fn readiness(&self) -> Readiness {
        self.0.readiness()
    }

    /// See [`OAuth2PasswordBearer::stats`].
    pub fn stats(&self) -> Stats {
        self.0.stats()
    }

    /// See [`OAuth2PasswordBearer::description`].
    pub fn description(&self) -> &Description {
        self.0.description()
    }

    /// See [`OAuth2PasswordBearer::resource_metadata`].
    pub fn resource_metadata(&self) -> Option<ResourceMetadata> {
        self.0.resource_metadata()
    }
}

impl From<OAuth2PasswordBearer> for HttpBearer {
    fn from(bearer: OAuth2PasswordBearer) -> Self {
        Self(bearer)
    }
}
