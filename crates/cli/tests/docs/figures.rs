//! Every measured figure on a page is one of the performance or reliability page, where it has its machine and command; every
//! other one has its reason here.

use std::collections::BTreeSet;

use crate::markdown::{pages, repository};

/// The pages of measurements themselves.
const MEASURED: [&str; 3] = [SUMMARY, RESULTS, "docs/src/reliability.md"];
const SUMMARY: &str = "docs/src/performance.md";
const RESULTS: &str = "docs/src/performance-results.md";

const UNITS: [&str; 9] = ["ms", "milliseconds", "µs", "microseconds", "MB", "MiB", "kB", "GB", "per second"];

/// Those of the tables of measurements.
const UNITS_OF_RESULTS: [&str; 5] = ["s", "ms", "µs", "MB", "kB"];

/// Where a figure comes from.
enum Source {
    /// A file that has this text.
    In(&'static str, &'static str),
    /// The page on which it is says how it was seen.
    OnItsPage,
}

use Source::{In, OnItsPage};

const SOURCES: [(&str, Source); 21] = [
    ("19.1 ms", In(SUMMARY, "19.1 ms")),
    ("0.6 to 1.2 microseconds", In(SUMMARY, "0.59 to 1.21 µs")),
    ("32 MB", In(SUMMARY, "32 MB")),
    ("55 kB", In(SUMMARY, "55 kB")),
    ("283 to 294 ms", In(SUMMARY, "| 283 ms | 294 ms |")),
    // The targets of a revocation and of a list of sessions, for which the page says whether they were met.
    ("250 ms", In(RESULTS, "250 ms")),
    ("50 ms", In(RESULTS, "50 ms")),
    // Constants.
    ("20 ms", In("crates/authority/src/denylist/feed.rs", "from_millis(20)")),
    ("500 ms", In("crates/authority/src/tasks/mod.rs", "from_millis(500)")),
    ("100 ms", In("crates/authority/src/tasks/mod.rs", "from_millis(100)")),
    ("256 MiB", In("crates/password/src/format_error.rs", "256 MiB")),
    ("64 MiB", In("crates/server/src/api/import.rs", "64 * 1024 * 1024")),
    ("32 MiB", In("crates/resource/src/verifier.rs", "32 * 1024 * 1024")),
    ("1 MiB", In("crates/resource/src/remote/metadata.rs", "1024 * 1024")),
    // What others write about themselves, with a link.
    ("1250 MB", OnItsPage),
    ("35 to 65 MB", OnItsPage),
    // Seen with a configuration of that page.
    ("1.4 ms", OnItsPage),
    ("10 to 20 ms", OnItsPage),
    // The default of HAProxy.
    ("16 kB", OnItsPage),
    ("64 kB", OnItsPage),
    ("8 kB", OnItsPage),
];

#[test]
fn every_figure_has_a_source() {
    let mut found = BTreeSet::new();
    for page in pages().iter().filter(|page| !MEASURED.contains(&page.as_str())) {
        let text = std::fs::read_to_string(repository().join(page)).unwrap();
        for figure in figures(&text) {
            let known = SOURCES.iter().find(|(known, _)| *known == figure);
            assert!(known.is_some(), "{page}: {figure}: where was it seen?");
            found.insert(figure);
        }
    }
    for (figure, source) in SOURCES {
        if let In(path, text) = source
            && found.contains(figure)
        {
            let file = std::fs::read_to_string(repository().join(path)).unwrap();
            assert!(file.contains(text), "{figure}: {text:?} is not in {path}");
        }
    }
    assert!(found.len() > 12, "{found:?}");
}

/// The tables at the beginning of the performance page are those of the measurements, rounded.
#[test]
fn the_summary_of_performance_is_that_of_the_measurements() {
    let read = |page| std::fs::read_to_string(repository().join(page)).unwrap();
    let (summary, results) = (read(SUMMARY), read(RESULTS));
    let begins = summary.find("## In short").unwrap();
    let ends = begins + summary[begins..].find("\n## What").unwrap();
    let (mut measured, mut compared) = (Vec::new(), 0);
    for line in results.lines().filter(|line| line.starts_with('|')) {
        measured.extend(line.split('|').flat_map(quantities));
    }
    for line in summary[begins..ends].lines().filter(|line| line.starts_with('|')) {
        let cells: Vec<&str> = line.trim_matches('|').split('|').collect();
        // The first says what was measured, and the last with which command.
        for (number, unit) in cells[1..cells.len() - 1].iter().flat_map(|cell| quantities(cell)) {
            let decimals = number.split_once('.').map_or(0, |(_, decimals)| decimals.len());
            let is_it = |(other, its): &(String, String)| {
                *its == unit && format!("{:.decimals$}", other.parse::<f64>().unwrap()) == number
            };
            assert!(measured.iter().any(is_it), "{number}{unit} was not measured: {line}");
            compared += 1;
        }
    }
    assert!(compared > 20, "{compared}");
}

/// The numbers of a cell of a table, each with its unit; one without is a rate per second. Of "a to b", both have the unit.
fn quantities(cell: &str) -> Vec<(String, String)> {
    let mut found: Vec<(String, String)> = Vec::new();
    let words: Vec<String> = cell.replace("/s", "").replace(',', "").split_whitespace().map(bare_number).collect();
    for (index, word) in words.iter().enumerate() {
        if word.parse::<f64>().is_ok() {
            let to = words.get(index + 1).is_some_and(|next| next == "to");
            let unit =
                words.get(index + if to { 3 } else { 1 }).filter(|unit| UNITS_OF_RESULTS.contains(&unit.as_str()));
            found.push((word.clone(), unit.cloned().unwrap_or_default()));
        }
    }
    found
}

fn bare_number(word: &str) -> String {
    word.trim_end_matches([';', ':', ')']).to_owned()
}

/// Numbers with a unit, outside of code.
fn figures(text: &str) -> Vec<String> {
    let mut all = Vec::new();
    let mut is_code = false;
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            is_code = !is_code;
        }
        if is_code {
            continue;
        }
        let words: Vec<&str> = line.split(' ').collect();
        for (index, word) in words.iter().enumerate().skip(1) {
            let next = words.get(index + 1).map(|next| format!("{word} {next}")).unwrap_or_default();
            let fits = |unit: &&&str| bare(word) == **unit || bare(&next) == **unit;
            let Some(unit) = UNITS.iter().find(fits) else { continue };
            let is_number = |word: &str| {
                word.trim_start_matches(['(', '[', '|']).chars().all(|c| c.is_ascii_digit() || matches!(c, '.' | ','))
                    && !word.is_empty()
            };
            if !is_number(words[index - 1]) {
                continue;
            }
            let number = words[index - 1].trim_start_matches(['(', '[', '|']);
            let first = index.checked_sub(3).filter(|first| words[first + 1] == "to" && is_number(words[*first]));
            all.push(match first {
                Some(first) => format!("{} to {number} {unit}", words[first].trim_start_matches(['(', '[', '|'])),
                None => format!("{number} {unit}"),
            });
        }
    }
    all
}

/// Without what follows a word in a sentence.
fn bare(word: &str) -> &str {
    let end = word.find(['.', ',', ';', ':', ')', ']', '|', '*']).unwrap_or(word.len());
    &word[..end]
}
