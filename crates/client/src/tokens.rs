//! What a login gave, and what an app sends.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

/// A token is refreshed this long before it expires, or in the last fifth of its life if that is shorter.
const MARGIN: Duration = Duration::from_secs(30);

/// The longest life that is believed: a hundred years, so that no answer overflows a time.
const LONGEST_SECONDS: u64 = 100 * 365 * 86_400;

/// A text that shows itself to nobody, and is wiped when it is dropped.
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

/// The tokens of one session, as a [`TokenStore`](crate::TokenStore) keeps them.
///
/// It implements serde's traits, for stores of your own. **What it serializes to holds the tokens in clear**: whoever
/// reads it is logged in. `Debug` shows no secret.
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

/// How a session began.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Grant {
    /// A user logged in (RFC 6749 §4.3).
    #[default]
    Password,
    /// The app acts for itself (RFC 6749 §4.4).
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

/// What a token endpoint answered, before it is known whose it is.
pub(crate) struct Answer {
    pub access_token: Secret,
    pub refresh_token: Option<Secret>,
    pub scope: Option<String>,
    pub lives: Duration,
    /// When the request was sent: the token can't have lived longer than since then.
    pub asked_at: SystemTime,
}

impl Tokens {
    pub(crate) fn new(issuer: &str, client_id: &str, grant: Grant, answer: Answer) -> Self {
        let issued_at = seconds(answer.asked_at);
        Self {
            issuer: issuer.to_owned(),
            client_id: client_id.to_owned(),
            access_token: answer.access_token,
            refresh_token: answer.refresh_token,
            scope: answer.scope,
            grant,
            issued_at,
            expires_at: issued_at + answer.lives.as_secs().min(LONGEST_SECONDS),
        }
    }

    /// The authorization server that issued them.
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// The client that they were issued to.
    pub fn client_id(&self) -> &str {
        &self.client_id
    }

    /// The grant that the session began with.
    pub fn grant(&self) -> Grant {
        self.grant
    }

    /// What the access token is for: scope names with single spaces between (RFC 6749 §3.3). `None` if neither the app
    /// nor the server named a scope.
    pub fn scope(&self) -> Option<&str> {
        self.scope.as_deref()
    }

    /// When the access token was asked for, by this machine's clock, in whole seconds.
    pub fn issued_at(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(self.issued_at.min(MOST_STORED))
    }

    /// When the access token expires, by this machine's clock, in whole seconds.
    pub fn expires_at(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(self.expires_at.min(MOST_STORED))
    }

    /// True if they can be refreshed without a password.
    pub fn can_be_refreshed(&self) -> bool {
        self.refresh_token.is_some()
    }

    /// The access token.
    pub fn access_token(&self) -> AccessToken {
        AccessToken(Arc::new(self.clone()))
    }

    /// True from the moment at which the access token should be refreshed.
    pub(crate) fn is_due(&self, now: SystemTime) -> bool {
        let margin = MARGIN.min(self.life() / 5);
        // A clock that was put back to before the token was issued says nothing about its age.
        now + margin >= self.expires_at() || now + SKEW < self.issued_at()
    }

    /// How long the access token lives.
    pub(crate) fn life(&self) -> Duration {
        self.expires_at().duration_since(self.issued_at()).unwrap_or_default()
    }

    pub(crate) fn is_expired(&self, now: SystemTime) -> bool {
        now >= self.expires_at()
    }
}

/// A file may hold any number; a time may not.
const MOST_STORED: u64 = 1 << 40;

/// A clock that time service corrects moves by less.
const SKEW: Duration = Duration::from_secs(60);

fn seconds(time: SystemTime) -> u64 {
    time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs()
}

/// An access token. Cheap to clone; `Debug` does not show it.
#[derive(Clone)]
pub struct AccessToken(Arc<Tokens>);

impl AccessToken {
    /// The token itself, for `Authorization: Bearer …` (RFC 6750 §2.1). Keep it out of logs and URLs.
    pub fn secret(&self) -> &str {
        self.0.access_token.expose()
    }

    /// When it expires, by this machine's clock, in whole seconds.
    pub fn expires_at(&self) -> SystemTime {
        self.0.expires_at()
    }

    /// What it is for: scope names with single spaces between (RFC 6749 §3.3).
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

    fn tokens(lives: u64) -> Tokens {
        let answer = Answer {
            access_token: Secret::new("the-access-token"),
            refresh_token: Some(Secret::new("the-refresh-token")),
            scope: None,
            lives: Duration::from_secs(lives),
            asked_at: at(0),
        };
        Tokens::new("https://auth.example.com", "app", Grant::Password, answer)
    }

    #[test]
    fn a_token_is_due_thirty_seconds_or_a_fifth_of_its_life_before_its_end() {
        for (lives, due) in [(600, 570), (150, 120), (100, 80), (60, 48), (10, 8), (0, 0)] {
            let tokens = tokens(lives);
            assert!(tokens.is_due(at(due)), "{lives}");
            assert!(due == 0 || !tokens.is_due(at(due - 1)), "{lives}");
        }
    }

    #[test]
    fn a_clock_that_was_put_back_far_makes_a_token_due() {
        let tokens = tokens(600);
        assert!(tokens.is_due(at(0) - Duration::from_secs(3_600)));
        assert!(!tokens.is_due(at(0) - Duration::from_secs(30)));
    }

    #[test]
    fn an_endless_life_overflows_nothing() {
        assert!(!tokens(u64::MAX).is_due(at(0)));
        let text =
            serde_json::to_string(&tokens(600)).unwrap().replace(&(START + 600).to_string(), &u64::MAX.to_string());
        assert!(!serde_json::from_str::<Tokens>(&text).unwrap().is_due(at(0)));
    }

    #[test]
    fn tokens_that_say_no_grant_are_a_user_s() {
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
