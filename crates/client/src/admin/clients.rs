//! Clients, their secrets, scopes and keys.

use oauth2::http::Method;
use serde::{Deserialize, Serialize};

use super::{AdminClient, AdminError, Body, Page, ShownOnce, segment};

/// What a client may ask for: some scopes, or whatever the user has.
///
/// See the example at [`AdminClient::create_client`].
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(untagged)]
pub enum ClientScopes {
    /// Only these.
    Only(Vec<String>),
    /// The text `any`: all that the user may be granted.
    Any(AnyScope),
}

/// The text `any`.
///
/// See the example at [`AdminClient::change_client`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum AnyScope {
    /// All that the user may be granted.
    Any,
}

impl Default for ClientScopes {
    fn default() -> Self {
        Self::Only(Vec::new())
    }
}

/// A client.
///
/// See the example at [`AdminClient::create_client`].
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[non_exhaustive]
pub struct Client {
    /// The `client_id`.
    pub id: String,
    /// True if it has no secret.
    pub public: bool,
    /// `password`, `refresh_token`, `client_credentials`.
    pub grants: Vec<String>,
    /// What it may ask for.
    pub scopes: ClientScopes,
    /// The `aud` of its tokens; `None` is the server's default.
    pub audience: Option<String>,
    /// The audiences for which it may introspect and follow the denylist.
    pub serves: Vec<String>,
    /// True if it may forward the user's address.
    pub forwards_address: bool,
    /// True if it may obtain the server's own scopes.
    pub own_scopes: bool,
    /// False if it gets no token.
    pub enabled: bool,
    /// True while all its sessions are being ended: until that is done, it gets no token.
    #[serde(default)]
    pub revoking: bool,
    /// RFC 3339.
    pub created_at: String,
    /// Its secrets, oldest first, without the secrets themselves.
    #[serde(default)]
    pub secrets: Vec<ClientSecret>,
}

/// A secret of a client, without the secret itself.
///
/// See the example at [`AdminClient::create_client`].
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[non_exhaustive]
pub struct ClientSecret {
    /// Which one it is.
    pub id: String,
    /// RFC 3339; `None` if it is not known.
    pub created_at: Option<String>,
    /// Up to a minute late; `None`: never, or not known.
    pub last_used_at: Option<String>,
    /// From when it is refused; `None`: never.
    pub expires_at: Option<String>,
}

/// A client to be created.
///
/// See the example at [`AdminClient::create_client`].
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct NewClient {
    /// The `client_id`.
    pub id: String,
    /// True if it has no secret.
    pub public: bool,
    /// `password`, `refresh_token`, `client_credentials`.
    pub grants: Vec<String>,
    /// What it may ask for.
    pub scopes: ClientScopes,
    /// The `aud` of its tokens; `None` is the server's default.
    pub audience: Option<String>,
    /// The audiences for which it may introspect and follow the denylist.
    pub serves: Vec<String>,
    /// True if it may forward the user's address.
    pub forwards_address: bool,
    /// True if it may obtain the server's own scopes.
    pub own_scopes: bool,
}

/// A client that was created.
///
/// See the example at [`AdminClient::create_client`].
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
pub struct CreatedClient {
    /// The client.
    #[serde(flatten)]
    pub client: Client,
    /// Its secret, if it has one.
    pub secret: Option<ShownOnce>,
}

/// What is changed about a client; `None` leaves it as it is.
///
/// See the example at [`AdminClient::change_client`].
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct ClientChange {
    /// `Some(false)` gives a public client a secret, `Some(true)` removes the secrets of a client and ends its sessions.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub public: Option<bool>,
    /// The whole list.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub grants: Option<Vec<String>>,
    /// What it may ask for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scopes: Option<ClientScopes>,
    /// `Some(None)` stands for the server's default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub audience: Option<Option<String>>,
    /// The whole list.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub serves: Option<Vec<String>>,
    /// True if it may forward the user's address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub forwards_address: Option<bool>,
    /// True if it may obtain the server's own scopes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub own_scopes: Option<bool>,
    /// False disables it, and ends its sessions. To be given alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
}

/// A client after a change.
///
/// See the example at [`AdminClient::change_client`].
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
pub struct ChangedClient {
    /// As it is now.
    #[serde(flatten)]
    pub client: Client,
    /// The secret of a client that was public before.
    pub secret: Option<ShownOnce>,
    /// How many sessions have ended.
    #[serde(default)]
    pub revoked: u64,
}

