//! Ending many sessions: all of a client, or those of a user if they are too many for one transaction.
//!
//! The transaction that begins it blocks the client or the user: from then on nobody gets a new session of theirs. Then
//! each transaction ends one batch, from the newest session to the oldest, and the last one unblocks them. Any process
//! can continue, and only one does: each step checks, under the lock of the row, that nobody has taken over.

mod step;

pub(crate) use step::fits;

use ficha_token::random_uuid;
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder};
use serde_json::json;
use uuid::Uuid;

use crate::database::transaction::statement;
use crate::database::write_connection::WriteConnection;
use crate::error::Fault;
use crate::events::record;
use crate::rows::bulk_revocation::{self, cause_without};
use crate::rows::job;
use crate::{BulkRevocation, BulkWork, Cause, EventKind, NewEvent, Result, RevokeReason, SessionsOf, Store};

impl Store {
    /// A revocation, also for some time after it has finished.
    pub async fn bulk_revocation(&self, id: Uuid) -> Result<Option<BulkRevocation>> {
        let row = bulk_revocation::Entity::find_by_id(id).one(self.reader()).await?;
        row.map(BulkRevocation::try_from).transpose()
    }

    /// The revocations that have not finished, the oldest first.
    pub async fn unfinished_bulk_revocations(&self) -> Result<Vec<BulkRevocation>> {
        let rows = bulk_revocation::Entity::find()
            .filter(bulk_revocation::Column::FinishedAt.is_null())
            .order_by_asc(bulk_revocation::Column::StartedAt)
            .all(self.reader());
        rows.await?.into_iter().map(BulkRevocation::try_from).collect()
    }

    /// Takes over a revocation that has not moved since `seen` was read. `None`: it has, or somebody else was faster.
    pub async fn take_over_bulk_revocation(&self, seen: &BulkRevocation) -> Result<Option<BulkWork>> {
        use bulk_revocation::Column;
        let work = self.work_on(seen.id);
        // Compare-and-set in one statement. The previous worker's next step finds that it is not the worker any more.
        let taken = statement!(self, |database| {
            let reached = match seen.reached {
                Some(reached) => Column::Reached.eq(reached),
                None => Column::Reached.is_null(),
            };
            let update = bulk_revocation::Entity::update_many()
                .col_expr(Column::Worker, Expr::value(work.worker))
                .filter(Column::Id.eq(seen.id))
                .filter(Column::Worker.eq(seen.worker))
                .filter(Column::FinishedAt.is_null())
                .filter(reached);
            Ok(update.exec(database).await?.rows_affected == 1)
        })?;
        Ok(taken.then_some(work))
    }

    /// Deletes revocations that finished before `older_than`.
    pub async fn prune_bulk_revocations(&self, older_than: i64) -> Result<u64> {
        statement!(self, |database| {
            let gone = bulk_revocation::Column::FinishedAt.lt(older_than);
            Ok(bulk_revocation::Entity::delete_many().filter(gone).exec(database).await?.rows_affected)
        })
    }

    /// Deletes name and address of a user from the revocations and jobs that they began: events that are written from then on
    /// don't have them.
    pub(crate) async fn erase_causes_of(&self, user: Uuid) -> Result<()> {
        use bulk_revocation::{Column, Entity};
        let begun = Entity::find().filter(Column::Cause.contains(user.to_string())).all(self.reader()).await?;
        for row in begun {
            let Some(without) = row.cause_without(user) else { continue };
            statement!(self, |database| {
                let update = Entity::update_many().col_expr(Column::Cause, Expr::value(without.as_str()));
                update.filter(Column::Id.eq(row.id)).exec(database).await.map(drop)
            })?;
        }
        let begun =
            job::Entity::find().filter(job::Column::Cause.contains(user.to_string())).all(self.reader()).await?;
        for row in begun {
            let Some(without) = cause_without(&row.cause, user) else { continue };
            statement!(self, |database| {
                let update = job::Entity::update_many().col_expr(job::Column::Cause, Expr::value(without.as_str()));
                update.filter(job::Column::Id.eq(row.id)).exec(database).await.map(drop)
            })?;
        }
        Ok(())
    }

    fn work_on(&self, revocation: Uuid) -> BulkWork {
        BulkWork { revocation, worker: random_uuid(&*self.options().entropy) }
    }

    /// Begins a revocation, or begins one again that has not finished. The caller has locked the client or the user,
    /// and has blocked it in this transaction. If it has locked sessions as well, that is out of order, and harmless: who
    /// locks this row and anything else has the lock of the client or the user first.
    pub(crate) async fn begin_bulk(
        &self,
        transaction: &WriteConnection,
        of: &SessionsOf,
        reason: RevokeReason,
        now: i64,
        cause: &Cause,
    ) -> Result<BulkWork, Fault> {
        use bulk_revocation::Column;
        let (client_id, user_id) = match of {
            SessionsOf::Client(id) => (Some(id.clone()), None),
            SessionsOf::User(id) => (None, Some(*id)),
        };
        let same = match of {
            SessionsOf::Client(id) => Column::ClientId.eq(id.as_str()),
            SessionsOf::User(id) => Column::UserId.eq(*id),
        };
        let begins = json!({ "reason": reason.as_str(), "begins": true });
        record(self, transaction, event_of(of, cause).detail(begins)).await?;
        let cause = serde_json::to_string(cause).ok();
        let unfinished = bulk_revocation::Entity::find().filter(same).filter(Column::FinishedAt.is_null());
        if let Some(row) = unfinished.one(transaction).await? {
            let work = self.work_on(row.id);
            // Rights that were lost end some sessions, every other reason ends all: one must not weaken the other.
            let reason = if reason == RevokeReason::RightsChanged { row.why()? } else { reason };
            let update = bulk_revocation::Entity::update_many()
                .col_expr(Column::Worker, Expr::value(work.worker))
                .col_expr(Column::Reason, Expr::value(reason.as_str()))
                .col_expr(Column::Reached, Expr::value(None::<Uuid>))
                .col_expr(Column::Cause, Expr::value(cause))
                .filter(Column::Id.eq(row.id));
            update.exec(transaction).await?;
            return Ok(work);
        }
        let work = self.work_on(random_uuid(&*self.options().entropy));
        let row = bulk_revocation::Model {
            id: work.revocation,
            client_id,
            user_id,
            reason: reason.as_str().to_owned(),
            worker: work.worker,
            reached: None,
            sessions: 0,
            started_at: now,
            finished_at: None,
            cause,
        };
        bulk_revocation::Entity::insert(row.into_active_model()).exec_without_returning(transaction).await?;
        Ok(work)
    }
}

/// The event of a revocation, without its detail.
fn event_of(of: &SessionsOf, cause: &Cause) -> NewEvent {
    let event = NewEvent::new(EventKind::SessionsRevoked, cause);
    match of {
        SessionsOf::Client(id) => event.client(id),
        SessionsOf::User(id) => event.user(*id),
    }
}
