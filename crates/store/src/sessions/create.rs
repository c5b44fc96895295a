//! Writing the session of a login that was just checked.

use sea_orm::{EntityTrait, IntoActiveModel, QuerySelect};
use serde_json::json;

use crate::database::globals::share_epoch;
use crate::database::transaction::transaction;
use crate::database::write_connection::WriteConnection;
use crate::error::Fault;
use crate::events::record;
use crate::rows::{client, session, user};
use crate::{EventKind, InsertOutcome, NewEvent, NewSession, Result, SessionRecord, Store};

impl Store {
    /// Writes a session, unless its user or client was changed, disabled or deleted after it was read.
    ///
    /// Epoch, client and user are read under share locks, and every change to them takes an exclusive lock: such a
    /// change is either seen here, or waits and then finds the session.
    pub async fn insert_session(&self, new: NewSession) -> Result<InsertOutcome> {
        transaction!(self, |transaction| {
            let epoch = share_epoch(transaction).await?;
            match standing(transaction, &new).await? {
                Standing::Current => {}
                Standing::Outdated => return Ok(InsertOutcome::Outdated),
                Standing::Revoking => return Ok(InsertOutcome::Revoking),
            }
            let session = SessionRecord { epoch, ..new.session.clone() };
            write(transaction, &session, None).await?;
            record(self, transaction, login_event(&new, &session)).await?;
            Ok(InsertOutcome::Inserted(session))
        })
    }
}

/// Whether a session may be written.
pub(crate) enum Standing {
    /// Client and user are enabled and still at the versions that the login was checked against.
    Current,
    /// One of them is not.
    Outdated,
    /// They are, but the sessions of one of them are being ended.
    Revoking,
}

/// Looks at client and user, and locks them until the commit.
pub(crate) async fn standing(transaction: &WriteConnection, new: &NewSession) -> Result<Standing, Fault> {
    let client = client::Entity::find_by_id(&new.session.client_id).lock_shared().one(transaction).await?;
    let Some(client) = client.filter(|row| row.enabled && row.auth_version == new.client_version) else {
        return Ok(Standing::Outdated);
    };
    let mut revoking = client.revoking;
    if let Some(id) = new.session.user_id {
        let user = user::Entity::find_by_id(id).lock_shared().one(transaction).await?;
        let Some(user) = user.filter(|row| row.enabled && Some(row.auth_version) == new.user_version) else {
            return Ok(Standing::Outdated);
        };
        revoking |= user.revoking;
    }
    Ok(if revoking { Standing::Revoking } else { Standing::Current })
}

/// Every session has one.
pub(crate) fn login_event(new: &NewSession, session: &SessionRecord) -> NewEvent {
    let amr = session.authentication.as_ref().map(|how| &how.amr);
    NewEvent::new(EventKind::LoginSucceeded, &new.cause)
        .user(session.user_id)
        .client(&session.client_id)
        .session(session.id)
        .detail(json!({ "amr": amr, "scopes": session.scopes.iter().collect::<Vec<_>>() }))
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
