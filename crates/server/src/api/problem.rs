//! Errors of the admin API (RFC 9457). Only this module decides what an administrator sees of an error.

use std::fmt;

use actix_web::http::StatusCode;
use actix_web::http::header::{ALLOW, HeaderName, HeaderValue, RETRY_AFTER};
use actix_web::{HttpResponse, HttpResponseBuilder, ResponseError};
use ficha_authority::AdminError;
use ficha_resource::Refusal;
use serde::Serialize;
use utoipa::ToSchema;

use crate::error::{ApiError, no_store};
use crate::state::State;

/// The kinds of problems: the last part of their `type`, their title, and what the page about them says.
pub const KINDS: [(&str, &str, &str); 15] = [
    (
        "unauthorized",
        "The request has no valid token",
        "Send an access token as `Authorization: Bearer …`. It must have been issued for this server, with one of its own scopes.",
    ),
    (
        "forbidden",
        "The token does not allow this",
        "The detail says which scope is missing. A token has only the scopes that were named when it was requested.",
    ),
    ("not-found", "Not found", "It was deleted, it never was, or the path is wrong."),
    ("invalid", "The request can't be understood", "The errors say which fields are wrong, and how."),
    ("conflict", "It has changed meanwhile", "Read it again, and repeat what you want to change."),
    (
        "precondition-failed",
        "It is not what the request expects",
        "The headers If-Match or If-None-Match don't fit what is there, because it has changed since you read it, or exists, or does not. Read it again, and repeat what you want to change.",
    ),
    (
        "wrong-password",
        "The password can't be changed",
        "The user name or the old password is wrong, or there were too many attempts. After a while, try again.",
    ),
    (
        "last-administrator",
        "Nobody would be left who may administer everything",
        "Give the scope ficha:admin to another enabled user first. The command line on the server's own machine needs no scope.",
    ),
    (
        "key-reused",
        "The key was used for another request",
        "An Idempotency-Key belongs to one request, for a day: use a new one for another request.",
    ),
    ("taken", "The name is taken", "Choose another name."),
    ("method-not-allowed", "The method is not allowed here", "The header Allow says which methods are."),
    (
        "misdirected",
        "The request was meant for another host",
        "Use the name that is in the server's issuer, or in admin.origin.",
    ),
    (
        "not-available",
        "The admin API is off",
        "With a shared secret (token.secret_key) every service could make tokens of an administrator, so there is no admin API.",
    ),
    (
        "unavailable",
        "The server can't answer now",
        "Try again after the time in the header Retry-After. Whether a change was made is not known.",
    ),
    ("internal", "The server has failed", "The server's log says why; give it the id in the header X-Request-Id."),
];

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.detail)
    }
}

/// A field that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct FieldError {
    /// The parameter, or the member of the body.
    pub field: String,
    /// What is wrong with it.
    pub problem: String,
}

/// Why a request is refused.
#[derive(Debug)]
pub struct Problem {
    status: StatusCode,
    kind: &'static str,
    detail: String,
    errors: Vec<FieldError>,
    headers: Vec<(HeaderName, HeaderValue)>,
}

impl Problem {
    /// A problem of a kind from [`KINDS`].
    pub fn new(status: StatusCode, kind: &'static str, detail: impl Into<String>) -> Self {
        Self { status, kind, detail: detail.into(), errors: Vec::new(), headers: Vec::new() }
    }

    /// The fields that are wrong.
    pub fn errors(&self) -> &[FieldError] {
        &self.errors
    }

    /// Its status.
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// There is nothing at this path.
    pub fn not_found(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not-found", detail)
    }

    /// The version that the request names is not the one that is there.
    pub fn precondition_failed() -> Self {
        Self::new(StatusCode::PRECONDITION_FAILED, "precondition-failed", "it has changed since it was read")
    }

    /// The same with this detail.
    pub fn because(self, detail: impl Into<String>) -> Self {
        Self { detail: detail.into(), ..self }
    }

    /// These fields are wrong.
    pub fn invalid(errors: Vec<FieldError>) -> Self {
        let detail = errors.iter().map(|error| format!("{}: {}", error.field, error.problem)).collect::<Vec<_>>();
        Self { errors, ..Self::new(StatusCode::BAD_REQUEST, "invalid", detail.join("; ")) }
    }

    /// The body could not be read.
    pub fn of_body(error: &ApiError) -> Self {
        let status = error.status_code();
        Self::new(status, "invalid", error.to_string())
    }

