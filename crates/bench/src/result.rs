//! The results, as they are written to JSON.

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::Outcome;
use crate::calm;
use crate::measure::{Usage, commit, machine};

/// A run.
#[derive(Debug, Serialize, Deserialize)]
pub struct Report {
    /// `issue`, `verify` or `revoke`.
    pub scenario: String,
    /// `sqlite` or `postgres`; empty without a database.
    pub database: String,
    /// When it ran, RFC 3339.
    pub at: String,
    /// The machine.
    pub machine: String,
    /// The commit that was measured.
    pub commit: String,
    /// The command to repeat it.
    pub command: String,
    /// How long the fixed spin took before the first row, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub spin_ms: Option<f64>,
    /// The results, in order.
    pub rows: Vec<Row>,
}

/// A row of the table.
#[derive(Debug, Serialize, Deserialize)]
pub struct Row {
    /// What was measured.
    pub name: String,
    /// Figures of the server under load.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub figure: Option<Figure>,
    /// How long something took, for a row that is not about a load.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub times: Option<Times>,
    /// The limit to compare with, or other single numbers, with their units.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub numbers: Vec<Number>,
    /// How long the fixed spin took right after this row was measured, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub spin_ms: Option<f64>,
    /// The target.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub asked: Option<String>,
    /// True if the target was met.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reached: Option<bool>,
}

/// A number with its name and unit.
#[derive(Debug, Serialize, Deserialize)]
pub struct Number {
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: f64,
    /// Its unit.
    pub unit: String,
}

/// How long something took, in milliseconds.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct Times {
    /// How many were measured.
    pub count: usize,
    /// The median.
    pub p50_ms: f64,
    /// The 99th percentile.
    pub p99_ms: f64,
    /// The longest.
    pub max_ms: f64,
}

/// The figures of a load.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct Figure {
    /// Parallel callers.
    pub callers: usize,
    /// Answers per second.
    pub per_second: f64,
    /// The median answer time, in milliseconds.
    pub p50_ms: f64,
    /// The 99th percentile of the answer time, in milliseconds.
    pub p99_ms: f64,
    /// The server's processor time per answer, in microseconds.
    pub cpu_us: f64,
}

impl Figure {
    /// Summarizes the answer times of a load.
    pub fn of(callers: usize, mut times: Vec<Duration>, usage: Usage) -> Self {
        let count = times.len().max(1) as f64;
        let Times { p50_ms, p99_ms, .. } = Times::of(&mut times);
        Self {
            callers,
            per_second: times.len() as f64 / usage.wall.as_secs_f64(),
            p50_ms,
            p99_ms,
            cpu_us: usage.cpu.as_secs_f64() * 1e6 / count,
        }
    }
}

impl Figure {
    /// The round with the median processor time per answer.
    pub fn typical(seen: &[Self]) -> Self {
        let mut sorted = seen.to_vec();
        sorted.sort_unstable_by(|a, b| a.cpu_us.total_cmp(&b.cpu_us));
        sorted[sorted.len() / 2]
    }

    /// The ratio of one value in each round.
    pub fn ratio(seen: &[Self], other: &[Self], value: impl Fn(&Self) -> f64) -> Rounds {
        Rounds::of(seen.iter().zip(other).map(|(seen, other)| value(seen) / value(other)).collect())
    }
}

/// The results of several rounds of one measurement.
#[derive(Debug, Clone, Copy)]
pub struct Rounds {
    /// The smallest.
    pub least: f64,
    /// The median.
    pub median: f64,
    /// The largest.
    pub most: f64,
}

impl Rounds {
    /// Summarizes rounds; zero if there were none.
    pub fn of(mut seen: Vec<f64>) -> Self {
        seen.sort_unstable_by(f64::total_cmp);
        let at = |index: usize| seen.get(index).copied().unwrap_or_default();
        Self { least: at(0), median: at(seen.len() / 2), most: at(seen.len().saturating_sub(1)) }
    }
}

