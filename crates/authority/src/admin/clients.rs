//! Clients and scopes.

use ficha_store::{BulkWork, Cause, ClientRecord, ClientScopes, Revoked};
use ficha_token::Grant;
use uuid::Uuid;

use super::client_rules::{check, check_audiences, check_id, check_own_client, check_own_scopes, narrows};
use super::powers::{Access, Area};
use super::{Actor, Admin, AdminError};
use crate::keys::secret::Secret;

/// A client to be created.
#[derive(Debug, Clone)]
pub struct NewClient {
    /// The `client_id`.
    pub id: String,
    /// True if it has no secret.
    pub public: bool,
    /// The grants that it may use.
    pub grants: Vec<Grant>,
    /// The scopes that it may ask for.
    pub scopes: ClientScopes,
    /// The `aud` of its tokens.
    pub audience: Option<String>,
    /// The audiences that it serves.
    pub serves: Vec<String>,
    /// True if it may forward the user's IP address.
    pub forwards_address: bool,
    /// True if it may obtain the server's own scopes. Only `ficha:admin` sets it.
    pub own_scopes: bool,
}

/// Changes to a client; `None` leaves the value as it is.
#[derive(Debug, Clone, Default)]
pub struct ClientChange {
    /// True to remove its secrets, false to give it one, if that is a change.
    pub public: Option<bool>,
    /// See [`NewClient`].
    pub grants: Option<Vec<Grant>>,
    /// See [`NewClient`].
    pub scopes: Option<ClientScopes>,
    /// See [`NewClient`].
    pub audience: Option<Option<String>>,
    /// See [`NewClient`].
    pub serves: Option<Vec<String>>,
    /// See [`NewClient`].
    pub forwards_address: Option<bool>,
    /// See [`NewClient`].
    pub own_scopes: Option<bool>,
}

/// What a change has made of a client.
#[derive(Debug)]
pub struct ChangedClient {
    /// The client as it was written.
    pub client: ClientRecord,
    /// The secret of a client that was public. It is shown only once; only its SHA-256 is stored.
    pub secret: Option<Secret>,
    /// How many sessions have ended.
    pub sessions: u64,
}

impl Admin {
    /// Creates a client. Its secret, if it has one, is returned only this once; only its SHA-256 is stored.
    pub async fn add_client(
        &self,
        actor: &Actor,
        new: NewClient,
    ) -> Result<(ClientRecord, Option<Secret>), AdminError> {
        self.add_client_as(actor, self.new_id(), new).await
    }

    /// The same with this subject, which is new.
    pub async fn add_client_as(
        &self,
        actor: &Actor,
        subject: Uuid,
        new: NewClient,
    ) -> Result<(ClientRecord, Option<Secret>), AdminError> {
        actor.require(Access::Write, Area::Clients)?;
        check_id(&new.id)?;
        let secret = (!new.public).then(|| Secret::random(&*self.base.entropy));
        let client = ClientRecord {
            id: new.id,
            subject,
            secrets: secret.iter().map(|secret| self.stored_secret(self.new_id(), secret, None)).collect(),
            grants: new.grants,
            scopes: new.scopes,
            audience: new.audience,
            serves: new.serves,
            forwards_address: new.forwards_address,
            own_scopes: new.own_scopes,
            enabled: true,
            revoking: false,
            auth_version: 0,
            created_at: self.now(),
        };
        may_touch(actor, &client)?;
        if client.own_scopes {
            actor.require_any_scope()?;
        }
        check(&client)?;
        check_audiences(client.audience.iter().chain(&client.serves))?;
        check_own_scopes(&client)?;
        if let ClientScopes::Only(scopes) = &client.scopes {
            self.declare(actor, scopes).await?;
        }
        if !self.base.store.add_client(client.clone(), &self.cause(actor)).await? {
            return Err(AdminError::Taken { kind: "client", name: client.id });
        }
        Ok((client, secret))
    }

    /// The client with that id.
    pub async fn client(&self, actor: &Actor, id: &str) -> Result<ClientRecord, AdminError> {
        actor.require(Access::Read, Area::Clients)?;
        self.find_client(id).await
    }

