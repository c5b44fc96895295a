//! Rows of `clients`.

use ficha_token::Grant;
use sea_orm::entity::prelude::*;

use super::{client_secret, join_names, parse_scope, split_names};
use crate::{ClientRecord, ClientScopes, ClientSecret, Result, StoreError};

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "clients")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: String,
    #[sea_orm(unique)]
    pub subject: Uuid,
    pub secret_hash: Option<Vec<u8>>,
    pub grants: String,
    pub any_scope: bool,
    pub scopes: String,
    pub audience: Option<String>,
    pub serves: String,
    pub forwards_address: bool,
    pub own_scopes: bool,
    pub enabled: bool,
    pub revoking: bool,
    pub auth_version: i64,
    pub created_at: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl Model {
    /// True if one of these rows of `client_secrets` has the hash that stands here, or there is none.
    pub(crate) fn agrees_with(&self, secrets: &[client_secret::Model]) -> bool {
        self.secret_hash.as_ref().is_none_or(|hash| secrets.iter().any(|row| row.hash == *hash))
    }

    /// The record, with these rows of `client_secrets`.
    pub(crate) fn with_secrets(self, secrets: Vec<client_secret::Model>) -> Result<ClientRecord> {
        let secrets = effective(&self, secrets)?;
        Ok(ClientRecord {
            secrets,
            // A grant that only a newer version knows is skipped: that gives the client fewer rights, never more.
            grants: self.grants.split(' ').filter_map(Grant::parse).collect(),
            scopes: if self.any_scope { ClientScopes::Any } else { ClientScopes::Only(parse_scope(&self.scopes)?) },
            id: self.id,
            subject: self.subject,
            audience: self.audience,
            serves: split_names(&self.serves),
            forwards_address: self.forwards_address,
            own_scopes: self.own_scopes,
            enabled: self.enabled,
            revoking: self.revoking,
            auth_version: self.auth_version,
            created_at: self.created_at,
        })
    }
}

/// The secrets that count. A server of the release before writes only `secret_hash`: if none of the rows has that hash,
/// it has replaced what they say.
fn effective(client: &Model, mut rows: Vec<client_secret::Model>) -> Result<Vec<ClientSecret>> {
    let Some(hash) = &client.secret_hash else { return Ok(Vec::new()) };
    if rows.iter().any(|row| row.hash == *hash) {
        rows.sort_unstable_by_key(|row| (row.created_at, row.id));
        return rows.into_iter().map(ClientSecret::try_from).collect();
    }
    let only = client_secret::Model {
        client_id: client.id.clone(),
        id: client.subject,
        hash: hash.clone(),
        created_at: None,
        expires_at: None,
        last_used_at: None,
    };
    Ok(vec![only.try_into()?])
}

/// The secret that servers of the release before accept: the one that expires last, and of those the newest.
pub(crate) fn lasting(secrets: &[ClientSecret]) -> Option<&ClientSecret> {
    secrets.iter().max_by_key(|secret| (secret.expires_at.unwrap_or(i64::MAX), secret.created_at))
}

impl TryFrom<ClientRecord> for Model {
    type Error = StoreError;

    fn try_from(client: ClientRecord) -> Result<Self> {
        let (any_scope, scopes) = match client.scopes {
            ClientScopes::Any => (true, String::new()),
            ClientScopes::Only(scopes) => (false, scopes.to_string()),
        };
        Ok(Self {
            id: client.id,
            subject: client.subject,
            secret_hash: lasting(&client.secrets).map(|secret| secret.hash.to_vec()),
            grants: client.grants.iter().map(|grant| grant.as_str()).collect::<Vec<_>>().join(" "),
            any_scope,
            scopes,
            audience: client.audience,
            serves: join_names("audience", &client.serves)?,
            forwards_address: client.forwards_address,
            own_scopes: client.own_scopes,
            enabled: client.enabled,
            revoking: client.revoking,
            auth_version: client.auth_version,
            created_at: client.created_at,
        })
    }
}
