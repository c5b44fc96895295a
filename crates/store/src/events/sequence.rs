//! Numbering committed events.
//!
//! One process does it. The row of `event_chain` names it, and every step compares that name and the newest number, and
//! sets the next one, in one statement: of two that both believe to be the sequencer, one changes nothing. Apart from
//! pruning, no other transaction locks this row.

use sea_orm::sea_query::{CaseStatement, Expr, ExprTrait, SimpleExpr};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};
use uuid::Uuid;

use crate::database::transaction::{statement, transaction};
use crate::error::Fault;
use crate::events::read::ONLY;
use crate::rows::{event, event_chain};
use crate::{ChainEnd, EventChain, Numbered, Result, Store, StoreError};

/// How many events one statement numbers.
const CHUNK: usize = 32;

impl Store {
    /// Gives events their numbers and hashes, which end at `newest`. False, and nothing has changed, if the chain is not
    /// as in `seen` any more: another sequencer has taken over or was faster.
    pub async fn number_events(&self, numbered: &[Numbered], seen: &EventChain, newest: ChainEnd) -> Result<bool> {
        use event_chain::Column;
        transaction!(self, |transaction| {
            let update = event_chain::Entity::update_many()
                .col_expr(Column::Number, Expr::value(newest.number))
                .col_expr(Column::Hash, Expr::value(newest.hash.to_vec()))
                .col_expr(Column::Seal, Expr::value(newest.seal.map(|seal| seal.to_vec())))
                .filter(Column::Id.eq(ONLY))
                .filter(Column::Number.eq(seen.newest.number))
                .filter(sequencer_is(seen.sequencer));
            if update.exec(transaction).await?.rows_affected == 0 {
                return Ok(false);
            }
            for chunk in numbered.chunks(CHUNK) {
                let done = number(chunk).exec(transaction).await?.rows_affected;
                if done != chunk.len() as u64 {
                    // Nothing but this gives numbers, and nothing deletes events without one.
                    return Err(Fault::Store(StoreError::Corrupt("events without a number have disappeared".into())));
                }
            }
            Ok(true)
        })
    }

    /// Makes `new` the sequencer if `seen` still is: compare-and-set. The numbers that `seen` gives from then on count
    /// for nothing.
    pub async fn replace_sequencer(&self, seen: Option<Uuid>, new: Option<Uuid>) -> Result<bool> {
        statement!(self, |database| {
            let update = event_chain::Entity::update_many()
                .col_expr(event_chain::Column::Sequencer, Expr::value(new))
                .filter(event_chain::Column::Id.eq(ONLY))
                .filter(sequencer_is(seen));
            Ok(update.exec(database).await?.rows_affected == 1)
        })
    }
}

fn sequencer_is(process: Option<Uuid>) -> SimpleExpr {
    match process {
        Some(process) => event_chain::Column::Sequencer.eq(process),
        None => event_chain::Column::Sequencer.is_null(),
    }
}

/// One statement for all of them, padded to a power of two, so that a connection prepares few different ones. It searches
/// the primary key; `UPDATE … FROM (VALUES …)` may read the whole table on SQLite.
fn number(chunk: &[Numbered]) -> sea_orm::UpdateMany<event::Entity> {
    let id = || Expr::col(event::Column::Id);
    let (mut numbers, mut hashes) = (CaseStatement::new(), CaseStatement::new());
    let padding = chunk.last().into_iter().cycle();
    let padded = || chunk.iter().chain(padding.clone()).take(chunk.len().next_power_of_two());
    for one in padded() {
        numbers = numbers.case(id().eq(one.id), one.number);
        hashes = hashes.case(id().eq(one.id), one.hash.to_vec());
    }
    event::Entity::update_many()
        .col_expr(event::Column::Number, numbers.into())
        .col_expr(event::Column::Hash, hashes.into())
        .filter(event::Column::Id.is_in(padded().map(|one| one.id)))
        .filter(event::Column::Number.is_null())
}
