//! The tables of the page of measurements, made from the committed JSON.

use std::fmt::Write;
use std::path::Path;

use crate::Outcome;
use crate::calm::CALM;
use crate::result::{Report, Rounds, Row};

const BEGIN: &str = "<!-- tables: begin -->";
const END: &str = "<!-- tables: end -->";

/// Replaces the text between the marks of `page` with the tables of every JSON file in `results`.
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
    match report.database.as_str() {
        "" => writeln!(text, "\n### {}\n", report.scenario)?,
        database => writeln!(text, "\n### {} on {database}\n", report.scenario)?,
    }
    writeln!(text, "{}; commit `{}`; {}.\n", report.machine, report.commit, report.at)?;
    writeln!(
        text,
        "<!-- not run: a benchmark takes minutes, and needs a machine for itself -->\n```sh\n{}\n```\n",
        report.command
    )?;
    let spins: Vec<f64> = report.spin_ms.into_iter().chain(report.rows.iter().filter_map(|row| row.spin_ms)).collect();
    let Rounds { least, median, most } = Rounds::of(spins);
    if least > 0.0 {
        let [median, most] = [median, most].map(|spin| number(spin / least));
        writeln!(
            text,
            "The fixed spin took {} ms at least, {median} × that as a median, {most} × at most.\n",
            number(least)
        )?;
    }
    writeln!(text, "| | measured | p50 | p99 | server CPU | other figures | spin | target | met |")?;
    writeln!(text, "|---|---|---|---|---|---|---|---|---|")?;
    let mut before = report.spin_ms;
    for row in &report.rows {
        let spin = before.zip(row.spin_ms).map(|(before, after)| before.max(after) / least);
        line(text, row, spin)?;
        before = row.spin_ms;
    }
    Ok(())
}

/// `spin`: the longer of the spins before and after the row, as a multiple of the least.
fn line(text: &mut String, row: &Row, spin: Option<f64>) -> Outcome<()> {
    // A number with the row's own name is the measured value; the others go into their own column.
    let (own, others): (Vec<_>, Vec<_>) = row.numbers.iter().partition(|one| one.name == row.name);
    let own = own.first().map(|one| format!("{} {}", number(one.value), one.unit)).unwrap_or_default();
    let (seen, p50, p99, cpu) = match (row.figure, row.times) {
        (Some(figure), _) => (
            format!("{}/s", number(figure.per_second)),
            format!("{} ms", number(figure.p50_ms)),
            format!("{} ms", number(figure.p99_ms)),
            format!("{} µs", number(figure.cpu_us)),
        ),
        (None, Some(times)) => (own, duration(times.p50_ms), duration(times.p99_ms), String::new()),
        (None, None) => (own, String::new(), String::new(), String::new()),
    };
    let longest = row.times.map(|times| format!("{} times, the longest {}", times.count, duration(times.max_ms)));
    let others =
        others.iter().map(|one| format!("{}: {} {}", one.name, number(one.value), one.unit).trim_end().to_owned());
    let other_figures: Vec<_> = longest.into_iter().chain(others).collect();
    let reached = match row.reached {
        // Neither a target that was met nor one that was missed means anything then.
        Some(_) if spin.is_some_and(|spin| spin > CALM) => "busy",
        Some(true) => "yes",
        Some(false) => "**no**",
        None => "",
    };
    let spin = spin.map(|spin| format!("{} ×", number(spin))).unwrap_or_default();
    let asked = row.asked.as_deref().unwrap_or_default();
    let (name, others) = (&row.name, other_figures.join("; "));
    writeln!(text, "| {name} | {seen} | {p50} | {p99} | {cpu} | {others} | {spin} | {asked} | {reached} |")?;
    Ok(())
}

/// A duration in a suitable unit.
fn duration(milliseconds: f64) -> String {
    match milliseconds {
        short if short < 0.1 => format!("{} µs", number(short * 1e3)),
        long if long >= 1e4 => format!("{} s", number(long / 1e3)),
        _ => format!("{} ms", number(milliseconds)),
    }
}

/// Three significant digits.
fn number(value: f64) -> String {
    match value.abs() {
        size if size >= 100.0 => format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}
