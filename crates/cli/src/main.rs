//! The program `ficha`. Each command has a file under `commands`, with its arguments and its code.
#![forbid(unsafe_code)]

mod admin_context;
mod ask;
mod commands;
mod config;
mod declared;
mod error;
mod hidden;
mod home;
mod logging;
mod output;
mod place;
mod remote;
mod token_file;

use std::process::ExitCode;

use clap::Parser;

use crate::commands::Arguments;
use crate::error::CliError;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
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

fn fail(error: &CliError) -> ExitCode {
    // A database's message may have several lines.
    let message = error.to_string().split_whitespace().collect::<Vec<_>>().join(" ");
    logging::final_error(&output::printable(message));
    ExitCode::FAILURE
}
