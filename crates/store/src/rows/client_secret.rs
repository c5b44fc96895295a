//! Rows of `client_secrets`.

use sea_orm::entity::prelude::*;

use crate::{ClientSecret, Result, StoreError};

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "client_secrets")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub client_id: String,
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// SHA-256.
    pub hash: Vec<u8>,
    pub created_at: Option<i64>,
    pub expires_at: Option<i64>,
    pub last_used_at: Option<i64>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl Model {
    pub(crate) fn of(client_id: &str, secret: &ClientSecret) -> Self {
        Self {
            client_id: client_id.to_owned(),
            id: secret.id,
            hash: secret.hash.to_vec(),
            created_at: secret.created_at,
            expires_at: secret.expires_at,
            last_used_at: secret.last_used_at,
        }
    }
}

impl TryFrom<Model> for ClientSecret {
    type Error = StoreError;

    fn try_from(row: Model) -> Result<Self> {
        let hash = <[u8; 32]>::try_from(row.hash);
        Ok(Self {
            id: row.id,
            hash: hash.map_err(|_| StoreError::Corrupt(format!("a secret of client {:?}", row.client_id)))?,
            created_at: row.created_at,
            expires_at: row.expires_at,
            last_used_at: row.last_used_at,
        })
    }
}
