//! The `WWW-Authenticate` challenge of RFC 6750 §3.

use std::fmt;

/// A `Bearer` challenge: `Bearer realm="…", error="…", error_description="…", scope="…", resource_metadata="…"`, with each
/// parameter at most once.
///
/// The result is always a valid header value. In the realm, quotes and backslashes are escaped; in the other parameters
/// they become `'`. Every other character that RFC 6750 §3 does not allow becomes `?`.
///
/// ```
/// use ficha_resource::Challenge;
///
/// let challenge = Challenge::new("notes").error("insufficient_scope").scope("notes:write");
/// assert_eq!(challenge.to_string(), r#"Bearer realm="notes", error="insufficient_scope", scope="notes:write""#);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Challenge {
    realm: String,
    error: Option<String>,
    description: Option<String>,
    scope: Option<String>,
    resource_metadata: Option<String>,
}

impl Challenge {
    /// The bare challenge, for a request without a token. It has no error code (RFC 6750 §3.1).
    pub fn new(realm: &str) -> Self {
        Self { realm: escaped(realm), error: None, description: None, scope: None, resource_metadata: None }
    }

    /// Sets the error code: `invalid_request`, `invalid_token` or `insufficient_scope` (RFC 6750 §3.1).
    pub fn error(mut self, code: &str) -> Self {
        self.error = Some(without_quotes(code));
        self
    }

    /// Sets the error description, for developers. It must not contain anything from the token.
    pub fn description(mut self, text: &str) -> Self {
        self.description = Some(without_quotes(text));
        self
    }

    /// Sets the scope that is required: scope tokens, separated by single spaces.
    pub fn scope(mut self, scope: &str) -> Self {
        self.scope = Some(without_quotes(scope));
        self
    }

    /// Says where the metadata of this resource is (RFC 9728 §5.1): an absolute URL.
    pub fn resource_metadata(mut self, url: &str) -> Self {
        self.resource_metadata = Some(without_quotes(url));
        self
    }
}

impl fmt::Display for Challenge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Bearer realm=\"{}\"", self.realm)?;
        let rest = [
            ("error", &self.error),
            ("error_description", &self.description),
            ("scope", &self.scope),
            ("resource_metadata", &self.resource_metadata),
        ];
        for (name, value) in rest {
            if let Some(value) = value {
                write!(f, ", {name}=\"{value}\"")?;
            }
        }
        Ok(())
    }
}

/// A quoted-string (RFC 9110 §5.6.4) may contain escaped quotes and backslashes. Used for the realm only.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '"' | '\\' => out.extend(['\\', character]),
            ' '..='~' => out.push(character),
            _ => out.push('?'),
        }
    }
    out
}

/// RFC 6750 §3 allows no quote or backslash in the other parameters: %x20-21 / %x23-5B / %x5D-7E.
fn without_quotes(text: &str) -> String {
    text.chars()
        .map(|character| match character {
            '"' | '\\' => '\'',
            ' '..='~' => character,
            _ => '?',
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a36_parameters_are_comma_separated_and_appear_once() {
        let challenge = Challenge::new("notes")
            .error("invalid_request")
            .error("insufficient_scope")
            .description("too little scope")
            .scope("notes:read notes:write");
        assert_eq!(
            challenge.to_string(),
            r#"Bearer realm="notes", error="insufficient_scope", error_description="too little scope", scope="notes:read notes:write""#
        );
    }

    #[test]
    fn a_bare_challenge_has_only_the_realm() {
        assert_eq!(Challenge::new("notes").to_string(), r#"Bearer realm="notes""#);
    }

    #[test]
    fn a36_no_value_breaks_out_of_its_quotes() {
        let nasty = "a\"b\\c\r\nX-Evil: 1é";
        let challenge = Challenge::new(nasty).error(nasty).description(nasty).scope(nasty);
        let challenge = challenge.resource_metadata(nasty).to_string();
        assert_eq!(
            challenge,
            concat!(
                r#"Bearer realm="a\"b\\c??X-Evil: 1?", error="a'b'c??X-Evil: 1?", "#,
                r#"error_description="a'b'c??X-Evil: 1?", scope="a'b'c??X-Evil: 1?", "#,
                r#"resource_metadata="a'b'c??X-Evil: 1?""#
            )
        );
    }
}
