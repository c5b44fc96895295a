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

/// The verdict of a check that has printed what it found. If nobody reads that, as in a pipe to `head`, it still counts.
pub fn verdict(printed: Result<(), CliError>, verdict: Result<(), CliError>) -> Result<(), CliError> {
    match (printed, verdict) {
        (Err(CliError::Output(error)), Err(found)) if error.kind() == std::io::ErrorKind::BrokenPipe => Err(found),
        (printed, verdict) => printed.and(verdict),
    }
}

/// Prints that there was nothing to do, by a command that changes things otherwise.
pub fn say_unchanged(line: &str) -> Result<(), CliError> {
    say(line).map_err(CliError::after_nothing)
}

/// Prints a warning on standard error: it is not part of the output.
pub fn warn(line: &str) {
    // Standard error without a reader ends nothing.
    let _ = writeln!(std::io::stderr(), "warning: {line}");
}

/// Prints what may surprise on standard error: it is not part of the output.
pub fn note(line: &str) {
    let _ = writeln!(std::io::stderr(), "note: {line}");
}

/// Prints one JSON document.
pub fn json<T: Serialize + ?Sized>(value: &T) -> Result<(), CliError> {
    let text = serde_json::to_string_pretty(value).map_err(|error| CliError::Output(error.into()))?;
    say(&escaped_json(text))
}

/// JSON escapes the control characters of ASCII only. The others (C1) are commands to many terminals, too.
fn escaped_json(text: String) -> String {
    if !text.chars().any(is_c1) {
        return text;
    }
    let shown = |c: char| if is_c1(c) { format!("\\u{:04x}", u32::from(c)) } else { c.to_string() };
    text.chars().map(shown).collect()
}

fn is_c1(c: char) -> bool {
    ('\u{7f}'..='\u{9f}').contains(&c)
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
    /// How wide the terminal is; `None`: it is printed to something else, and nothing is cut.
    screen: Option<usize>,
}

impl<const N: usize> Table<N> {
    /// An empty table.
    pub fn new(headings: [&str; N]) -> Self {
        let screen = terminal_size::terminal_size_of(std::io::stdout()).map(|(width, _)| usize::from(width.0));
        Self { headings: Some(headings.map(str::to_owned)), widths: [0; N], screen }
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
        let widths = self.screen.map_or(self.widths, |screen| fitted(self.widths, screen));
        let mut text = String::new();
        for row in &rows {
            let mut line = String::new();
            for (cell, width) in row.iter().zip(widths) {
                let cell = cut(cell, width);
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

/// How wide the columns are if all must fit into so many characters: the widest become narrower. The first never does:
/// it names the thing, and is copied from there.
fn fitted<const N: usize>(mut widths: [usize; N], screen: usize) -> [usize; N] {
    const NARROWEST: usize = 8;
    let all = |widths: &[usize; N]| widths.iter().sum::<usize>() + 2 * N.saturating_sub(1);
    while all(&widths) > screen {
        match widths.iter_mut().skip(1).max() {
            Some(widest) if *widest > NARROWEST => *widest -= 1,
            _ => break,
        }
    }
    widths
}

/// The beginning of a text, with a sign that there is more.
fn cut(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    let kept: String = text.chars().take(width.saturating_sub(1)).collect();
    kept + "…"
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
            let item = escaped_json(item);
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
pub fn printable(text: String) -> String {
    if !text.chars().any(char::is_control) {
        return text;
    }
    let shown = |c: char| if c.is_control() { c.escape_default().to_string() } else { c.to_string() };
    text.chars().map(shown).collect()
}

/// The same of a text of several lines.
pub fn printable_lines(text: &str) -> String {
    text.split_inclusive('\n')
        .map(|line| match line.strip_suffix('\n') {
            Some(line) => printable(line.to_owned()) + "\n",
            None => printable(line.to_owned()),
        })
        .collect()
}

/// A stored time as RFC 3339, UTC.
pub fn time(seconds: i64) -> String {
    let time = OffsetDateTime::from_unix_timestamp(seconds).ok();
    time.and_then(|time| time.format(&Rfc3339).ok()).unwrap_or_else(|| seconds.to_string())
}

/// The same of Unix milliseconds.
pub fn millis_time(millis: i64) -> String {
    let time = OffsetDateTime::from_unix_timestamp_nanos(i128::from(millis) * 1_000_000).ok();
    time.and_then(|time| time.format(&Rfc3339).ok()).unwrap_or_else(|| millis.to_string())
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
    fn a_table_fits_the_terminal_and_keeps_what_names_a_row() {
        assert_eq!(fitted([36, 10, 40, 20], 120), [36, 10, 40, 20]);
        assert_eq!(fitted([36, 10, 40, 20], 90), [36, 10, 19, 19]);
        assert_eq!(fitted([36, 10, 40], 20), [36, 8, 8]);
        assert_eq!((cut("notes:read", 10), cut("notes:read", 6)), ("notes:read".into(), "notes…".into()));
    }

    #[test]
    fn control_characters_are_escaped() {
        assert_eq!(printable("a\u{9b}31mb".into()), "a\\u{9b}31mb");
        assert_eq!(printable("curl\u{1b}[2J\n".into()), "curl\\u{1b}[2J\\n");
        assert_eq!(printable("naïve".into()), "naïve");
        assert_eq!(escaped_json("\"a\u{9b}é\"".into()), "\"a\\u009bé\"");
    }
}
