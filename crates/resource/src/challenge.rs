//! The `WWW-Authenticate` challenge of RFC 6750 §3.

use std::fmt;

/// `Bearer realm="…", error="…", error_description="…", scope="…"`: comma-separated, and each parameter at most once.
///
/// Whatever is handed in comes out as a legal header value: what RFC 6750 §3 has no room for is replaced by `?`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Challenge {
    realm: String,
    error: Option<String>,
    description: Option<String>,
    scope: Option<String>,
}

impl Challenge {
    /// The bare challenge, for a request that brought no token: RFC 6750 §3.1 wants no error code in it.
    pub fn new(realm: &str) -> Self {
        Self { realm: escaped(realm), error: None, description: None, scope: None }
    }

    /// Names what was wrong: `invalid_request`, `invalid_token` or `insufficient_scope` (RFC 6750 §3.1).
    pub fn error(mut self, code: &str) -> Self {
        self.error = Some(without_quotes(code));
        self
    }

    /// Says it for a developer. It must hold nothing of the token.
    pub fn description(mut self, text: &str) -> Self {
        self.description = Some(without_quotes(text));
        self
    }

    /// Names the scope that would be enough: scope tokens, separated by single spaces.
    pub fn scope(mut self, scope: &str) -> Self {
        self.scope = Some(without_quotes(scope));
        self
    }
}

impl fmt::Display for Challenge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Bearer realm=\"{}\"", self.realm)?;
        let rest = [("error", &self.error), ("error_description", &self.description), ("scope", &self.scope)];
        for (name, value) in rest {
            if let Some(value) = value {
                write!(f, ", {name}=\"{value}\"")?;
            }
        }
        Ok(())
    }
}

/// A quoted-string (RFC 9110 §5.6.4) may hold quotes and backslashes, escaped. That is for the realm alone.
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

/// RFC 6750 §3 keeps quote and backslash out of the other three: %x20-21 / %x23-5B / %x5D-7E.
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
    fn a36_parameters_are_comma_separated_and_stand_once() {
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
    fn a_bare_challenge_has_nothing_but_the_realm() {
        assert_eq!(Challenge::new("notes").to_string(), r#"Bearer realm="notes""#);
    }

    #[test]
    fn a36_no_value_breaks_out_of_its_quotes() {
        let nasty = "a\"b\\c\r\nX-Evil: 1é";
        let challenge = Challenge::new(nasty).error(nasty).description(nasty).scope(nasty).to_string();
        assert_eq!(
            challenge,
            concat!(
                r#"Bearer realm="a\"b\\c??X-Evil: 1?", error="a'b'c??X-Evil: 1?", "#,
                r#"error_description="a'b'c??X-Evil: 1?", scope="a'b'c??X-Evil: 1?""#
            )
        );
    }
}
