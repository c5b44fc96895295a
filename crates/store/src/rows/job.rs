//! Rows of `jobs`.

use sea_orm::entity::prelude::*;

use crate::{Cause, JobKind, JobRecord, JobState, Result, StoreError};

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "jobs")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub kind: String,
    pub state: String,
    /// Who began it, as JSON.
    pub cause: String,
    pub session: Option<Uuid>,
    pub why: Option<String>,
    pub total: i64,
    pub done: i64,
    pub unchanged: i64,
    pub failed: i64,
    pub worker: Uuid,
    pub moved: i64,
    pub next_part: i64,
    pub started_at: i64,
    pub finished_at: Option<i64>,
    pub error: Option<String>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl TryFrom<Model> for JobRecord {
    type Error = StoreError;

    fn try_from(row: Model) -> Result<Self> {
        let corrupt = |what: &str| StoreError::Corrupt(format!("the {what} of the job {}", row.id));
        let cause: Cause = serde_json::from_str(&row.cause).map_err(|_| corrupt("cause"))?;
        Ok(Self {
            kind: JobKind::parse(&row.kind).ok_or_else(|| corrupt("kind"))?,
            state: JobState::parse(&row.state).ok_or_else(|| corrupt("state"))?,
            cause: Cause { session: row.session, ..cause },
            id: row.id,
            why: row.why,
            total: row.total,
            done: row.done,
            unchanged: row.unchanged,
            failed: row.failed,
            next_part: row.next_part,
            started_at: row.started_at,
            finished_at: row.finished_at,
            error: row.error,
            worker: row.worker,
            moved: row.moved,
        })
    }
}
