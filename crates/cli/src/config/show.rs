//! The settings in force, as `ficha config` prints them. Secrets are hidden.

use std::fmt;
use std::path::PathBuf;

use ficha_authority::Settings;
use serde_json::{Value, json};

use super::error::ConfigProblem;
use super::layer::{self, Layer, shown_values};
use super::raw::Raw;
use super::setting::quoted;
use super::values::{HIDDEN, STARS};

/// The settings in force, and where each was set.
#[derive(Debug)]
pub struct Shown(Vec<Line>);

/// One setting.
#[derive(Debug)]
struct Line {
    key: String,
    /// As TOML; `None` if it has no value.
    value: Option<String>,
    origin: String,
}

impl Shown {
    pub(super) fn new(raw: &Raw, merged: &Layer, settings: &Settings) -> Result<Self, ConfigProblem> {
        let line = |(key, value): (String, Option<String>)| {
            let origin = merged.origin(&key).map(str::to_owned);
            let (value, origin) = match (value, origin) {
                (Some(value), origin) => (Some(value), origin.unwrap_or_default()),
                (None, _) => derived(&key, settings),
            };
            Line { key, value, origin }
        };
        Ok(Self(shown_values(raw)?.into_iter().map(line).collect()))
    }
}

/// The effective value of a setting that is not set, and where it comes from.
fn derived(key: &str, settings: &Settings) -> (Option<String>, String) {
    match key {
        "server.issuer" => (Some(quoted(settings.issuer.as_str())), "follows server.bind".into()),
        "token.audience" => (Some(quoted(settings.default_audience())), "follows server.issuer".into()),
        "token.default_client" => match settings.default_client() {
            Some(id) => (Some(quoted(id)), "because the issuer is a loopback address".into()),
            None => (None, "not set: a request must name its client".into()),
        },
        "denylist.anonymous" => {
            let anonymous = settings.anonymous_following();
            let not = if anonymous { "" } else { "not " };
            (Some(anonymous.to_string()), format!("because the issuer is {not}a loopback address"))
        }
        "server.workers" | "password.threads" => (None, "not set: one for each core".into()),
        "server.metrics_bind" => (None, "not set: /metrics is at server.bind".into()),
        "server.gate_bind" => (None, "not set: no proxy can ask about tokens".into()),
        "admin.bind" => (None, "not set: the admin API and the console are at server.bind".into()),
        "admin.origin" => {
            (None, "not set: that of server.issuer, or of admin.bind if both are loopback addresses".into())
        }
        "server.drain" => (None, "not set: 5s, or 0s if the issuer is a loopback address".into()),
        "server.max_connections_per_source" => {
            (None, "not set: a quarter of the files that the process may open".into())
        }
        "store.url_file" => (None, "not set: store.url is used".into()),
        "keys.master_key" => (None, "not set: read from keys.master_key_file".into()),
        "token.secret_key" => (None, "not set: keys.algorithm signs".into()),
        _ => (None, "not set".into()),
    }
}

impl Shown {
    /// Each setting by its full name, with `value` and `origin`.
    pub fn json(&self) -> Value {
        // What a setting has as TOML, a text, number, flag or list, is JSON too.
        let value = |text: &String| serde_json::from_str(text).unwrap_or_else(|_| Value::from(text.as_str()));
        let setting = |line: &Line| {
            let value = line.value.as_ref().map(value);
            (line.key.clone(), json!({ "value": value, "origin": line.origin }))
        };
        Value::Object(self.0.iter().map(setting).collect())
    }
}

impl Shown {
    /// The settings with a secret that a file has in clear, each with its file.
    pub fn secrets_in_files(&self) -> Vec<(&str, PathBuf)> {
        let is_secret =
            |line: &&Line| line.value.as_ref().is_some_and(|value| value == HIDDEN || value.contains(STARS));
        let file = |line: &Line| match line.origin.strip_prefix("from ")? {
            variable if variable.starts_with("FICHA__") => {
                variable.ends_with(layer::IN_DOTENV).then(|| layer::DOTENV.into())
            }
            path => Some(PathBuf::from(path)),
        };
        self.0.iter().filter(is_secret).filter_map(|line| Some((line.key.as_str(), file(line)?))).collect()
    }
}

impl fmt::Display for Shown {
    /// TOML with a comment after each value; a setting without a value is a comment as a whole.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = |line: &Line| match &line.value {
            Some(value) => format!("{} = {value}", line.key),
            None => format!("# {}", line.key),
        };
        let width = self.0.iter().map(|line| text(line).chars().count()).max().unwrap_or(0);
        for line in &self.0 {
            writeln!(f, "{:width$}  # {}", text(line), line.origin)?;
        }
        Ok(())
    }
}
