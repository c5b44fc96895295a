//! Clients of a server elsewhere.

use ficha_authority::{ClientScopes, Grant};
use ficha_client::admin::{self, AnyScope, ClientChange, NewClient};

use super::show::{self, Shown};
use super::{Command, change, secret};
use crate::declared::{NewScopes, names};
use crate::error::CliError;
use crate::output::{self, ended};
use crate::remote::Remote;

pub async fn run(remote: &Remote, command: Command) -> Result<(), CliError> {
    let client = &remote.client;
    match command {
        Command::Add(arguments) => add(remote, arguments).await,
        Command::List { json } => {
            let clients = remote.all(async |after, limit| client.clients(after, limit).await).await?;
            show::list(clients.into_iter().map(Shown::from), json)
        }
        Command::Show { id, json } => Shown::from(client.client(&id).await?).print(json),
        Command::Set(arguments) => set(remote, arguments).await,
        Command::Secret(arguments) => secret::add_there(remote, arguments).await,
        Command::RemoveSecret { id, secret } => {
            client.remove_client_secret(&id, &secret.to_string()).await?;
            output::say(&format!("secret {secret} of client {id} removed"))
        }
        Command::Enable { id } => {
            client.change_client(&id, &ClientChange { enabled: Some(true), ..ClientChange::default() }).await?;
            output::say(&format!("client {id} enabled"))
        }
        Command::Disable { id } => {
            client.change_client(&id, &ClientChange { enabled: Some(false), ..ClientChange::default() }).await?;
            output::say(&format!("client {id} disabled; its sessions have ended"))
        }
        Command::Rm { id } => {
            let done = client.delete_client(&id).await?;
            output::say(&format!("client {id} removed; {}", ended(done.revoked)))
        }
    }
}

async fn add(remote: &Remote, arguments: change::Add) -> Result<(), CliError> {
    let (new, json) = arguments.parse();
    let declared = NewScopes::there(remote, names(&new.scopes)).await;
    let new = NewClient {
        id: new.id,
        public: new.public,
        grants: grants(new.grants),
        scopes: scopes(new.scopes),
        audience: new.audience,
        serves: new.serves,
        forwards_address: new.forwards_address,
        own_scopes: new.own_scopes,
    };
    let made = remote.client.create_client(&new).await?;
    declared.announce();
    let secret = made.secret.as_ref().map(|secret| secret.expose());
    if secret.is_none() && !made.client.public {
        lost(&made.client.id);
    }
    show::added(made.client.into(), secret, json)
}

async fn set(remote: &Remote, arguments: change::Set) -> Result<(), CliError> {
    let (id, change) = arguments.parse();
    let declared = NewScopes::there(remote, change.scopes.as_ref().and_then(names)).await;
    let change = ClientChange {
        grants: change.grants.map(grants),
        scopes: change.scopes.map(scopes),
        audience: change.audience,
        serves: change.serves,
        forwards_address: change.forwards_address,
        own_scopes: change.own_scopes,
        enabled: None,
    };
    let client = remote.client.change_client(&id, &change).await?;
    declared.announce();
    output::say(&format!("client {} changed", client.id))
}

/// It is there, but its secret was in an answer that did not arrive.
pub fn lost(id: &str) {
    output::warn(&format!("the answer with the secret was lost: `ficha client secret {id}` gives it another"));
}

fn grants(grants: Vec<Grant>) -> Vec<String> {
    grants.into_iter().map(|grant| grant.as_str().to_owned()).collect()
}

fn scopes(scopes: ClientScopes) -> admin::ClientScopes {
    match scopes {
        ClientScopes::Any => admin::ClientScopes::Any(AnyScope::Any),
        ClientScopes::Only(scopes) => admin::ClientScopes::Only(scopes.iter().map(str::to_owned).collect()),
    }
}
