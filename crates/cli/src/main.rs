//! `ficha`: the one binary. Each command is a file under `commands`, its arguments beside what it does.
#![forbid(unsafe_code)]

mod admin_context;
mod ask;
mod commands;
mod config;
mod error;
mod logging;
mod output;
mod token_file;

use std::process::ExitCode;

use clap::Parser;

use crate::commands::Arguments;
use crate::error::CliError;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    // The server's workers have threads of their own; what is left here is waiting for the database.
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return fail(&CliError::Runtime(error)),
    };
    let outcome = runtime.block_on(commands::run(arguments));
    logging::finish();
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        // Whoever reads us has read enough, as `ficha user list | head` does.
        Err(CliError::Output(error)) if error.kind() == std::io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(error) => fail(&error),
    }
}

fn fail(error: &CliError) -> ExitCode {
    // A database's message may have several lines.
    let message = error.to_string().split_whitespace().collect::<Vec<_>>().join(" ");
    logging::last_words(format!(
        "error: {message}
"
    ));
    ExitCode::FAILURE
}
