//! How a command tells what it has found or done: in lines for people, or in one JSON document for programs. That document
//! is what the admin API answers to the same request.

use clap::Args;
use serde::Serialize;

use crate::error::CliError;
use crate::output::{self, ended};

/// The option of commands that are not about the database.
#[derive(Debug, Args)]
pub struct JsonArgument {
    /// Print one JSON document
    #[arg(long, display_order = 900)]
    json: bool,
}

/// How a command tells it.
#[derive(Debug, Clone, Copy)]
pub struct Report {
    json: bool,
}

/// Something that can be shown field by field.
pub trait Fields {
    /// The names of the fields, and their values as text.
    fn fields(&self) -> Vec<(&'static str, String)>;
}

/// Something after a change.
#[derive(Serialize)]
struct Changed<'a, T> {
    #[serde(flatten)]
    now: &'a T,
    revoked: u64,
}

/// What has become of sessions.
#[derive(Serialize)]
struct Sessions {
    revoked: u64,
}

impl JsonArgument {
    pub fn report(&self) -> Report {
        Report::new(self.json)
    }
}

impl Report {
    pub fn new(json: bool) -> Self {
        Self { json }
    }

    /// True if programs read it.
    pub fn is_json(self) -> bool {
        self.json
    }

    /// Something was found or done: a line about it, or `answer`.
    pub fn say(self, line: &str, answer: &impl Serialize) -> Result<(), CliError> {
        if self.json { output::json(answer) } else { output::say(line) }
    }

    /// The same if there was nothing to do.
    pub fn say_unchanged(self, line: &str, answer: &impl Serialize) -> Result<(), CliError> {
        self.say(line, answer).map_err(CliError::after_nothing)
    }

    /// One thing.
    pub fn show<T: Serialize + Fields>(self, thing: &T) -> Result<(), CliError> {
        if self.json { output::json(thing) } else { output::fields(&thing.fields()) }
    }

    /// Rows under their headings.
    pub fn list<T: Serialize, const N: usize>(
        self,
        headings: [&str; N],
        things: &[T],
        row: impl Fn(&T) -> [String; N],
    ) -> Result<(), CliError> {
        match self.json {
            true => output::json(things),
            false => output::table(headings, &things.iter().map(row).collect::<Vec<_>>()),
        }
    }

    /// Something was done to `thing`, which `line` names.
    pub fn done<T: Serialize>(self, line: &str, thing: &T, revoked: u64) -> Result<(), CliError> {
        self.say(line, &Changed { now: thing, revoked })
    }

    /// Something was done to what `line` names, which has ended sessions.
    pub fn ended(self, line: &str, revoked: u64) -> Result<(), CliError> {
        self.say(&format!("{line}; {}", ended(revoked)), &Sessions { revoked })
    }

    /// The same as [`Report::changed`] of something that has no sessions.
    pub fn changed_alone<T: Serialize + Fields>(
        self,
        name: &str,
        named: &[&str],
        (before, now): (&T, &T),
    ) -> Result<(), CliError> {
        let changes = differing(named, (before, now));
        if self.json {
            let told = output::json(now);
            return if changes.is_empty() { told.map_err(CliError::after_nothing) } else { told };
        }
        if changes.is_empty() {
            return output::say_unchanged(&format!("{name} is unchanged"));
        }
        output::say(&format!("{name} changed"))?;
        output::fields(&changes)
    }

    /// What `name` names was changed: which of the fields that the command names differ, and how many sessions that has
    /// ended. What others have changed meanwhile is not this command's.
    pub fn changed<T: Serialize + Fields>(
        self,
        name: &str,
        named: &[&str],
        (before, now): (&T, &T),
        revoked: u64,
    ) -> Result<(), CliError> {
        let changes = differing(named, (before, now));
        let is_unchanged = changes.is_empty() && revoked == 0;
        if self.json {
            let told = output::json(&Changed { now, revoked });
            return if is_unchanged { told.map_err(CliError::after_nothing) } else { told };
        }
        if is_unchanged {
            return output::say_unchanged(&format!("{name} is unchanged"));
        }
        output::say(&format!("{name} changed; {}", ended(revoked)))?;
        output::fields(&changes)
    }
}

/// The fields among these that differ, each with both values.
fn differing<'a>(named: &[&'a str], (before, now): (&impl Fields, &impl Fields)) -> Vec<(&'a str, String)> {
    let value = |fields: &[(&'static str, String)], name: &str| {
        fields.iter().find(|(field, _)| *field == name).map(|(_, value)| value.clone()).unwrap_or_default()
    };
    let (was, is) = (before.fields(), now.fields());
    let both = named.iter().map(|field| (*field, value(&was, field), value(&is, field)));
    both.filter(|(_, was, is)| was != is).map(|(field, was, is)| (field, format!("{was} -> {is}"))).collect()
}
