//! Rows of `events_pending`: committed events without a number. The columns are those of
//! [`event`](crate::rows::event), less number and hash.

use sea_orm::entity::prelude::*;

use crate::rows::event::commitment;
use crate::{EventRecord, NewEvent};

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "events_pending")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
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

impl Model {
    /// A new event. `salt` makes the salts of the commitments.
    pub(crate) fn new(id: Uuid, event: NewEvent, salt: impl Fn() -> Vec<u8>) -> Self {
        let NewEvent { kind, cause, user_id, client_id, session_id, detail } = event;
        let actor_name = cause.actor.name().map(str::to_owned);
        let has_origin = actor_name.is_some() || cause.address.is_some();
        Self {
            id,
            at: cause.at,
            event: kind.as_str().to_owned(),
            actor_kind: cause.actor.kind().to_owned(),
            actor_id: cause.actor.user_id(),
            user_id,
            client_id,
            session_id,
            request_id: cause.request_id,
            actor_name,
            address: cause.address,
            origin_salt: has_origin.then(&salt),
            origin_erased: None,
            detail_salt: detail.is_some().then(&salt),
            detail: detail.map(|detail| detail.to_string()),
            detail_erased: None,
        }
    }
}

impl From<Model> for EventRecord {
    fn from(row: Model) -> Self {
        Self {
            id: row.id,
            number: None,
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
            hash: None,
        }
    }
}
