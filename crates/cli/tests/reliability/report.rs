//! The results of all points: a table, and a failure if anything was lost or answered wrongly.

use std::time::Duration;

use crate::facts::Compared;
use crate::server::say;

/// One run of the script with one fault.
pub struct Point {
    /// How often the fault occurred.
    pub hits: u64,
    pub compared: Compared,
    pub wrong: Vec<String>,
    /// From the end of the fault to the first login and revocation; `None` if they never succeeded.
    pub recovery: Option<Duration>,
    /// How long another process then took to write.
    pub other_process: Duration,
    /// The end of the server's log.
    pub log: String,
}

/// All points of one fault.
#[derive(Default)]
struct Row {
    points: usize,
    hits: u64,
    facts: usize,
    lost: usize,
    wrong: usize,
    recovery: Vec<Duration>,
    other_process: Vec<Duration>,
}

/// All points.
pub struct Report {
    title: &'static str,
    rows: Vec<(String, Row)>,
    failures: Vec<String>,
}

impl Report {
    pub fn new(title: &'static str) -> Self {
        Self { title, rows: Vec::new(), failures: Vec::new() }
    }

    /// Adds a point; `place` describes where it was.
    pub fn add(&mut self, fault: &str, place: &str, point: Point) {
        let is_new = self.rows.last().is_none_or(|(name, _)| name != fault);
        if is_new {
            self.rows.push((fault.to_owned(), Row::default()));
        }
        if let Some((_, row)) = self.rows.last_mut() {
            row.points += 1;
            row.hits += point.hits;
            row.facts += point.compared.facts;
            row.lost += point.compared.lost.len();
            row.wrong += point.wrong.len();
            row.recovery.extend(point.recovery);
            row.other_process.push(point.other_process);
        }
        let lost = point.compared.lost.iter().map(|what| format!("lost: {what}"));
        let failures: Vec<String> = lost.chain(point.wrong).collect();
        if !failures.is_empty() {
            let what = format!("{fault}, {place}:\n  {}\nits log:\n{}", failures.join("\n  "), point.log);
            // Print at once: the rest may take a long time.
            say(&what);
            self.failures.push(what);
        }
    }

    /// Prints the table, and fails if anything was lost or wrong.
    #[track_caller]
    pub fn finish(self) {
        say(&format!("\n{}:\n", self.title));
        say("| Fault | Points | Hits | Facts | Lost | Wrong | Recovery p50 / max | Another process p50 / max |");
        say("|---|---|---|---|---|---|---|---|");
        for (name, row) in self.rows {
            let Row { points, hits, facts, lost, wrong, recovery, other_process } = row;
            let (recovery, other) = (spread(recovery), spread(other_process));
            say(&format!("| {name} | {points} | {hits} | {facts} | {lost} | {wrong} | {recovery} | {other} |"));
        }
        say("");
        assert!(self.failures.is_empty(), "{}", self.failures.join("\n\n"));
    }
}

fn spread(mut times: Vec<Duration>) -> String {
    times.sort();
    match times.last() {
        Some(most) => format!("{} / {} ms", times[times.len() / 2].as_millis(), most.as_millis()),
        None => "never".to_owned(),
    }
}

/// True in the long form.
pub fn is_full() -> bool {
    std::env::var("FICHA_RELIABILITY").is_ok_and(|form| form == "full")
}

/// True unless only other faults were requested.
pub fn is_wanted(fault: &str) -> bool {
    std::env::var("FICHA_RELIABILITY_ONLY").map_or(true, |words| fault.contains(&words))
}

/// A whole number from the environment.
pub fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

/// The points at which a fault is tried: all of them in the long form, otherwise these hundredths of all.
pub fn points(most: u64, hundredths: &[u64]) -> Vec<u64> {
    if most == 0 {
        return Vec::new();
    }
    if is_full() {
        let every = number("FICHA_RELIABILITY_EVERY", 1).max(1);
        return (1..=most).step_by(usize::try_from(every).unwrap_or(1)).collect();
    }
    hundredths.iter().map(|hundredth| (most * hundredth / 100).max(1)).collect()
}
