//! `ficha config`

use clap::Args;

use crate::checkup;
use crate::config::Configuration;
use crate::error::CliError;
use crate::output;
use crate::report::JsonArgument;

#[derive(Debug, Args)]
pub struct Arguments {
    /// Check whether the server is ready for others: settings, files and database; exit code 1 if there is an error
    #[arg(long)]
    check: bool,
    #[command(flatten)]
    json: JsonArgument,
}

/// Prints the settings in force, or what is wrong with them.
pub async fn run(arguments: &Arguments, configuration: &Configuration) -> Result<(), CliError> {
    if arguments.check {
        return checkup::run(configuration, arguments.json.report()).await;
    }
    match arguments.json.report().is_json() {
        true => output::json(&configuration.shown.json()),
        false => output::print(&configuration.shown.to_string()),
    }
}
