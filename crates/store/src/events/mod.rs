//! The audit trail.

use sea_orm::sea_query::Query;
use sea_orm::{ColumnTrait, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder, QuerySelect, QueryTrait};
use uuid::Uuid;

use crate::database::transaction::statement;
use crate::rows::audit;
use crate::{AuditRecord, Result, Store};

/// How many records one statement writes.
const CHUNK: usize = 500;

impl Store {
    /// Writes records in as few statements as possible.
    pub async fn audit(&self, records: &[AuditRecord]) -> Result<()> {
        for chunk in records.chunks(CHUNK) {
            statement!(self, |database| {
                let rows = chunk.iter().map(|record| audit::Model::from(record).into_active_model());
                audit::Entity::insert_many(rows).exec_without_returning(database).await
            })?;
        }
        Ok(())
    }

    /// At most `limit` records before `before`, newest first.
    pub async fn list_audit(&self, before: Option<Uuid>, limit: u64) -> Result<Vec<AuditRecord>> {
        let mut query = audit::Entity::find().order_by_desc(audit::Column::Id).limit(limit);
        if let Some(before) = before {
            query = query.filter(audit::Column::Id.lt(before));
        }
        Ok(query.all(self.reader()).await?.into_iter().map(AuditRecord::from).collect())
    }

    /// Examines the `limit` oldest records and deletes those from before `older_than`. Returns how many.
    pub async fn prune_audit(&self, older_than: i64, limit: u64) -> Result<u64> {
        // Ids are ordered by time, so this never searches the whole table for old records.
        let oldest = audit::Entity::find().select_only().column(audit::Column::Id).order_by_asc(audit::Column::Id);
        let oldest =
            Query::select().column(audit::Column::Id).from_subquery(oldest.limit(limit).into_query(), "oldest").take();
        statement!(self, |database| {
            let delete = audit::Entity::delete_many()
                .filter(audit::Column::Id.in_subquery(oldest.clone()))
                .filter(audit::Column::At.lt(older_than));
            Ok(delete.exec(database).await?.rows_affected)
        })
    }
}
