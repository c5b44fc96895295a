//! Several issuers in front of one service.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ficha_token::{MAX_TOKEN_BYTES, TokenError};
use serde::Deserialize;

use crate::error::VerifyError;
use crate::health::{Readiness, Stats};
use crate::password_bearer::OAuth2PasswordBearer;
use crate::source::OnStale;
use crate::verified::Verified;

/// Several issuers, any of whose tokens will do. [`OAuth2PasswordBearer::any_of`] makes it; a clone is cheap.
///
/// A token goes to the one issuer that its `iss` names, and to no other. Nothing of the token is believed for that: the
/// issuer that it goes to does every check, `iss` among them. So a key of one issuer never vouches for another's token.
#[derive(Clone)]
pub struct Issuers {
    parts: Arc<[Part]>,
}

struct Part {
    bearer: OAuth2PasswordBearer,
    /// How the payload of this issuer's tokens begins where `iss` stands first, as it does in Ficha's own.
    opening: String,
}

/// All that is read of a payload before its signature is checked.
#[derive(Deserialize)]
struct Peeked<'p> {
    #[serde(borrow)]
    iss: Cow<'p, str>,
}

impl OAuth2PasswordBearer {
    /// Takes the tokens of each of these issuers. Of two with the same `iss` the first counts.
    ///
    /// ```
    /// # use ficha_resource::{OAuth2PasswordBearer, TestIssuer};
    /// let (staff, guests) = (TestIssuer::named("https://staff.test"), TestIssuer::named("https://guests.test"));
    /// let both = OAuth2PasswordBearer::any_of([staff.oauth2(), guests.oauth2()]);
    /// assert!(both.verify(&guests.token().sign()).is_ok());
    /// ```
    pub fn any_of(bearers: impl IntoIterator<Item = Self>) -> Issuers {
        Issuers { parts: bearers.into_iter().map(Part::new).collect() }
    }
}

impl Issuers {
    /// The issuers, as they were given.
    pub fn bearers(&self) -> impl ExactSizeIterator<Item = &OAuth2PasswordBearer> {
        self.parts.iter().map(|part| &part.bearer)
    }

    /// Checks a token by the issuer that it names. It never waits.
    pub fn verify(&self, token: &str) -> Result<Arc<Verified>, VerifyError> {
        self.pick(token)?.verify(token)
    }

    /// Checks a token by the issuer that it names, and waits a little where that has to fetch a key.
    pub async fn verify_waiting(&self, token: &str) -> Result<Arc<Verified>, VerifyError> {
        self.pick(token)?.verify_waiting(token).await
    }

    /// [`Issuers::verify_waiting`], with a choice of what a stale denylist means: for one route.
    pub async fn verify_waiting_with(&self, token: &str, on_stale: OnStale) -> Result<Arc<Verified>, VerifyError> {
        self.pick(token)?.verify_waiting_with(token, on_stale).await
    }

    /// Whether the tokens of all of them can be decided about now, for a health endpoint. What holds up several stands
    /// there once; [`Issuers::bearers`] tell whose it is.
    pub fn ready(&self) -> Readiness {
        let mut reasons = Vec::new();
        for reason in self.bearers().flat_map(|bearer| bearer.ready().reasons().to_vec()) {
            if !reasons.contains(&reason) {
                reasons.push(reason);
            }
        }
        Readiness::new(reasons)
    }

    /// How following has gone so far, for each of them; [`Stats::prometheus_of`] makes one text of it.
    pub fn stats(&self) -> Vec<Stats> {
        self.bearers().map(OAuth2PasswordBearer::stats).collect()
    }

    /// Who is to check this token.
    pub(crate) fn pick(&self, token: &str) -> Result<&OAuth2PasswordBearer, VerifyError> {
        if token.len() > MAX_TOKEN_BYTES {
            return Err(VerifyError::Invalid(TokenError::TooLong));
        }
        let payload = token.split('.').nth(1).unwrap_or_default();
        // A comparison of bytes, so that a token seen before costs hardly more than with one issuer. An opening may
        // lack up to two bytes of the issuer, so where it fits several the payload is read.
        let mut fitting = self.parts.iter().filter(|part| payload.starts_with(&part.opening));
        if let (Some(part), None) = (fitting.next(), fitting.next()) {
            return Ok(&part.bearer);
        }
        let unreadable = || VerifyError::Invalid(TokenError::Malformed("its claims name no issuer"));
        let payload = URL_SAFE_NO_PAD.decode(payload).map_err(|_| unreadable())?;
        let peeked: Peeked<'_> = serde_json::from_slice(&payload).map_err(|_| unreadable())?;
        self.named(&peeked.iss).ok_or(VerifyError::Invalid(TokenError::WrongIssuer))
    }

    /// The issuer of this name.
    pub(crate) fn named(&self, issuer: &str) -> Option<&OAuth2PasswordBearer> {
        self.bearers().find(|bearer| bearer.description().issuer == issuer)
    }

    /// True if both take the tokens of the same verifiers.
    #[cfg(feature = "actix")]
    pub(crate) fn is(&self, other: &Self) -> bool {
        let mut pairs = self.bearers().zip(other.bearers());
        self.parts.len() == other.parts.len() && pairs.all(|(own, other)| own.verifier().is(other.verifier()))
    }
}

impl Part {
    fn new(bearer: OAuth2PasswordBearer) -> Self {
        let issuer = serde_json::Value::from(bearer.description().issuer.as_str());
        let plain = format!(r#"{{"iss":{issuer}"#).into_bytes();
        // Whole groups of three bytes only: the characters of the last group depend on what follows.
        let opening = URL_SAFE_NO_PAD.encode(&plain[..plain.len() / 3 * 3]);
        Self { bearer, opening }
    }
}

impl fmt::Debug for Issuers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.bearers()).finish()
    }
}
