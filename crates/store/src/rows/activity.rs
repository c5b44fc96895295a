//! Rows of `activity`.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "activity")]
pub struct Model {
    /// Counted from 1970.
    #[sea_orm(primary_key, auto_increment = false)]
    pub minute: i64,
    pub logins: i64,
    pub login_failures: i64,
    pub refreshes: i64,
    pub revocations: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
