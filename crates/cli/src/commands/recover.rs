//! `ficha recover`

use clap::Args;
use ficha_authority::{EventQuery, EventsFrom, Purged, Sight};

use crate::admin_context::{self, AdminContext, Empty, actor};
use crate::commands::audit::NUMBERED_WITHIN;
use crate::config::Configuration;
use crate::error::CliError;
use crate::{ask, output};

/// What purging does, shown before the confirmation.
pub const CONSEQUENCE: &str = "New keys replace the old ones at once, every token issued so far is refused, and everybody \
                           has to log in again.";

/// The same if a shared secret signs (HS256): its key id can't be denied, because new tokens carry the same one.
const CONSEQUENCE_SHARED: &str = "Every session ends, every refresh token is refused, and everybody has to log in \
                                  again. Access tokens are signed with token.secret_key, which stays: those already \
                                  issued are valid until they expire, unless you change that secret.";

#[derive(Debug, Args)]
pub struct Arguments {
    /// Don't ask for confirmation
    #[arg(long)]
    yes: bool,
}

/// For use after a restore: what was revoked since the backup must not become valid again.
pub async fn run(arguments: &Arguments, configuration: &Configuration) -> Result<(), CliError> {
    let context = admin_context::open(configuration, Empty::Refuse).await?;
    // Before the purge, which is an event too.
    context.admin.number_events(&actor(), NUMBERED_WITHIN).await?;
    let all = context.admin.event_search(&actor(), &EventQuery::default(), Sight::All).await?;
    let newest = context.admin.search_events(&all, EventsFrom::Newest, 1).await?.events;
    let newest = newest.first().map(|event| output::time(event.at / 1_000));
    purge_in(&context, arguments.yes).await?;
    let newest = newest.unwrap_or_else(|| "never".into());
    output::say(&format!(
        "the last event that this database has recorded is from {newest}. If something was changed after that, it is \
         lost, and this command can't restore it: disabled users and clients, new passwords and secrets, and rights \
         that were taken away. Look for later events in the logs of the servers (lines `audit`), and repeat those changes"
    ))
}

/// Revokes everything: `key purge` and `session revoke --all`.
pub async fn purge_in(context: &AdminContext, yes: bool) -> Result<(), CliError> {
    let shared = context.base.settings.shares_secret();
    ask::confirm(if shared { CONSEQUENCE_SHARED } else { CONSEQUENCE }, yes)?;
    match context.admin.purge_keys(&actor()).await? {
        Purged::All => output::say("all keys were replaced; every session has ended"),
        Purged::AllButAccessTokens => output::say(&format!(
            "every session has ended. Access tokens already issued are valid until they expire, within {} s: to revoke \
             them now, change token.secret_key on the server and on every service, and restart them",
            context.base.settings.token.access_seconds()
        )),
    }
}
