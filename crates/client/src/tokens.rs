//! The tokens of a session, and the access token that an app sends.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

/// A token is refreshed this long before it expires, or in the last fifth of its lifetime if that is shorter.
const MARGIN: Duration = Duration::from_secs(30);

/// The longest lifetime, a hundred years, so that a huge `expires_in` does not overflow.
const MAX_LIFETIME_SECONDS: u64 = 100 * 365 * 86_400;

/// A text that `Debug` does not show, and that is zeroed when it is dropped.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub(crate) struct Secret(Zeroizing<String>);

impl Secret {
    pub(crate) fn new(text: &str) -> Self {
        Self(text.to_owned().into())
    }

    pub(crate) fn expose(&self) -> &str {
        &self.0
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self(text.into())
    }
}

impl From<Secret> for String {
    fn from(secret: Secret) -> Self {
        secret.expose().to_owned()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

/// The tokens of one session, as saved in a [`TokenStore`](crate::TokenStore).
///
/// Implements `Serialize` and `Deserialize`, for stores of your own. **The serialized form contains the tokens
/// unencrypted**: anyone who can read it can use the session. `Debug` shows no secret.
///
/// ```no_run
/// # async fn example(tokens: ficha_client::TokenSource) -> Result<(), ficha_client::Error> {
/// let session = tokens.login("alice", "her password").await?;
/// println!("granted: {}", session.scope().unwrap_or("the default"));
/// assert!(session.can_be_refreshed());
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tokens {
    pub(crate) issuer: String,
    pub(crate) client_id: String,
    pub(crate) access_token: Secret,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) refresh_token: Option<Secret>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) scope: Option<String>,
    #[serde(default)]
    pub(crate) grant: Grant,
    /// Seconds since 1970.
    issued_at: u64,
    /// Seconds since 1970.
    expires_at: u64,
}

/// The grant that a session was started with.
///
/// ```
/// use ficha_client::Grant;
///
/// assert_eq!(Grant::ClientCredentials.to_string(), "client_credentials");
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Grant {
    /// A user logged in with a password (RFC 6749 §4.3).
    #[default]
    Password,
    /// The app acts for itself, without a user (RFC 6749 §4.4).
    ClientCredentials,
}

impl fmt::Display for Grant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Password => "password",
            Self::ClientCredentials => "client_credentials",
        })
    }
}

/// The response of a token endpoint.
pub(crate) struct Answer {
    pub access_token: Secret,
    pub refresh_token: Option<Secret>,
    pub scope: Option<String>,
    pub lifetime: Duration,
    /// When the request was sent. The token may have been issued at any time since, so its lifetime is counted from
    /// here.
    pub requested_at: SystemTime,
}

impl Tokens {
    pub(crate) fn new(issuer: &str, client_id: &str, grant: Grant, answer: Answer) -> Self {
        let issued_at = seconds(answer.requested_at);
        Self {
            issuer: issuer.to_owned(),
            client_id: client_id.to_owned(),
            access_token: answer.access_token,
            refresh_token: answer.refresh_token,
            scope: answer.scope,
            grant,
            issued_at,
            expires_at: issued_at + answer.lifetime.as_secs().min(MAX_LIFETIME_SECONDS),
        }
    }

    /// The issuer: the authorization server that issued these tokens.
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// The client that these tokens were issued to.
    pub fn client_id(&self) -> &str {
        &self.client_id
    }

    /// The grant that the session was started with.
    pub fn grant(&self) -> Grant {
        self.grant
    }

    /// The scope of the access token: scope names separated by single spaces (RFC 6749 §3.3). `None` if neither the app
    /// nor the server named a scope.
    pub fn scope(&self) -> Option<&str> {
        self.scope.as_deref()
    }

    /// When the access token was requested, by this machine's clock, in whole seconds.
    pub fn issued_at(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(self.issued_at.min(MAX_STORED))
    }

    /// When the access token expires, by this machine's clock, in whole seconds.
    pub fn expires_at(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(self.expires_at.min(MAX_STORED))
    }

    /// True if there is a refresh token, so that no password is needed for the next access token.
    pub fn can_be_refreshed(&self) -> bool {
        self.refresh_token.is_some()
    }

    /// The access token.
    pub fn access_token(&self) -> AccessToken {
        AccessToken(Arc::new(self.clone()))
    }

