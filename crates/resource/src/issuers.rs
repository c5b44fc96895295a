//! A service that accepts the tokens of several issuers.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ficha_token::{MAX_TOKEN_BYTES, TokenError};
use serde::Deserialize;

use crate::error::VerifyError;
use crate::password_bearer::OAuth2PasswordBearer;
use crate::presented::Presented;
use crate::readiness::IssuersReadiness;
use crate::resource_metadata::ResourceMetadata;
use crate::source::OnStale;
use crate::stats::Stats;
use crate::verified::Verified;

/// Several issuers, each of whose tokens is accepted. [`OAuth2PasswordBearer::any_of`] creates it; clones are cheap.
///
/// The unverified `iss` of a token only selects the issuer that checks it. That issuer then makes every check,
/// including that of `iss`, so a key of one issuer never verifies a token of another.
///
/// ```
/// use ficha_resource::{OAuth2PasswordBearer, TestIssuer, VerifyError};
///
/// let (staff, guests) = (TestIssuer::named("https://staff.test"), TestIssuer::named("https://guests.test"));
/// let both = OAuth2PasswordBearer::any_of([staff.oauth2(), guests.oauth2()]);
///
/// let token = staff.token().sign();
/// let verified = both.verify_now(&token).unwrap();
/// assert_eq!(verified.claims.iss, "https://staff.test");
///
/// staff.revoke(&token);
/// assert_eq!(both.recheck(&verified), Err(VerifyError::Denied));
/// ```
#[derive(Clone)]
pub struct Issuers {
    parts: Arc<[Part]>,
    /// Takes precedence over the choice of each issuer.
    on_stale: Option<OnStale>,
}

struct Part {
    bearer: OAuth2PasswordBearer,
    /// How the payload of this issuer's tokens begins if `iss` comes first, as it does in Ficha's own tokens.
    prefix: String,
}

/// The only member that is read before the signature is checked.
#[derive(Deserialize)]
struct Peeked<'p> {
    #[serde(borrow)]
    iss: Cow<'p, str>,
}

impl OAuth2PasswordBearer {
    /// Accepts the tokens of each of these issuers. If two have the same `iss`, the first one is used.
    ///
    /// # Panics
    /// If there is none: every token would be refused.
    ///
    /// ```
    /// # use ficha_resource::{OAuth2PasswordBearer, TestIssuer};
    /// let (staff, guests) = (TestIssuer::named("https://staff.test"), TestIssuer::named("https://guests.test"));
    /// let both = OAuth2PasswordBearer::any_of([staff.oauth2(), guests.oauth2()]);
    /// assert!(both.verify_now(&guests.token().sign()).is_ok());
    /// ```
    #[track_caller]
    pub fn any_of(bearers: impl IntoIterator<Item = Self>) -> Issuers {
        let parts: Arc<[Part]> = bearers.into_iter().map(Part::new).collect();
        assert!(!parts.is_empty(), "no issuer is given, so every token would be refused");
        Issuers { parts, on_stale: None }
    }
}

impl Issuers {
    /// The issuers, in the order in which they were given.
    pub fn bearers(&self) -> impl ExactSizeIterator<Item = &OAuth2PasswordBearer> {
        self.parts.iter().map(|part| &part.bearer)
    }

    /// Sets what to do while the denylist of an issuer is stale, whatever the issuer's own value does. A clone can have
    /// its own choice, for a single route.
    pub fn on_stale(mut self, on_stale: OnStale) -> Self {
        self.on_stale = Some(on_stale);
        self.bearers().for_each(|bearer| bearer.note(on_stale));
        self
    }

    /// The metadata of this service (RFC 9728), if [`BearerBuilder::resource`](crate::BearerBuilder::resource) has named it: with
    /// all issuers whose value has the same name, and the scopes of each.
    pub fn resource_metadata(&self) -> Option<ResourceMetadata> {
        let resource = self.resource()?;
        let alike = self.bearers().filter_map(OAuth2PasswordBearer::resource_metadata);
        alike.filter(|metadata| metadata.resource == resource).reduce(ResourceMetadata::joined)
    }

    /// The first that is named.
    pub(crate) fn resource(&self) -> Option<&str> {
        self.bearers().find_map(|bearer| bearer.description().resource.as_deref())
    }

    /// Verifies a token with the issuer that it names, and waits up to 2 s if its key is being fetched; see
    /// [`OAuth2PasswordBearer::verify`].
    pub async fn verify(&self, presented: impl Into<Presented<'_>>) -> Result<Arc<Verified>, VerifyError> {
        self.decide_waiting(presented.into(), None).await
    }

