//! Who refuses what was revoked.

use ficha_authority::Receipt;
use serde::Serialize;

use crate::error::CliError;
use crate::output::{self, or_dash, time};

/// A receipt as shown.
#[derive(Serialize)]
pub struct Shown<'a> {
    pub complete: bool,
    pub unnamed: u64,
    pub silent: u64,
    pub services: Vec<Service<'a>>,
}

#[derive(Serialize)]
pub struct Service<'a> {
    pub service: &'a str,
    pub instance: &'a str,
    pub state: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refuses_at: Option<String>,
}

impl<'a> Shown<'a> {
    pub fn of(receipt: &'a Receipt) -> Self {
        let services = receipt.services.iter().map(|one| Service {
            service: &one.service,
            instance: &one.instance,
            state: one.standing.as_str(),
            after_ms: one.after_ms,
            // Rounded up: not before that time.
            refuses_at: one.refuses_at.map(|millis| time(millis.div_euclid(1_000) + 1)),
        });
        let Receipt { complete, unnamed, silent, .. } = *receipt;
        Self { complete, unnamed, silent, services: services.collect() }
    }

    /// Prints which services refuse the tokens. Nothing, if there are none.
    pub fn print(&self) -> Result<(), CliError> {
        // Those that have gone refuse everything, and are many after a day of restarts.
        let rows: Vec<[String; 4]> = self.services.iter().filter(|one| one.state != "cut_off").map(row).collect();
        if !rows.is_empty() {
            output::table(HEADINGS, &rows)?;
        }
        if self.unnamed > 0 {
            output::warn(&format!("{} services give no name: nothing is known about them", self.unnamed));
        }
        if self.silent > 0 {
            output::warn(&format!("{} servers did not answer: nothing is known about their services", self.silent));
        }
        Ok(())
    }
}

const HEADINGS: [&str; 4] = ["SERVICE", "INSTANCE", "STATE", "SINCE"];

fn row(one: &Service<'_>) -> [String; 4] {
    let since = match (one.after_ms, &one.refuses_at) {
        (Some(after), _) => format!("after {after} ms"),
        (None, Some(at)) => format!("from {at} on"),
        (None, None) => or_dash(None),
    };
    let state = if one.state == "applied" { "refuses" } else { one.state };
    [one.service.to_owned(), one.instance.to_owned(), state.to_owned(), since]
}
