//! Rows of `users`.

use sea_orm::entity::prelude::*;

use super::{join_names, parse_scope, split_names};
use crate::{PasswordHashText, Result, StoreError, UserRecord};

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "users")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    #[sea_orm(unique)]
    pub name: String,
    pub email: Option<String>,
    pub password_hash: String,
    pub password_cost: i32,
    pub scopes: String,
    pub roles: String,
    pub enabled: bool,
    pub revoking: bool,
    pub auth_version: i64,
    pub created_at: i64,
    /// The password is for one use: it must be changed.
    pub must_change: bool,
    /// Set only for old names that are not in their normal form.
    pub normal_name: Option<String>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl TryFrom<Model> for UserRecord {
    type Error = StoreError;

    fn try_from(row: Model) -> Result<Self> {
        Ok(Self {
            id: row.id,
            name: row.name,
            email: row.email,
            password_hash: PasswordHashText(row.password_hash),
            scopes: parse_scope(&row.scopes)?,
            roles: split_names(&row.roles),
            enabled: row.enabled,
            auth_version: row.auth_version,
            created_at: row.created_at,
            must_change: row.must_change,
        })
    }
}

impl Model {
    /// The row of a user whose password hash has the cost `cost`.
    pub fn new(user: UserRecord, cost: u32) -> Result<Self> {
        Ok(Self {
            id: user.id,
            name: user.name,
            email: user.email,
            password_hash: user.password_hash.0,
            password_cost: stored_cost(cost),
            scopes: user.scopes.to_string(),
            roles: join_names("role", &user.roles)?,
            enabled: user.enabled,
            revoking: false,
            auth_version: user.auth_version,
            created_at: user.created_at,
            must_change: user.must_change,
            normal_name: None,
        })
    }
}

/// A cost as stored. bcrypt's highest is 31, so capping at the column's maximum never matters.
pub(crate) fn stored_cost(cost: u32) -> i32 {
    i32::try_from(cost).unwrap_or(i32::MAX)
}
