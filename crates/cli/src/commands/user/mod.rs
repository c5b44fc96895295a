//! `ficha user …`

mod here;
mod import;
mod there;
mod view;

use clap::{ArgGroup, Args, Subcommand};
use ficha_token::Scope;

use super::login::Loaded;
use crate::admin_context::Empty;
use crate::ask::{self, PasswordArguments};
use crate::error::CliError;
use crate::output::{self, ended};
use crate::place::{At, Place};

/// What erasing does, shown before the confirmation.
const ERASES: &str = "The user is removed, and their names and addresses are deleted; nobody can restore them.";

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
    Add(Add),
    /// Import users from CSV or JSON lines, with their password hashes; a user whose name is taken is left as they are
    Import(import::Import),
    /// List all users
    List {
        /// Print one JSON document
        #[arg(long)]
        json: bool,
    },
    /// Show one user
    Show {
        /// The user name
        name: String,
        /// Print one JSON document
        #[arg(long)]
        json: bool,
    },
    /// Set a user's password; all their sessions end
    Passwd {
        /// The user name
        name: String,
        #[command(flatten)]
        password: PasswordArguments,
    },
    /// Change a user's scopes, roles or e-mail address; sessions with scopes or roles that were removed end
    Set(Set),
    /// Enable a user, and clear their failed logins
    Enable {
        /// The user name
        name: String,
    },
    /// Clear a user's failed logins
    Unlock {
        /// The user name
        name: String,
    },
    /// Disable a user, who can then no longer log in; all their sessions end
    Disable {
        /// The user name
        name: String,
    },
    /// Remove a user, and delete what is personal about them from sessions and events
    Erase {
        /// The user name, or the id of a user who was removed
        user: String,
        /// Don't ask for confirmation
        #[arg(long)]
        yes: bool,
    },
    /// Remove a user; all their sessions end
    Rm {
        /// The user name
        name: String,
    },
}

#[derive(Debug, Args)]
pub struct Add {
    /// The user name
    name: String,
    #[command(flatten)]
    password: PasswordArguments,
    /// The scopes that the user may be granted: names separated by spaces; new names are declared
    #[arg(long, value_name = "SCOPES", default_value = "")]
    scope: Scope,
    /// A role that the user's tokens carry; can be repeated
    #[arg(long = "role", value_name = "ROLE")]
    roles: Vec<String>,
    /// The user's e-mail address
    #[arg(long, value_name = "ADDRESS")]
    email: Option<String>,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
#[command(group = ArgGroup::new("change").required(true).multiple(true).args(["scope", "roles", "no_roles", "email", "no_email"]))]
pub struct Set {
    /// The user name
    name: String,
    /// The new scopes: names separated by spaces, "" for nothing; new names are declared
    #[arg(long, value_name = "SCOPES")]
    scope: Option<Scope>,
    /// The new roles, replacing the whole list; can be repeated
    #[arg(long = "role", value_name = "ROLE")]
    roles: Vec<String>,
    /// Remove all roles
    #[arg(long, conflicts_with = "roles")]
    no_roles: bool,
    /// The new e-mail address
    #[arg(long, value_name = "ADDRESS")]
    email: Option<String>,
    /// Remove the e-mail address
    #[arg(long, conflicts_with = "email")]
    no_email: bool,
}

fn unlocked(name: &str, sources: u64) -> Result<(), CliError> {
    output::say(&match sources {
        0 => format!("user {name} has no failed logins"),
        _ => format!("failed logins of {name} cleared"),
    })
}

fn erased(events: u64, sessions: u64) -> Result<(), CliError> {
    output::say(&format!("personal data deleted from {events} events; {}", ended(sessions)))
}

impl Arguments {
    /// True if the command changes something.
    pub fn changes(&self) -> bool {
        !matches!(self.command, Command::List { .. } | Command::Show { .. })
    }
}

/// Runs the command.
pub async fn run(arguments: Arguments, configuration: Loaded) -> Result<(), CliError> {
    let Arguments { at, command } = arguments;
    let empty = if matches!(command, Command::Add(_)) { Empty::Create } else { Empty::Refuse };
    // Before a database is opened, or even created.
    let password = match &command {
        Command::Add(arguments) => Some(ask::checked(ask::typed_password(&arguments.password)?)?),
        _ => None,
    };
    match at.open(configuration, empty).await? {
        Place::Here(context) => here::run(&context, command, password).await,
        Place::There(remote) => {
            let outcome = there::run(&remote, command, password).await;
            remote.settled().await;
            outcome
        }
    }
}
