//! Rows of `clients`.

use ficha_token::Grant;
use sea_orm::entity::prelude::*;

use super::{join_names, parse_scope, split_names};
use crate::{ClientRecord, ClientScopes, Result, StoreError};

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

impl TryFrom<Model> for ClientRecord {
    type Error = StoreError;

    fn try_from(row: Model) -> Result<Self> {
        let secret_hash = row.secret_hash.map(<[u8; 32]>::try_from).transpose();
        Ok(Self {
            secret_hash: secret_hash.map_err(|_| StoreError::Corrupt(format!("the secret of client {:?}", row.id)))?,
            // A grant that only a newer version knows is skipped: that gives the client fewer rights, never more.
            grants: row.grants.split(' ').filter_map(Grant::parse).collect(),
            scopes: if row.any_scope { ClientScopes::Any } else { ClientScopes::Only(parse_scope(&row.scopes)?) },
            id: row.id,
            subject: row.subject,
            audience: row.audience,
            serves: split_names(&row.serves),
            forwards_address: row.forwards_address,
            own_scopes: row.own_scopes,
            enabled: row.enabled,
            revoking: row.revoking,
            auth_version: row.auth_version,
            created_at: row.created_at,
        })
    }
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
            secret_hash: client.secret_hash.map(Vec::from),
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
