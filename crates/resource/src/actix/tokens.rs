//! What checks the tokens: one verifier, one issuer, or several.

use std::sync::Arc;

use ficha_token::TokenError;

use crate::cache::CacheStats;
use crate::error::VerifyError;
use crate::issuers::Issuers;
use crate::password_bearer::OAuth2PasswordBearer;
use crate::source::OnStale;
use crate::verified::Verified;
use crate::verifier::Verifier;

/// Cloning costs one or two reference counts.
#[derive(Debug, Clone)]
pub(super) enum Tokens {
    Verifier(Verifier),
    Bearer(OAuth2PasswordBearer),
    Issuers(Issuers),
}

impl Tokens {
    /// Checks a token without waiting. With `None`, the service's own choice for a stale list applies.
    pub(super) fn verify(&self, token: &str, on_stale: Option<OnStale>) -> Result<Arc<Verified>, VerifyError> {
        match (self, on_stale) {
            (Self::Verifier(verifier), None) => verifier.verify(token),
            (Self::Verifier(verifier), Some(on_stale)) => verifier.verify_with(token, on_stale),
            (Self::Bearer(bearer), on_stale) => verify(bearer, token, on_stale),
            (Self::Issuers(issuers), on_stale) => verify(issuers.pick(token)?, token, on_stale),
        }
    }

    /// True if [`Tokens::verify_waiting`] could have another result than this error.
    pub(super) fn may_wait(&self, error: &VerifyError) -> bool {
        let is_about_keys =
            matches!(error, VerifyError::Invalid(TokenError::UnknownKey) | VerifyError::KeysUnavailable { .. });
        is_about_keys && !matches!(self, Self::Verifier(_))
    }

    /// Checks a token, and waits a little if its key is being fetched.
    pub(super) async fn verify_waiting(
        &self,
        token: &str,
        on_stale: Option<OnStale>,
    ) -> Result<Arc<Verified>, VerifyError> {
        let bearer = match self {
            Self::Verifier(_) => return self.verify(token, on_stale),
            Self::Bearer(bearer) => bearer,
            Self::Issuers(issuers) => issuers.pick(token)?,
        };
        match on_stale {
            None => bearer.verify_waiting(token).await,
            Some(on_stale) => bearer.verify_waiting_with(token, on_stale).await,
        }
    }

    /// Checks again what can have changed since a token was verified.
    pub(super) fn recheck(&self, verified: &Verified, on_stale: Option<OnStale>) -> Result<(), VerifyError> {
        let verifier = match self {
            Self::Verifier(verifier) => verifier,
            Self::Bearer(bearer) => bearer.verifier(),
            Self::Issuers(issuers) => {
                let issuer = issuers.named(&verified.claims.iss);
                issuer.ok_or(VerifyError::Invalid(TokenError::WrongIssuer))?.verifier()
            }
        };
        match on_stale {
            None => verifier.recheck(verified),
            Some(on_stale) => verifier.clone().on_stale(on_stale).recheck(verified),
        }
    }

    /// The sum over all caches.
    pub(super) fn cache_stats(&self) -> CacheStats {
        match self {
            Self::Verifier(verifier) => verifier.stats(),
            Self::Bearer(bearer) => bearer.verifier().stats(),
            Self::Issuers(issuers) => issuers.bearers().map(|bearer| bearer.verifier().stats()).sum(),
        }
    }

    /// The realm that the issuer's own value has.
    pub(super) fn realm(&self) -> Option<&str> {
        match self {
            Self::Verifier(_) => None,
            Self::Bearer(bearer) => Some(&bearer.description().realm),
            Self::Issuers(issuers) => issuers.bearers().next().map(|bearer| bearer.description().realm.as_str()),
        }
    }

    /// True if both accept exactly the same tokens.
    pub(super) fn is(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Issuers(own), Self::Issuers(others)) => own.is(others),
            _ => match (self.verifier(), other.verifier()) {
                (Some(own), Some(others)) => own.is(others),
                _ => false,
            },
        }
    }

    fn verifier(&self) -> Option<&Verifier> {
        match self {
            Self::Verifier(verifier) => Some(verifier),
            Self::Bearer(bearer) => Some(bearer.verifier()),
            Self::Issuers(_) => None,
        }
    }
}

fn verify(bearer: &OAuth2PasswordBearer, token: &str, on_stale: Option<OnStale>) -> Result<Arc<Verified>, VerifyError> {
    match on_stale {
        None => bearer.verify(token),
        Some(on_stale) => bearer.verifier().verify_with(token, on_stale),
    }
}