    pub(super) async fn find_client(&self, id: &str) -> Result<ClientRecord, AdminError> {
        self.base.store.client(id).await?.ok_or_else(|| no_client(id))
    }

    /// The client with that id, if the actor may change it.
    pub(super) async fn changeable_client(&self, actor: &Actor, id: &str) -> Result<ClientRecord, AdminError> {
        actor.require(Access::Write, Area::Clients)?;
        let client = self.find_client(id).await?;
        may_touch(actor, &client)?;
        Ok(client)
    }

    /// A page of clients, sorted by id.
    pub async fn clients(
        &self,
        actor: &Actor,
        after: Option<&str>,
        limit: u64,
    ) -> Result<Vec<ClientRecord>, AdminError> {
        actor.require(Access::Read, Area::Clients)?;
        Ok(self.base.store.list_clients(after, limit).await?)
    }

    /// Changes a client. If it loses rights, or its secrets, all its sessions end.
    pub async fn change_client(
        &self,
        actor: &Actor,
        id: &str,
        change: ClientChange,
    ) -> Result<ChangedClient, AdminError> {
        let before = self.changeable_client(actor, id).await?;
        self.change_client_at(actor, &before, change).await
    }

    /// The same for a client that still is as it was read: its version is compared.
    pub async fn change_client_at(
        &self,
        actor: &Actor,
        before: &ClientRecord,
        change: ClientChange,
    ) -> Result<ChangedClient, AdminError> {
        actor.require(Access::Write, Area::Clients)?;
        may_touch(actor, before)?;
        let id = before.id.as_str();
        let wanted = change.audience.iter().flatten().chain(change.serves.iter().flatten());
        let had = |name: &&String| before.audience.as_ref() == Some(*name) || before.serves.contains(*name);
        check_audiences(wanted.filter(|name| !had(name)))?;
        let changes_scopes = change.grants.is_some() || change.scopes.is_some();
        let needs_secret = change.public == Some(false) && before.is_public();
        let mut client = change.apply(before.clone());
        let secret = needs_secret.then(|| Secret::random(&*self.base.entropy));
        client.secrets.extend(secret.iter().map(|secret| self.stored_secret(self.new_id(), secret, None)));
        check_own_client(before, &client)?;
        if needs_secret && self.base.settings.default_client() == Some(id) {
            let text =
                format!("{id:?} is the default client: requests that name no client would fail without its secret");
            return Err(AdminError::Invalid(text));
        }
        may_touch(actor, &client)?;
        if client.own_scopes != before.own_scopes {
            actor.require_any_scope()?;
        }
        check(&client)?;
        if changes_scopes {
            check_own_scopes(&client)?;
        }
        if let ClientScopes::Only(scopes) = &client.scopes {
            self.declare(actor, scopes).await?;
        }
        let (mut sessions, written) = (0, client.clone());
        if narrows(before, &client) {
            let work = self.base.store.narrow_client(client, self.ending_now(), &self.cause(actor)).await?;
            let work = rest(work).ok_or_else(|| outdated(id))?;
            sessions = match self.finish(work).await {
                // The change is committed, and the secret would be lost: a server ends what is left of the sessions.
                Err(error) if secret.is_some() => {
                    tracing::warn!(%error, client = id, "the sessions of a client could not all be ended yet");
                    0
                }
                ended => ended?,
            };
        } else {
            self.update(actor, client).await?;
        }
        Ok(ChangedClient { client: written, secret, sessions })
    }

    /// True if a change would end the sessions of a client: if it loses a right or its secrets, or its tokens get another
    /// audience.
    pub fn would_end_sessions(&self, before: &ClientRecord, change: &ClientChange) -> bool {
        narrows(before, &change.clone().apply(before.clone()))
    }

    async fn update(&self, actor: &Actor, client: ClientRecord) -> Result<(), AdminError> {
        let id = client.id.clone();
        let is_current = self.base.store.update_client(client, &self.cause(actor)).await?;
        if is_current { Ok(()) } else { Err(outdated(&id)) }
    }

    /// Enables a client, or disables it and ends its sessions.
    pub async fn set_client_enabled(&self, actor: &Actor, id: &str, enabled: bool) -> Result<u64, AdminError> {
        let client = self.changeable_client(actor, id).await?;
        self.set_client_enabled_at(actor, &client, enabled).await
    }

