//! Why something is refused, in the language of a page.

use actix_web::http::StatusCode;
use ficha_authority::{AdminError, PolicyError};
use i18n_embed_fl::fl;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use super::answer::PageError;
use super::texts::{Texts, isolated};
use crate::api::problem::{FieldError, Problem};
use crate::api::query::UNKNOWN;

/// Why a form is not saved.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reason {
    /// In the language of the page.
    pub text: String,
    /// What exactly, in English, if the rule has said so.
    pub detail: String,
    /// The path of what is in the way, without the base; empty: nothing.
    pub existing: String,
}

impl Reason {
    /// True if there is none.
    pub fn is_empty(&self) -> bool {
        self.text.is_empty()
    }
}

impl From<String> for Reason {
    fn from(text: String) -> Self {
        Self { text, ..Self::default() }
    }
}

/// Why a form is not saved, if it can be mended and sent again: the status, and the reason. `rules` says what its fields
/// must be.
pub fn refusal(texts: &Texts, error: AdminError, rules: String) -> Result<(StatusCode, Reason), PageError> {
    let (status, reason) = match error {
        AdminError::Invalid(detail) => (StatusCode::BAD_REQUEST, Reason { text: rules, detail, ..Reason::default() }),
        AdminError::Taken { kind, name } => {
            let existing = format!("/console/{kind}s/{}", utf8_percent_encode(&name, NON_ALPHANUMERIC));
            let text = fl!(texts, "name-taken", name = isolated(&name));
            (StatusCode::CONFLICT, Reason { text, existing, ..Reason::default() })
        }
        AdminError::Forbidden(detail) => {
            (StatusCode::FORBIDDEN, Reason { text: fl!(texts, "more-than-you-may"), detail, ..Reason::default() })
        }
        AdminError::LastAdministrator(_) => (StatusCode::CONFLICT, fl!(texts, "last-administrator-advice").into()),
        AdminError::Busy => (StatusCode::SERVICE_UNAVAILABLE, fl!(texts, "too-many-sign-ins").into()),
        other => return Err(other.into()),
    };
    Ok((status, reason))
}

/// Why a password is too weak.
pub fn policy_text(texts: &Texts, why: &PolicyError) -> String {
    match why {
        PolicyError::TooShort { min } => {
            let min = *min;
            fl!(texts, "password-too-short", count = min)
        }
        PolicyError::TooLong => fl!(texts, "password-too-long"),
        PolicyError::Common => fl!(texts, "password-common"),
        PolicyError::Repetitive | PolicyError::Sequential => fl!(texts, "password-simple"),
        PolicyError::UserName | PolicyError::ServiceName => fl!(texts, "password-name"),
    }
}

/// What is wrong with a filter.
pub fn filter_errors(texts: &Texts, problem: &Problem) -> Vec<String> {
    problem.errors().iter().map(|error| filter_error(texts, error)).collect()
}

fn filter_error(texts: &Texts, error: &FieldError) -> String {
    let field = label(texts, &error.field);
    match &*error.field {
        _ if error.problem == UNKNOWN => fl!(texts, "filter-unknown", field = field),
        "address" => fl!(texts, "filter-address", field = field),
        "created_after" | "created_before" | "refreshed_after" | "refreshed_before" | "since" | "until" => {
            fl!(texts, "filter-time", field = field)
        }
        "session" => fl!(texts, "filter-id", field = field),
        _ => fl!(texts, "filter-wrong", field = field),
    }
}

/// What the page calls a field of a filter; its name, if no page has it.
pub fn label(texts: &Texts, field: &str) -> String {
    match field {
        "user" => fl!(texts, "user"),
        "client" => fl!(texts, "client"),
        "address" => fl!(texts, "address"),
        "state" => fl!(texts, "state"),
        "scope" => fl!(texts, "scope"),
        "user_agent" => fl!(texts, "user-agent-contains"),
        "created_after" => fl!(texts, "created-after"),
        "created_before" => fl!(texts, "created-before"),
        "refreshed_after" => fl!(texts, "refreshed-after"),
        "refreshed_before" => fl!(texts, "refreshed-before"),
        "reason" => fl!(texts, "reason"),
        "event" => fl!(texts, "event"),
        "actor" => fl!(texts, "done-by"),
        "session" => fl!(texts, "session-id"),
        "since" => fl!(texts, "since"),
        "until" => fl!(texts, "until"),
        other => isolated(other),
    }
}

#[cfg(test)]
mod tests {
    use super::super::language::Language;
    use super::super::texts::texts;
    use super::*;

    #[test]
    fn a_wrong_filter_is_told_in_the_language_of_the_page() {
        let error = |field: &str, problem: &str| FieldError { field: field.into(), problem: problem.into() };
        let spanish = texts(Language::Spanish);
        for (field, problem, told) in [
            ("address", "it must be an address", "Dirección: "),
            ("since", "it must be a time", "Desde (UTC): "),
            ("colour", UNKNOWN, "\u{2068}colour\u{2069}: "),
            ("before", "it can't be combined", "\u{2068}before\u{2069}: "),
        ] {
            let text = filter_error(spanish, &error(field, problem));
            assert!(text.starts_with(told) && text.len() > told.len() && !text.contains("must"), "{text}");
        }
    }
}
