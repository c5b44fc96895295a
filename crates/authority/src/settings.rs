//! The settings of an authorization server, checked once at the start.

use std::num::NonZeroUsize;
use std::time::Duration;

use ficha_password::Cost;
use ficha_token::Algorithm;
use url::{Host, Url};

use crate::audience::check_audience;
use crate::error::SettingsError;
use crate::keys::secret::Secret;

/// The settings of an authorization server. [`Settings::check`] checks that they fit together.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The issuer: the exact `iss` of every token, and the base of every endpoint's URL.
    pub issuer: Issuer,
    /// How long tokens and sessions live, and what they default to.
    pub token: TokenSettings,
    /// How passwords are hashed.
    pub password: PasswordSettings,
    /// How access tokens are signed.
    pub signing: SigningSettings,
    /// Who may follow the denylist, and how many followers at once.
    pub denylist: DenylistSettings,
    /// How long sessions with the server's own scopes live.
    pub admin: AdminSettings,
    /// How long ended sessions are kept.
    pub sessions: SessionSettings,
}

/// `sessions.*`
#[derive(Debug, Clone)]
pub struct SessionSettings {
    /// For how long lists show a session after it has ended.
    pub keep_ended: Duration,
}

impl Default for SessionSettings {
    fn default() -> Self {
        Self { keep_ended: Duration::from_secs(30 * 86_400) }
    }
}

/// `token.*`
#[derive(Debug, Clone)]
pub struct TokenSettings {
    /// How long an access token lives. RFC 6749 calls it `expires_in`.
    pub access_ttl: Duration,
    /// How long a session lives without a refresh.
    pub refresh_idle_ttl: Duration,
    /// How long a session lives at most.
    pub session_ttl: Duration,
    /// How long the previous refresh token may be retried for the same successor. Zero: never.
    pub refresh_grace: Duration,
    /// The `aud` of tokens whose client sets none; `None` is the issuer.
    pub audience: Option<String>,
    /// The client of a request that names none. `None`: `first-party` if the issuer is a loopback address, otherwise
    /// none.
    pub default_client: Option<String>,
}

/// `password.*`
#[derive(Debug, Clone)]
pub struct PasswordSettings {
    /// The bcrypt cost of new hashes.
    pub bcrypt_cost: Cost,
    /// The highest cost of a stored hash; one with a higher cost is refused without computing it.
    pub max_stored_cost: u32,
    /// The minimum length of a new password, in characters.
    pub min_length: usize,
    /// How many threads hash passwords; `None`: one per core.
    pub threads: Option<NonZeroUsize>,
    /// How many logins may wait for a thread.
    pub max_queue: usize,
    /// How many of those may come from one source.
    pub max_queue_per_source: usize,
}

/// `denylist.*`
#[derive(Debug, Clone)]
pub struct DenylistSettings {
    /// Whether followers without credentials are allowed; `None`: only if the issuer is a loopback address.
    pub anonymous: Option<bool>,
    /// How many polls may be held at once.
    pub max_waiting: usize,
    /// How many of those may come from one client at one address.
    pub max_waiting_per_source: usize,
}

/// `admin.*`
#[derive(Debug, Clone)]
pub struct AdminSettings {
    /// How long a session with one of the server's own scopes lives at most.
    pub session_ttl: Duration,
    /// How long it lives without a refresh.
    pub session_idle_ttl: Duration,
    /// True: what an administrator reads over HTTP is an event.
    pub record_reads: bool,
}

impl Default for AdminSettings {
    fn default() -> Self {
        Self {
            session_ttl: Duration::from_secs(8 * 3_600),
            session_idle_ttl: Duration::from_secs(15 * 60),
            record_reads: false,
        }
    }
}

impl Default for DenylistSettings {
    fn default() -> Self {
        Self { anonymous: None, max_waiting: 10_000, max_waiting_per_source: 2_500 }
    }
}

/// How access tokens are signed.
#[derive(Debug, Clone)]
pub enum SigningSettings {
    /// With a key pair from the key ring: ES256, EdDSA or RS256.
    KeyPair {
        /// Which.
        algorithm: Algorithm,
        /// How long until the key is rotated automatically; `None`: never.
        rotate_after: Option<Duration>,
    },
    /// With one secret that every service shares (HS256).
    SharedSecret(Secret),
}

