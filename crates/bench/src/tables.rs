//! The tables of the performance page, made from the committed JSON.

use std::fmt::Write;
use std::path::Path;

use crate::Outcome;
use crate::result::{Report, Row};

const BEGIN: &str = "<!-- tables: begin -->";
const END: &str = "<!-- tables: end -->";

/// Replaces what stands between the marks of `page` by the tables of every JSON file in `results`.
pub fn write(page: &Path, results: &Path) -> Outcome<()> {
    let mut files: Vec<_> = std::fs::read_dir(results)?.filter_map(|entry| Some(entry.ok()?.path())).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "json"));
    files.sort();
    let mut text = String::new();
    for file in files {
        let report: Report = serde_json::from_str(&std::fs::read_to_string(file)?)?;
        render(&mut text, &report)?;
    }
    let old = std::fs::read_to_string(page)?;
    let (before, rest) = old.split_once(BEGIN).ok_or("the page has no begin mark")?;
    let (_, after) = rest.split_once(END).ok_or("the page has no end mark")?;
    std::fs::write(page, format!("{before}{BEGIN}\n{text}{END}{after}"))?;
    Ok(())
}

fn render(text: &mut String, report: &Report) -> Outcome<()> {
    writeln!(text, "\n### {} on {}\n", report.scenario, report.database)?;
    writeln!(text, "{}; commit `{}`; {}.\n", report.machine, report.commit, report.at)?;
    writeln!(text, "```sh\n{}\n```\n", report.command)?;
    writeln!(text, "| | seen | p50 | p99 | server CPU | beside it | asked for | reached |")?;
    writeln!(text, "|---|---|---|---|---|---|---|---|")?;
    for row in &report.rows {
        line(text, row)?;
    }
    Ok(())
}

fn line(text: &mut String, row: &Row) -> Outcome<()> {
    let (seen, p50, p99, cpu) = match row.figure {
        Some(figure) => (
            format!("{}/s", number(figure.per_second)),
            format!("{} ms", number(figure.p50_ms)),
            format!("{} ms", number(figure.p99_ms)),
            format!("{} µs", number(figure.cpu_us)),
        ),
        None => Default::default(),
    };
    let beside: Vec<_> = row
        .numbers
        .iter()
        .map(|one| match one.name == row.name {
            true => format!("{} {}", number(one.value), one.unit),
            false => format!("{}: {} {}", one.name, number(one.value), one.unit),
        })
        .collect();
    let reached = match row.reached {
        Some(true) => "yes",
        Some(false) => "**no**",
        None => "",
    };
    let asked = row.asked.as_deref().unwrap_or_default();
    let (name, beside) = (&row.name, beside.join("; "));
    writeln!(text, "| {name} | {seen} | {p50} | {p99} | {cpu} | {beside} | {asked} | {reached} |")?;
    Ok(())
}

/// Three figures that count.
fn number(value: f64) -> String {
    match value.abs() {
        size if size >= 100.0 => format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}
