//! Rows of `followers`.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "followers")]
pub struct Model {
    /// Empty: a follower without credentials.
    #[sea_orm(primary_key, auto_increment = false)]
    pub client_id: String,
    #[sea_orm(primary_key, auto_increment = false)]
    pub service: String,
    #[sea_orm(primary_key, auto_increment = false)]
    pub instance: String,
    /// A server that it has polled.
    #[sea_orm(primary_key, auto_increment = false)]
    pub process: Uuid,
    pub address: Option<String>,
    pub lease_seconds: Option<i64>,
    pub accepts_stale: bool,
    pub version: Option<String>,
    /// Unix milliseconds.
    pub seen_at: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
