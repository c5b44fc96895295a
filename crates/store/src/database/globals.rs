//! The one row of `globals`. It comes first in the lock order.

use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, DbErr, EntityTrait, ExprTrait, QueryFilter, QuerySelect};

use crate::database::transaction::announce;
use crate::database::write_connection::WriteConnection;
use crate::error::Fault;
use crate::rows::globals;
use crate::{Result, StoreError};

/// The row's id.
pub(crate) const ONLY: i32 = 1;

/// Makes every server reload clients, scopes, keys and rights. Locks the row.
pub(crate) async fn raise_changes(transaction: &WriteConnection) -> Result<(), DbErr> {
    let raised = Expr::col(globals::Column::Changes).add(1);
    let update = globals::Entity::update_many().col_expr(globals::Column::Changes, raised);
    update.filter(globals::Column::Id.eq(ONLY)).exec(transaction).await?;
    announce(transaction).await
}

/// The current epoch. The share lock blocks a purge until this transaction has committed.
pub(crate) async fn share_epoch(transaction: &WriteConnection) -> Result<i64, Fault> {
    let row = globals::Entity::find_by_id(ONLY).lock_shared().one(transaction).await?;
    Ok(row.ok_or_else(missing)?.epoch)
}

/// The current epoch, without a lock.
pub(crate) async fn current_epoch(transaction: &WriteConnection) -> Result<i64, Fault> {
    let row = globals::Entity::find_by_id(ONLY).one(transaction).await?;
    Ok(row.ok_or_else(missing)?.epoch)
}

/// Locks the row for a change that depends on its values.
pub(crate) async fn lock(transaction: &WriteConnection) -> Result<globals::Model, Fault> {
    let row = globals::Entity::find_by_id(ONLY).lock_exclusive().one(transaction).await?;
    Ok(row.ok_or_else(missing)?)
}

fn missing() -> StoreError {
    StoreError::Corrupt("the row of `globals` is missing".into())
}
