//! The endpoints: from metadata (RFC 8414), or set by the app.

use std::time::Duration;

use oauth2::HttpResponse;
use oauth2::http::StatusCode;
use serde::Deserialize;
use url::{Host, Url};

use crate::error::Error;
use crate::exchange::RetryHooks;
use crate::retry::{FailureKind, Retry};
use crate::transport;

/// The endpoints that an app uses.
#[derive(Debug, Clone)]
pub(crate) struct Endpoints {
    pub token: Url,
    pub revocation: Option<Url>,
}

impl Endpoints {
    pub fn addresses(&self) -> impl Iterator<Item = &Url> {
        std::iter::once(&self.token).chain(&self.revocation)
    }
}

/// Which URLs may be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Addresses {
    /// With TLS, or with a loopback address.
    Safe,
    /// All, because the app allowed plain HTTP.
    Any,
}

/// The part of RFC 8414 §2 that an app needs.
#[derive(Deserialize)]
struct Metadata {
    issuer: String,
    token_endpoint: Option<String>,
    revocation_endpoint: Option<String>,
}

/// Fetches the issuer's metadata, which must contain exactly the issuer that the app configured (RFC 8414 §3.3). Each
/// attempt takes `limit` at most. With `hooks`, it gives way to a login or logout.
pub(crate) async fn discover(
    http: &reqwest::Client,
    issuer: &str,
    allowed: Addresses,
    limit: Duration,
    hooks: Option<&RetryHooks>,
) -> Result<Endpoints, Error> {
    let url = well_known(&parse_address(issuer, allowed)?)?;
    let answer = fetch(http, &url, limit, hooks).await?;
    if answer.status() != StatusCode::OK {
        return Err(Error::Metadata(format!("{url} returned {}", answer.status())));
    }
    let metadata: Metadata = serde_json::from_slice(answer.body()).map_err(|error| {
        Error::Metadata(format!("{url} did not return valid metadata: {}", printable(&error.to_string())))
    })?;
    if metadata.issuer != issuer {
        let other = printable(&metadata.issuer);
        return Err(Error::Metadata(format!("{url} describes the issuer {other}, not {issuer}")));
    }
    let token = metadata.token_endpoint.ok_or_else(|| Error::Metadata(format!("{url} contains no token endpoint")))?;
    let named = |text: &str| {
        let endpoint = parse_address(text, allowed)?;
        // The app chose TLS. Without it, passwords would be sent unencrypted, and through a proxy.
        match url.scheme() == "https" && endpoint.scheme() != "https" && allowed == Addresses::Safe {
            true => Err(Error::Metadata(format!("{url} uses TLS, but its endpoint {endpoint} does not"))),
            false => Ok(endpoint),
        }
    };
    let revocation = metadata.revocation_endpoint.as_deref().map(named).transpose()?;
    Ok(Endpoints { token: named(&token)?, revocation })
}

/// Retried like a request to the token endpoint, so that one lost connection does not fail a login. Metadata can be
/// fetched any number of times.
async fn fetch(
    http: &reqwest::Client,
    url: &Url,
    limit: Duration,
    hooks: Option<&RetryHooks>,
) -> Result<HttpResponse, Error> {
    let mut retry = Retry::new();
    loop {
        let failure = match transport::get(http, url, limit).await {
            Ok(answer) => return Ok(answer),
            Err(failure) => failure,
        };
        let pause = retry.after(FailureKind::from(&failure));
        let error = Error::from(failure);
        let Some(pause) = pause else { return Err(error) };
        tracing::debug!(%error, ?pause, "retrying the request for metadata");
        let goes_on = match hooks {
            Some(hooks) => hooks.pause(pause).await,
            None => {
                tokio::time::sleep(pause).await;
                true
            }
        };
        if !goes_on {
            return Err(error);
        }
    }
}

/// True if secrets may be sent there.
pub(crate) fn may_carry_secrets(url: &Url, allowed: Addresses) -> bool {
    url.scheme() == "https" || (url.scheme() == "http" && (allowed == Addresses::Any || is_loopback(url)))
}