/// What a purge of the keys did.
///
/// See the example at [`AdminClient::purge_keys`].
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
pub struct PurgedKeys {
    /// True: every token that was issued before is refused. False: access tokens are valid until they expire, because a
    /// shared secret signs them.
    pub all: bool,
}

/// Whether a scope must be declared before.
///
/// See the example at [`AdminClient::declare_scope`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Declared {
    /// It is declared, or described anew.
    Either,
    /// It is refused if it is declared (`If-None-Match: *`).
    No,
    /// It is refused if it is not declared (`If-Match: *`).
    Yes,
}

/// What became of a client's sessions.
///
/// See the example at [`AdminClient::delete_client`].
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
pub struct ClientDeleted {
    /// How many have ended.
    pub revoked: u64,
}

/// A secret that was added.
///
/// See the example at [`AdminClient::add_client_secret`].
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
pub struct AddedSecret {
    /// About it.
    #[serde(flatten)]
    pub about: ClientSecret,
    /// The secret; `None` in the answer to a repeated request.
    pub secret: Option<ShownOnce>,
}

/// What becomes of the secrets that a client has when it gets another.
///
/// See the example at [`AdminClient::add_client_secret`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OtherSecrets<'a> {
    /// They stay valid. A client has at most two that are.
    Keep,
    /// They stay valid until then (RFC 3339), at most.
    KeepUntil(&'a str),
    /// They are removed.
    Remove,
}

/// A declared scope.
///
/// See the example at [`AdminClient::declare_scope`].
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[non_exhaustive]
pub struct Scope {
    /// Its name.
    pub name: String,
    /// What it allows.
    pub description: String,
}

/// A key, without its private part.
///
/// See the example at [`AdminClient::rotate_key`].
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[non_exhaustive]
pub struct Key {
    /// Its id.
    pub kid: String,
    /// `sign` or `refresh`.
    pub purpose: String,
    /// Such as `ES256`.
    pub algorithm: String,
    /// `next`, `current`, `old` or `purged`.
    pub state: String,
    /// RFC 3339.
    pub created_at: String,
    /// From when it signs.
    pub sign_from: String,
    /// When it is deleted.
    pub expires_at: Option<String>,
    /// When it was purged.
    pub purged_at: Option<String>,
}

/// A key that was published.
///
/// See the example at [`AdminClient::rotate_key`].
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[non_exhaustive]
pub struct RotatedKey {
    /// Its id.
    pub kid: String,
    /// From when it signs (RFC 3339).
    pub sign_from: String,
}

#[derive(Deserialize)]
struct List<T> {
    items: Vec<T>,
}

impl AdminClient {
    /// A page of clients, sorted by id.
    pub async fn clients(&self, after: Option<&str>, limit: u32) -> Result<Page<Client>, AdminError> {
        self.page("clients", &[], after, limit).await
    }

    /// A client.
    pub async fn client(&self, id: &str) -> Result<Client, AdminError> {
        self.get(&format!("clients/{}", segment(id)), &[]).await
    }

    /// Creates a client.
    ///
    /// ```no_run
    /// # use ficha_client::admin::{AdminClient, AdminError, ClientScopes, NewClient};
    /// # async fn example(admin: AdminClient) -> Result<(), AdminError> {
    /// let app = NewClient {
    ///     id: "notes-app".to_owned(),
    ///     public: true,
    ///     grants: vec!["password".to_owned(), "refresh_token".to_owned()],
    ///     scopes: ClientScopes::Only(vec!["notes:read".to_owned()]),
    ///     audience: Some("notes".to_owned()),
    ///     ..NewClient::default()
    /// };
    /// let created = admin.create_client(&app).await?;
    /// assert!(created.secret.is_none());
    /// # Ok(())
    /// # }
    /// ```
    pub async fn create_client(&self, new: &NewClient) -> Result<CreatedClient, AdminError> {
        self.create("clients", new).await
    }

