//! Form bodies (RFC 6749 appendix B), parsed more strictly than browsers do.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use actix_web::HttpRequest;
use actix_web::http::header::CONTENT_TYPE;
use actix_web::web::{Bytes, Payload};
use percent_encoding::percent_decode;
use zeroize::Zeroizing;

use crate::error::ApiError;

/// The longest body that is accepted, in bytes.
pub const MAX_BODY_BYTES: usize = 64 * 1024;

/// How long a body may take to arrive.
const BODY_TIMEOUT: Duration = Duration::from_secs(10);

/// The parameters of a request. None is repeated, and none is empty.
pub struct Form(BTreeMap<String, Zeroizing<String>>);

/// Shows the names only: some values are passwords and tokens.
impl fmt::Debug for Form {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

impl Form {
    /// Reads a request's body. The query is ignored (RFC 6749 §2.3.1).
    pub async fn read(request: &HttpRequest, payload: Payload) -> Result<Self, ApiError> {
        require_form(request)?;
        Self::parse(&read_body(payload).await?)
    }

    /// Reads `name=value&…`.
    pub fn parse(body: &[u8]) -> Result<Self, ApiError> {
        let mut parameters = BTreeMap::new();
        for pair in body.split(|byte| *byte == b'&').filter(|pair| !pair.is_empty()) {
            let end = pair.iter().position(|byte| *byte == b'=').unwrap_or(pair.len());
            let name = decode(&pair[..end])?;
            let value = decode(pair.get(end + 1..).unwrap_or_default())?;
            // RFC 6749 §3.2: parameters must not be repeated, even without a value.
            if parameters.insert(name.to_string(), value).is_some() {
                return Err(ApiError::InvalidRequest("a parameter is repeated"));
            }
        }
        // RFC 6749 §3.2: a parameter without a value is treated as omitted.
        parameters.retain(|_, value| !value.is_empty());
        Ok(Self(parameters))
    }

    /// An optional parameter.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(|value| value.as_str())
    }

    /// The names of all parameters.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// A required parameter.
    pub fn require(&self, name: &'static str) -> Result<&str, ApiError> {
        self.get(name).ok_or(ApiError::MissingParameter(name))
    }
}

/// A request's body, if it is short enough and arrives in time.
pub async fn read_body(payload: Payload) -> Result<Bytes, ApiError> {
    match tokio::time::timeout(BODY_TIMEOUT, payload.to_bytes_limited(MAX_BODY_BYTES)).await {
        Err(_) => Err(ApiError::BodyTooSlow),
        Ok(Err(_)) => Err(ApiError::BodyTooLarge),
        Ok(Ok(Err(_))) => Err(ApiError::InvalidRequest("the body is incomplete")),
        Ok(Ok(Ok(body))) => Ok(body),
    }
}

fn require_form(request: &HttpRequest) -> Result<(), ApiError> {
    let value = request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = value.split(';').next().unwrap_or_default().trim();
    if essence.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
        Ok(())
    } else {
        Err(ApiError::InvalidRequest("the content type must be application/x-www-form-urlencoded"))
    }
}

/// Form-decodes one name or value: `+` is a space, `%XX` a byte, and the result must be UTF-8.
pub fn decode(text: &[u8]) -> Result<Zeroizing<String>, ApiError> {
    let spaced: Zeroizing<Vec<u8>> =
        Zeroizing::new(text.iter().map(|byte| if *byte == b'+' { b' ' } else { *byte }).collect());
    let bytes: Vec<u8> = percent_decode(&spaced).collect();
    String::from_utf8(bytes).map(Zeroizing::new).map_err(|_| ApiError::InvalidRequest("a parameter is not valid UTF-8"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
    use proptest::prelude::*;

    #[test]
    fn a4_a5_a_repeated_parameter_is_rejected_and_an_empty_one_is_ignored() {
        assert!(Form::parse(b"a=1&a=1").is_err());
        assert!(Form::parse(b"a=&a=1").is_err());
        let form = Form::parse(b"a=&b&c=1&&d=%2B+%25").unwrap();
        assert_eq!((form.get("a"), form.get("b"), form.get("c"), form.get("d")), (None, None, Some("1"), Some("+ %")));
    }

    #[test]
    fn invalid_utf_8_is_rejected_and_not_repaired() {
        assert!(Form::parse(b"password=%ff").is_err());
    }

    proptest! {
        #[test]
        fn a21_any_text_arrives_unchanged(name in "[a-z]{1,8}", value in "\\PC{1,60}") {
            let body = format!("{name}={}", utf8_percent_encode(&value, NON_ALPHANUMERIC));
            let form = Form::parse(body.as_bytes()).unwrap();
            prop_assert_eq!(form.get(&name), Some(value.as_str()));
        }

        #[test]
        fn any_bytes_are_read_without_a_panic(body in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = Form::parse(&body);
        }
    }
}
