//! `ficha migrate`

use clap::Args;
use serde_json::json;

use crate::config::Configuration;
use crate::error::CliError;
use crate::report::{JsonArgument, Report};
use crate::{admin_context, logging, output};

#[derive(Debug, Args)]
pub struct Arguments {
    /// Only list the pending migrations; exit code 1 if there are any
    #[arg(long)]
    check: bool,
    #[command(flatten)]
    json: JsonArgument,
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
        return check(configuration, arguments.json.report()).await;
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
    let (report, answer) = (arguments.json.report(), json!({ "applied": applied }));
    match applied.is_empty() {
        true => report.say_unchanged("the database is up to date", &answer),
        false => report.say(&lines("applied", &applied), &answer),
    }
}

fn lines(what: &str, steps: &[String]) -> String {
    steps.iter().map(|step| format!("{what} {step}")).collect::<Vec<_>>().join("\n")
}

/// A name whose letters outside ASCII are escaped.
fn spelled(name: &str) -> String {
    name.chars().map(|c| if c.is_ascii() { c.to_string() } else { c.escape_unicode().to_string() }).collect()
}

async fn check(configuration: &Configuration, report: Report) -> Result<(), CliError> {
    let store = admin_context::connect_to_existing(configuration).await?;
    let pending = store.pending_migrations().await?;
    store.close().await;
    let answer = json!({ "pending": pending });
    if pending.is_empty() {
        return report.say("the database is up to date", &answer);
    }
    let printed = report.say(&lines("pending", &pending), &answer);
    output::verdict(printed, Err(CliError::Pending(pending.len())))
}