    /// Changes a client. If it loses rights or its secrets, its sessions end.
    ///
    /// ```no_run
    /// # use ficha_client::admin::{AdminClient, AdminError, AnyScope, ClientChange, ClientScopes};
    /// # async fn example(admin: AdminClient) -> Result<(), AdminError> {
    /// let change = ClientChange { scopes: Some(ClientScopes::Any(AnyScope::Any)), ..ClientChange::default() };
    /// println!("{:?}", admin.change_client("notes-app", &change).await?);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn change_client(&self, id: &str, change: &ClientChange) -> Result<ChangedClient, AdminError> {
        self.send(Method::PATCH, &format!("clients/{}", segment(id)), &[], Some(change), None).await
    }

    /// Ends a client's sessions, and deletes it.
    ///
    /// ```no_run
    /// # use ficha_client::admin::{AdminClient, AdminError};
    /// # async fn example(admin: AdminClient) -> Result<(), AdminError> {
    /// println!("{:?}", admin.delete_client("notes-app").await?);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn delete_client(&self, id: &str) -> Result<ClientDeleted, AdminError> {
        self.send(Method::DELETE, &format!("clients/{}", segment(id)), &[], None::<&()>, None).await
    }

    /// Gives a client another secret, which expires at this time (RFC 3339) if one is given.
    ///
    /// ```no_run
    /// # use ficha_client::admin::{AdminClient, AdminError, OtherSecrets};
    /// # async fn example(admin: AdminClient) -> Result<(), AdminError> {
    /// let others = OtherSecrets::KeepUntil("2027-01-01T00:00:00Z");
    /// println!("{:?}", admin.add_client_secret("notes-api", None, others).await?);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn add_client_secret(
        &self,
        id: &str,
        expires_at: Option<&str>,
        others: OtherSecrets<'_>,
    ) -> Result<AddedSecret, AdminError> {
        let body = match others {
            OtherSecrets::Keep => serde_json::json!({ "expires_at": expires_at }),
            OtherSecrets::KeepUntil(until) => {
                serde_json::json!({ "expires_at": expires_at, "others_expire_at": until })
            }
            OtherSecrets::Remove => serde_json::json!({ "expires_at": expires_at, "replace": true }),
        };
        self.create(&format!("clients/{}/secrets", segment(id)), &body).await
    }

    /// Removes a secret of a client.
    pub async fn remove_client_secret(&self, id: &str, secret: &str) -> Result<(), AdminError> {
        let path = format!("clients/{}/secrets/{}", segment(id), segment(secret));
        self.send::<serde_json::Value>(Method::DELETE, &path, &[], None::<&()>, None).await.map(drop)
    }

    /// Every declared scope.
    pub async fn scopes(&self) -> Result<Vec<Scope>, AdminError> {
        self.get::<List<Scope>>("scopes", &[]).await.map(|list| list.items)
    }

    /// Declares a scope, or describes it.
    ///
    /// ```no_run
    /// # use ficha_client::admin::{AdminClient, AdminError, Declared};
    /// # async fn example(admin: AdminClient) -> Result<(), AdminError> {
    /// admin.declare_scope("notes:read", "Read your notes", Declared::No).await?;
    /// for scope in admin.scopes().await? {
    ///     println!("{scope:?}");
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub async fn declare_scope(&self, name: &str, description: &str, declared: Declared) -> Result<Scope, AdminError> {
        let body = serde_json::json!({ "description": description }).to_string().into_bytes();
        let condition = match declared {
            Declared::Either => None,
            Declared::No => Some(("if-none-match", "*")),
            Declared::Yes => Some(("if-match", "*")),
        };
        let body = Body { kind: "application/json", bytes: body, header: condition };
        self.request(Method::PUT, &format!("scopes/{}", segment(name)), &[], Some(body), None).await
    }

    /// Removes the declaration of a scope.
    pub async fn remove_scope(&self, name: &str) -> Result<(), AdminError> {
        let path = format!("scopes/{}", segment(name));
        self.send::<serde_json::Value>(Method::DELETE, &path, &[], None::<&()>, None).await.map(drop)
    }

    /// All keys.
    pub async fn keys(&self) -> Result<Vec<Key>, AdminError> {
        self.get::<List<Key>>("keys", &[]).await.map(|list| list.items)
    }

    /// Publishes a new signing key.
    ///
    /// ```no_run
    /// # use ficha_client::admin::{AdminClient, AdminError};
    /// # async fn example(admin: AdminClient) -> Result<(), AdminError> {
    /// println!("{:?}", admin.rotate_key().await?);
    /// println!("{:?}", admin.keys().await?);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn rotate_key(&self) -> Result<RotatedKey, AdminError> {
        self.send(Method::POST, "keys/rotate", &[], None::<&()>, None).await
    }

    /// Replaces all keys, and ends every session: that of these tokens as well.
    ///
    /// ```no_run
    /// # use ficha_client::admin::{AdminClient, AdminError};
    /// # async fn example(admin: AdminClient) -> Result<(), AdminError> {
    /// println!("{:?}", admin.purge_keys().await?);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn purge_keys(&self) -> Result<PurgedKeys, AdminError> {
        let body = serde_json::json!({ "confirm": "purge" });
        self.send(Method::POST, "keys/purge", &[], Some(&body), None).await
    }
}
