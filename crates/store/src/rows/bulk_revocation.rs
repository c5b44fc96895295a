//! Rows of `bulk_revocations`.

use sea_orm::entity::prelude::*;

use crate::{BulkRevocation, Cause, EventActor, Result, RevokeReason, SessionsOf, StoreError};

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "bulk_revocations")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub client_id: Option<String>,
    pub user_id: Option<Uuid>,
    pub reason: String,
    pub worker: Uuid,
    pub reached: Option<Uuid>,
    pub sessions: i64,
    pub started_at: i64,
    pub finished_at: Option<i64>,
    /// Who began it, as JSON; null if a server of the previous version did.
    pub cause: Option<String>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl Model {
    /// Whose sessions end.
    pub fn of(&self) -> Result<SessionsOf> {
        match (&self.client_id, self.user_id) {
            (Some(client), None) => Ok(SessionsOf::Client(client.clone())),
            (None, Some(user)) => Ok(SessionsOf::User(user)),
            _ => Err(StoreError::Corrupt(format!("the revocation {} is not of one client or one user", self.id))),
        }
    }

    /// Who began it, for an event at `at`, in Unix milliseconds.
    pub fn cause(&self, at: i64) -> Cause {
        let begun = self.cause.as_deref().and_then(|text| serde_json::from_str::<Cause>(text).ok());
        let unknown = || Cause {
            actor: EventActor::Server { name: "bulk revocation".into() },
            address: None,
            request_id: None,
            at,
            session: None,
        };
        Cause { at, ..begun.unwrap_or_else(unknown) }
    }

    /// The cause without what is personal about a user, if that user began it.
    pub fn cause_without(&self, user: Uuid) -> Option<String> {
        cause_without(self.cause.as_deref()?, user)
    }

    /// Why they end.
    pub fn why(&self) -> Result<RevokeReason> {
        RevokeReason::parse(&self.reason)
            .ok_or_else(|| StoreError::Corrupt(format!("the reason {:?} of the revocation {}", self.reason, self.id)))
    }
}

/// A cause that is stored as JSON, without what is personal about a user, if it was that user.
pub(crate) fn cause_without(cause: &str, user: Uuid) -> Option<String> {
    let mut cause = serde_json::from_str::<Cause>(cause).ok()?;
    let EventActor::User { id, name } = &mut cause.actor else { return None };
    if *id != user || (name.is_none() && cause.address.is_none()) {
        return None;
    }
    (*name, cause.address) = (None, None);
    serde_json::to_string(&cause).ok()
}

impl TryFrom<Model> for BulkRevocation {
    type Error = StoreError;

    fn try_from(row: Model) -> Result<Self> {
        Ok(Self {
            of: row.of()?,
            id: row.id,
            worker: row.worker,
            reached: row.reached,
            sessions: u64::try_from(row.sessions).unwrap_or_default(),
            finished: row.finished_at.is_some(),
        })
    }
}
