//! Responses of the introspection endpoint (RFC 7662 §2.2).

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use uuid::Uuid;

use crate::jwt::claims::{AccessClaims, one_or_many};
use crate::protocol::message::TokenType;
use crate::protocol::scope::Scope;

/// What the server says about a token. For an inactive one it says nothing more.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Introspection {
    /// True if the token is valid now.
    pub active: bool,
    /// What it allows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<Scope>,
    /// The client that it was issued to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_id: Option<String>,
    /// The user's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
    /// `Bearer`, for an access token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_type: Option<TokenType>,
    /// Unix seconds: when it expires.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exp: Option<i64>,
    /// Unix seconds: when it was issued.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub iat: Option<i64>,
    /// Unix seconds: when it becomes valid.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nbf: Option<i64>,
    /// The user's id, or the client's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sub: Option<Uuid>,
    /// The services that it is for. A single one is written as a string.
    #[serde(
        default,
        skip_serializing_if = "Vec::is_empty",
        serialize_with = "write_audience",
        deserialize_with = "read_audience"
    )]
    pub aud: Vec<String>,
    /// The issuer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub iss: Option<String>,
    /// The token's own id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jti: Option<Uuid>,
    /// The session that it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sid: Option<Uuid>,
    /// Unix seconds: when the user logged in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auth_time: Option<i64>,
    /// The user's roles.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub roles: Vec<String>,
}

impl Introspection {
    /// Exactly `{"active":false}` (RFC 7662 §2.2: say nothing about why).
    pub fn inactive() -> Self {
        Self::default()
    }

    /// The response for a valid access token, from its claims (A52).
    pub fn of_access_token(claims: AccessClaims, username: Option<String>) -> Self {
        Self {
            active: true,
            scope: Some(claims.scope),
            client_id: Some(claims.client_id),
            username,
            token_type: Some(TokenType),
            exp: Some(claims.exp),
            iat: Some(claims.iat),
            nbf: claims.nbf,
            sub: Some(claims.sub),
            aud: claims.aud,
            iss: Some(claims.iss),
            jti: Some(claims.jti),
            sid: Some(claims.sid),
            auth_time: Some(claims.auth_time),
            roles: claims.roles,
        }
    }
}

#[expect(clippy::ptr_arg, reason = "serde hands the field over by reference")]
fn write_audience<S: Serializer>(audience: &Vec<String>, serializer: S) -> Result<S::Ok, S::Error> {
    one_or_many(audience, serializer)
}

#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

fn read_audience<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    Ok(match OneOrMany::deserialize(deserializer)? {
        OneOrMany::One(one) => vec![one],
        OneOrMany::Many(many) => many,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a47_an_inactive_token_is_reported_as_active_false_and_nothing_else() {
        assert_eq!(serde_json::to_string(&Introspection::inactive()).unwrap(), r#"{"active":false}"#);
    }

    #[test]
    fn one_audience_is_a_string_and_several_are_a_list() {
        for (aud, text) in [
            (vec!["a".to_owned()], r#"{"active":true,"aud":"a"}"#),
            (vec!["a".to_owned(), "b".to_owned()], r#"{"active":true,"aud":["a","b"]}"#),
        ] {
            let answer = Introspection { active: true, aud, ..Introspection::default() };
            assert_eq!(serde_json::to_string(&answer).unwrap(), text);
            assert_eq!(serde_json::from_str::<Introspection>(text).unwrap(), answer);
        }
    }
}
