//! The claims of an access token (RFC 9068 §2.2).

use std::ops::Range;

use serde::de::DeserializeOwned;
use serde::{Serialize, Serializer};
use serde_json::{Map, Value};
use uuid::Uuid;

use crate::denylist::deny_id::DenyId;
use crate::jwt::json;
use crate::jwt::token_error::TokenError;
use crate::protocol::scope::Scope;

/// The last second of the year 9999. A time beyond it, or before 1970, is a mistake or an attack.
pub const MAX_TIME: i64 = 253_402_300_799;

/// The claims of an access token: Ficha's profile of RFC 9068 §2.2, in which `sub`, `jti` and `sid` are UUIDs. Times are
/// Unix seconds.
///
/// Later versions may add claims, so [`AccessClaims::new`] creates it:
///
/// ```
/// use ficha_token::AccessClaims;
/// use uuid::Uuid;
///
/// let (user, session, token) = (Uuid::from_u128(1), Uuid::from_u128(2), Uuid::from_u128(3));
/// let mut claims = AccessClaims::new(
///     "https://auth.example.com",
///     user,
///     ["notes"],
///     "app",
///     session,
///     token,
///     1_763_800_000..1_763_800_600,
/// );
/// claims.scope = "notes:read".parse()?;
/// assert_eq!((claims.iat, claims.exp), (1_763_800_000, 1_763_800_600));
/// # Ok::<(), ficha_token::ScopeError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct AccessClaims {
    /// The issuer.
    pub iss: String,
    /// The user's id, or the client's own id if there is no user.
    pub sub: Uuid,
    /// The services that it is for, at least one. A single one is written as a string (RFC 7519 §4.1.3).
    #[serde(serialize_with = "one_or_many")]
    pub aud: Vec<String>,
    /// The first second at which it is no longer valid.
    pub exp: i64,
    /// When it was issued.
    pub iat: i64,
    /// The first second at which it is valid, if that is not at once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nbf: Option<i64>,
    /// The token's own id.
    pub jti: Uuid,
    /// The client that it was issued to.
    pub client_id: String,
    /// The granted scope.
    pub scope: Scope,
    /// The session that it belongs to.
    pub sid: Uuid,
    /// When the user logged in (RFC 9068 §2.2.1).
    pub auth_time: i64,
    /// The user's roles (RFC 9068 §2.2.3.1).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub roles: Vec<String>,
    /// All other members: custom claims.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

impl AccessClaims {
    /// The names that [`AccessClaims::extra`] must not contain.
    pub const NAMES: &'static [&'static str] =
        &["iss", "sub", "aud", "exp", "iat", "nbf", "jti", "client_id", "scope", "sid", "auth_time", "roles"];

    /// Claims without scope, roles and custom claims, of a user who has logged in when the token is issued.
    ///
    /// `sub` is the user, or the client's own id if there is no user; `sid` the session; `jti` the token itself. `life`
    /// begins with `iat` and ends with `exp`, in Unix seconds.
    pub fn new(
        iss: impl Into<String>,
        sub: Uuid,
        aud: impl IntoIterator<Item = impl Into<String>>,
        client_id: impl Into<String>,
        sid: Uuid,
        jti: Uuid,
        life: Range<i64>,
    ) -> Self {
        Self {
            iss: iss.into(),
            sub,
            aud: aud.into_iter().map(Into::into).collect(),
            exp: life.end,
            iat: life.start,
            nbf: None,
            jti,
            client_id: client_id.into(),
            scope: Scope::empty(),
            sid,
            auth_time: life.start,
            roles: Vec::new(),
            extra: Map::new(),
        }
    }

    /// The ids by which the token can be denied: its own, its session's, and that of the key that signed it.
    ///
    /// [`VerifyingKey::deny_id`](crate::VerifyingKey::deny_id) has the third without hashing.
    pub fn deny_ids(&self, kid: &str) -> Vec<DenyId> {
        vec![self.jti.into(), self.sid.into(), DenyId::of_key(kid)]
    }

    /// Reads the claims into a type of the caller's: custom ones and those of the RFCs, under the names that they have in
    /// the token. A token without roles has an empty list of `roles`.
    pub fn custom<T: DeserializeOwned>(&self) -> Result<T, serde_json::Error> {
        let mut claims = serde_json::to_value(self)?;
        if let Value::Object(members) = &mut claims {
            members.entry("roles").or_insert_with(|| Value::Array(Vec::new()));
        }
        serde_json::from_value(claims)
    }

    /// Reads the payload of a token whose signature is valid. Each member may occur once, and every claim must have the
    /// type that its RFC requires: a service that accepted `exp` as text would compare it as text.
    pub(crate) fn from_json(bytes: &[u8]) -> Result<Self, TokenError> {
        let mut members = json::object(bytes)
            .ok_or(TokenError::Malformed("its claims are not a JSON object with each member once"))?;
        let members = &mut members;
        Ok(Self {
            iss: text(members, "iss")?,
            sub: id(members, "sub")?,
            aud: audience(members)?,
            exp: time(members, "exp")?,
            iat: time(members, "iat")?,
            nbf: if members.contains_key("nbf") { Some(time(members, "nbf")?) } else { None },
            jti: id(members, "jti")?,
            client_id: text(members, "client_id")?,
            scope: scope(members)?,
            sid: id(members, "sid")?,
            auth_time: time(members, "auth_time")?,
            roles: if members.contains_key("roles") { texts(take(members, "roles")?, "roles")? } else { Vec::new() },
            extra: std::mem::take(members),
        })
    }

    /// The claim that prevents these from being signed, if there is one: what is signed here must be readable here.
    pub(crate) fn problem(&self) -> Option<&'static str> {
        let sane = |time: i64| (0..=MAX_TIME).contains(&time);
        let times =
            [("exp", self.exp), ("iat", self.iat), ("nbf", self.nbf.unwrap_or(0)), ("auth_time", self.auth_time)];
        if let Some((name, _)) = times.into_iter().find(|(_, time)| !sane(*time)) {
            return Some(name);
        }
        // A member would occur twice.
        if let Some(name) = Self::NAMES.iter().find(|name| self.extra.contains_key(**name)) {
            return Some(name);
        }
        if !json::is_readable(&self.extra) {
            return Some("extra");
        }
        if self.aud.is_empty() || self.aud.iter().any(String::is_empty) {
            return Some("aud");
        }
        if self.iss.is_empty() {
            return Some("iss");
        }
        if self.client_id.is_empty() { Some("client_id") } else { None }
    }
}

