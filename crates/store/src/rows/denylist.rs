//! Rows of `denylist`.

use ficha_token::{DenyEntry, DenyId};
use sea_orm::entity::prelude::*;

use crate::DenyRow;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "denylist")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub number: i64,
    pub id: Uuid,
    pub until: i64,
    pub tag: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl From<Model> for DenyRow {
    fn from(row: Model) -> Self {
        Self { number: row.number, tag: row.tag, entry: DenyEntry::new(DenyId::from(row.id), row.until) }
    }
}
