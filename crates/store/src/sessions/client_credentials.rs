//! A client's own session: one per client, scope and audience.

use aws_lc_rs::digest;
use sea_orm::sea_query::{Expr, Query};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QuerySelect};

use crate::database::globals::share_epoch;
use crate::database::transaction::transaction;
use crate::database::write_connection::WriteConnection;
use crate::error::Fault;
use crate::events::record;
use crate::rows::{client, session};
use crate::sessions::create::{Standing, login_event, standing, write};
use crate::sessions::live::{SessionState, live};
use crate::{InsertOutcome, NewSession, Result, SessionRecord, Store, StoreError};

/// How far a client's own session must reach, and how far it should.
#[derive(Clone, Copy)]
struct Reach {
    now: i64,
    need_until: i64,
    horizon: i64,
}

/// How many times to try to write the session while others do the same.
const ATTEMPTS: u32 = 5;

impl Store {
    /// The session under which `client_credentials` tokens of this client, scope and audience are issued.
    ///
    /// A live one whose tokens may last until `need_until` is returned unchanged after a single read. Otherwise its
    /// reach is raised to `horizon`, or, if no session can reach that far, `new` is written with that reach. No reach
    /// goes beyond the session's own end.
    pub async fn client_session(
        &self,
        new: NewSession,
        now: i64,
        need_until: i64,
        horizon: i64,
    ) -> Result<InsertOutcome> {
        let key = live_key(&new.session);
        let reach = Reach { now, need_until, horizon };
        if let Some(session) = self.far_enough(&new, &key, reach).await? {
            return Ok(InsertOutcome::Inserted(session));
        }
        let mut attempt = 1;
        loop {
            let outcome =
                transaction!(self, |transaction| raise_or_replace(self, transaction, &new, &key, reach).await);
            match outcome {
                // Two calls found none and both wrote one. The unique key rejected ours; the other's is committed.
                Err(StoreError::Conflict(_)) if attempt < ATTEMPTS => attempt += 1,
                outcome => return outcome,
            }
        }
    }

    /// A single read, which sees session, client and epoch at the same moment. No write depends on it: a token issued
    /// under the row lasts no longer than the row's reach, so a later revocation covers that token.
    async fn far_enough(&self, new: &NewSession, key: &str, reach: Reach) -> Result<Option<SessionRecord>> {
        let mut current = Query::select();
        current
            .column(client::Column::Id)
            .from(client::Entity)
            .and_where(client::Column::Id.eq(new.session.client_id.as_str()))
            .and_where(client::Column::AuthVersion.eq(new.client_version))
            .and_where(client::Column::Enabled.eq(true))
            .and_where(client::Column::Revoking.eq(false));
        let query = session::Entity::find()
            .filter(session::Column::LiveKey.eq(key))
            .filter(session::Column::AccessExp.gte(reach.need_until))
            .filter(live(reach.now))
            .filter(session::Column::ClientId.in_subquery(current));
        query.one(self.reader()).await?.map(SessionRecord::try_from).transpose()
    }
}

/// Locks epoch, client and session in that order, so that two concurrent calls raise one row once.
async fn raise_or_replace(
    store: &Store,
    transaction: &WriteConnection,
    new: &NewSession,
    key: &str,
    reach: Reach,
) -> Result<InsertOutcome, Fault> {
    let epoch = share_epoch(transaction).await?;
    match standing(transaction, new).await? {
        Standing::Current => {}
        Standing::Outdated => return Ok(InsertOutcome::Outdated),
        Standing::Revoking => return Ok(InsertOutcome::Revoking),
    }
    let found =
        session::Entity::find().filter(session::Column::LiveKey.eq(key)).lock_exclusive().one(transaction).await?;
    if let Some(row) = found {
        let session = SessionRecord::try_from(row.clone())?;
        let is_live = session.state(reach.now, epoch) == SessionState::Live;
        if is_live && row.access_exp >= reach.need_until {
            return Ok(InsertOutcome::Inserted(session));
        }
        if is_live && row.expires_at >= reach.need_until {
            return raise(transaction, row, reach).await;
        }
        retire(transaction, &row).await?;
    }
    let access_exp = reach.horizon.min(new.session.expires_at);
    let idle_expires_at = new.session.idle_expires_at.max(access_exp);
    let session = SessionRecord { epoch, access_exp, idle_expires_at, ..new.session.clone() };
    write(transaction, &session, Some(key.to_owned())).await?;
    record(store, transaction, login_event(new, &session)).await?;
    Ok(InsertOutcome::Inserted(session))
}

async fn raise(transaction: &WriteConnection, mut row: session::Model, reach: Reach) -> Result<InsertOutcome, Fault> {
    row.access_exp = reach.horizon.min(row.expires_at).max(row.access_exp);
    // It is in use, so the idle timeout must not end it before its tokens expire.
    row.idle_expires_at = row.idle_expires_at.max(row.access_exp);
    let update = session::Entity::update_many()
        .col_expr(session::Column::AccessExp, Expr::value(row.access_exp))
        .col_expr(session::Column::IdleExpiresAt, Expr::value(row.idle_expires_at))
        .filter(session::Column::Id.eq(row.id));
    update.exec(transaction).await?;
    Ok(InsertOutcome::Inserted(row.try_into()?))
}

/// Releases the key of a session that is no longer usable. Tokens issued under it stay valid, and it can still be
/// revoked.
async fn retire(transaction: &WriteConnection, row: &session::Model) -> Result<(), Fault> {
    let update = session::Entity::update_many()
        .col_expr(session::Column::LiveKey, Expr::value(None::<String>))
        .filter(session::Column::Id.eq(row.id));
    update.exec(transaction).await?;
    Ok(())
}

/// SHA-256 of client, scope and audience, each preceded by its length. The text itself may be too long for an index.
fn live_key(session: &SessionRecord) -> String {
    let mut context = digest::Context::new(&digest::SHA256);
    for part in [session.client_id.as_str(), &session.scopes.to_string(), &session.audience] {
        context.update(&(part.len() as u64).to_le_bytes());
        context.update(part.as_bytes());
    }
    context.finish().as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}
