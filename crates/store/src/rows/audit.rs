//! Rows of `audit`.

use sea_orm::entity::prelude::*;

use crate::AuditRecord;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "audit")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub at: i64,
    pub event: String,
    pub actor: Option<String>,
    pub user_id: Option<Uuid>,
    pub client_id: Option<String>,
    pub session_id: Option<Uuid>,
    pub address: Option<String>,
    pub detail: Option<String>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl From<Model> for AuditRecord {
    fn from(row: Model) -> Self {
        Self {
            id: row.id,
            at: row.at,
            event: row.event,
            actor: row.actor,
            user_id: row.user_id,
            client_id: row.client_id,
            session_id: row.session_id,
            address: row.address,
            detail: row.detail,
        }
    }
}

impl From<&AuditRecord> for Model {
    fn from(record: &AuditRecord) -> Self {
        let record = record.clone();
        Self {
            id: record.id,
            at: record.at,
            event: record.event,
            actor: record.actor,
            user_id: record.user_id,
            client_id: record.client_id,
            session_id: record.session_id,
            address: record.address,
            detail: record.detail,
        }
    }
}