impl SigningSettings {
    /// The algorithm of new key pairs. With a shared secret there is a key pair as well, neither used nor published
    /// until that setting is removed: the server then signs with it and needs no new first start.
    pub fn pair_algorithm(&self) -> Algorithm {
        match self {
            Self::KeyPair { algorithm, .. } => *algorithm,
            Self::SharedSecret(_) => Algorithm::ES256,
        }
    }
}

/// How long services may cache the key set, in seconds (`Cache-Control: max-age`). A new key signs only after every
/// cached copy without it has expired.
pub const JWKS_MAX_AGE: i64 = 300;

/// How long after its publication a new key begins to sign, in seconds.
pub const PUBLISH_AHEAD: i64 = JWKS_MAX_AGE + 30;

impl TokenSettings {
    /// The life of an access token in whole seconds.
    pub fn access_seconds(&self) -> i64 {
        self.access_ttl.as_secs() as i64
    }
}

impl Settings {
    /// Refuses settings that are out of range or contradict each other; the error names the setting.
    pub fn check(&self) -> Result<(), SettingsError> {
        let token = &self.token;
        let range = |key, value: Duration, least: u64, most: u64| {
            if (least..=most).contains(&value.as_secs()) {
                Ok(())
            } else {
                Err(SettingsError::OutOfRange { key, least, most })
            }
        };
        range("token.access_ttl", token.access_ttl, 10, 86_400)?;
        range("token.session_ttl", token.session_ttl, 60, 10 * 365 * 86_400)?;
        range("token.refresh_idle_ttl", token.refresh_idle_ttl, 60, 10 * 365 * 86_400)?;
        range("admin.session_ttl", self.admin.session_ttl, 60, 90 * 86_400)?;
        range("admin.session_idle_ttl", self.admin.session_idle_ttl, 60, 90 * 86_400)?;
        // A retry answers with a token that reaches no further than the row says, so that token must still be alive.
        range("token.refresh_grace", token.refresh_grace, 0, token.access_ttl.as_secs() / 2)?;
        if let SigningSettings::KeyPair { algorithm, rotate_after } = &self.signing {
            if !matches!(algorithm, Algorithm::ES256 | Algorithm::EdDSA | Algorithm::RS256) {
                return Err(SettingsError::Algorithm(*algorithm));
            }
            if let Some(after) = rotate_after {
                range("keys.rotate_after", *after, 3_600, 10 * 365 * 86_400)?;
            }
        }
        if let SigningSettings::SharedSecret(secret) = &self.signing
            && secret.expose().len() < 32
        {
            return Err(SettingsError::ShortSecret);
        }
        if let Some(audience) = &token.audience {
            check_audience(audience).map_err(|why| SettingsError::Audience { audience: audience.clone(), why })?;
        }
        if self.denylist.anonymous == Some(true) && !self.issuer.is_loopback() {
            return Err(SettingsError::Anonymous(self.issuer.as_str().to_owned()));
        }
        Ok(())
    }

    /// The `aud` of tokens whose client sets none.
    pub fn default_audience(&self) -> &str {
        self.token.audience.as_deref().unwrap_or(self.issuer.as_str())
    }

    /// The client of a request that names none.
    pub fn default_client(&self) -> Option<&str> {
        match &self.token.default_client {
            Some(id) => Some(id),
            None if self.issuer.is_loopback() => Some(FIRST_PARTY),
            None => None,
        }
    }

    /// True if the denylist may be followed without credentials.
    pub fn anonymous_following(&self) -> bool {
        self.issuer.is_loopback() && self.denylist.anonymous != Some(false)
    }

    /// True if every service has the secret that signs tokens, and so could sign an administrator's token.
    pub fn shares_secret(&self) -> bool {
        matches!(self.signing, SigningSettings::SharedSecret(_))
    }
}

/// The public client that the first start creates.
pub const FIRST_PARTY: &str = "first-party";

/// The user that the first start creates.
pub const ADMIN: &str = "admin";

/// The scope that is reserved for administration.
pub const ADMIN_SCOPE: &str = "ficha:admin";

/// The scope that every user has: it is about themselves alone.
pub const ACCOUNT_SCOPE: &str = "ficha:account";

