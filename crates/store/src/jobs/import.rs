//! A step of an import: users are created that are not there.

use std::collections::HashSet;

use sea_orm::sea_query::OnConflict;
use sea_orm::{ColumnTrait, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder, QuerySelect};
use serde_json::json;
use uuid::Uuid;

use super::{advance, still_ours};
use crate::database::globals::raise_changes;
use crate::database::transaction::transaction;
use crate::events::described::described;
use crate::events::record_all;
use crate::rows::user;
use crate::users::{highest_cost, taken_by_look_alikes};
use crate::{Cause, EventKind, JobStep, JobWork, NewEvent, Result, Store, UserRecord};

impl Store {
    /// Creates the users of a part, each with the cost of its password hash. A user whose name is taken is left as it
    /// is: to repeat an import changes nothing. Returns how many were created.
    ///
    /// Everything is one transaction with the job's place, so that no part is done twice. If the session of who began
    /// the job has ended, nothing is changed.
    pub async fn import_users(
        &self,
        work: JobWork,
        part: i64,
        users: &[(UserRecord, u32)],
        cause: &Cause,
    ) -> Result<JobStep<u64>> {
        let rows = users.iter().map(|(user, cost)| user::Model::new(user.clone(), *cost));
        let rows: Vec<_> = rows.collect::<Result<_>>()?;
        transaction!(self, |transaction| {
            // The row of `globals` comes first in the lock order. Only a higher cost concerns the other servers.
            let highest = highest_cost(transaction).await?;
            if rows.iter().map(|row| row.password_cost).max() > highest {
                raise_changes(transaction).await?;
            }
            let job = still_ours(transaction, work).await?.filter(|job| job.next_part == part);
            let Some(job) = job else { return Ok(JobStep::NotOurs) };
            let alike = taken_by_look_alikes(transaction, rows.iter().map(|row| row.name.as_str())).await?;
            let free = rows.iter().filter(|row| !alike.contains(&row.name)).cloned();
            let free: Vec<_> = free.map(IntoActiveModel::into_active_model).collect();
            if !free.is_empty() {
                let taken = OnConflict::column(user::Column::Name).do_nothing().to_owned();
                let insert = user::Entity::insert_many(free);
                insert.on_conflict(taken).exec_without_returning(transaction).await?;
            }
            // The ids are new: who has one of them was created just now.
            let created = user::Entity::find()
                .select_only()
                .column(user::Column::Id)
                .filter(user::Column::Id.is_in(rows.iter().map(|row| row.id)))
                .order_by_asc(user::Column::Id);
            let created: HashSet<Uuid> = created.into_tuple().all(transaction).await?.into_iter().collect();
            let event = |row: &user::Model| {
                let detail = json!({ "after": described(row), "job": work.job });
                NewEvent::new(EventKind::UserCreated, cause).user(row.id).detail(detail)
            };
            let events = rows.iter().filter(|row| created.contains(&row.id)).map(event).collect();
            record_all(self, transaction, events).await?;
            let (all, new) = (rows.len() as i64, created.len() as i64);
            advance(transaction, &job, all, all - new).await?;
            Ok(JobStep::Done(created.len() as u64))
        })
    }
}
