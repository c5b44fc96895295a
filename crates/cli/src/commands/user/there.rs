//! Users of a server elsewhere.

use ficha_client::admin::{NewUser, UserChange};
use ficha_token::Scope;

use super::view::{self, Shown};
use super::{Add, Command, ERASES, Set, import};
use crate::ask::{self, Typed};
use crate::declared::NewScopes;
use crate::error::CliError;
use crate::output::{self, ended};
use crate::remote::Remote;

/// Runs a command; `password` is that of a user to be added.
pub async fn run(remote: &Remote, command: Command, password: Option<Typed>) -> Result<(), CliError> {
    let client = &remote.client;
    match command {
        Command::Add(arguments) => add(remote, arguments, password).await,
        Command::Import(arguments) => import::there(remote, arguments).await,
        Command::List { json } => {
            let users = remote.all(async |after, limit| client.users(&[], after, limit).await).await?;
            // The oldest first, as of the local database.
            view::list(users.into_iter().rev().map(Shown::from), json)
        }
        Command::Show { name, json } => Shown::from(client.user(&name).await?).print(json),
        Command::Passwd { name, password } => {
            // Before prompting: nobody should type a password for a user that does not exist.
            client.user(&name).await?;
            let Typed::Plain(password) = ask::typed_password(&password)? else {
                return Err(CliError::Input(
                    "a hash can only be given to a new user, or on the server's machine".into(),
                ));
            };
            let done = client.set_password(&name, Some(&password), false).await?;
            output::say(&format!("password of {name} changed; {}", ended(done.revoked)))
        }
        Command::Set(arguments) => set(remote, arguments).await,
        Command::Enable { name } => {
            client.act_on_user(&name, "enable", None).await?;
            output::say(&format!("user {name} enabled"))
        }
        Command::Unlock { name } => {
            super::unlocked(&name, client.act_on_user(&name, "unlock", None).await?.cleared.unwrap_or(0))
        }
        Command::Disable { name } => {
            let done = client.act_on_user(&name, "disable", None).await?;
            output::say(&format!("user {name} disabled; {}", ended(done.revoked)))
        }
        Command::Erase { user, yes } => {
            ask::confirm(ERASES, yes)?;
            let done = client.act_on_user(&user, "erase", None).await?;
            super::erased(done.events.unwrap_or(0), done.revoked)
        }
        Command::Rm { name } => {
            let done = client.delete_user(&name).await?;
            output::say(&format!("user {name} removed; {}", ended(done.revoked)))
        }
    }
}

async fn add(remote: &Remote, arguments: Add, password: Option<Typed>) -> Result<(), CliError> {
    let (password, password_hash) = match password {
        Some(Typed::Plain(password)) => (Some(password.to_string()), None),
        Some(Typed::Hash(hash)) => (None, Some(hash)),
        None => (None, None),
    };
    let new = NewUser {
        name: arguments.name,
        email: arguments.email,
        password,
        password_hash,
        must_change: Some(false),
        scopes: names(&arguments.scope),
        roles: arguments.roles,
    };
    let declared = NewScopes::there(remote, Some(&arguments.scope)).await;
    let user = Shown::from(remote.client.create_user(&new).await?.user);
    declared.announce();
    if arguments.json { output::json(&user) } else { output::say(&format!("user {} added", user.name)) }
}

async fn set(remote: &Remote, arguments: Set) -> Result<(), CliError> {
    let name = &arguments.name;
    let change = UserChange {
        email: (arguments.no_email || arguments.email.is_some()).then_some(arguments.email),
        scopes: arguments.scope.as_ref().map(names),
        roles: (arguments.no_roles || !arguments.roles.is_empty()).then_some(arguments.roles),
        ..UserChange::default()
    };
    let declared = NewScopes::there(remote, arguments.scope.as_ref()).await;
    let done = remote.client.change_user(name, &change).await?;
    declared.announce();
    output::say(&format!("user {name} changed; {}", ended(done.revoked)))
}

fn names(scope: &Scope) -> Vec<String> {
    scope.iter().map(str::to_owned).collect()
}
