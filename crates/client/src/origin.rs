//! Origins of other servers, to which tokens may be sent.

use url::Url;

use crate::endpoints::{Addresses, may_carry_secrets, redacted};

/// Why a text was not accepted as an origin. A user name and password in the text are left out.
///
/// ```
/// # #[cfg(feature = "middleware")] {
/// use ficha_client::{BadOrigin, TokenSource};
///
/// let tokens = TokenSource::builder("https://auth.example.com", "notes-app").build()?;
/// let refused = tokens.middleware(["http://notes.example.com"]).unwrap_err();
/// assert!(matches!(refused, BadOrigin::PlainHttp(_)));
/// # }
/// # Ok::<(), ficha_client::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BadOrigin {
    /// Not an origin such as `https://api.example.com` or `http://127.0.0.1:8081`.
    #[error("{0} is not an origin: it should look like https://api.example.com")]
    Invalid(String),
    /// An origin without TLS that is not a loopback address: tokens would be sent unencrypted.
    #[error("{0} has no TLS and is not a loopback address: tokens would be sent unencrypted")]
    PlainHttp(String),
}

/// The URL of an origin to which tokens may be sent.
pub(crate) fn bare_origin(text: &str, allowed: Addresses) -> Result<Url, BadOrigin> {
    let bad = || BadOrigin::Invalid(redacted(text));
    let url = Url::parse(text).map_err(|_| bad())?;
    let has_user = !url.username().is_empty() || url.password().is_some();
    let is_bare = url.path() == "/" && url.query().is_none() && url.fragment().is_none() && !has_user;
    if !matches!(url.scheme(), "https" | "http") || !is_bare {
        return Err(bad());
    }
    match may_carry_secrets(&url, allowed) {
        true => Ok(url),
        false => Err(BadOrigin::PlainHttp(redacted(text))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_has_no_path() {
        for good in ["https://api.example.com", "https://api.example.com/", "http://127.0.0.1:8081"] {
            assert!(bare_origin(good, Addresses::Safe).is_ok(), "{good}");
        }
        let [one, other] = ["https://api.example.com", "https://API.example.com:443/"];
        let known = |text| bare_origin(text, Addresses::Safe).map(|url| url.origin());
        assert_eq!(known(one), known(other));
        for bad in ["api.example.com", "https://api.example.com/v1", "https://x/?a", "file:///etc", "https://u@x", ""] {
            let error = BadOrigin::Invalid(redacted(bad));
            assert_eq!(bare_origin(bad, Addresses::Any), Err(error));
        }
        let plain = "http://api.example.com";
        assert_eq!(bare_origin(plain, Addresses::Safe), Err(BadOrigin::PlainHttp(plain.into())));
        assert!(bare_origin(plain, Addresses::Any).is_ok());
    }
}
