//! What is written down.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::measure::Usage;

/// A run.
#[derive(Debug, Serialize, Deserialize)]
pub struct Report {
    /// `issue`.
    pub scenario: String,
    /// `sqlite` or `postgres`.
    pub database: String,
    /// When it ran, RFC 3339.
    pub at: String,
    /// What it ran on.
    pub machine: String,
    /// What was measured.
    pub commit: String,
    /// How to do it again.
    pub command: String,
    /// What was seen, in order.
    pub rows: Vec<Row>,
}

/// A line of the table.
#[derive(Debug, Serialize, Deserialize)]
pub struct Row {
    /// What was done.
    pub name: String,
    /// What was seen of the server.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub figure: Option<Figure>,
    /// What was seen of the limit beside it, or another single number, with its unit.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub numbers: Vec<Number>,
    /// What was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub asked: Option<String>,
    /// True if it was reached.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reached: Option<bool>,
}

/// A number with its name and unit.
#[derive(Debug, Serialize, Deserialize)]
pub struct Number {
    /// What it is.
    pub name: String,
    /// How much.
    pub value: f64,
    /// Of what.
    pub unit: String,
}

/// How a load went.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct Figure {
    /// Callers at once.
    pub callers: usize,
    /// Answers a second.
    pub per_second: f64,
    /// Half were answered within this, in milliseconds.
    pub p50_ms: f64,
    /// 99 of 100 were answered within this, in milliseconds.
    pub p99_ms: f64,
    /// The server's processor time an answer, in microseconds.
    pub cpu_us: f64,
}

impl Figure {
    /// Sums up the answer times of a load.
    pub fn of(callers: usize, mut times: Vec<Duration>, usage: Usage) -> Self {
        times.sort_unstable();
        let at = |share: f64| {
            let index = ((times.len() as f64 * share) as usize).min(times.len().saturating_sub(1));
            times.get(index).map_or(0.0, |time| time.as_secs_f64() * 1e3)
        };
        let count = times.len().max(1) as f64;
        Self {
            callers,
            per_second: times.len() as f64 / usage.wall.as_secs_f64(),
            p50_ms: at(0.50),
            p99_ms: at(0.99),
            cpu_us: usage.cpu.as_secs_f64() * 1e6 / count,
        }
    }
}

impl Row {
    /// A line about a load.
    pub fn load(name: &str, figure: Figure) -> Self {
        Self { name: name.into(), figure: Some(figure), numbers: Vec::new(), asked: None, reached: None }
    }

    /// A line about a number.
    pub fn number(name: &str, value: f64, unit: &str) -> Self {
        let number = Number { name: name.into(), value, unit: unit.into() };
        Self { name: name.into(), figure: None, numbers: vec![number], asked: None, reached: None }
    }

    /// Adds a number.
    pub fn with(mut self, name: &str, value: f64, unit: &str) -> Self {
        self.numbers.push(Number { name: name.into(), value, unit: unit.into() });
        self
    }

    /// Says what was asked for, and whether it was reached.
    pub fn asked(mut self, what: &str, reached: bool) -> Self {
        self.asked = Some(what.into());
        self.reached = Some(reached);
        self
    }
}