    /// The same for a client that still is as it was read: its version is compared.
    pub async fn set_client_enabled_at(
        &self,
        actor: &Actor,
        client: &ClientRecord,
        enabled: bool,
    ) -> Result<u64, AdminError> {
        actor.require(Access::Write, Area::Clients)?;
        may_touch(actor, client)?;
        let id = client.id.as_str();
        let cause = self.cause(actor);
        if enabled {
            let is_there = self.base.store.enable_client(client, &cause).await?;
            return if is_there { Ok(0) } else { Err(no_client(id)) };
        }
        let work = self.base.store.disable_client(client, self.ending_now(), &cause).await?;
        self.finish(rest(work).ok_or_else(|| no_client(id))?).await
    }

    /// Ends every session of a client. The client is blocked first, then its sessions are ended in batches, and then it
    /// is unblocked. If the process dies in between, the client stays blocked until any server has finished the work.
    pub async fn revoke_client(&self, actor: &Actor, id: &str) -> Result<u64, AdminError> {
        actor.require(Access::Write, Area::Sessions)?;
        let work = self.base.store.begin_revoking_client(id, self.ending_now(), &self.cause(actor)).await?;
        self.finish(rest(work).ok_or_else(|| no_client(id))?).await
    }

    /// Ends a client's sessions, then deletes it.
    pub async fn delete_client(&self, actor: &Actor, id: &str) -> Result<u64, AdminError> {
        let first = self.changeable_client(actor, id).await?;
        let sessions = self.set_client_enabled_at(actor, &first, false).await?;
        let client = self.changeable_client(actor, id).await?;
        if client.subject != first.subject {
            // It is gone, and another has got its id.
            return Ok(sessions);
        }
        // The first step may have ended the session of who deletes; what has begun is completed.
        let cause = Cause { session: None, ..self.cause(actor) };
        let is_there = self.base.store.delete_client(&client, self.ending_now(), &cause).await?;
        if is_there { Ok(sessions) } else { Err(no_client(id)) }
    }
}

impl ClientChange {
    /// True if it changes nothing.
    pub fn is_empty(&self) -> bool {
        let Self { public, grants, scopes, audience, serves, forwards_address, own_scopes } = self;
        public.is_none()
            && grants.is_none()
            && scopes.is_none()
            && audience.is_none()
            && serves.is_none()
            && forwards_address.is_none()
            && own_scopes.is_none()
    }

    fn apply(self, client: ClientRecord) -> ClientRecord {
        ClientRecord {
            secrets: if self.public == Some(true) { Vec::new() } else { client.secrets },
            grants: self.grants.unwrap_or(client.grants),
            scopes: self.scopes.unwrap_or(client.scopes),
            audience: self.audience.unwrap_or(client.audience),
            serves: self.serves.unwrap_or(client.serves),
            forwards_address: self.forwards_address.unwrap_or(client.forwards_address),
            own_scopes: self.own_scopes.unwrap_or(client.own_scopes),
            ..client
        }
    }
}

/// A client that may obtain one of the server's own scopes may be changed only by who holds that scope. One that takes
/// any scope may obtain all that its users have, if it has the flag; only `ficha:admin` sets that.
pub(super) fn may_touch(actor: &Actor, client: &ClientRecord) -> Result<(), AdminError> {
    match &client.scopes {
        ClientScopes::Any if client.own_scopes => actor.require_any_scope(),
        ClientScopes::Any => Ok(()),
        ClientScopes::Only(scopes) => actor.require_scopes_of(scopes),
    }
}

pub(super) fn no_client(id: &str) -> AdminError {
    AdminError::NoSuch { kind: "client", name: id.to_owned() }
}

/// Nothing has ended yet, and this continues.
fn rest(work: Option<BulkWork>) -> Option<Revoked> {
    work.map(|work| Revoked { rest: Some(work), ..Revoked::default() })
}

fn outdated(id: &str) -> AdminError {
    AdminError::Conflict(format!("the client {id:?} was changed or deleted meanwhile; look at it and try again"))
}
