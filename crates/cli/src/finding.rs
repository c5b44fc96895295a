//! Settings that are allowed and may be mistakes, and what else is worth knowing before others use a server.

use std::fmt;

use serde::Serialize;

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// Nobody should use this server before it is mended.
    Error,
    /// It may be right here.
    Warning,
}

/// One of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Which one, such as `proxies.missing`.
    pub name: &'static str,
    /// How bad it is.
    pub level: Level,
    /// What was found, and why it matters.
    pub what: String,
    /// What to do about it.
    pub to_do: String,
}

impl Finding {
    /// Something that must be mended.
    pub fn error(name: &'static str, what: impl Into<String>, to_do: impl Into<String>) -> Self {
        Self { name, level: Level::Error, what: what.into(), to_do: to_do.into() }
    }

    /// Something that may be right.
    pub fn warning(name: &'static str, what: impl Into<String>, to_do: impl Into<String>) -> Self {
        Self { level: Level::Warning, ..Self::error(name, what, to_do) }
    }
}

/// As a line of a log.
impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.what, self.to_do)
    }
}
