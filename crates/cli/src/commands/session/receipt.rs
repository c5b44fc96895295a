//! Who refuses what was revoked.

use ficha_authority::{Receipt, Standing};
use serde::Serialize;

use crate::error::CliError;
use crate::output::{self, or_dash, time};

/// A receipt as shown.
#[derive(Serialize)]
pub struct Shown<'a> {
    complete: bool,
    unnamed: u64,
    silent: u64,
    services: Vec<Service<'a>>,
}

#[derive(Serialize)]
struct Service<'a> {
    service: &'a str,
    instance: &'a str,
    state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    after_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    refuses_at: Option<String>,
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
}

const HEADINGS: [&str; 4] = ["SERVICE", "INSTANCE", "STATE", "SINCE"];

/// Prints which services refuse the tokens. Nothing, if there are none.
pub fn print(receipt: &Receipt) -> Result<(), CliError> {
    let shown = Shown::of(receipt);
    let rows: Vec<[String; 4]> = receipt
        .services
        .iter()
        .zip(shown.services)
        // Those that have gone refuse everything, and are many after a day of restarts.
        .filter(|(one, _)| one.standing != Standing::CutOff)
        .map(|(one, shown)| {
            let since = match (one.after_ms, shown.refuses_at) {
                (Some(after), _) => format!("after {after} ms"),
                (None, Some(at)) => format!("from {at} on"),
                (None, None) => or_dash(None),
            };
            let state = if one.standing == Standing::Applied { "refuses" } else { one.standing.as_str() };
            [one.service.clone(), one.instance.clone(), state.to_owned(), since]
        })
        .collect();
    if !rows.is_empty() {
        output::table(HEADINGS, &rows)?;
    }
    if receipt.unnamed > 0 {
        output::warn(&format!("{} services give no name: nothing is known about them", receipt.unnamed));
    }
    if receipt.silent > 0 {
        output::warn(&format!("{} servers did not answer: nothing is known about their services", receipt.silent));
    }
    Ok(())
}
