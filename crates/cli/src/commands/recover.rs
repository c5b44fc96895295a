//! `ficha recover`

use clap::Args;
use ficha_authority::Purged;

use crate::admin_context::{self, ACTOR, Empty};
use crate::config::Configuration;
use crate::error::CliError;
use crate::{ask, output};

/// What purging does, as a person is told before it.
const CONSEQUENCE: &str = "New keys replace the old ones at once, every token that was ever issued is refused, and \
                           everybody has to log in again.";

/// The same, where a shared secret signs (HS256): nothing can be denied that every new token carries too.
const CONSEQUENCE_SHARED: &str = "Every session ends, every refresh token is refused, and everybody has to log in \
                                  again. Access tokens are signed with token.secret_key, which stays: those already out \
                                  are good until they expire, unless you change that secret.";

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
    let context = admin_context::open(configuration, Empty::Refuse).await?;
    let shared = context.base.settings.shares_secret();
    ask::confirm(if shared { CONSEQUENCE_SHARED } else { CONSEQUENCE }, yes)?;
    match context.admin.purge_keys(ACTOR).await? {
        Purged::All => output::say("new keys are in force; every session has ended"),
        Purged::AllButAccessTokens => output::say(&format!(
            "every session has ended. Access tokens already out are good until they expire, within {} s: to end them now, \
             change token.secret_key on the server and on every service, and restart them",
            context.base.settings.token.access_seconds()
        )),
    }
}
