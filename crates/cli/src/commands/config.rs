//! `ficha config`

use clap::Args;

use crate::config::Configuration;
use crate::error::CliError;
use crate::output;
use crate::report::JsonArgument;

#[derive(Debug, Args)]
pub struct Arguments {
    #[command(flatten)]
    json: JsonArgument,
}

/// Prints the settings in force.
pub fn run(arguments: &Arguments, configuration: &Configuration) -> Result<(), CliError> {
    match arguments.json.report().is_json() {
        true => output::json(&configuration.shown.json()),
        false => output::print(&configuration.shown.to_string()),
    }
}