pub(crate) fn one_or_many<S: Serializer>(values: &[String], serializer: S) -> Result<S::Ok, S::Error> {
    match values {
        [one] => serializer.serialize_str(one),
        many => serializer.collect_seq(many),
    }
}

fn take(members: &mut Map<String, Value>, name: &'static str) -> Result<Value, TokenError> {
    members.remove(name).ok_or(TokenError::MissingClaim(name))
}

fn text(members: &mut Map<String, Value>, name: &'static str) -> Result<String, TokenError> {
    match take(members, name)? {
        Value::String(text) if !text.is_empty() => Ok(text),
        _ => Err(TokenError::BadClaim(name)),
    }
}

/// A UUID, in its hyphenated form only.
fn id(members: &mut Map<String, Value>, name: &'static str) -> Result<Uuid, TokenError> {
    match take(members, name)? {
        Value::String(text) if text.len() == 36 => Uuid::try_parse(&text).map_err(|_| TokenError::BadClaim(name)),
        _ => Err(TokenError::BadClaim(name)),
    }
}

/// A whole number of seconds. RFC 7519 §2 allows fractions; no token of ours has one, so none is accepted.
fn time(members: &mut Map<String, Value>, name: &'static str) -> Result<i64, TokenError> {
    match take(members, name)? {
        Value::Number(number) => {
            number.as_i64().filter(|time| (0..=MAX_TIME).contains(time)).ok_or(TokenError::BadClaim(name))
        }
        _ => Err(TokenError::BadClaim(name)),
    }
}

fn scope(members: &mut Map<String, Value>) -> Result<Scope, TokenError> {
    match take(members, "scope")? {
        Value::String(text) => text.parse().map_err(|_| TokenError::BadClaim("scope")),
        _ => Err(TokenError::BadClaim("scope")),
    }
}

fn audience(members: &mut Map<String, Value>) -> Result<Vec<String>, TokenError> {
    let audience = match take(members, "aud")? {
        Value::String(one) => vec![one],
        many => texts(many, "aud")?,
    };
    if audience.is_empty() || audience.iter().any(String::is_empty) {
        return Err(TokenError::BadClaim("aud"));
    }
    Ok(audience)
}

fn texts(value: Value, name: &'static str) -> Result<Vec<String>, TokenError> {
    let Value::Array(elements) = value else {
        return Err(TokenError::BadClaim(name));
    };
    elements
        .into_iter()
        .map(|element| match element {
            Value::String(text) => Ok(text),
            _ => Err(TokenError::BadClaim(name)),
        })
        .collect()
}