    /// True if the access token should be refreshed.
    pub(crate) fn is_due(&self, now: SystemTime) -> bool {
        let margin = MARGIN.min(self.lifetime() / 5);
        // If the clock has been set back to before the token was issued, the age of the token is unknown.
        now + margin >= self.expires_at() || now + SKEW < self.issued_at()
    }

    /// The lifetime of the access token.
    pub(crate) fn lifetime(&self) -> Duration {
        self.expires_at().duration_since(self.issued_at()).unwrap_or_default()
    }

    pub(crate) fn is_expired(&self, now: SystemTime) -> bool {
        now >= self.expires_at()
    }
}

/// A stored number may be too large for a `SystemTime`.
const MAX_STORED: u64 = 1 << 40;

/// Time synchronization corrects a clock by less than this.
const SKEW: Duration = Duration::from_secs(60);

fn seconds(time: SystemTime) -> u64 {
    time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs()
}

/// An access token. It is cheap to clone, and `Debug` does not show the token.
///
/// ```no_run
/// # async fn example(tokens: ficha_client::TokenSource) -> Result<(), ficha_client::Error> {
/// let token = tokens.access_token().await?;
/// let header = format!("Bearer {}", token.secret());
/// # drop(header);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct AccessToken(Arc<Tokens>);

impl AccessToken {
    /// The text of the token, for `Authorization: Bearer …` (RFC 6750 §2.1). Keep it out of logs and URLs.
    pub fn secret(&self) -> &str {
        self.0.access_token.expose()
    }

    /// When the token expires, by this machine's clock, in whole seconds.
    pub fn expires_at(&self) -> SystemTime {
        self.0.expires_at()
    }

    /// The scope of the token: scope names separated by single spaces (RFC 6749 §3.3). `None` if neither the app nor
    /// the server named a scope.
    pub fn scope(&self) -> Option<&str> {
        self.0.scope()
    }

    pub(crate) fn tokens(&self) -> &Tokens {
        &self.0
    }
}

impl fmt::Debug for AccessToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AccessToken").field("expires_at", &self.expires_at()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: u64 = 1_763_800_000;

    fn at(seconds: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(START + seconds)
    }

    fn tokens(lifetime: u64) -> Tokens {
        let answer = Answer {
            access_token: Secret::new("the-access-token"),
            refresh_token: Some(Secret::new("the-refresh-token")),
            scope: None,
            lifetime: Duration::from_secs(lifetime),
            requested_at: at(0),
        };
        Tokens::new("https://auth.example.com", "app", Grant::Password, answer)
    }

    #[test]
    fn a_token_is_due_thirty_seconds_or_a_fifth_of_its_lifetime_before_it_expires() {
        for (lifetime, due) in [(600, 570), (150, 120), (100, 80), (60, 48), (10, 8), (0, 0)] {
            let tokens = tokens(lifetime);
            assert!(tokens.is_due(at(due)), "{lifetime}");
            assert!(due == 0 || !tokens.is_due(at(due - 1)), "{lifetime}");
        }
    }

    #[test]
    fn a_clock_that_was_set_back_far_makes_a_token_due() {
        let tokens = tokens(600);
        assert!(tokens.is_due(at(0) - Duration::from_secs(3_600)));
        assert!(!tokens.is_due(at(0) - Duration::from_secs(30)));
    }

    #[test]
    fn a_huge_lifetime_does_not_overflow() {
        assert!(!tokens(u64::MAX).is_due(at(0)));
        let text =
            serde_json::to_string(&tokens(600)).unwrap().replace(&(START + 600).to_string(), &u64::MAX.to_string());
        assert!(!serde_json::from_str::<Tokens>(&text).unwrap().is_due(at(0)));
    }

    #[test]
    fn stored_tokens_without_a_grant_belong_to_a_user() {
        let mut tokens = tokens(600);
        tokens.grant = Grant::ClientCredentials;
        let text = serde_json::to_string(&tokens).unwrap();
        assert_eq!(serde_json::from_str::<Tokens>(&text).unwrap().grant(), Grant::ClientCredentials);
        let older = text.replace(",\"grant\":\"client_credentials\"", "");
        assert_ne!(older, text);
        assert_eq!(serde_json::from_str::<Tokens>(&older).unwrap().grant(), Grant::Password);
    }

    #[test]
    fn debug_shows_no_token() {
        let tokens = tokens(600);
        let shown = format!("{tokens:?} {:?}", tokens.access_token());
        assert!(!shown.contains("the-"), "{shown}");
    }
}
