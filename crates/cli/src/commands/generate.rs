//! `ficha completions` and `ficha man`: made from the definitions of the commands themselves.

use std::path::PathBuf;

use clap::builder::{PathBufValueParser, TypedValueParser};
use clap::{Args, Command};
use clap_complete::{Shell, generate};
use clap_mangen::Man;

use crate::error::CliError;
use crate::input_error::InputError;
use crate::{home, output};

#[derive(Debug, Args)]
pub struct Completions {
    /// For which shell
    shell: Shell,
}

#[derive(Debug, Args)]
pub struct Manual {
    /// Write a page for each command into this folder, instead of printing the page of `ficha` itself
    #[arg(long, value_name = "FOLDER", value_parser = PathBufValueParser::new().map(home::expand))]
    folder: Option<PathBuf>,
}

/// Prints the completions of a shell.
pub fn completions(arguments: &Completions, mut command: Command) -> Result<(), CliError> {
    let name = command.get_name().to_owned();
    let mut text = Vec::new();
    generate(arguments.shell, &mut command, name, &mut text);
    print(text)
}

/// Prints or writes manual pages.
pub fn manual(arguments: &Manual, command: Command) -> Result<(), CliError> {
    match &arguments.folder {
        None => {
            let mut text = Vec::new();
            Man::new(command).render(&mut text).map_err(CliError::Output)?;
            print(text)
        }
        Some(folder) => {
            let written = std::fs::create_dir_all(folder).and_then(|()| clap_mangen::generate_to(command, folder));
            written.map_err(|why| InputError::Folder { path: folder.clone(), why }.into())
        }
    }
}

fn print(text: Vec<u8>) -> Result<(), CliError> {
    // Both write UTF-8.
    output::print(&String::from_utf8_lossy(&text))
}
