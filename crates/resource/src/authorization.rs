//! Finding the token in a request (RFC 6750 §2), whatever the web framework.

use url::form_urlencoded;

use crate::presented::Presented;

/// Why a request is malformed: 400 `invalid_request` (RFC 6750 §3.1).
///
/// ```
/// use ficha_resource::{Malformed, Presented};
///
/// let refused = |headers: &[&str]| Presented::from_authorization(headers.iter().copied()).unwrap_err();
/// assert_eq!(refused(&["Bearer"]), Malformed::NotAToken);
/// assert_eq!(refused(&["Bearer abc", "Bearer abc"]), Malformed::SeveralHeaders);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Malformed {
    /// More than one `Authorization` header.
    #[error("there is more than one Authorization header")]
    SeveralHeaders,
    /// The text before the first space can't be the name of an authentication scheme.
    #[error("the Authorization header does not start with an authentication scheme")]
    NoScheme,
    /// `Bearer` is followed by nothing, or by something that is not a `b64token`.
    #[error("the Authorization header is not 'Bearer' followed by a space and a token")]
    NotAToken,
    /// A token in the header and another in the form body (RFC 6750 §2: never more than one method).
    #[error("a token was sent both in the Authorization header and in the body")]
    SentTwice,
}

impl<'a> Presented<'a> {
    /// What the values of the `Authorization` header present, each as text or bytes. `None` means no header, or a scheme
    /// other than Bearer. The scheme is not case-sensitive (RFC 9110 §11.1). A token anywhere else, such as in the query,
    /// is ignored.
    ///
    /// With [`Refusal::response`](crate::Refusal::response), this is all that a guard for another web framework needs:
    ///
    /// ```
    /// use std::sync::Arc;
    ///
    /// use ficha_resource::{ErrorResponse, OAuth2PasswordBearer, Presented, Refusal, Verified};
    ///
    /// async fn admit(oauth2: &OAuth2PasswordBearer, authorization: &[&str]) -> Result<Arc<Verified>, ErrorResponse> {
    ///     let refuse = |refusal: Refusal| refusal.response("notes");
    ///     let presented = Presented::from_authorization(authorization.iter().copied());
    ///     let presented = presented.map_err(|malformed| refuse(malformed.into()))?;
    ///     let presented = presented.ok_or_else(|| refuse(Refusal::Missing))?;
    ///     let verified = oauth2.verify(presented).await.map_err(|error| refuse(error.into()))?;
    ///     if !verified.claims.scope.contains("notes:read") {
    ///         return Err(refuse(Refusal::InsufficientScope { required: "notes:read".to_owned() }));
    ///     }
    ///     Ok(verified)
    /// }
    /// ```
    pub fn from_authorization<V>(values: impl IntoIterator<Item = &'a V>) -> Result<Option<Self>, Malformed>
    where
        V: AsRef<[u8]> + ?Sized + 'a,
    {
        let mut values = values.into_iter();
        let Some(value) = values.next() else { return Ok(None) };
        if values.next().is_some() {
            return Err(Malformed::SeveralHeaders);
        }
        let value = value.as_ref();
        if value.is_empty() {
            return Ok(None);
        }
        let end = value.iter().position(|byte| *byte == b' ').unwrap_or(value.len());
        let (scheme, rest) = value.split_at(end);
        if scheme.is_empty() || !scheme.iter().copied().all(is_token_byte) {
            return Err(Malformed::NoScheme);
        }
        if !scheme.eq_ignore_ascii_case(b"bearer") {
            return Ok(None);
        }
        // RFC 6750 §2.1: "Bearer" 1*SP b64token.
        let blanks = rest.iter().take_while(|byte| **byte == b' ').count();
        let token = &rest[blanks..];
        if !is_b64token(token) {
            return Err(Malformed::NotAToken);
        }
        std::str::from_utf8(token).map(|token| Some(Self::bearer(token))).map_err(|_| Malformed::NotAToken)
    }
}

/// True if a body is a form (by the value of its `Content-Type`) that has an `access_token` field (RFC 6750 §2.2).
///
/// Sending a token in the body is not supported, so such a token is never used. But a request that also has one in the
/// header must be refused, as [`Malformed::SentTwice`].
///
/// ```
/// use ficha_resource::has_access_token_in_form;
///
/// let form = Some("application/x-www-form-urlencoded");
/// assert!(has_access_token_in_form(form, b"access_token=eyJ0eXAiOi&title=Milk"));
/// assert!(!has_access_token_in_form(Some("application/json"), b"access_token=eyJ0eXAiOi"));
/// ```
pub fn has_access_token_in_form(content_type: Option<&str>, body: &[u8]) -> bool {
    let essence = content_type.and_then(|value| value.split(';').next());
    essence.is_some_and(|essence| essence.trim().eq_ignore_ascii_case("application/x-www-form-urlencoded"))
        && form_urlencoded::parse(body).any(|(name, _)| name == "access_token")
}

/// tchar (RFC 9110 §5.6.2).
fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// b64token (RFC 6750 §2.1): 1*( ALPHA / DIGIT / "-" / "." / "_" / "~" / "+" / "/" ) *"=".
fn is_b64token(text: &[u8]) -> bool {
    let end = text.iter().rposition(|byte| *byte != b'=').map_or(0, |last| last + 1);
    // Without branches: this is a large part of the cost of a token that is in the cache.
    end > 0 && text[..end].iter().fold(true, |good, byte| good & IN_B64TOKEN[usize::from(*byte)])
}

/// The bytes that a b64token may contain before its padding.
const IN_B64TOKEN: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0u8;
    loop {
        table[byte as usize] = byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~' | b'+' | b'/');
        if byte == u8::MAX {
            break table;
        }
        byte += 1;
    }
};

