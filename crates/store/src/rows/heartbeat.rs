//! Rows of `heartbeats`.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "heartbeats")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub process: Uuid,
    pub number: i64,
    /// Unix seconds.
    pub at: i64,
    /// The earliest time that it may have been, used for the end of sessions.
    pub earliest: i64,
    /// The same, used for deleting expired rows.
    pub steady: i64,
    pub boot: Option<String>,
    /// Milliseconds.
    pub elapsed: i64,
    /// `None` if an older version wrote it.
    pub settings: Option<String>,
    /// Random bytes, written to check that there is space.
    pub proof: Vec<u8>,
    /// True once the process has stopped in order.
    pub stopped: bool,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
