//! `ficha user …`

mod import;
mod set;
mod view;

use clap::{Args, Subcommand};
use ficha_token::Scope;
use serde_json::json;

use super::login::Loaded;
use crate::admin_context::Empty;
use crate::ask::{self, PasswordArguments, Typed};
use crate::declared::NewScopes;
use crate::error::CliError;
use crate::input_error::InputError;
use crate::lists::{self, Words};
use crate::output::ended;
use crate::place::{AddUser, At, Part, Place};
use crate::report::Report;

/// What erasing does, shown before the confirmation.
const ERASES: &str = "they are deleted, and so are their names and addresses; nobody can restore them.";

#[derive(Debug, Args)]
pub struct Arguments {
    #[command(flatten)]
    at: At,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Add a user; without a password option, the terminal prompts for the password
    // Otherwise clap suggests `erase`.
    #[command(alias = "create")]
    Add(Add),
    /// Import users from CSV or JSON lines, with their password hashes; a user whose name is taken is left as they are
    Import(import::Import),
    /// List users, newest first
    List(Part),
    /// Show one user
    Show(Who),
    /// Change a user's scopes, roles or e-mail address; sessions with scopes or roles that were removed end
    Set(set::Set),
    /// Set a user's password, and clear their failed logins; all their sessions end
    #[command(alias = "passwd")]
    SetPassword(SetPassword),
    /// Clear a user's failed logins
    Unlock(Who),
    /// Enable a user, and clear their failed logins
    Enable(Who),
    /// Disable a user, who can then no longer log in; all their sessions end
    Disable(Who),
    /// Delete a user; all their sessions end
    #[command(alias = "rm")]
    Delete(Who),
    /// Delete a user, and what is personal about them in sessions and events
    Erase(Erase),
}

#[derive(Debug, Args)]
pub struct Who {
    /// The user: the exact name, or the id
    user: String,
}

#[derive(Debug, Args)]
pub struct Add {
    /// The name of the new user
    user: String,
    #[command(flatten)]
    password: PasswordArguments,
    /// The scopes that the user may be granted: names separated by spaces; can be repeated; new names are declared
    #[arg(long, value_name = "SCOPES", value_parser = lists::scope)]
    scope: Vec<Scope>,
    /// The roles that the user's tokens carry: words separated by spaces; can be repeated
    #[arg(long, value_name = "ROLES")]
    role: Vec<Words>,
    /// The user's e-mail address
    #[arg(long, value_name = "EMAIL")]
    email: Option<String>,
}

#[derive(Debug, Args)]
pub struct SetPassword {
    /// The user: the exact name, or the id
    user: String,
    #[command(flatten)]
    password: PasswordArguments,
}

#[derive(Debug, Args)]
pub struct Erase {
    /// The user: the exact name or the id; of a user who was deleted before, the id
    user: String,
    /// Don't ask for confirmation
    #[arg(long)]
    yes: bool,
}

impl Arguments {
    /// True if the command changes something.
    pub fn changes(&self) -> bool {
        !matches!(self.command, Command::List(_) | Command::Show(_))
    }
}

/// Runs the command.
pub async fn run(arguments: Arguments, configuration: Loaded) -> Result<(), CliError> {
    let Arguments { at, command } = arguments;
    // Before a database is opened.
    if let Command::Set(arguments) = &command {
        arguments.check()?;
    }
    let empty = if matches!(command, Command::Add(_)) { Empty::Create } else { Empty::Refuse };
    // Before a database is opened, or even created.
    let password = match &command {
        Command::Add(arguments) => Some(ask::checked(ask::typed_password(&arguments.password)?)?),
        _ => None,
    };
    at.run(configuration, empty, async |place, report| run_at(place, report, command, password).await).await
}

/// `password` is that of a user to be added.
async fn run_at(place: &Place, report: Report, command: Command, password: Option<Typed>) -> Result<(), CliError> {
    match command {
        Command::Add(arguments) => add(place, report, arguments, password).await,
        Command::Import(arguments) => import::run(place, report, arguments).await,
        Command::List(part) => view::list(report, &place.users(part).await?),
        Command::Show(Who { user }) => report.show(&place.user_and_failures(&user).await?),
        Command::Set(arguments) => set::run(place, report, arguments).await,
        Command::SetPassword(SetPassword { user, password }) => {
            // Before prompting: nobody should type a password for a user that does not exist.
            place.require_changeable(&user).await?;
            let sessions = place.set_password(&user, ask::typed_password(&password)?).await?;
            report.ended(&format!("password of {user} changed"), sessions)
        }
        Command::Unlock(Who { user }) => {
            let cleared = place.unlock_user(&user).await?;
            let answer = json!({ "revoked": 0, "cleared": cleared });
            match cleared {
                0 => report.say_unchanged(&format!("user {user} has no failed logins"), &answer),
                _ => report.say(&format!("failed logins of {user} cleared"), &answer),
            }
        }
        Command::Enable(Who { user }) => set_enabled(place, report, &user, true).await,
        Command::Disable(Who { user }) => set_enabled(place, report, &user, false).await,
        Command::Delete(Who { user }) => report.ended(&format!("user {user} deleted"), place.delete_user(&user).await?),
        Command::Erase(Erase { user, yes }) => {
            // Before asking: nobody should confirm what can't be done.
            place.require_erasable(&user).await?;
            ask::confirm(&format!("User {user}: {ERASES}"), yes)?;
            let (events, sessions) = place.erase_user(&user).await?;
            let line = format!("user {user} erased, with personal data in {events} events; {}", ended(sessions));
            report.say(&line, &json!({ "revoked": sessions, "events": events }))
        }
    }
}

async fn set_enabled(place: &Place, report: Report, user: &str, enabled: bool) -> Result<(), CliError> {
    let was = place.user(user).await?.enabled;
    if was && enabled {
        // Which clears failed logins, as enabling does.
        let cleared = place.unlock_user(user).await?;
        let (line, answer) = (format!("user {user} is enabled already"), json!({ "revoked": 0 }));
        return match cleared {
            0 => report.say_unchanged(&line, &answer),
            _ => report.say(&format!("{line}; failed logins cleared"), &answer),
        };
    }
    let revoked = place.set_user_enabled(user, enabled).await?;
    match enabled {
        true => report.say(&format!("user {user} enabled"), &json!({ "revoked": revoked })),
        false if !was && revoked == 0 => {
            report.say_unchanged(&format!("user {user} is disabled already"), &json!({ "revoked": 0 }))
        }
        false => report.ended(&format!("user {user} disabled"), revoked),
    }
}

async fn add(place: &Place, report: Report, arguments: Add, password: Option<Typed>) -> Result<(), CliError> {
    let new = AddUser {
        name: arguments.user,
        password: password.ok_or(InputError::EmptyPassword)?,
        email: arguments.email.filter(|email| !email.is_empty()),
        scopes: lists::union(&arguments.scope).unwrap_or_else(Scope::empty),
        roles: lists::questioned(arguments.role, "role").unwrap_or_default(),
    };
    let declared = NewScopes::before(place, Some(&new.scopes)).await;
    let user = place.add_user(new).await?;
    declared.announce();
    report.say(&format!("user {} added", user.name), &user)
}
