//! Writing the session of a login that was just checked.

use sea_orm::{EntityTrait, IntoActiveModel, QuerySelect};

use crate::database::globals::share_epoch;
use crate::database::transaction::transaction;
use crate::database::write_connection::WriteConnection;
use crate::error::Fault;
use crate::rows::{client, session, user};
use crate::{InsertOutcome, NewSession, Result, SessionRecord, Store};

impl Store {
    /// Writes a session, unless its user or client was changed, disabled or deleted after it was read.
    ///
    /// Epoch, client and user are read under share locks, and every change to them takes an exclusive lock: such a
    /// change is either seen here, or waits and then finds the session.
    pub async fn insert_session(&self, new: NewSession) -> Result<InsertOutcome> {
        transaction!(self, |transaction| {
            let epoch = share_epoch(transaction).await?;
            if !is_current(transaction, &new).await? {
                return Ok(InsertOutcome::Outdated);
            }
            let session = SessionRecord { epoch, ..new.session.clone() };
            write(transaction, &session, None).await?;
            Ok(InsertOutcome::Inserted(session))
        })
    }
}

/// True if client and user are enabled and still at the versions that the login was checked against. Locks them until
/// the commit.
pub(crate) async fn is_current(transaction: &WriteConnection, new: &NewSession) -> Result<bool, Fault> {
    let client = client::Entity::find_by_id(&new.session.client_id).lock_shared().one(transaction).await?;
    let client_ok = client.is_some_and(|row| row.enabled && !row.revoking && row.auth_version == new.client_version);
    if !client_ok {
        return Ok(false);
    }
    let Some(id) = new.session.user_id else {
        return Ok(true);
    };
    let user = user::Entity::find_by_id(id).lock_shared().one(transaction).await?;
    Ok(user.is_some_and(|row| row.enabled && Some(row.auth_version) == new.user_version))
}

pub(crate) async fn write(
    transaction: &WriteConnection,
    session: &SessionRecord,
    live_key: Option<String>,
) -> Result<(), Fault> {
    let row = session::Model::new(session.clone(), live_key)?;
    session::Entity::insert(row.into_active_model()).exec_without_returning(transaction).await?;
    Ok(())
}
