//! The credentials of a client (RFC 6749 §2.3.1): from HTTP Basic, or from the body.

use actix_web::http::header::{AUTHORIZATION, HeaderMap};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ficha_authority::{ClientCredentials, Secret};
use zeroize::Zeroizing;

use crate::error::ApiError;
use crate::request::form::{Form, decode};

/// The credentials in a request. Using more than one method at once is an error (RFC 6749 §2.3).
pub fn client_credentials(headers: &HeaderMap, form: &Form) -> Result<ClientCredentials, ApiError> {
    let body_id = form.get("client_id");
    let body_secret = form.get("client_secret");
    let Some((id, secret)) = basic(headers)? else {
        return match (body_id, body_secret) {
            (Some(id), Some(secret)) => Ok(ClientCredentials::Secret(id.into(), Secret::new(secret))),
            (Some(id), None) => Ok(ClientCredentials::Public(id.into())),
            (None, Some(_)) => Err(ApiError::InvalidRequest("client_secret was sent without client_id")),
            (None, None) => Ok(ClientCredentials::None),
        };
    };
    if body_secret.is_some() {
        return Err(ApiError::InvalidRequest("client credentials were sent both in the header and in the body"));
    }
    if body_id.is_some_and(|body_id| body_id != id) {
        return Err(ApiError::InvalidRequest("client_id differs from the one in the Authorization header"));
    }
    Ok(from_header(id, secret))
}

/// The credentials in the header alone, for requests without a body.
pub fn header_credentials(headers: &HeaderMap) -> Result<ClientCredentials, ApiError> {
    Ok(basic(headers)?.map_or(ClientCredentials::None, |(id, secret)| from_header(id, secret)))
}

fn from_header(id: String, secret: Secret) -> ClientCredentials {
    // A public client that always sends the header, such as Swagger UI, sends an empty secret.
    match secret.is_empty() {
        true => ClientCredentials::Public(id),
        false => ClientCredentials::Secret(id, secret),
    }
}

/// The id and secret in a Basic header; `None` if there is no header, or if both are empty.
fn basic(headers: &HeaderMap) -> Result<Option<(String, Secret)>, ApiError> {
    let mut values = headers.get_all(AUTHORIZATION);
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(ApiError::InvalidRequest("there is more than one Authorization header"));
    }
    parse_basic(value.as_bytes()).ok_or_else(|| foreign(value.as_bytes())).map(|pair| {
        let (id, secret) = pair;
        if id.is_empty() && secret.is_empty() { None } else { Some((id, secret)) }
    })
}

/// What a header is that is no well-formed Basic header.
fn foreign(header: &[u8]) -> ApiError {
    let scheme = header.split(|byte| *byte == b' ').next().unwrap_or_default();
    match scheme {
        _ if scheme.eq_ignore_ascii_case(b"Basic") => ApiError::BadClientHeader,
        _ if scheme.eq_ignore_ascii_case(b"Bearer") => ApiError::BearerInsteadOfClient,
        _ => ApiError::ForeignClientHeader,
    }
}

/// RFC 7617, with id and secret form-encoded inside (RFC 6749 §2.3.1).
fn parse_basic(header: &[u8]) -> Option<(String, Secret)> {
    let space = header.iter().position(|byte| *byte == b' ')?;
    let (scheme, rest) = header.split_at(space);
    if !scheme.eq_ignore_ascii_case(b"Basic") {
        return None;
    }
    let text = Zeroizing::new(STANDARD.decode(rest.trim_ascii()).ok()?);
    let colon = text.iter().position(|byte| *byte == b':')?;
    let id = decode(&text[..colon]).ok()?;
    let secret = decode(&text[colon + 1..]).ok()?;
    Some((id.to_string(), Secret::new(secret.as_str())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a15_any_id_and_secret_arrive_form_decoded(id in "\\PC{1,30}", secret in "\\PC{1,30}") {
            let encode = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
            let header = format!("bAsIc {}", STANDARD.encode(format!("{}:{}", encode(&id), encode(&secret))));
            let (read_id, read_secret) = parse_basic(header.as_bytes()).unwrap();
            prop_assert_eq!(read_id, id);
            prop_assert_eq!(read_secret.expose(), secret);
        }

        #[test]
        fn any_header_is_read_without_a_panic(header in proptest::collection::vec(any::<u8>(), 0..80)) {
            let _ = parse_basic(&header);
        }
    }
}
