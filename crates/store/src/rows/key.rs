//! Rows of `keys`.

use sea_orm::entity::prelude::*;
use sea_orm::{NotSet, Set};

use crate::{KeyPurpose, KeyRecord, NewKey, Result, StoreError};

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "keys")]
pub struct Model {
    #[sea_orm(primary_key)]
    pub id: i32,
    pub purpose: String,
    pub algorithm: String,
    #[sea_orm(unique)]
    pub kid: String,
    pub public_jwk: Option<String>,
    pub sealed: Vec<u8>,
    pub created_at: i64,
    pub sign_from: i64,
    pub expires_at: Option<i64>,
    pub purged_at: Option<i64>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl TryFrom<Model> for KeyRecord {
    type Error = StoreError;

    fn try_from(row: Model) -> Result<Self> {
        let purpose = KeyPurpose::parse(&row.purpose)
            .ok_or_else(|| StoreError::Corrupt(format!("the purpose {:?} of key {}", row.purpose, row.id)))?;
        Ok(Self {
            id: row.id,
            purpose,
            algorithm: row.algorithm,
            kid: row.kid,
            public_jwk: row.public_jwk,
            sealed: row.sealed,
            created_at: row.created_at,
            sign_from: row.sign_from,
            expires_at: row.expires_at,
            purged_at: row.purged_at,
        })
    }
}

impl From<NewKey> for ActiveModel {
    fn from(key: NewKey) -> Self {
        Self {
            id: NotSet,
            purpose: Set(key.purpose.as_str().to_owned()),
            algorithm: Set(key.algorithm),
            kid: Set(key.kid),
            public_jwk: Set(key.public_jwk),
            sealed: Set(key.sealed),
            created_at: Set(key.created_at),
            sign_from: Set(key.sign_from),
            expires_at: Set(None),
            purged_at: Set(None),
        }
    }
}