/// Parses a URL that passwords and tokens may be sent to.
pub(crate) fn parse_address(text: &str, allowed: Addresses) -> Result<Url, Error> {
    let url = Url::parse(text).map_err(|error| Error::Setting(format!("{} is not a URL: {error}", redacted(text))))?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err(Error::Setting(
            "the URL of an authorization server must not contain a user name or password".into(),
        ));
    }
    match url.scheme() {
        "https" | "http" if may_carry_secrets(&url, allowed) => Ok(url),
        "http" => Err(Error::PlainHttp(url.to_string())),
        _ => Err(Error::Setting(format!("{} is neither https nor http", redacted(text)))),
    }
}

pub(crate) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

/// RFC 8414 §3.1: the well-known part comes between host and path.
fn well_known(issuer: &Url) -> Result<Url, Error> {
    if issuer.query().is_some() || issuer.fragment().is_some() {
        return Err(Error::Setting(format!("the issuer {issuer} has a query or a fragment")));
    }
    let mut url = issuer.clone();
    let path = issuer.path().trim_end_matches('/');
    url.set_path(&format!("/.well-known/oauth-authorization-server{path}"));
    Ok(url)
}

/// A URL for a message, valid or not, without what may be a user name and a password.
pub(crate) fn redacted(text: &str) -> String {
    let Some((user, host)) = text.rsplit_once('@') else { return printable(text) };
    let scheme = user.split_once("//").map(|(scheme, _)| format!("{scheme}//")).unwrap_or_default();
    printable(&format!("{scheme}[redacted]@{host}"))
}

/// Untrusted text for a message: without control characters, and cut to 200 characters.
pub(crate) fn printable(text: &str) -> String {
    text.chars().take(200).map(|c| if c.is_control() { ' ' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_well_known_part_comes_between_host_and_path() {
        for (issuer, expected) in [
            ("https://auth.example.com", "https://auth.example.com/.well-known/oauth-authorization-server"),
            ("https://auth.example.com/", "https://auth.example.com/.well-known/oauth-authorization-server"),
            ("https://example.com:8443/a/b", "https://example.com:8443/.well-known/oauth-authorization-server/a/b"),
            ("https://example.com/a/", "https://example.com/.well-known/oauth-authorization-server/a"),
        ] {
            assert_eq!(well_known(&Url::parse(issuer).unwrap()).unwrap().as_str(), expected);
        }
        assert!(well_known(&Url::parse("https://example.com/?a=b").unwrap()).is_err());
    }

    #[test]
    fn a_url_is_shown_without_its_password() {
        for (text, shown) in [
            ("https://auth.example.com/a", "https://auth.example.com/a"),
            ("https://user:wo@rd@auth.example.com/a", "https://[redacted]@auth.example.com/a"),
            ("user:word@auth", "[redacted]@auth"),
        ] {
            assert_eq!(redacted(text), shown);
        }
    }

    #[test]
    fn plain_http_is_allowed_to_loopback_addresses_only() {
        for good in ["https://auth.example.com", "http://127.0.0.1:8080", "http://[::1]", "http://localhost:1"] {
            assert!(parse_address(good, Addresses::Safe).is_ok(), "{good}");
        }
        for plain in
            ["http://auth.example.com", "http://10.0.0.1", "http://localhost.example.com", "http://a.localhost"]
        {
            assert!(matches!(parse_address(plain, Addresses::Safe), Err(Error::PlainHttp(_))), "{plain}");
            assert!(parse_address(plain, Addresses::Any).is_ok(), "{plain}");
        }
        let with_password =
            ["https://me:otters@auth.example.com", "https://me:two/otters@x y", "ftp:me:otters@x", "otters@"];
        for bad in ["auth.example.com", "ftp://auth.example.com", ""].into_iter().chain(with_password) {
            let error = parse_address(bad, Addresses::Any).unwrap_err();
            assert!(matches!(error, Error::Setting(_)), "{bad}");
            assert!(!error.to_string().contains("otters"), "{error}");
        }
    }
}