#[cfg(test)]
mod tests {
    use super::*;

    fn read(values: &[&[u8]]) -> Result<Option<String>, Malformed> {
        let presented = Presented::from_authorization(values.iter().copied());
        presented.map(|presented| presented.map(|presented| presented.token.to_owned()))
    }

    #[test]
    fn a35_the_scheme_is_matched_without_regard_to_case() {
        for header in ["Bearer a.b-c", "bearer a.b-c", "BEARER a.b-c", "bEaReR   a.b-c"] {
            assert_eq!(read(&[header.as_bytes()]), Ok(Some("a.b-c".to_owned())), "{header}");
        }
    }

    #[test]
    fn another_scheme_or_no_header_means_no_token() {
        assert_eq!(read(&[]), Ok(None));
        assert_eq!(read(&[b""]), Ok(None));
        for header in ["Basic YTpi", "Bearerx abc", "DPoP abc", "Basic \u{e9}", "Digest realm=\"a b\""] {
            assert_eq!(read(&[header.as_bytes()]), Ok(None), "{header}");
        }
    }

    #[test]
    fn a31_a_malformed_header_is_distinguished_from_a_missing_one() {
        for header in
            ["Bearer", "Bearer ", "Bearer a b", "Bearer a,b", "Bearer =", "Bearer a=b", "Bearer a\t", "Bearer é"]
        {
            assert_eq!(read(&[header.as_bytes()]), Err(Malformed::NotAToken), "{header:?}");
        }
        for header in ["Bearer:abc", " Bearer abc", "Bearer\tabc", "é abc"] {
            assert_eq!(read(&[header.as_bytes()]), Err(Malformed::NoScheme), "{header:?}");
        }
        assert_eq!(read(&[b"Bearer a", b"Bearer a"]), Err(Malformed::SeveralHeaders));
        assert_eq!(read(&[b"Basic YTpi", b"Bearer a"]), Err(Malformed::SeveralHeaders));
    }

    #[test]
    fn every_b64token_character_is_accepted() {
        assert_eq!(read(&[b"Bearer aZ09-._~+/=="]), Ok(Some("aZ09-._~+/==".to_owned())));
    }

    #[test]
    fn an_access_token_field_is_found_only_in_a_form() {
        let form = Some("Application/X-WWW-Form-Urlencoded; charset=utf-8");
        assert!(!has_access_token_in_form(None, b"access_token=a"));
        assert!(has_access_token_in_form(form, b"a=b&access%5Ftoken="));
        assert!(!has_access_token_in_form(form, b"a=access_token&token=b"));
        assert!(!has_access_token_in_form(Some("application/json"), b"access_token=a"));
    }
}
