//! Which web pages may read this server's answers (CORS, <https://fetch.spec.whatwg.org/#http-cors-protocol>).
//!
//! Swagger UI of another service, or a browser app, asks for tokens from a page of another origin. No cookie is ever
//! involved, so what an origin is let to do is only what its own page was given a password or a token for.

use std::fmt;
use std::str::FromStr;

use actix_cors::Cors;
use actix_web::http::header::HeaderValue;
use url::{Host, Url};

/// For how long a browser remembers what it was allowed, in seconds.
const REMEMBERED: usize = 3_600;

/// The headers that such a page may read besides the body. actix-cors would write them in an order that changes from
/// one worker to the next; answers that must not differ are the same to the byte.
pub const READABLE: &str = "retry-after, www-authenticate";

/// The origin of a web page: scheme, host and port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebOrigin(String);

/// Why a text is no origin.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no origin: write it like https://notes.example.com, with no path and no slash at its end")]
pub struct WebOriginError(String);

impl FromStr for WebOrigin {
    type Err = WebOriginError;

    fn from_str(text: &str) -> Result<Self, WebOriginError> {
        let bad = || WebOriginError(text.to_owned());
        let url = Url::parse(text).map_err(|_| bad())?;
        let origin = url.origin().ascii_serialization();
        // A browser sends exactly the serialization (RFC 6454 §6.2), so anything else would never match.
        if !matches!(url.scheme(), "http" | "https") || origin != text.to_ascii_lowercase() {
            return Err(bad());
        }
        Ok(Self(origin))
    }
}

impl fmt::Display for WebOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Lets pages of these origins read answers, and of any loopback origin where the issuer is one itself.
pub fn cors(allowed: Vec<WebOrigin>, loopback: bool) -> Cors {
    Cors::default()
        .allowed_origin_fn(move |origin, _| is_allowed(origin, &allowed, loopback))
        .allowed_methods(["GET", "POST", "DELETE", "PATCH", "PUT"])
        .allow_any_header()
        .max_age(REMEMBERED)
        // Any other page just can't read the answer, as if CORS were not there.
        .block_on_origin_mismatch(false)
}

fn is_allowed(origin: &HeaderValue, allowed: &[WebOrigin], loopback: bool) -> bool {
    let Ok(origin) = origin.to_str() else { return false };
    allowed.iter().any(|allowed| allowed.0 == origin) || (loopback && is_loopback(origin))
}

fn is_loopback(origin: &str) -> bool {
    let Ok(url) = Url::parse(origin) else { return false };
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_scheme_host_and_port_and_nothing_else() {
        for good in ["https://notes.example.com", "http://127.0.0.1:8081", "http://[::1]:3000"] {
            assert_eq!(good.parse::<WebOrigin>().unwrap().to_string(), good);
        }
        for bad in ["*", "null", "notes.example.com", "https://a.example/", "https://a.example/x", "file:///x", ""] {
            assert!(bad.parse::<WebOrigin>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn only_a_loopback_issuer_trusts_pages_of_this_machine() {
        let named = ["https://notes.example.com".parse().unwrap()];
        let allows = |origin: &'static str, loopback| is_allowed(&HeaderValue::from_static(origin), &named, loopback);
        assert!(allows("https://notes.example.com", false));
        for foreign in ["https://notes.example.com:444", "http://notes.example.com", "https://evil.example", "null"] {
            assert!(!allows(foreign, true), "{foreign}");
        }
        for here in ["http://localhost:8081", "http://127.0.0.1:8081", "http://[::1]:8081"] {
            assert!(allows(here, true) && !allows(here, false), "{here}");
        }
        assert!(!allows("http://localhost.evil.example", true));
    }
}
