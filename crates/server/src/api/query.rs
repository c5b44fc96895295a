//! The parameters of a request: a closed list. An unknown one is an error, since a filter that is not recognised would
//! widen what is shown or revoked.

use std::str::FromStr;

use serde_json::Value;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::problem::{FieldError, Problem};

/// What is wrong with a parameter that nobody has taken.
pub const UNKNOWN: &str = "there is no such parameter";

/// The parameters that have not been taken yet, and what was wrong with those that were.
pub struct Parameters {
    left: Vec<(String, String)>,
    errors: Vec<FieldError>,
}

impl Parameters {
    /// Parses a query string.
    pub fn of(query: &str) -> Self {
        let mut all = Self { left: Vec::new(), errors: Vec::new() };
        for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
            if all.left.iter().any(|(known, _)| *known == name) {
                all.error(&name, "it is given twice");
            } else {
                all.left.push((name.into_owned(), value.into_owned()));
            }
        }
        all
    }

    /// The same from names and values.
    pub fn of_pairs(pairs: impl IntoIterator<Item = (String, String)>) -> Self {
        Self::of_members(pairs.into_iter().map(|(name, value)| (name, Value::String(value))).collect())
    }

    /// The same as the members of a JSON object whose values are texts, numbers or true and false.
    pub fn of_members(members: Vec<(String, Value)>) -> Self {
        let mut all = Self { left: Vec::new(), errors: Vec::new() };
        for (name, value) in members {
            match value {
                _ if all.left.iter().any(|(known, _)| *known == name) => all.error(&name, "it is given twice"),
                Value::String(text) => all.left.push((name, text)),
                Value::Number(_) | Value::Bool(_) => all.left.push((name, value.to_string())),
                Value::Null | Value::Array(_) | Value::Object(_) => all.error(&name, "it must be a text"),
            }
        }
        all
    }

    /// Takes a parameter that is not empty.
    pub fn text(&mut self, name: &str) -> Option<String> {
        let at = self.left.iter().position(|(known, _)| known == name)?;
        let (_, value) = self.left.swap_remove(at);
        if value.is_empty() || value.chars().any(char::is_control) {
            self.error(name, "it is empty, or has control characters");
            return None;
        }
        Some(value)
    }

    /// Takes a parameter and parses it. `kind` says what it must be.
    pub fn parsed<T>(&mut self, name: &str, kind: &str, parse: impl FnOnce(&str) -> Option<T>) -> Option<T> {
        let value = self.text(name)?;
        let parsed = parse(&value);
        if parsed.is_none() {
            self.error(name, &format!("it must be {kind}"));
        }
        parsed
    }

    /// Takes a whole number within bounds.
    pub fn number(&mut self, name: &str, least: u64, most: u64) -> Option<u64> {
        let kind = format!("a whole number from {least} to {most}");
        let parse = |text: &str| u64::from_str(text).ok().filter(|number| (least..=most).contains(number));
        self.parsed(name, &kind, parse)
    }

    /// Takes a time, and returns it in Unix seconds.
    pub fn time(&mut self, name: &str) -> Option<i64> {
        let parse = |text: &str| OffsetDateTime::parse(text, &Rfc3339).ok().map(OffsetDateTime::unix_timestamp);
        self.parsed(name, "a time such as 2026-01-31T12:00:00Z (RFC 3339)", parse)
    }

    /// The same in Unix milliseconds.
    pub fn millis(&mut self, name: &str) -> Option<i64> {
        let parse = |text: &str| {
            let time = OffsetDateTime::parse(text, &Rfc3339).ok()?;
            i64::try_from(time.unix_timestamp_nanos().div_euclid(1_000_000)).ok()
        };
        self.parsed(name, "a time such as 2026-01-31T12:00:00Z (RFC 3339)", parse)
    }

    /// Notes that a parameter is wrong.
    pub fn error(&mut self, field: &str, problem: &str) {
        self.errors.push(FieldError { field: field.into(), problem: problem.into() });
    }

    /// Refuses what is wrong, and what nobody has taken.
    pub fn finish(mut self) -> Result<(), Problem> {
        for (name, _) in std::mem::take(&mut self.left) {
            self.error(&name, UNKNOWN);
        }
        if self.errors.is_empty() { Ok(()) } else { Err(Problem::invalid(self.errors)) }
    }
}