    /// Verifies a token with the issuer that it names. This never waits; see [`OAuth2PasswordBearer::verify_now`].
    pub fn verify_now<'a>(&self, presented: impl Into<Presented<'a>>) -> Result<Arc<Verified>, VerifyError> {
        self.decide(presented.into(), None)
    }

    /// Looks again at what can have changed since one of these issuers verified a token; see
    /// [`OAuth2PasswordBearer::recheck`].
    pub fn recheck(&self, verified: &Verified) -> Result<(), VerifyError> {
        self.decide_again(verified, None)
    }

    /// `on_stale` takes precedence over the value's own choice; so in the next two.
    pub(crate) fn decide(
        &self,
        presented: Presented<'_>,
        on_stale: Option<OnStale>,
    ) -> Result<Arc<Verified>, VerifyError> {
        self.pick(presented.token)?.decide(presented, on_stale.or(self.on_stale))
    }

    pub(crate) async fn decide_waiting(
        &self,
        presented: Presented<'_>,
        on_stale: Option<OnStale>,
    ) -> Result<Arc<Verified>, VerifyError> {
        self.pick(presented.token)?.decide_waiting(presented, on_stale.or(self.on_stale)).await
    }

    pub(crate) fn decide_again(&self, verified: &Verified, on_stale: Option<OnStale>) -> Result<(), VerifyError> {
        let issuer = self.named(&verified.claims.iss).ok_or(VerifyError::Invalid(TokenError::WrongIssuer))?;
        issuer.decide_again(verified, on_stale.or(self.on_stale))
    }

    /// Whether the tokens of these issuers can be checked now, for a health endpoint. The service is ready if the tokens of
    /// at least one can be; an issuer that is not ready refuses only its own.
    pub fn readiness(&self) -> IssuersReadiness {
        IssuersReadiness::new(self.bearers().map(OAuth2PasswordBearer::readiness).collect())
    }

    /// The statistics of each issuer. [`Stats::prometheus_of`] writes them as one text.
    pub fn stats(&self) -> Vec<Stats> {
        self.bearers().map(OAuth2PasswordBearer::stats).collect()
    }

    /// Selects the issuer that checks this token.
    fn pick(&self, token: &str) -> Result<&OAuth2PasswordBearer, VerifyError> {
        if token.len() > MAX_TOKEN_BYTES {
            return Err(VerifyError::Invalid(TokenError::TooLong));
        }
        let payload = token.split('.').nth(1).unwrap_or_default();
        // A comparison of bytes, so that a cached token costs hardly more than with one issuer. A prefix may lack up to
        // two bytes of the issuer, so if it matches several the payload is parsed.
        let mut matching = self.parts.iter().filter(|part| payload.starts_with(&part.prefix));
        if let (Some(part), None) = (matching.next(), matching.next()) {
            return Ok(&part.bearer);
        }
        let unreadable = || VerifyError::Invalid(TokenError::Malformed("its claims have no readable iss"));
        let payload = URL_SAFE_NO_PAD.decode(payload).map_err(|_| unreadable())?;
        let peeked: Peeked<'_> = serde_json::from_slice(&payload).map_err(|_| unreadable())?;
        self.named(&peeked.iss).ok_or(VerifyError::Invalid(TokenError::WrongIssuer))
    }

    /// The issuer with this `iss`.
    fn named(&self, issuer: &str) -> Option<&OAuth2PasswordBearer> {
        self.bearers().find(|bearer| bearer.description().issuer == issuer)
    }

    /// True if both accept the tokens of the same verifiers.
    #[cfg(any(feature = "actix", feature = "axum"))]
    pub(crate) fn is(&self, other: &Self) -> bool {
        let mut pairs = self.bearers().zip(other.bearers());
        self.on_stale == other.on_stale
            && self.parts.len() == other.parts.len()
            && pairs.all(|(own, other)| {
                let ((own, on_stale), (other, theirs)) = (own.decider(), other.decider());
                own.shares_with(other) && on_stale == theirs
            })
    }
}

impl Part {
    fn new(bearer: OAuth2PasswordBearer) -> Self {
        let issuer = serde_json::Value::from(bearer.description().issuer.as_str());
        let plain = format!(r#"{{"iss":{issuer}"#).into_bytes();
        // Whole groups of three bytes only: the characters of the last group depend on what follows.
        let prefix = URL_SAFE_NO_PAD.encode(&plain[..plain.len() / 3 * 3]);
        Self { bearer, prefix }
    }
}

impl fmt::Debug for Issuers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.bearers()).finish()
    }
}
