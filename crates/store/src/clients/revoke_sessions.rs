//! Revoking all sessions of a client: block it first, then one batch per transaction, so that any server can continue.

use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, DbErr, EntityTrait, QueryFilter, QueryOrder, QuerySelect, Select};

use crate::clients::block;
use crate::database::globals::raise_changes;
use crate::database::transaction::transaction;
use crate::database::write_connection::WriteConnection;
use crate::error::Fault;
use crate::rows::{client, session};
use crate::sessions::end::{deny_entry, end_sessions};
use crate::{Result, RevokeReason, Revoked, Store};

impl Store {
    /// Blocks a client: from this commit on it gets no token, until [`Store::revoke_client_sessions`] has ended its
    /// last session. False if there is no such client.
    pub async fn begin_revoking_client(&self, id: &str) -> Result<bool> {
        transaction!(self, |transaction| {
            raise_changes(transaction).await?;
            Ok(block(id).exec(transaction).await?.rows_affected == 1)
        })
    }

    /// Examines the next `limit` sessions of a client that is being revoked, and ends those that have not ended. `more`
    /// in the result says whether there are others; if not, the same transaction has unblocked the client. Does nothing
    /// to a client that is not being revoked.
    pub async fn revoke_client_sessions(&self, id: &str, now: i64, limit: u64) -> Result<Revoked> {
        transaction!(self, |transaction| {
            // Read without a lock. While the client is blocked no session is added, so what is last now stays last; and
            // if it is, `globals` must be locked before the client.
            let Some(row) = being_revoked(id).one(transaction).await? else {
                return Ok(Revoked::default());
            };
            let (last, reached) = (is_last(transaction, &row, limit).await?, row.revoked_up_to);
            if last {
                raise_changes(transaction).await?;
            }
            let Some(row) = being_revoked(id).lock_exclusive().one(transaction).await? else {
                return Ok(Revoked::default());
            };
            // Another process may have continued or restarted before the lock; then the last position is unknown.
            let last = last && row.revoked_up_to == reached;
            self.revoke_page(transaction, row, last, now, limit).await
        })
    }

    /// The clients whose revocation has started and is not complete.
    pub async fn clients_being_revoked(&self) -> Result<Vec<String>> {
        let query = client::Entity::find().select_only().column(client::Column::Id);
        let query = query.filter(client::Column::Revoking.eq(true)).order_by_asc(client::Column::Id);
        Ok(query.into_tuple().all(self.reader()).await?)
    }

    async fn revoke_page(
        &self,
        transaction: &WriteConnection,
        row: client::Model,
        last: bool,
        now: i64,
        limit: u64,
    ) -> Result<Revoked, Fault> {
        let page = sessions_after(&row).limit(limit).lock_exclusive().all(transaction).await?;
        let open = page.iter().filter(|session| session.revoked_at.is_none());
        let ended: Vec<_> = open
            .filter(|session| is_in_use(session, now))
            .map(|session| (session, RevokeReason::ClientRevoked))
            .collect();
        let revoked = end_sessions(self, transaction, &ended, now).await?;
        let update = client::Entity::update_many().filter(client::Column::Id.eq(row.id.as_str()));
        let reached = page.last().map(|session| session.id).or(row.revoked_up_to).filter(|_| !last);
        let update = update
            .col_expr(client::Column::Revoking, Expr::value(!last))
            .col_expr(client::Column::RevokedUpTo, Expr::value(reached));
        update.exec(transaction).await?;
        Ok(Revoked { more: !last, ..revoked })
    }
}

fn being_revoked(id: &str) -> Select<client::Entity> {
    client::Entity::find_by_id(id).filter(client::Column::Revoking.eq(true))
}

/// The sessions of a client that its revocation has not reached.
fn sessions_after(row: &client::Model) -> Select<session::Entity> {
    let query =
        session::Entity::find().filter(session::Column::ClientId.eq(row.id.as_str())).order_by_asc(session::Column::Id);
    match row.revoked_up_to {
        Some(reached) => query.filter(session::Column::Id.gt(reached)),
        None => query,
    }
}

async fn is_last(transaction: &WriteConnection, row: &client::Model, limit: u64) -> Result<bool, DbErr> {
    Ok(sessions_after(row).offset(limit).limit(1).one(transaction).await?.is_none())
}

fn is_in_use(row: &session::Model, now: i64) -> bool {
    (row.expires_at > now && row.idle_expires_at > now) || deny_entry(row, now).is_some()
}
