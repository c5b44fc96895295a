//! Rows of `events`: the log, by number.

use sea_orm::entity::prelude::*;

use crate::{Commitment, EventRecord};

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "events")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub number: i64,
    pub id: Uuid,
    pub hash: Vec<u8>,
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
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl From<Model> for EventRecord {
    fn from(row: Model) -> Self {
        Self {
            id: row.id,
            number: Some(row.number),
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
            origin: commitment(row.origin_salt.as_deref(), row.origin_erased.as_deref()),
            detail: row.detail,
            detail_commitment: commitment(row.detail_salt.as_deref(), row.detail_erased.as_deref()),
            // One of another length was written by somebody else, and fits nothing.
            hash: row.hash.try_into().ok(),
        }
    }
}

/// What was erased counts first: a salt beside it would only be a leftover. What has another length than ours was written
/// by somebody else.
pub(crate) fn commitment(salt: Option<&[u8]>, erased: Option<&[u8]>) -> Commitment {
    match (salt, erased) {
        (_, Some(digest)) => digest.try_into().map_or(Commitment::Unreadable, Commitment::Erased),
        (Some(salt), None) => salt.try_into().map_or(Commitment::Unreadable, Commitment::Salted),
        (None, None) => Commitment::Nothing,
    }
}
