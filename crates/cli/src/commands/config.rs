//! `ficha config`

use crate::config::Configuration;
use crate::error::CliError;
use crate::output;

/// Prints the settings in force.
pub fn run(configuration: &Configuration) -> Result<(), CliError> {
    output::print(&configuration.shown.to_string())
}