    /// Only these methods are allowed.
    pub fn method_not_allowed(allowed: &'static str) -> Self {
        let detail = format!("use {allowed}");
        let problem = Self::new(StatusCode::METHOD_NOT_ALLOWED, "method-not-allowed", detail);
        problem.with(ALLOW, HeaderValue::from_static(allowed))
    }

    /// The token is refused; with the challenge of RFC 6750 §3.
    pub fn refused(refusal: &Refusal) -> Self {
        let response = refusal.response("ficha");
        let (status, kind) = match response.status() {
            401 => (StatusCode::UNAUTHORIZED, "unauthorized"),
            403 => (StatusCode::FORBIDDEN, "forbidden"),
            400 => (StatusCode::BAD_REQUEST, "invalid"),
            503 => (StatusCode::SERVICE_UNAVAILABLE, "unavailable"),
            _ => (StatusCode::INTERNAL_SERVER_ERROR, "internal"),
        };
        let mut problem = Self::new(status, kind, refusal.to_string());
        for (name, value) in response.headers().filter(|(name, _)| matches!(*name, "www-authenticate" | "retry-after"))
        {
            if let Ok(value) = HeaderValue::from_str(&value) {
                problem = problem.with(HeaderName::from_static(name), value);
            }
        }
        problem
    }

    fn unavailable(detail: &str) -> Self {
        let problem = Self::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", detail);
        problem.with(RETRY_AFTER, HeaderValue::from_static("1"))
    }

    /// The same with the time after which to try again, in seconds.
    pub fn retry_after(self, seconds: u32) -> Self {
        self.with(RETRY_AFTER, HeaderValue::from(seconds))
    }

    fn with(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.push((name, value));
        self
    }

    /// The response.
    pub fn response(self, state: &State) -> HttpResponse {
        let title = KINDS.iter().find(|(kind, ..)| *kind == self.kind).map_or("", |(_, title, _)| title);
        let mut response = HttpResponse::build(self.status);
        no_store(&mut response);
        self.headers.into_iter().for_each(|header| {
            response.insert_header(header);
        });
        response.content_type("application/problem+json");
        json(
            &mut response,
            &ProblemAnswer {
                kind: state.authority.settings().issuer.endpoint(&format!("/problems/{}", self.kind)),
                title: title.into(),
                status: self.status.as_u16(),
                detail: self.detail,
                errors: self.errors,
            },
        )
    }
}

/// A body that keeps the content type of its response.
fn json(response: &mut HttpResponseBuilder, body: &impl Serialize) -> HttpResponse {
    // Texts and numbers: nothing in it can fail.
    response.body(serde_json::to_string(body).unwrap_or_default())
}

/// A problem (RFC 9457).
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Problem)]
pub struct ProblemAnswer {
    /// A page that explains this kind of problem.
    #[serde(rename = "type")]
    kind: String,
    title: String,
    status: u16,
    /// What is wrong in this case.
    detail: String,
    /// The fields that are wrong.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<FieldError>,
}

impl From<AdminError> for Problem {
    fn from(error: AdminError) -> Self {
        let detail = error.to_string();
        match error {
            AdminError::Taken { .. } => Self::new(StatusCode::CONFLICT, "taken", detail),
            AdminError::OtherSpelling(_) => Self::not_found(detail),
            AdminError::NoSuch { kind, .. } => Self::not_found(format!("there is no such {kind}")),
            AdminError::Invalid(_) | AdminError::Password(_) => Self::new(StatusCode::BAD_REQUEST, "invalid", detail),
            AdminError::LastAdministrator(_) => Self::new(StatusCode::CONFLICT, "last-administrator", detail),
            AdminError::BadCredentials => Self::new(StatusCode::FORBIDDEN, "wrong-password", detail),
            AdminError::Forbidden(_) => Self::new(StatusCode::FORBIDDEN, "forbidden", detail),
            AdminError::KeyReused => Self::new(StatusCode::UNPROCESSABLE_ENTITY, "key-reused", detail),
            AdminError::Conflict(_) => Self::new(StatusCode::CONFLICT, "conflict", detail),
            AdminError::ActorEnded => Self::refused(&Refusal::from(ficha_resource::VerifyError::Denied)),
            AdminError::Busy => Self::unavailable("too many passwords are being hashed"),
            AdminError::Store(_) => {
                tracing::debug!(%error, "a request of an administrator failed");
                Self::unavailable("the database does not answer")
            }
            AdminError::Keys(_) => {
                tracing::error!(%error, "a request of an administrator failed");
                Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "see the server's log")
            }
        }
    }
}
