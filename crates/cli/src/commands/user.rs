//! `ficha user …`

use clap::{ArgGroup, Args, Subcommand};
use ficha_authority::{NewUser, UserRecord};
use ficha_token::Scope;
use serde::Serialize;

use crate::admin_context::{self, AdminContext, Empty, actor, all_pages};
use crate::ask::{self, PasswordArguments};
use crate::config::Configuration;
use crate::error::CliError;
use crate::output::{self, ended, or_dash, time, yes_no};

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Add a user; without a password option, the terminal prompts for the password
    Add(Add),
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

/// Runs the command.
pub async fn run(command: Command, configuration: &Configuration) -> Result<(), CliError> {
    let open = async || admin_context::open(configuration, Empty::Refuse).await;
    match command {
        Command::Add(arguments) => add(arguments, configuration).await,
        Command::List { json } => list(&open().await?, json).await,
        Command::Show { name, json } => show(&open().await?.admin.user(&actor(), &name).await?, json),
        Command::Passwd { name, password } => {
            let context = open().await?;
            // Before prompting: nobody should type a password for a user that does not exist.
            context.admin.user(&actor(), &name).await?;
            let sessions = context.admin.set_password(&actor(), &name, ask::new_password(&password)?).await?;
            output::say(&format!("password of {name} changed; {}", ended(sessions)))
        }
        Command::Set(arguments) => set(&open().await?, arguments).await,
        Command::Enable { name } => {
            open().await?.admin.set_user_enabled(&actor(), &name, true).await?;
            output::say(&format!("user {name} enabled"))
        }
        Command::Unlock { name } => {
            let sources = open().await?.admin.unlock_user(&actor(), &name).await?;
            output::say(&match sources {
                0 => format!("user {name} has no failed logins"),
                _ => format!("failed logins of {name} cleared"),
            })
        }
        Command::Disable { name } => {
            let sessions = open().await?.admin.set_user_enabled(&actor(), &name, false).await?;
            output::say(&format!("user {name} disabled; {}", ended(sessions)))
        }
        Command::Erase { user, yes } => {
            let context = open().await?;
            ask::confirm(
                "The user is removed, and their names and addresses are deleted; nobody can restore them.",
                yes,
            )?;
            let erased = context.admin.erase_user(&actor(), &user).await?;
            output::say(&format!("personal data deleted from {} events; {}", erased.events, ended(erased.sessions)))
        }
        Command::Rm { name } => {
            let sessions = open().await?.admin.delete_user(&actor(), &name).await?;
            output::say(&format!("user {name} removed; {}", ended(sessions)))
        }
    }
}

async fn add(arguments: Add, configuration: &Configuration) -> Result<(), CliError> {
    let password = ask::new_password(&arguments.password)?;
    let context = admin_context::open(configuration, Empty::Create).await?;
    let new = NewUser {
        name: arguments.name,
        email: arguments.email,
        password,
        scopes: arguments.scope,
        roles: arguments.roles,
        must_change: false,
    };
    let user = context.admin.add_user(&actor(), new).await?;
    if arguments.json { output::json(&Shown::of(&user)) } else { output::say(&format!("user {} added", user.name)) }
}

async fn set(context: &AdminContext, arguments: Set) -> Result<(), CliError> {
    let name = &arguments.name;
    let user = context.admin.user(&actor(), name).await?;
    let mut sessions = 0;
    if arguments.scope.is_some() || arguments.no_roles || !arguments.roles.is_empty() {
        let scopes = arguments.scope.unwrap_or(user.scopes);
        let roles = match arguments.no_roles || !arguments.roles.is_empty() {
            true => arguments.roles,
            false => user.roles,
        };
        sessions = context.admin.set_user_rights(&actor(), name, &scopes, &roles).await?;
    }
    if arguments.no_email || arguments.email.is_some() {
        context.admin.set_user_email(&actor(), name, arguments.email.as_deref()).await?;
    }
    output::say(&format!("user {name} changed; {}", ended(sessions)))
}

/// A user as shown, without the password hash.
#[derive(Serialize)]
struct Shown {
    id: String,
    name: String,
    email: Option<String>,
    scope: String,
    roles: Vec<String>,
    enabled: bool,
    created_at: String,
}

impl Shown {
    fn of(user: &UserRecord) -> Self {
        Self {
            id: user.id.to_string(),
            name: user.name.clone(),
            email: user.email.clone(),
            scope: user.scopes.to_string(),
            roles: user.roles.clone(),
            enabled: user.enabled,
            created_at: time(user.created_at),
        }
    }
}

async fn list(context: &AdminContext, json: bool) -> Result<(), CliError> {
    let users = all_pages(async |last: Option<&UserRecord>, limit| {
        context.admin.users(&actor(), last.map(|user| user.id), limit).await
    });
    let users = users.await?;
    let shown = users.iter().map(Shown::of);
    if json {
        return output::json(&shown.collect::<Vec<_>>());
    }
    let row = |user: Shown| {
        let (scope, roles) = (or_dash(Some(&user.scope)), or_dash(Some(&user.roles.join(" "))));
        [user.name, scope, roles, yes_no(user.enabled), or_dash(user.email.as_deref()), user.created_at]
    };
    let rows: Vec<_> = shown.map(row).collect();
    output::table(["NAME", "SCOPES", "ROLES", "ENABLED", "EMAIL", "CREATED"], &rows)
}

fn show(user: &UserRecord, json: bool) -> Result<(), CliError> {
    let user = Shown::of(user);
    if json {
        return output::json(&user);
    }
    output::fields(&[
        ("name", user.name),
        ("id", user.id),
        ("email", or_dash(user.email.as_deref())),
        ("scopes", or_dash(Some(&user.scope))),
        ("roles", or_dash(Some(&user.roles.join(" ")))),
        ("enabled", yes_no(user.enabled)),
        ("created", user.created_at),
    ])
}
