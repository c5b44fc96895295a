//! Numbering committed events: moving them from `events_pending` to `events`.
//!
//! One process does it. The row of `event_chain` names it, and every step compares that name and the newest number, and
//! sets the next one, in one statement: of two that both believe to be the sequencer, one changes nothing. Apart from
//! pruning and erasing, no other transaction locks this row.

use sea_orm::sea_query::{Expr, SimpleExpr};
use sea_orm::{ColumnTrait, ConnectionTrait, DbBackend, EntityTrait, Iden, Iterable, QueryFilter, Statement};
use uuid::Uuid;

use crate::database::transaction::{statement, transaction};
use crate::database::write_connection::WriteConnection;
use crate::error::Fault;
use crate::events::parts;
use crate::events::read::ONLY;
use crate::rows::{event_chain, pending_event};
use crate::{ChainEnd, EventChain, Numbered, Result, Store, StoreError};

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
            let mut rest = numbered;
            for length in parts(numbered.len()) {
                let (part, after) = rest.split_at(length);
                move_to_log(transaction, part).await?;
                rest = after;
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

/// Moves events to the log. They are copied inside the database: what was erased since they were read stays erased.
async fn move_to_log(transaction: &WriteConnection, numbered: &[Numbered]) -> Result<(), Fault> {
    let copied = transaction.execute_raw(copy(transaction.get_database_backend(), numbered)).await?.rows_affected();
    let ids = numbered.iter().map(|one| one.id);
    let gone = pending_event::Entity::delete_many().filter(pending_event::Column::Id.is_in(ids));
    let deleted = gone.exec(transaction).await?.rows_affected;
    if copied != deleted || deleted != numbered.len() as u64 {
        // Nothing but this deletes events without a number.
        return Err(Fault::Store(StoreError::Corrupt("events without a number have disappeared".into())));
    }
    Ok(())
}

/// `CROSS JOIN` makes SQLite search each event by its key, even if very many wait.
fn copy(backend: DbBackend, numbered: &[Numbered]) -> Statement {
    let columns: Vec<String> = pending_event::Column::iter().map(|column| column.to_string()).collect();
    let (into, from) = (columns.join(", "), columns.join(", p."));
    let place = |at: usize| match backend {
        DbBackend::Postgres => format!("${at}"),
        _ => "?".into(),
    };
    let rows = (0..numbered.len()).map(|row| 3 * row + 1);
    let rows: Vec<_> = rows.map(|at| format!("({}, {}, {})", place(at), place(at + 1), place(at + 2))).collect();
    let sql = format!(
        "INSERT INTO events (number, hash, {into}) SELECT v.column2, v.column3, p.{from} \
         FROM (VALUES {}) AS v CROSS JOIN events_pending AS p WHERE p.id = v.column1",
        rows.join(", ")
    );
    let values = numbered.iter().flat_map(|one| [one.id.into(), one.number.into(), one.hash.to_vec().into()]);
    Statement::from_sql_and_values(backend, sql, values)
}
