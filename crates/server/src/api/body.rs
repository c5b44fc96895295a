//! JSON bodies: closed objects, as the parameters are.

use actix_web::HttpRequest;
use actix_web::http::header::CONTENT_TYPE;
use actix_web::web::{Bytes, Payload};
use ficha_token::Scope;
use serde::de::{Deserialize, DeserializeOwned, Deserializer};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::problem::{FieldError, Problem};
use crate::request::form::read_body;

/// Reads a body. An empty one counts as `{}`.
pub async fn read<T: DeserializeOwned>(request: &HttpRequest, payload: Payload) -> Result<T, Problem> {
    read_with_bytes(request, payload).await.map(|(body, _)| body)
}

/// The same, with what was read.
pub async fn read_with_bytes<T: DeserializeOwned>(
    request: &HttpRequest,
    payload: Payload,
) -> Result<(T, Bytes), Problem> {
    let body = read_body(payload).await.map_err(|error| Problem::of_body(&error))?;
    if body.is_empty() {
        return parse(b"{}").map(|parsed| (parsed, body));
    }
    let kind = request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    // A page of another origin can send a form, but not this, without asking first.
    if kind != "application/json" && kind != "application/merge-patch+json" {
        return Err(invalid("Content-Type", "it must be application/json"));
    }
    parse(&body).map(|parsed| (parsed, body))
}

fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, Problem> {
    // serde takes a list for an object as well.
    if !body.trim_ascii_start().starts_with(b"{") {
        return Err(invalid("body", "it must be a JSON object"));
    }
    // serde's words name the member and the place, and quote at most the type of a value, not the value: it may be a
    // password.
    serde_json::from_slice(body).map_err(|error| {
        let text = error.to_string();
        let shown = match text.starts_with("invalid ") {
            true => format!("a value has the wrong type (line {}, column {})", error.line(), error.column()),
            false => text,
        };
        invalid("body", &shown)
    })
}

/// A member that may be missing, null or a value (RFC 7396).
pub fn patched<'de, T: Deserialize<'de>, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Option<T>>, D::Error> {
    Option::<T>::deserialize(deserializer).map(Some)
}

/// A problem with one field.
pub fn invalid(field: &str, problem: &str) -> Problem {
    Problem::invalid(vec![FieldError { field: field.into(), problem: problem.into() }])
}

/// A member that can't be removed.
pub fn not_null<T>(field: &str, member: Option<Option<T>>) -> Result<Option<T>, Problem> {
    match member {
        Some(None) => Err(invalid(field, "it can't be null")),
        other => Ok(other.flatten()),
    }
}

/// A member that is a time, in Unix seconds.
pub fn time(field: &str, text: Option<&str>) -> Result<Option<i64>, Problem> {
    let parsed = text.map(|text| OffsetDateTime::parse(text, &Rfc3339).map(OffsetDateTime::unix_timestamp));
    parsed.transpose().map_err(|_| invalid(field, "it must be a time such as 2026-01-31T12:00:00Z (RFC 3339)"))
}

/// A list of scope names.
pub fn scope(field: &str, names: &[String]) -> Result<Scope, Problem> {
    let is_name = |name: &String| !name.is_empty() && !name.contains(' ');
    let parsed = names.iter().all(is_name).then(|| names.join(" ").parse().ok()).flatten();
    parsed.ok_or_else(|| {
        invalid(field, "each must be a scope name: printable ASCII without spaces, quotes or backslashes")
    })
}
