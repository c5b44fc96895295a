//! The Host header.

use actix_web::http::header::{HOST, HeaderMap, HeaderValue};
use actix_web::http::uri::Authority;

use crate::error::ApiError;

/// Refuses a Host that is malformed, as RFC 9112 §3.2 requires. Nothing here reads it, but a proxy that understands it
/// differently might send the request elsewhere. The HTTP library has already refused a missing or a second one.
pub fn require_host(headers: &HeaderMap) -> Result<(), ApiError> {
    match headers.get(HOST) {
        Some(host) if !is_valid(host) => {
            Err(ApiError::InvalidRequest("the Host header must be a host and, if needed, a port"))
        }
        _ => Ok(()),
    }
}

/// RFC 9110 §7.2: a host, and a port if there is one. It may be empty.
fn is_valid(host: &HeaderValue) -> bool {
    let Ok(text) = host.to_str() else { return false };
    if text.is_empty() {
        return true;
    }
    let Ok(authority) = text.parse::<Authority>() else { return false };
    let has_port = text.len() > authority.host().len();
    !text.contains('@') && !authority.host().is_empty() && (!has_port || authority.port_u16().is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_a_name_or_an_address_and_perhaps_a_port() {
        let valid = |text: &str| is_valid(&HeaderValue::from_bytes(text.as_bytes()).unwrap());
        for host in ["", "x", "auth.example.com", "auth.example.com:8443", "127.0.0.1:80", "[::1]", "[::1]:80", "x_y"] {
            assert!(valid(host), "{host:?}");
        }
        for host in [
            "a/b@c d", "a/b", "a b", "u@h", "u:p@h", "x:", "x:1a", "x:99999", ":80", "[::1", "a?b", "a#b", "hä", "a\\b",
        ] {
            assert!(!valid(host), "{host:?}");
        }
    }
}
