//! `ficha migrate`

use crate::config::Configuration;
use crate::error::CliError;
use crate::{admin_context, logging, output};

/// Applies the pending migrations.
pub async fn run(configuration: &Configuration) -> Result<(), CliError> {
    logging::warnings_only(&configuration.log);
    let store = admin_context::connect(configuration).await?;
    let applied = store.migrate().await?;
    store.close().await;
    if applied.is_empty() {
        return output::say("the database is up to date");
    }
    applied.iter().try_for_each(|step| output::say(&format!("applied {step}")))
}
