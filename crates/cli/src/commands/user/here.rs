//! Users of the configured database.

use ficha_authority::{NewUser, UserRecord};

use super::view::{self, Shown};
use super::{Add, Command, ERASES, Set, import};
use crate::admin_context::{AdminContext, actor, all_pages};
use crate::ask::{self, Typed};
use crate::declared::NewScopes;
use crate::error::CliError;
use crate::output::{self, ended};

/// Runs a command; `password` is that of a user to be added.
pub async fn run(context: &AdminContext, command: Command, password: Option<Typed>) -> Result<(), CliError> {
    let admin = &context.admin;
    match command {
        Command::Add(arguments) => add(context, arguments, password).await,
        Command::Import(arguments) => import::here(context, arguments).await,
        Command::List { json } => {
            let users = all_pages(async |last: Option<&UserRecord>, limit| {
                admin.users(&actor(), last.map(|user| user.id), limit).await
            });
            view::list(users.await?.iter().map(Shown::from), json)
        }
        Command::Show { name, json } => Shown::from(&admin.user(&actor(), &name).await?).print(json),
        Command::Passwd { name, password } => {
            // Before prompting: nobody should type a password for a user that does not exist.
            admin.changeable_user(&actor(), &name).await?;
            let sessions = admin.set_password(&actor(), &name, ask::new_password(&password)?).await?;
            output::say(&format!("password of {name} changed; {}", ended(sessions)))
        }
        Command::Set(arguments) => set(context, arguments).await,
        Command::Enable { name } => {
            admin.set_user_enabled(&actor(), &name, true).await?;
            output::say(&format!("user {name} enabled"))
        }
        Command::Unlock { name } => super::unlocked(&name, admin.unlock_user(&actor(), &name).await?),
        Command::Disable { name } => {
            let sessions = admin.set_user_enabled(&actor(), &name, false).await?;
            output::say(&format!("user {name} disabled; {}", ended(sessions)))
        }
        Command::Erase { user, yes } => {
            ask::confirm(ERASES, yes)?;
            let erased = admin.erase_user(&actor(), &user).await?;
            super::erased(erased.events, erased.sessions)
        }
        Command::Rm { name } => {
            let sessions = admin.delete_user(&actor(), &name).await?;
            output::say(&format!("user {name} removed; {}", ended(sessions)))
        }
    }
}

async fn add(context: &AdminContext, arguments: Add, password: Option<Typed>) -> Result<(), CliError> {
    let new = NewUser {
        password: ask::parsed(password)?,
        name: arguments.name,
        email: arguments.email,
        scopes: arguments.scope,
        roles: arguments.roles,
        must_change: false,
    };
    let declared = NewScopes::here(context, Some(&new.scopes)).await;
    let user = Shown::from(&context.admin.add_user(&actor(), new).await?);
    declared.announce();
    if arguments.json { output::json(&user) } else { output::say(&format!("user {} added", user.name)) }
}

async fn set(context: &AdminContext, arguments: Set) -> Result<(), CliError> {
    let name = &arguments.name;
    let user = context.admin.changeable_user(&actor(), name).await?;
    let id = user.id.to_string();
    let declared = NewScopes::here(context, arguments.scope.as_ref()).await;
    let mut sessions = 0;
    if arguments.scope.is_some() || arguments.no_roles || !arguments.roles.is_empty() {
        let scopes = arguments.scope.unwrap_or(user.scopes);
        let roles = match arguments.no_roles || !arguments.roles.is_empty() {
            true => arguments.roles,
            false => user.roles,
        };
        sessions = context.admin.set_user_rights(&actor(), &id, &scopes, &roles).await?;
    }
    if arguments.no_email || arguments.email.is_some() {
        context.admin.set_user_email(&actor(), &id, arguments.email.as_deref()).await?;
    }
    declared.announce();
    output::say(&format!("user {name} changed; {}", ended(sessions)))
}
