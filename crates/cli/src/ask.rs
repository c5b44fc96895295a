//! Prompts on the terminal: passwords, user names and confirmations.

use std::io::{IsTerminal, Read, Write};

use clap::Args;
use ficha_authority::{NewPassword, Password, StoredHash};
use zeroize::Zeroizing;

use crate::error::CliError;
use crate::hidden;
use crate::input_error::InputError;

/// How much of standard input is read. Passwords above 256 bytes are refused anyway.
const MAX_INPUT_BYTES: u64 = 4_096;

/// Where a new password comes from. Without either option, the terminal prompts for it twice.
#[derive(Debug, Args)]
pub struct PasswordArguments {
    /// Read the password from standard input, up to its end
    #[arg(long, conflicts_with = "password_hash")]
    password_stdin: bool,
    /// Use a hash from another system: bcrypt, passlib's bcrypt_sha256, or argon2id (quote it, it contains `$`)
    #[arg(long, value_name = "HASH")]
    password_hash: Option<String>,
}

/// A new password or hash.
pub enum Typed {
    /// As typed.
    Plain(Zeroizing<String>),
    /// From another system.
    Hash(String),
}

/// What was typed, if it can be used as far as that is known without a database.
pub fn checked(typed: Typed) -> Result<Typed, CliError> {
    if let Typed::Hash(hash) = &typed {
        parsed(Typed::Hash(hash.clone()))?;
    }
    Ok(typed)
}

/// What was typed, for the configured database.
pub fn parsed(typed: Typed) -> Result<NewPassword, CliError> {
    match typed {
        Typed::Plain(text) => Ok(NewPassword::Plain(Password::new(text.as_str()))),
        Typed::Hash(hash) => {
            let hash = StoredHash::parse(&hash);
            Ok(hash.map(NewPassword::Imported).map_err(|error| InputError::Hash(error.to_string()))?)
        }
    }
}

/// Reads a new password or hash as the arguments say.
pub fn typed_password(arguments: &PasswordArguments) -> Result<Typed, CliError> {
    if let Some(hash) = &arguments.password_hash {
        return Ok(Typed::Hash(hash.clone()));
    }
    let text = match arguments.password_stdin {
        true => piped()?,
        false => typed()?,
    };
    if text.is_empty() {
        return Err(InputError::EmptyPassword.into());
    }
    Ok(Typed::Plain(text))
}

fn piped() -> Result<Zeroizing<String>, CliError> {
    let mut bytes = Zeroizing::new(Vec::new());
    std::io::stdin().lock().take(MAX_INPUT_BYTES).read_to_end(&mut bytes).map_err(CliError::Reading)?;
    let text = std::str::from_utf8(&bytes).map_err(|_| InputError::PasswordNotText)?;
    // `echo` and here-documents add a newline that is not part of the password.
    let line = text.strip_suffix('\n').unwrap_or(text);
    Ok(Zeroizing::new(line.strip_suffix('\r').unwrap_or(line).to_owned()))
}

fn typed() -> Result<Zeroizing<String>, CliError> {
    if !std::io::stdin().is_terminal() {
        return Err(InputError::NoTerminalForNewPassword.into());
    }
    let first = hidden::ask("Password: ")?;
    if hidden::ask("Repeat password: ")? != first {
        return Err(InputError::PasswordsDiffer.into());
    }
    Ok(first)
}

/// Prompts for a user name.
pub fn username() -> Result<String, CliError> {
    if !std::io::stdin().is_terminal() {
        return Err(InputError::NoTerminalForUser.into());
    }
    let mut name = String::new();
    let mut screen = std::io::stderr().lock();
    write!(screen, "User name: ").and_then(|()| screen.flush()).map_err(CliError::Asking)?;
    std::io::stdin().read_line(&mut name).map_err(CliError::Reading)?;
    match name.trim_end_matches(['\r', '\n']) {
        "" => Err(InputError::EmptyUser.into()),
        name => Ok(name.to_owned()),
    }
}

/// Reads the password for a login: from standard input, or from one prompt without echo.
pub fn password(from_stdin: bool) -> Result<Zeroizing<String>, CliError> {
    let text = match from_stdin {
        true => piped()?,
        false if !std::io::stdin().is_terminal() => {
            return Err(InputError::NoTerminalForPassword.into());
        }
        false => hidden::ask("Password: ")?,
    };
    match text.is_empty() {
        true => Err(InputError::EmptyPassword.into()),
        false => Ok(text),
    }
}

/// Asks for confirmation of something that can't be undone, unless `yes` was given.
pub fn confirm(consequence: &str, yes: bool) -> Result<(), CliError> {
    if yes {
        return Ok(());
    }
    if !std::io::stdin().is_terminal() {
        return Err(InputError::Unconfirmed(consequence.to_owned()).into());
    }
    let mut answer = String::new();
    let mut screen = std::io::stderr().lock();
    write!(screen, "{consequence} Continue? [y/N] ").and_then(|()| screen.flush()).map_err(CliError::Asking)?;
    std::io::stdin().read_line(&mut answer).map_err(CliError::Reading)?;
    match answer.trim().to_ascii_lowercase().as_str() {
        "y" | "yes" => Ok(()),
        _ => Err(InputError::Cancelled.into()),
    }
}
