//! `ficha config --check`: what should be mended before others use the server. It changes nothing, binds no address, and
//! speaks to the database only.

mod database;
mod files;
mod settings;

use std::fmt::Write as _;

use serde_json::json;

use crate::config::Configuration;
use crate::error::CliError;
use crate::finding::{Finding, Level};
use crate::output;
use crate::report::Report;

/// Looks at everything, and tells what was found.
pub async fn run(configuration: &Configuration, report: Report) -> Result<(), CliError> {
    crate::logging::warnings_only(&configuration.log);
    let mut findings = settings::check(configuration);
    findings.extend(files::check(configuration));
    findings.extend(database::check(configuration).await);
    findings.sort_by_key(|finding| finding.level);
    let [errors, warnings] =
        [Level::Error, Level::Warning].map(|level| findings.iter().filter(|one| one.level == level).count());
    let printed = match report.is_json() {
        true => output::json(&json!({ "errors": errors, "warnings": warnings, "findings": findings })),
        false => output::print(&shown(&findings, errors, warnings)),
    };
    output::verdict(printed, if errors == 0 { Ok(()) } else { Err(CliError::NotForProduction(errors)) })
}

fn shown(findings: &[Finding], errors: usize, warnings: usize) -> String {
    let mut text = String::new();
    for Finding { name, level, what, to_do } in findings {
        let level = if *level == Level::Error { "error" } else { "warning" };
        // Writing into a String does not fail.
        let _ = writeln!(text, "{level} {name}: {}\n  to do: {}", sentence(what), sentence(to_do));
    }
    let number = |count: usize, what: &str| format!("{count} {what}{}", if count == 1 { "" } else { "s" });
    let _ = writeln!(text, "{}, {}", number(errors, "error"), number(warnings, "warning"));
    output::printable_lines(&text)
}

/// With a full stop at its end.
fn sentence(text: &str) -> String {
    if text.ends_with(['.', '`']) { text.to_owned() } else { format!("{text}.") }
}
