//! Deleting old events. What remains begins after a sealed end of what was deleted.

use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};

use crate::database::transaction::transaction;
use crate::events::read::ONLY;
use crate::rows::{event, event_chain};
use crate::{ChainEnd, Result, Store};

impl Store {
    /// Deletes the events up to `end`, and records that end. Nothing happens if another process has pruned since `before`
    /// was read. Returns how many were deleted.
    pub async fn prune_events(&self, before: ChainEnd, end: ChainEnd) -> Result<u64> {
        use event_chain::Column;
        transaction!(self, |transaction| {
            // Compare-and-set, and first: it also makes two that prune at once wait for each other.
            let update = event_chain::Entity::update_many()
                .col_expr(Column::PrunedNumber, Expr::value(end.number))
                .col_expr(Column::PrunedHash, Expr::value(end.hash.to_vec()))
                .col_expr(Column::PrunedSeal, Expr::value(end.seal.map(|seal| seal.to_vec())))
                .filter(Column::Id.eq(ONLY))
                .filter(Column::PrunedNumber.eq(before.number));
            if update.exec(transaction).await?.rows_affected == 0 {
                return Ok(0);
            }
            let gone = event::Entity::delete_many().filter(event::Column::Number.lte(end.number));
            Ok(gone.exec(transaction).await?.rows_affected)
        })
    }
}
