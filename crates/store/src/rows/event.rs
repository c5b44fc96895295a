//! Rows of `events`.

use sea_orm::entity::prelude::*;

use crate::{Commitment, EventRecord, Result, StoreError};

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "events")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub number: Option<i64>,
    pub at: i64,
    pub event: String,
    pub actor_kind: String,
    pub actor_id: Option<Uuid>,
    pub user_id: Option<Uuid>,
    pub client_id: Option<String>,
    pub session_id: Option<Uuid>,
    pub request_id: Option<String>,
    pub actor_name: Option<String>,
    pub address: Option<String>,
    pub origin_salt: Option<Vec<u8>>,
    pub origin_erased: Option<Vec<u8>>,
    pub detail: Option<String>,
    pub detail_salt: Option<Vec<u8>>,
    pub detail_erased: Option<Vec<u8>>,
    pub hash: Option<Vec<u8>>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl TryFrom<Model> for EventRecord {
    type Error = StoreError;

    fn try_from(row: Model) -> Result<Self> {
        let origin = commitment(row.origin_salt.as_deref(), row.origin_erased.as_deref(), row.id)?;
        let detail_commitment = commitment(row.detail_salt.as_deref(), row.detail_erased.as_deref(), row.id)?;
        let hash = row.hash.as_deref().map(|hash| exactly(hash, row.id)).transpose()?;
        Ok(Self {
            id: row.id,
            number: row.number,
            at: row.at,
            event: row.event,
            actor_kind: row.actor_kind,
            actor_id: row.actor_id,
            user_id: row.user_id,
            client_id: row.client_id,
            session_id: row.session_id,
            request_id: row.request_id,
            actor_name: row.actor_name,
            address: row.address,
            origin,
            detail: row.detail,
            detail_commitment,
            hash,
        })
    }
}

/// What was erased counts first: a salt beside it would only be a leftover.
fn commitment(salt: Option<&[u8]>, erased: Option<&[u8]>, id: Uuid) -> Result<Commitment> {
    match (salt, erased) {
        (_, Some(digest)) => exactly(digest, id).map(Commitment::Erased),
        (Some(salt), None) => exactly(salt, id).map(Commitment::Salted),
        (None, None) => Ok(Commitment::Nothing),
    }
}

fn exactly<const N: usize>(bytes: &[u8], id: Uuid) -> Result<[u8; N]> {
    bytes.try_into().map_err(|_| StoreError::Corrupt(format!("event {id}: {} bytes in place of {N}", bytes.len())))
}
