//! `ficha recover`

use clap::Args;

use crate::config::Configuration;
use crate::error::CliError;
use crate::house::{self, ACTOR, Empty};
use crate::{ask, output};

/// What purging does, as a person is told before it.
const CONSEQUENCE: &str = "New keys replace the old ones at once, every token that was ever issued is refused, and \
                           everybody has to log in again.";

#[derive(Debug, Args)]
pub struct Arguments {
    /// Don't ask
    #[arg(long)]
    yes: bool,
}

/// After a restore: what was revoked since the backup must not come back to life.
pub async fn run(arguments: &Arguments, configuration: &Configuration) -> Result<(), CliError> {
    purge(configuration, arguments.yes).await
}

/// Revokes everything: `recover`, `key purge` and `session revoke --all` are this.
pub async fn purge(configuration: &Configuration, yes: bool) -> Result<(), CliError> {
    let house = house::open(configuration, Empty::Refuse).await?;
    ask::confirm(CONSEQUENCE, yes)?;
    house.admin.purge_keys(ACTOR).await?;
    output::say("new keys are in force; every session has ended")
}