impl Times {
    /// Summarizes times, and sorts them.
    pub fn of(times: &mut [Duration]) -> Self {
        times.sort_unstable();
        let at = |share: f64| {
            let index = ((times.len() as f64 * share) as usize).min(times.len().saturating_sub(1));
            times.get(index).map_or(0.0, |time| time.as_secs_f64() * 1e3)
        };
        Self { count: times.len(), p50_ms: at(0.50), p99_ms: at(0.99), max_ms: at(1.0) }
    }
}

impl Report {
    /// A run that has just ended. `command` is the part after `ficha-bench --`, `spin_ms` the fixed spin at its start.
    pub fn new(scenario: &str, database: &str, command: &str, spin_ms: f64, rows: Vec<Row>) -> Outcome<Self> {
        Ok(Self {
            scenario: scenario.into(),
            database: database.into(),
            at: time::OffsetDateTime::now_utc().format(&time::format_description::well_known::Rfc3339)?,
            machine: machine(),
            commit: commit(),
            command: format!("cargo run --release -p ficha-bench -- {command}"),
            spin_ms: Some(spin_ms),
            rows,
        })
    }

    /// Writes it as JSON.
    pub fn write(&self, out: PathBuf) -> Outcome<()> {
        if let Some(folder) = out.parent() {
            std::fs::create_dir_all(folder)?;
        }
        std::fs::write(&out, serde_json::to_string_pretty(self)? + "\n")?;
        println!("written to {}", out.display());
        Ok(())
    }
}

/// Prints a row, as soon as it is known, and notes how calm the machine is.
pub fn show(mut row: Row) -> Row {
    row.spin_ms = Some(calm::spin());
    println!("{}", serde_json::to_string(&row).unwrap_or_default());
    row
}

impl Row {
    fn new(name: &str) -> Self {
        Self {
            name: name.into(),
            figure: None,
            times: None,
            numbers: Vec::new(),
            spin_ms: None,
            asked: None,
            reached: None,
        }
    }

    /// A row about a load.
    pub fn load(name: &str, figure: Figure) -> Self {
        Self { figure: Some(figure), ..Self::new(name) }
    }

    /// A row about the same load in several rounds: the typical one, with the least and the most answers a second.
    pub fn loads(name: &str, seen: &[Figure]) -> Self {
        let rates = Rounds::of(seen.iter().map(|figure| figure.per_second).collect());
        Self::load(name, Figure::typical(seen))
            .with("slowest round", rates.least, "/s")
            .with("fastest", rates.most, "/s")
    }

    /// A row about how long something took. It sorts the times.
    pub fn times(name: &str, times: &mut [Duration]) -> Self {
        Self { times: Some(Times::of(times)), ..Self::new(name) }
    }

    /// A row about a number.
    pub fn number(name: &str, value: f64, unit: &str) -> Self {
        Self::new(name).with(name, value, unit)
    }

    /// A row about the median of the rounds, with the least and the most.
    pub fn rounds(name: &str, seen: &Rounds, unit: &str) -> Self {
        Self::number(name, seen.median, unit).with("least", seen.least, unit).with("most", seen.most, unit)
    }

    /// Adds a ratio: the median of the pairs, with the least and the most.
    pub fn ratio(self, name: &str, seen: &Rounds) -> Self {
        self.with(name, seen.median, "×").with("least", seen.least, "×").with("most", seen.most, "×")
    }

    /// Adds a number.
    pub fn with(mut self, name: &str, value: f64, unit: &str) -> Self {
        self.numbers.push(Number { name: name.into(), value, unit: unit.into() });
        self
    }

    /// Adds the target, and whether it was met.
    pub fn asked(mut self, what: &str, reached: bool) -> Self {
        self.asked = Some(what.into());
        self.reached = Some(reached);
        self
    }
}
