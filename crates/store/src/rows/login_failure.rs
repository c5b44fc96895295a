//! Rows of `login_failures`.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "login_failures")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub account: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    pub source: Uuid,
    pub failures: i64,
    pub last_failure: i64,
    pub succeeded_at: i64,
    pub touched_at: i64,
    /// Failures that no event has reported yet; in the row of one source for one account.
    pub unreported: i64,
    /// When the first of them was, in Unix milliseconds.
    pub first_unreported: Option<i64>,
    /// When the last of them was.
    pub last_unreported: Option<i64>,
    /// When the last event was written.
    pub reported_at: Option<i64>,
    pub user_id: Option<Uuid>,
    pub client_id: Option<String>,
    pub address: Option<String>,
}

impl Model {
    /// A row without failures.
    pub fn new(account: Uuid, source: Uuid) -> Self {
        Self {
            account,
            source,
            failures: 0,
            last_failure: 0,
            succeeded_at: 0,
            touched_at: 0,
            unreported: 0,
            first_unreported: None,
            last_unreported: None,
            reported_at: None,
            user_id: None,
            client_id: None,
            address: None,
        }
    }
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
