//! The program `ficha`. Each command has a file under `commands`, with its arguments and its code.
#![forbid(unsafe_code)]

mod admin_context;
mod advice;
mod ask;
mod checkup;
mod commands;
mod config;
mod declared;
mod error;
mod finding;
mod hidden;
mod home;
mod input_error;
mod lists;
mod logging;
mod old_spellings;
mod output;
mod place;
mod remote;
mod report;
mod token_file;

use std::process::ExitCode;

use clap::{CommandFactory, Parser};

use crate::commands::Arguments;
use crate::error::CliError;
use crate::input_error::InputError;

fn main() -> ExitCode {
    let typed = old_spellings::rewritten(std::env::args_os());
    let arguments = Arguments::parse_from(&typed);
    old_spellings::warn_of_aliases(&Arguments::command(), &typed);
    // The server's workers have their own threads; this one only waits for the database.
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return fail(&CliError::Runtime(error)),
    };
    let outcome = runtime.block_on(commands::run(arguments));
    logging::finish();
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        // The reader has closed the pipe early, as in `ficha user list | head`.
        Err(CliError::Output(error)) if error.kind() == std::io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(error) => fail(&error),
    }
}

/// That of clap, too, for a command that can't be run as it was typed.
const USAGE: u8 = 2;

fn fail(error: &CliError) -> ExitCode {
    // A database's message may have several lines.
    let message = error.to_string().split_whitespace().collect::<Vec<_>>().join(" ");
    logging::final_error(&output::printable(message), error.advice());
    match error {
        CliError::Input(InputError::NothingToChange | InputError::NoScope) => ExitCode::from(USAGE),
        _ => ExitCode::FAILURE,
    }
}
