//! Clients and their secrets.

use ficha_authority::{ClientChange, ClientRecord, ClientScopes, Grant, NewClient, NewClientSecret, OtherSecrets};
use ficha_client::admin::{self, AnyScope, Client, ClientSecret};
use ficha_server::views::{ClientView, SecretView};
use ficha_token::{Clock, SystemClock};
use uuid::Uuid;
use zeroize::Zeroizing;

use super::{Items, PAGE, Part, Place, asked, shown};
use crate::admin_context::actor;
use crate::error::CliError;
use crate::input_error::InputError;
use crate::output::{self, time};

/// A secret to be added. Both are seconds from now.
pub struct NewSecret {
    pub keep_old: Option<u64>,
    pub expires: Option<u64>,
}

/// A client before and after a change.
pub struct ChangedClient {
    pub before: Client,
    pub now: Client,
    /// That of a client that was public before.
    pub secret: Option<Zeroizing<String>>,
    /// How many sessions have ended.
    pub revoked: u64,
}

impl Place {
    /// Clients, sorted by id.
    pub async fn clients(&self, part: Part) -> Result<Vec<Client>, CliError> {
        part.read(async |after, left| match self {
            Self::Here(context) => {
                let limit = left.min(PAGE);
                let page = context.admin.clients(&actor(), after.as_deref(), limit).await?;
                let next = page.last().map(|client| client.id.clone()).filter(|_| page.len() as u64 == limit);
                Ok(Items { items: page.into_iter().map(client).collect::<Result<_, _>>()?, next })
            }
            Self::There(remote) => Ok(remote.client.clients(after.as_deref(), asked(left)).await?.into()),
        })
        .await
    }

    /// One client.
    pub async fn client(&self, id: &str) -> Result<Client, CliError> {
        match self {
            Self::Here(context) => client(context.admin.client(&actor(), id).await?),
            Self::There(remote) => Ok(remote.client.client(id).await?),
        }
    }

    /// Adds a client. Returns it with its secret, if it has one.
    pub async fn add_client(&self, new: NewClient) -> Result<(Client, Option<Zeroizing<String>>), CliError> {
        match self {
            Self::Here(context) => {
                let (made, secret) = context.admin.add_client(&actor(), new).await?;
                Ok((client(made)?, secret.map(|secret| Zeroizing::new(secret.expose().to_owned()))))
            }
            Self::There(remote) => {
                let new = admin::NewClient {
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
                if made.secret.is_none() && !made.client.public {
                    lost(&made.client.id);
                }
                let secret = made.secret.map(|secret| Zeroizing::new(secret.expose().to_owned()));
                Ok((made.client, secret))
            }
        }
    }

    /// Changes a client.
    pub async fn change_client(&self, id: &str, change: ClientChange) -> Result<ChangedClient, CliError> {
        match self {
            Self::Here(context) => {
                let seen = context.admin.client(&actor(), id).await?;
                // The store compares the version: it changes the client that was read.
                let changed = context.admin.change_client_at(&actor(), &seen, change).await?;
                let secret = changed.secret.map(|secret| Zeroizing::new(secret.expose().to_owned()));
                let (before, now) = (client(seen)?, client(changed.client)?);
                Ok(ChangedClient { before, now, secret, revoked: changed.sessions })
            }
            Self::There(remote) => {
                let before = remote.client.client(id).await?;
                let awaits_secret = before.public && change.public == Some(false);
                let change = admin::ClientChange {
                    public: change.public,
                    grants: change.grants.map(grants),
                    scopes: change.scopes.map(scopes),
                    audience: change.audience,
                    serves: change.serves,
                    forwards_address: change.forwards_address,
                    own_scopes: change.own_scopes,
                    enabled: None,
                };
                let changed = remote.client.change_client(id, &change).await?;
                let secret = changed.secret.map(|secret| Zeroizing::new(secret.expose().to_owned()));
                if awaits_secret && secret.is_none() {
                    // Somebody else was faster, and has it.
                    lost(id);
                }
                Ok(ChangedClient { before, now: changed.client, secret, revoked: changed.revoked })
            }
        }
    }

    /// Enables or disables a client. Returns it as it is then, and how many sessions have ended.
    pub async fn set_client_enabled(&self, id: &str, enabled: bool) -> Result<(Client, u64), CliError> {
        match self {
            Self::Here(context) => {
                let seen = context.admin.client(&actor(), id).await?;
                let revoked = context.admin.set_client_enabled_at(&actor(), &seen, enabled).await?;
                Ok((client(ClientRecord { enabled, ..seen })?, revoked))
            }
            Self::There(remote) => {
                let change = admin::ClientChange { enabled: Some(enabled), ..admin::ClientChange::default() };
                let changed = remote.client.change_client(id, &change).await?;
                Ok((changed.client, changed.revoked))
            }
        }
    }

    /// Deletes a client. Returns how many sessions have ended.
    pub async fn delete_client(&self, id: &str) -> Result<u64, CliError> {
        match self {
            Self::Here(context) => Ok(context.admin.delete_client(&actor(), id).await?),
            Self::There(remote) => Ok(remote.client.delete_client(id).await?.revoked),
        }
    }

    /// Gives a client another secret, in place of the others unless they are kept for a while.
    pub async fn add_client_secret(
        &self,
        id: &str,
        new: NewSecret,
    ) -> Result<(ClientSecret, Zeroizing<String>), CliError> {
        match self {
            Self::Here(context) => {
                let now = context.now();
                let from_now = |seconds: u64| now.saturating_add_unsigned(seconds);
                let kept = new.keep_old.map(|seconds| OtherSecrets::KeepUntil(from_now(seconds)));
                let others = kept.unwrap_or(OtherSecrets::Remove);
                let new = NewClientSecret { expires_at: new.expires.map(from_now), others };
                let (about, secret) = context.admin.add_client_secret(&actor(), id, new).await?;
                Ok((shown(SecretView::from(&about))?, Zeroizing::new(secret.expose().to_owned())))
            }
            Self::There(remote) => {
                // The clock there may differ from the one here.
                let now = SystemClock.unix_now();
                let from_now = |seconds: u64| time(now.saturating_add_unsigned(seconds));
                let (expires, keep) = (new.expires.map(from_now), new.keep_old.map(from_now));
                let others = keep.as_deref().map_or(admin::OtherSecrets::Remove, admin::OtherSecrets::KeepUntil);
                let added = remote.client.add_client_secret(id, expires.as_deref(), others).await?;
                match &added.secret {
                    Some(secret) => Ok((added.about.clone(), Zeroizing::new(secret.expose().to_owned()))),
                    None => {
                        lost(id);
                        Err(InputError::SecretLost.into())
                    }
                }
            }
        }
    }

    /// Deletes a secret of a client.
    pub async fn delete_client_secret(&self, id: &str, secret: Uuid) -> Result<(), CliError> {
        match self {
            Self::Here(context) => Ok(context.admin.remove_client_secret(&actor(), id, secret).await?),
            Self::There(remote) => Ok(remote.client.remove_client_secret(id, &secret.to_string()).await?),
        }
    }
}

/// It is there, but its secret was in an answer that did not arrive.
fn lost(id: &str) {
    output::warn(&format!("the answer with the secret was lost: `ficha client add-secret {id}` gives it another"));
}

fn client(record: ClientRecord) -> Result<Client, CliError> {
    shown(ClientView::from(record))
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
