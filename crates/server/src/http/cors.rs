//! Which web pages may read this server's responses (CORS, <https://fetch.spec.whatwg.org/#http-cors-protocol>).
//!
//! A browser app, or the Swagger UI of another service, requests tokens from a page of another origin. No cookies are
//! involved, so an allowed origin can only use the passwords and tokens that its own page was given.

use std::fmt;
use std::str::FromStr;

use actix_cors::Cors;
use actix_web::http::header::HeaderValue;
use url::{Host, Url};

/// How long a browser may cache the result of a preflight request, in seconds.
const PREFLIGHT_MAX_AGE: usize = 3_600;

/// True for what every web page may read: `Access-Control-Allow-Origin: *`. `base` is the issuer's path.
pub fn is_public(path: &str, base: &str) -> bool {
    // RFC 8414 §3: before the issuer's path as well.
    PUBLIC.iter().any(|name| path.strip_prefix(base) == Some(name) || path.strip_prefix(name) == Some(base))
}

const PUBLIC: [&str; 4] = [
    "/.well-known/oauth-authorization-server",
    "/.well-known/openid-configuration",
    "/.well-known/oauth-protected-resource",
    "/.well-known/jwks.json",
];

/// The headers that such a page may read. Not left to actix-cors, which lists them in an order that differs between
/// workers: responses that must not differ have to be the same to the byte.
pub const EXPOSED_HEADERS: &str = "retry-after, www-authenticate, x-request-id";

/// The origin of a web page: scheme, host and port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebOrigin(String);

/// The text is not an origin.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WebOriginError {
    /// It stands for several.
    #[error("{0:?} is a pattern: name each origin by itself, like https://notes.example.com")]
    Pattern(String),
    /// It is none.
    #[error("{0:?} is not an origin: write it like https://notes.example.com, without a path or a trailing slash")]
    Invalid(String),
}

impl FromStr for WebOrigin {
    type Err = WebOriginError;

    fn from_str(text: &str) -> Result<Self, WebOriginError> {
        if text.contains('*') {
            return Err(WebOriginError::Pattern(text.to_owned()));
        }
        if is_app_origin(text) {
            return Ok(Self(text.to_owned()));
        }
        let bad = || WebOriginError::Invalid(text.to_owned());
        let url = Url::parse(text).map_err(|_| bad())?;
        let origin = url.origin().ascii_serialization();
        // A browser sends exactly the serialization (RFC 6454 §6.2), so anything else would never match.
        if !matches!(url.scheme(), "http" | "https") || origin != text.to_ascii_lowercase() {
            return Err(bad());
        }
        Ok(Self(origin))
    }
}

/// True for the origin of a page that an app brings along, such as `capacitor://localhost` or `tauri://localhost`.
fn is_app_origin(text: &str) -> bool {
    let Some((scheme, host)) = text.split_once("://") else { return false };
    let is_name = |name: &str, others: &[u8]| {
        name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || others.contains(&byte))
    };
    let is_scheme = scheme.starts_with(|first: char| first.is_ascii_lowercase()) && is_name(scheme, b"+.-");
    let is_of_the_web = matches!(scheme, "http" | "https" | "file" | "data" | "blob" | "ftp" | "ws" | "wss");
    is_scheme && !is_of_the_web && !host.is_empty() && is_name(host, b".-")
}

impl fmt::Display for WebOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Lets pages of these origins read responses, and pages of any loopback origin if the issuer is a loopback address.
/// Below `closed`, no page may.
pub fn cors(allowed: Vec<WebOrigin>, loopback: bool, base: String, closed: Vec<String>) -> Cors {
    Cors::default()
        .allowed_origin_fn(move |origin, request| {
            let path = request.uri.path();
            let is_below = |prefix: &String| {
                let is_root = prefix.ends_with('/');
                let rest = path.strip_prefix(&**prefix);
                rest.is_some_and(|rest| rest.is_empty() || (!is_root && rest.starts_with('/')))
            };
            let is_closed = closed.iter().any(is_below);
            if is_public(path, &base) {
                // Also what is asked before (a preflight).
                return true;
            }
            !is_closed && is_allowed(origin, &allowed, loopback)
        })
        .allowed_methods(["GET", "POST", "DELETE", "PATCH", "PUT"])
        .allow_any_header()
        .max_age(PREFLIGHT_MAX_AGE)
        // Pages of other origins get a response without CORS headers, which their browser keeps from them.
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
    fn an_origin_is_only_scheme_host_and_port() {
        for good in ["https://notes.example.com", "http://127.0.0.1:8081", "http://[::1]:3000"] {
            assert_eq!(good.parse::<WebOrigin>().unwrap().to_string(), good);
        }
        for app in ["capacitor://localhost", "tauri://localhost", "ionic://localhost"] {
            assert_eq!(app.parse::<WebOrigin>().unwrap().to_string(), app);
        }
        for pattern in ["*", "https://*.example.com"] {
            assert!(pattern.parse::<WebOrigin>().unwrap_err().to_string().contains("name each origin"));
        }
        for bad in ["capacitor://", "Capacitor://localhost", "capacitor://localhost/", "javascript:alert(1)", "ws://x"]
        {
            assert!(bad.parse::<WebOrigin>().is_err(), "{bad:?}");
        }
        for bad in ["*", "null", "notes.example.com", "https://a.example/", "https://a.example/x", "file:///x", ""] {
            assert!(bad.parse::<WebOrigin>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn only_a_loopback_issuer_allows_pages_from_this_machine() {
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
