//! `ficha recover`, and telling what has ended everything.

use clap::Args;
use ficha_authority::{EventQuery, EventsFrom, Sight};
use serde_json::{Value, json};

use crate::admin_context::{self, AdminContext, Empty, actor};
use crate::commands::audit::NUMBERED_WITHIN;
use crate::config::Configuration;
use crate::error::CliError;
use crate::output;
use crate::place::{Ended, purge_here};
use crate::report::{JsonArgument, Report};

#[derive(Debug, Args)]
pub struct Arguments {
    /// Don't ask for confirmation
    #[arg(long)]
    yes: bool,
    #[command(flatten)]
    json: JsonArgument,
}

/// For use after a restore: what was revoked since the backup must not become valid again.
pub async fn run(arguments: &Arguments, configuration: &Configuration) -> Result<(), CliError> {
    let context = admin_context::open(configuration, Empty::Refuse).await?;
    let newest = newest_event(&context).await?;
    let ended = purge_here(&context, arguments.yes).await?;
    let report = arguments.json.report();
    if report.is_json() {
        let mut answer = answer(&ended);
        answer["newest_event"] = json!(newest);
        return output::json(&answer);
    }
    tell(report, &ended)?;
    let newest = newest.unwrap_or_else(|| "never".into());
    output::say(&format!(
        "the last event that this database has recorded is from {newest}. If something was changed after that, it is \
         lost, and this command can't restore it: disabled users and clients, new passwords and secrets, and rights \
         that were taken away. Look for later events in the logs of the servers (lines `audit`), and repeat those changes"
    ))
}

/// When the last event was recorded, before the purge, which is one too.
async fn newest_event(context: &AdminContext) -> Result<Option<String>, CliError> {
    context.admin.number_events(&actor(), NUMBERED_WITHIN).await?;
    let all = context.admin.event_search(&actor(), &EventQuery::default(), Sight::All).await?;
    let newest = context.admin.search_events(&all, EventsFrom::Newest, 1).await?.events;
    Ok(newest.first().map(|event| output::time(event.at / 1_000)))
}

/// What `key purge`, `session revoke --all` and `recover` have done.
pub fn tell(report: Report, ended: &Ended) -> Result<(), CliError> {
    let live = ended.live.map(|live| format!(" ({live} were live)")).unwrap_or_default();
    let line = match ended.access_tokens_for {
        None => format!("all keys were replaced; every session has ended{live}"),
        Some(seconds) => format!(
            "every session has ended{live}. Access tokens already issued are valid until they expire, within {seconds} s: to \
             revoke them now, change token.secret_key on the server and on every service, and restart them"
        ),
    };
    report.say(&line, &answer(ended))
}

fn answer(ended: &Ended) -> Value {
    json!({ "all": ended.access_tokens_for.is_none(), "revoked": ended.live })
}