/// The client with which administrators sign in from the command line.
pub const ADMIN_CLI: &str = "ficha-cli";

/// The client of the console. It gets no tokens from `/token`: the console alone signs in with it.
pub const CONSOLE: &str = "ficha-console";

/// An issuer identifier (RFC 8414 §2): a URL with no query and no fragment, kept exactly as it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Issuer {
    text: String,
    url: Url,
}

impl Issuer {
    /// Parses an issuer. Plain HTTP is accepted here; see [`Issuer::is_plain_http`].
    pub fn parse(text: &str) -> Result<Self, SettingsError> {
        let bad = |why| SettingsError::Issuer { issuer: text.to_owned(), why };
        let url = Url::parse(text).map_err(|_| bad("it is not a URL"))?;
        if !matches!(url.scheme(), "https" | "http") {
            return Err(bad("its scheme is neither https nor http"));
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(bad("it has a query or a fragment"));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(bad("it has a user name or password"));
        }
        if url.path().len() > 1 && url.path().ends_with('/') || text.ends_with('/') {
            return Err(bad("it ends in a slash"));
        }
        // Routes are matched against the decoded path: a path that can be written in two ways would not match.
        let path = text.splitn(4, '/').nth(3).map(|path| format!("/{path}")).unwrap_or_default();
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/-._~".contains(&byte);
        if path != url.path().trim_end_matches('/') || path.contains("//") || !path.bytes().all(plain) {
            return Err(bad("its path may contain only letters, digits, - . _ ~ and single slashes"));
        }
        // Services compare `iss` with it as text, and others may write it in the normal form.
        if url.as_str().trim_end_matches('/') != text {
            return Err(bad(
                "it is not in its normal form: lower case, without a default port, and an international host in ASCII (xn--…)",
            ));
        }
        Ok(Self { text: text.to_owned(), url })
    }

    /// The same path at another origin.
    pub fn at_origin(&self, origin: &str) -> Result<Self, SettingsError> {
        Self::parse(&format!("{origin}{}", self.path()))
    }

    /// Exactly as it was configured.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// True if its scheme is `http`.
    pub fn is_plain_http(&self) -> bool {
        self.url.scheme() == "http"
    }

    /// True if only this machine can reach it.
    pub fn is_loopback(&self) -> bool {
        match self.url.host() {
            Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
            Some(Host::Ipv4(address)) => address.is_loopback(),
            Some(Host::Ipv6(address)) => address.is_loopback(),
            None => false,
        }
    }

    /// The address of an endpoint, such as `/token`.
    pub fn endpoint(&self, path: &str) -> String {
        format!("{}{path}", self.text)
    }

    /// The path part: empty, or `/…` without a slash at its end.
    pub fn path(&self) -> &str {
        self.url.path().trim_end_matches('/')
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a55_an_issuer_has_no_query_and_no_fragment() {
        let forms = [
            "HTTPS://x",
            "https://X",
            "https://x:443",
            "https:\\\\x",
            "https://x\n",
            " https://x",
            "https://ñ.example",
            "https:x",
        ];
        for bad in forms {
            assert!(Issuer::parse(bad).is_err(), "{bad:?}");
        }
        assert!(Issuer::parse("https://xn--ida.example:8443/a").is_ok());
        let paths = ["https://x/a%20b", "https://x/a/../b", "https://x//y"];
        let others = ["http://x?y", "http://x#y", "ftp://x", "x", "https://a:b@x", "https://x/", "https://x/y/"];
        for bad in paths.into_iter().chain(others) {
            assert!(Issuer::parse(bad).is_err(), "{bad}");
        }
        let issuer = Issuer::parse("https://auth.example.com/tenant").unwrap();
        assert_eq!(issuer.path(), "/tenant");
        assert_eq!(issuer.endpoint("/token"), "https://auth.example.com/tenant/token");
    }

    #[test]
    fn only_this_machine_is_loopback() {
        for (issuer, expected) in [
            ("http://127.0.0.1:8080", true),
            ("http://localhost:8080", true),
            ("http://[::1]:8080", true),
            ("http://127.0.0.1.example.com", false),
            ("http://localhost.example.com", false),
            ("http://10.0.0.1", false),
        ] {
            assert_eq!(Issuer::parse(issuer).unwrap().is_loopback(), expected, "{issuer}");
        }
    }
}
