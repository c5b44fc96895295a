//! Output of the commands.

use std::fmt::Write as _;
use std::io::Write as _;

use serde::Serialize;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::error::CliError;

/// Prints text without a newline at its end.
pub fn print(text: &str) -> Result<(), CliError> {
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).map_err(CliError::Output)
}

/// Prints one line.
pub fn say(line: &str) -> Result<(), CliError> {
    print(&format!("{line}\n"))
}

/// Prints a warning on standard error: it is not part of the output.
pub fn warn(line: &str) {
    // Standard error without a reader ends nothing.
    let _ = writeln!(std::io::stderr(), "warning: {line}");
}

/// Prints one JSON document.
pub fn json<T: Serialize + ?Sized>(value: &T) -> Result<(), CliError> {
    let text = serde_json::to_string_pretty(value).map_err(|error| CliError::Output(error.into()))?;
    say(&text)
}

/// Prints rows as aligned columns under their headings.
pub fn table<const N: usize>(headings: [&str; N], rows: &[[String; N]]) -> Result<(), CliError> {
    let mut table = Table::new(headings);
    table.print(rows.to_vec())?;
    table.finish()
}

/// Rows as aligned columns under their headings, printed part by part. Columns only get wider.
pub struct Table<const N: usize> {
    /// Until they are printed.
    headings: Option<[String; N]>,
    widths: [usize; N],
}

impl<const N: usize> Table<N> {
    /// An empty table.
    pub fn new(headings: [&str; N]) -> Self {
        Self { headings: Some(headings.map(str::to_owned)), widths: [0; N] }
    }

    /// Prints the next rows.
    pub fn print(&mut self, rows: Vec<[String; N]>) -> Result<(), CliError> {
        let rows: Vec<[String; N]> =
            self.headings.take().into_iter().chain(rows).map(|row| row.map(printable)).collect();
        for row in &rows {
            for (width, cell) in self.widths.iter_mut().zip(row) {
                *width = cell.chars().count().max(*width);
            }
        }
        let mut text = String::new();
        for row in &rows {
            let mut line = String::new();
            for (cell, width) in row.iter().zip(self.widths) {
                // Writing into a String does not fail.
                let _ = write!(line, "{cell:width$}  ");
            }
            text.push_str(line.trim_end());
            text.push('\n');
        }
        print(&text)
    }

    /// Prints the headings if there were no rows.
    pub fn finish(mut self) -> Result<(), CliError> {
        if self.headings.is_some() { self.print(Vec::new()) } else { Ok(()) }
    }
}

/// A JSON array, printed part by part.
#[derive(Default)]
pub struct JsonList {
    begun: bool,
}

impl JsonList {
    /// Prints the next items.
    pub fn print<T: Serialize>(&mut self, items: &[T]) -> Result<(), CliError> {
        let mut text = String::new();
        for item in items {
            let item = serde_json::to_string_pretty(item).map_err(|error| CliError::Output(error.into()))?;
            text.push_str(if std::mem::replace(&mut self.begun, true) { ",\n  " } else { "[\n  " });
            text.push_str(&item.replace('\n', "\n  "));
        }
        print(&text)
    }

    /// Prints its end.
    pub fn finish(self) -> Result<(), CliError> {
        say(if self.begun { "\n]" } else { "[]" })
    }
}

/// Prints the fields of one record, one per line.
pub fn fields(fields: &[(&str, String)]) -> Result<(), CliError> {
    let width = fields.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    let line = |(name, value): &(&str, String)| format!("{name:width$}  {}\n", printable(value.clone()));
    print(&fields.iter().map(line).collect::<String>())
}

/// Escapes control characters: user agents and names come from outside and must not control the terminal.
fn printable(text: String) -> String {
    if !text.chars().any(char::is_control) {
        return text;
    }
    let shown = |c: char| if c.is_control() { c.escape_default().to_string() } else { c.to_string() };
    text.chars().map(shown).collect()
}

/// A stored time as RFC 3339, UTC.
pub fn time(seconds: i64) -> String {
    let time = OffsetDateTime::from_unix_timestamp(seconds).ok();
    time.and_then(|time| time.format(&Rfc3339).ok()).unwrap_or_else(|| seconds.to_string())
}

/// The same for a [`std::time::SystemTime`].
pub fn system_time(at: std::time::SystemTime) -> String {
    time(OffsetDateTime::from(at).unix_timestamp())
}

/// A value that may be missing.
pub fn or_dash(text: Option<&str>) -> String {
    text.filter(|text| !text.is_empty()).unwrap_or("-").to_owned()
}

/// `yes` or `no`.
pub fn yes_no(flag: bool) -> String {
    if flag { "yes" } else { "no" }.into()
}

/// How many sessions ended, in words.
pub fn ended(sessions: u64) -> String {
    match sessions {
        0 => "no sessions ended".into(),
        1 => "1 session ended".into(),
        many => format!("{many} sessions ended"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_rfc_3339() {
        assert_eq!(time(1_763_800_000), "2025-11-22T08:26:40Z");
        assert_eq!(time(i64::MAX), i64::MAX.to_string());
    }

    #[test]
    fn control_characters_are_escaped() {
        assert_eq!(printable("curl\u{1b}[2J\n".into()), "curl\\u{1b}[2J\\n");
        assert_eq!(printable("naïve".into()), "naïve");
    }
}
