//! What checks the tokens: one verifier, one issuer, or several.

use std::sync::Arc;

#[cfg(feature = "actix")]
use ficha_token::TokenError;

use crate::cache::CacheStats;
use crate::error::VerifyError;
use crate::issuers::Issuers;
use crate::password_bearer::OAuth2PasswordBearer;
use crate::presented::Presented;
use crate::resource_metadata::metadata_url;
use crate::source::OnStale;
use crate::verified::Verified;
use crate::verifier::Verifier;

/// Cloning costs one or two reference counts.
#[derive(Debug, Clone)]
pub(crate) enum Tokens {
    Verifier(Verifier),
    Bearer(OAuth2PasswordBearer),
    Issuers(Issuers),
}

impl Tokens {
    /// Never waits. With `None`, the service's own choice for a stale list applies; so in the next two.
    pub(crate) fn decide(
        &self,
        presented: Presented<'_>,
        on_stale: Option<OnStale>,
    ) -> Result<Arc<Verified>, VerifyError> {
        match self {
            Self::Verifier(verifier) => verifier.decide(presented, on_stale),
            Self::Bearer(bearer) => bearer.decide(presented, on_stale),
            Self::Issuers(issuers) => issuers.decide(presented, on_stale),
        }
    }

    /// Waits a little if the key is being fetched.
    pub(crate) async fn decide_waiting(
        &self,
        presented: Presented<'_>,
        on_stale: Option<OnStale>,
    ) -> Result<Arc<Verified>, VerifyError> {
        match self {
            Self::Verifier(verifier) => verifier.decide(presented, on_stale),
            Self::Bearer(bearer) => bearer.decide_waiting(presented, on_stale).await,
            Self::Issuers(issuers) => issuers.decide_waiting(presented, on_stale).await,
        }
    }

    pub(crate) fn decide_again(&self, verified: &Verified, on_stale: Option<OnStale>) -> Result<(), VerifyError> {
        match self {
            Self::Verifier(verifier) => verifier.decide_again(verified, on_stale),
            Self::Bearer(bearer) => bearer.decide_again(verified, on_stale),
            Self::Issuers(issuers) => issuers.decide_again(verified, on_stale),
        }
    }

    /// See [`Verifier::note`].
    pub(crate) fn note(&self, on_stale: OnStale) {
        match self {
            Self::Verifier(verifier) => verifier.note(on_stale),
            Self::Bearer(bearer) => bearer.note(on_stale),
            Self::Issuers(issuers) => issuers.bearers().for_each(|bearer| bearer.note(on_stale)),
        }
    }

    /// True if [`Tokens::decide_waiting`] could have another result than this error.
    #[cfg(feature = "actix")]
    pub(crate) fn may_wait(&self, error: &VerifyError) -> bool {
        let is_about_keys =
            matches!(error, VerifyError::Invalid(TokenError::UnknownKey) | VerifyError::KeysUnavailable { .. });
        is_about_keys && !matches!(self, Self::Verifier(_))
    }

    /// The sum over all caches.
    pub(crate) fn cache_stats(&self) -> CacheStats {
        match self {
            Self::Verifier(verifier) => verifier.stats(),
            Self::Bearer(bearer) => bearer.verifier().stats(),
            Self::Issuers(issuers) => issuers.bearers().map(|bearer| bearer.verifier().stats()).sum(),
        }
    }

    /// The realm that the issuer's own value has.
    pub(crate) fn realm(&self) -> Option<&str> {
        match self {
            Self::Verifier(_) => None,
            Self::Bearer(bearer) => Some(&bearer.description().realm),
            Self::Issuers(issuers) => issuers.bearers().next().map(|bearer| bearer.description().realm.as_str()),
        }
    }

    /// Where the metadata of the resource is (RFC 9728).
    pub(crate) fn resource_metadata(&self) -> Option<String> {
        let resource = match self {
            Self::Verifier(_) => None,
            Self::Bearer(bearer) => bearer.description().resource.as_deref(),
            Self::Issuers(issuers) => issuers.resource(),
        };
        resource.and_then(metadata_url)
    }

    /// True if both accept exactly the same tokens.
    pub(crate) fn is(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Issuers(own), Self::Issuers(others)) => own.is(others),
            _ => match (self.decider(), other.decider()) {
                (Some((own, on_stale)), Some((others, theirs))) => own.shares_with(others) && on_stale == theirs,
                _ => false,
            },
        }
    }

    /// The only verifier, and what is done about a stale list.
    fn decider(&self) -> Option<(&Verifier, OnStale)> {
        match self {
            Self::Verifier(verifier) => Some(verifier.decider()),
            Self::Bearer(bearer) => Some(bearer.decider()),
            Self::Issuers(_) => None,
        }
    }
}
