//! Which services refuse what was revoked.

use ficha_client::admin::{Receipt, ServiceReceipt};

use crate::error::CliError;
use crate::output::{self, or_dash};

const HEADINGS: [&str; 4] = ["SERVICE", "INSTANCE", "STATE", "SINCE"];

/// Prints which services refuse the tokens. Nothing, if there are none.
pub fn print(receipt: &Receipt) -> Result<(), CliError> {
    // Those that have gone refuse everything, and are many after a day of restarts.
    let rows: Vec<[String; 4]> = receipt.services.iter().filter(|one| one.state != "cut_off").map(row).collect();
    if !rows.is_empty() {
        output::table(HEADINGS, &rows)?;
    }
    if receipt.unnamed > 0 {
        let services = counted(receipt.unnamed, "service gives", "services give");
        output::warn(&format!("{services} no name: nothing is known about them"));
    }
    if receipt.silent > 0 {
        let servers = counted(receipt.silent, "server", "servers");
        output::warn(&format!("{servers} did not answer: nothing is known about who follows there"));
    }
    Ok(())
}

fn counted(count: u64, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

fn row(one: &ServiceReceipt) -> [String; 4] {
    let since = match (one.after_ms, &one.refuses_at) {
        (Some(after), _) => format!("after {after} ms"),
        (None, Some(at)) => format!("from {at} on"),
        (None, None) => or_dash(None),
    };
    let state = if one.state == "applied" { "refuses" } else { one.state.as_str() };
    [one.service.clone(), one.instance.clone(), state.to_owned(), since]
}
