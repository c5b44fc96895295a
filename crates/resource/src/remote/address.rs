//! The addresses that requests may go to.

use std::net::IpAddr;

use url::{Host, Url};

use crate::build_error::BuildError;

/// Parses an address. Plain HTTP is allowed to loopback only, unless `allow_plain_http`: anyone on the network path
/// could replace the keys.
pub(crate) fn parse(what: &'static str, text: &str, allow_plain_http: bool) -> Result<Url, BuildError> {
    let bad = |reason| BuildError::BadUrl { what, reason };
    let url = Url::parse(text).map_err(|_| bad("it is not an absolute URL"))?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err(bad("it contains a user name or a password; use credentials()"));
    }
    if url.fragment().is_some() {
        return Err(bad("it contains a fragment"));
    }
    match (url.scheme(), url.host()) {
        ("https", Some(_)) => Ok(url),
        ("http", Some(host)) if allow_plain_http || is_loopback(&host) => Ok(url),
        ("http", Some(_)) => Err(BuildError::PlainHttp { what }),
        _ => Err(bad("its scheme is neither https nor http")),
    }
}

/// Parses an issuer, which must not have a query either (RFC 8414 §2).
pub(crate) fn parse_issuer(text: &str, allow_plain_http: bool) -> Result<Url, BuildError> {
    let url = parse("the issuer", text, allow_plain_http)?;
    if url.query().is_some() {
        return Err(BuildError::BadUrl { what: "the issuer", reason: "it contains a query" });
    }
    Ok(url)
}

/// The address of an issuer's metadata: the well-known part goes between host and path (RFC 8414 §3.1).
pub(crate) fn metadata(issuer: &Url) -> Url {
    let mut url = issuer.clone();
    let path = issuer.path().trim_end_matches('/');
    url.set_path(&format!("/.well-known/oauth-authorization-server{path}"));
    url
}

fn is_loopback(host: &Host<&str>) -> bool {
    match host {
        // Not its subdomains: resolvers may ignore RFC 6761 §6.3 and ask the network for such names.
        Host::Domain(name) => *name == "localhost",
        Host::Ipv4(address) => address.is_loopback(),
        Host::Ipv6(address) => IpAddr::V6(*address).to_canonical().is_loopback(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a54_the_well_known_part_goes_between_host_and_path() {
        for (issuer, expected) in [
            ("https://a.example", "https://a.example/.well-known/oauth-authorization-server"),
            ("https://a.example/", "https://a.example/.well-known/oauth-authorization-server"),
            ("https://a.example:8443/t/1", "https://a.example:8443/.well-known/oauth-authorization-server/t/1"),
            ("https://a.example/t/1/", "https://a.example/.well-known/oauth-authorization-server/t/1"),
        ] {
            assert_eq!(metadata(&Url::parse(issuer).unwrap()).as_str(), expected);
        }
    }

    #[test]
    fn plain_http_is_allowed_to_loopback_only() {
        for good in
            ["http://127.0.0.1:8000", "http://[::1]:8000", "http://localhost", "http://LOCALHOST:1", "https://a"]
        {
            assert!(parse("it", good, false).is_ok(), "{good}");
        }
        for bad in [
            "http://auth.example.com",
            "http://10.0.0.1",
            "http://localhost.example.com",
            "http://a.localhost",
            "http://localhost.",
            "http://[::2]",
        ] {
            assert_eq!(parse("it", bad, false), Err(BuildError::PlainHttp { what: "it" }), "{bad}");
            assert!(parse("it", bad, true).is_ok());
        }
    }

    #[test]
    fn an_invalid_address_is_refused_and_its_password_is_not_repeated() {
        for bad in [
            "",
            "auth",
            "ftp://a",
            "https://",
            "file:///etc/passwd",
            "https://a#b",
            "https://u:hunter2@a",
            "https://u@a",
        ] {
            let error = parse("it", bad, true).unwrap_err();
            assert!(matches!(error, BuildError::BadUrl { .. }), "{bad}");
            assert!(!error.to_string().contains("hunter2"));
        }
        assert!(parse_issuer("https://a?b=c", false).is_err());
    }
}
