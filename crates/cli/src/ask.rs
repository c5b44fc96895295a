//! What is asked of a person, and only where there is one.

use std::io::{IsTerminal, Read, Write};

use clap::Args;
use ficha_authority::{NewPassword, Password, StoredHash};
use zeroize::Zeroizing;

use crate::error::CliError;

/// More is no password; the rules say so of anything above 256 bytes.
const MOST_BYTES: u64 = 4_096;

/// Where a new password comes from. Without either it is asked for, twice.
#[derive(Debug, Args)]
pub struct PasswordArguments {
    /// Read the password from standard input, up to its end
    #[arg(long, conflicts_with = "password_hash")]
    password_stdin: bool,
    /// Take over a hash that another system made: bcrypt, passlib's bcrypt_sha256, or argon2id (quote it: it holds `$`)
    #[arg(long, value_name = "HASH")]
    password_hash: Option<String>,
}

/// A new password, from where the arguments say.
pub fn new_password(arguments: &PasswordArguments) -> Result<NewPassword, CliError> {
    if let Some(hash) = &arguments.password_hash {
        let hash = StoredHash::parse(hash);
        return hash.map(NewPassword::Imported).map_err(|error| CliError::Input(format!("--password-hash: {error}")));
    }
    let text = match arguments.password_stdin {
        true => piped()?,
        false => typed()?,
    };
    if text.is_empty() {
        return Err(CliError::Input("the password is empty".into()));
    }
    Ok(NewPassword::Plain(Password::new(text.as_str())))
}

fn piped() -> Result<Zeroizing<String>, CliError> {
    let mut bytes = Zeroizing::new(Vec::new());
    std::io::stdin().lock().take(MOST_BYTES).read_to_end(&mut bytes).map_err(CliError::Reading)?;
    let text = std::str::from_utf8(&bytes).map_err(|_| CliError::Input("the password is not valid UTF-8".into()))?;
    // `echo` and here-documents end in a newline that nobody means.
    let line = text.strip_suffix('\n').unwrap_or(text);
    Ok(Zeroizing::new(line.strip_suffix('\r').unwrap_or(line).to_owned()))
}

fn typed() -> Result<Zeroizing<String>, CliError> {
    if !std::io::stdin().is_terminal() {
        return Err(CliError::Input(
            "there is no terminal to ask for a password: pipe it in with --password-stdin, or give --password-hash"
                .into(),
        ));
    }
    let ask = |prompt| rpassword::prompt_password(prompt).map(Zeroizing::new).map_err(CliError::Reading);
    let first = ask("Password: ")?;
    if ask("Once more: ")? != first {
        return Err(CliError::Input("the two passwords differ: nothing was changed".into()));
    }
    Ok(first)
}

/// Who logs in, asked for.
pub fn username() -> Result<String, CliError> {
    if !std::io::stdin().is_terminal() {
        return Err(CliError::Input("there is no terminal to ask for a user name: give --username".into()));
    }
    let mut name = String::new();
    let mut screen = std::io::stderr().lock();
    write!(screen, "User name: ").and_then(|()| screen.flush()).map_err(CliError::Output)?;
    std::io::stdin().read_line(&mut name).map_err(CliError::Reading)?;
    match name.trim_end_matches(['\r', '\n']) {
        "" => Err(CliError::Input("the user name is empty".into())),
        name => Ok(name.to_owned()),
    }
}

/// The password of somebody who logs in: piped in, or asked for once and without echo.
pub fn password(from_stdin: bool) -> Result<Zeroizing<String>, CliError> {
    let text = match from_stdin {
        true => piped()?,
        false if !std::io::stdin().is_terminal() => {
            let words = "there is no terminal to ask for a password: pipe it in with --password-stdin";
            return Err(CliError::Input(words.into()));
        }
        false => rpassword::prompt_password("Password: ").map(Zeroizing::new).map_err(CliError::Reading)?,
    };
    match text.is_empty() {
        true => Err(CliError::Input("the password is empty".into())),
        false => Ok(text),
    }
}

/// Asks before something that can't be undone, unless `yes` was given.
pub fn confirm(consequence: &str, yes: bool) -> Result<(), CliError> {
    if yes {
        return Ok(());
    }
    if !std::io::stdin().is_terminal() {
        return Err(CliError::Input(format!(
            "{consequence} Nothing was done: give --yes to go on without being asked"
        )));
    }
    let mut answer = String::new();
    let mut screen = std::io::stderr().lock();
    write!(screen, "{consequence} Go on? [y/N] ").and_then(|()| screen.flush()).map_err(CliError::Output)?;
    std::io::stdin().read_line(&mut answer).map_err(CliError::Reading)?;
    match answer.trim().to_ascii_lowercase().as_str() {
        "y" | "yes" => Ok(()),
        _ => Err(CliError::Input("nothing was done".into())),
    }
}
