//! Rows of `follower_answers`: the newest answer of each server to each question.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "follower_answers")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub question: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    pub process: Uuid,
    /// Raised by each answer.
    pub number: i64,
    /// JSON.
    pub body: String,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
