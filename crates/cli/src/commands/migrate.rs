//! `ficha migrate`

use clap::Args;

use crate::config::Configuration;
use crate::error::CliError;
use crate::{admin_context, logging, output};

#[derive(Debug, Args)]
pub struct Arguments {
    /// Only list the pending migrations; exit code 1 if there are any
    #[arg(long)]
    check: bool,
}

impl Arguments {
    /// True if the command changes something.
    pub fn changes(&self) -> bool {
        !self.check
    }
}

/// Applies the pending migrations, or lists them.
pub async fn run(arguments: &Arguments, configuration: &Configuration) -> Result<(), CliError> {
    logging::warnings_only(&configuration.log);
    if arguments.check {
        return check(configuration).await;
    }
    let store = admin_context::connect(configuration).await?;
    let applied = store.migrate().await?;
    let colliding = store.colliding_names().await?;
    store.close().await;
    for users in colliding {
        // Escaped, since they look the same.
        let shown: Vec<String> = users.iter().map(|(id, name)| format!("{} ({id})", spelled(name))).collect();
        output::warn(&format!(
            "these names look the same: {}; each of these users logs in with the exact one only",
            shown.join(", ")
        ));
    }
    if applied.is_empty() {
        return output::say_unchanged("the database is up to date");
    }
    applied.iter().try_for_each(|step| output::say(&format!("applied {step}")))
}

/// A name whose letters outside ASCII are escaped.
fn spelled(name: &str) -> String {
    name.chars().map(|c| if c.is_ascii() { c.to_string() } else { c.escape_unicode().to_string() }).collect()
}

async fn check(configuration: &Configuration) -> Result<(), CliError> {
    let store = admin_context::connect_to_existing(configuration).await?;
    let pending = store.pending_migrations().await?;
    store.close().await;
    if pending.is_empty() {
        return output::say("the database is up to date");
    }
    pending.iter().try_for_each(|step| output::say(&format!("pending {step}")))?;
    Err(CliError::Pending(pending.len()))
}
