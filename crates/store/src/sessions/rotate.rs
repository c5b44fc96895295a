//! Refreshing: the hot path.

use std::collections::HashSet;

use sea_orm::sea_query::{CaseStatement, Expr, Func, SimpleExpr};
use sea_orm::{EntityTrait, ExprTrait, QueryFilter, UpdateMany};
use uuid::Uuid;

use crate::database::transaction::statement;
use crate::rows::session;
use crate::sessions::live::live;
use crate::{Result, Rotation, RotationTerms, SessionRecord, Store};

impl Store {
    /// Refreshes sessions by compare-and-set in one statement and one commit. Returns the refreshed sessions in their
    /// new state, in no particular order.
    ///
    /// A batch must not contain a session twice: the caller separates two refreshes of one session. Sign with a key of
    /// the epoch that the row has, so that a purge that commits meanwhile revokes what is signed.
    pub async fn rotate_sessions(&self, batch: &[Rotation], terms: RotationTerms) -> Result<Vec<SessionRecord>> {
        if batch.is_empty() {
            return Ok(Vec::new());
        }
        debug_assert!(is_without_duplicates(batch), "a batch contains a session twice");
        // One statement, so the row is compared and set under one lock. Two batches that share rows may lock them in
        // opposite order: PostgreSQL then aborts one, none of it is applied, and it is retried.
        let rows = statement!(self, |database| statement(batch, terms).exec_with_returning(database).await)?;
        rows.into_iter().map(SessionRecord::try_from).collect()
    }
}

fn is_without_duplicates(batch: &[Rotation]) -> bool {
    let mut seen = HashSet::new();
    batch.iter().all(|rotation| seen.insert(rotation.session))
}

pub(crate) fn statement(batch: &[Rotation], terms: RotationTerms) -> UpdateMany<session::Entity> {
    use session::Column;
    // The new tokens expire with the session at the latest. The row reaches as far as any token ever issued under it,
    // so that a later revocation covers them all.
    let new_exp = smaller(Column::ExpiresAt, terms.access_exp);
    let access_exp = CaseStatement::new()
        .case(Expr::col(Column::AccessExp).gt(new_exp.clone()), Expr::col(Column::AccessExp))
        .finally(new_exp);
    // Never earlier than before: a refresh while the clock is behind must not shorten a session.
    let own = Expr::col(Column::IdleSeconds).add(terms.now);
    let idle = Func::coalesce([own, Expr::value(terms.now.saturating_add(terms.idle_ttl))]);
    let idle = CaseStatement::new()
        .case(Expr::col(Column::IdleExpiresAt).gt(idle.clone()), Expr::col(Column::IdleExpiresAt))
        .finally(idle);
    let idle_expires_at = smaller(Column::ExpiresAt, idle);
    session::Entity::update_many()
        .col_expr(Column::Generation, Expr::col(Column::Generation).add(1))
        .col_expr(Column::RotatedAt, Expr::value(terms.now))
        .col_expr(Column::AccessExp, access_exp.into())
        .col_expr(Column::IdleExpiresAt, idle_expires_at)
        .filter(presented(batch))
        .filter(live(terms.now))
}

/// Session, generation and client of each. Padded to a power of two with tuples that match no row, so that a connection
/// prepares few different statements. For a list of tuples, both databases search the primary key for each one.
fn presented(batch: &[Rotation]) -> SimpleExpr {
    use session::Column;
    let padding = std::iter::repeat((Uuid::nil(), -1, String::new()));
    let tuples: Vec<_> = batch
        .iter()
        .map(|rotation| (rotation.session, rotation.generation, rotation.client_id.clone()))
        .chain(padding)
        .take(batch.len().next_power_of_two())
        .collect();
    Expr::tuple([Expr::col(Column::Id), Expr::col(Column::Generation), Expr::col(Column::ClientId)]).in_tuples(tuples)
}

fn smaller(column: session::Column, value: impl Into<SimpleExpr>) -> SimpleExpr {
    let value = value.into();
    CaseStatement::new().case(Expr::col(column).lt(value.clone()), Expr::col(column)).finally(value).into()
}
