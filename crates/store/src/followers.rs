//! Who follows the denylist: what a server leaves for the time after it, and what the servers ask each other.
//!
//! A question is a row. Servers notice it with their next read of the head, at once where the database notifies them, and
//! each writes its own row as an answer, again and again while the question is open.

use sea_orm::sea_query::OnConflict;
use sea_orm::{ColumnTrait, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder, QuerySelect};
use uuid::Uuid;

use crate::database::transaction::{announce, transaction};
use crate::rows::{follower, follower_answer, follower_question};
use crate::{Result, Store};

/// How many rows one statement writes.
const CHUNK: usize = 200;
/// How many followers are read at most.
const MOST: u64 = 5_000;

/// A follower that has named itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FollowerRecord {
    /// The client with which it authenticates; `None`: it has no credentials.
    pub client: Option<String>,
    /// The service that it is part of.
    pub service: String,
    /// Which instance of the service it is.
    pub instance: String,
    /// A server that it has polled.
    pub process: Uuid,
    /// From where.
    pub address: Option<String>,
    /// How long it relies on an answer, if it says.
    pub lease_seconds: Option<i64>,
    /// True if it goes on accepting tokens after that.
    pub accepts_stale: bool,
    /// The version of what it runs.
    pub version: Option<String>,
    /// When its last poll arrived, in Unix milliseconds.
    pub seen_at: i64,
}

/// What all servers are asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Question {
    /// Which question it is.
    pub id: Uuid,
    /// The number of the denylist row that followers must have applied.
    pub number: i64,
    /// Its tag.
    pub tag: i64,
}

/// What one server has answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The server.
    pub process: Uuid,
    /// Raised by each answer of that server.
    pub number: i64,
    /// What it says: JSON.
    pub body: String,
}

impl Store {
    /// Writes what is known of these followers, in place of what was written before.
    pub async fn save_followers(&self, followers: &[FollowerRecord]) -> Result<()> {
        use follower::Column;
        for chunk in followers.chunks(CHUNK) {
            transaction!(self, |transaction| {
                // In one order: two servers that write the same followers don't wait for each other.
                let mut rows: Vec<_> = chunk.iter().map(row).collect();
                rows.sort_by(|a, b| key(a).cmp(&key(b)));
                let replace =
                    OnConflict::columns([Column::ClientId, Column::Service, Column::Instance, Column::Process])
                        .update_columns([
                            Column::Address,
                            Column::LeaseSeconds,
                            Column::AcceptsStale,
                            Column::Version,
                            Column::SeenAt,
                        ])
                        .to_owned();
                let models = rows.into_iter().map(IntoActiveModel::into_active_model);
                let insert = follower::Entity::insert_many(models).on_conflict(replace);
                insert.exec_without_returning(transaction).await?;
                Ok(())
            })?;
        }
        Ok(())
    }

    /// The followers that servers have written down, whether or not they still follow, the last seen first.
    pub async fn saved_followers(&self) -> Result<Vec<FollowerRecord>> {
        let query = follower::Entity::find().order_by_desc(follower::Column::SeenAt).limit(MOST);
        let rows = query.all(self.reader()).await?;
        Ok(rows.into_iter().map(record).collect())
    }

    /// Deletes followers that were last seen before `unix_millis`, and what remains of questions that were asked before
    /// `unix`, whose asker has died.
    pub async fn prune_followers(&self, unix_millis: i64, unix: i64) -> Result<()> {
        let has_old = follower::Entity::find().filter(follower::Column::SeenAt.lt(unix_millis));
        let has_old = has_old.one(self.reader()).await?.is_some();
        let asked = follower_question::Column::AskedAt.lt(unix);
        let left = follower_question::Entity::find().filter(asked.clone()).all(self.reader()).await?;
        if has_old {
            transaction!(self, |transaction| {
                let old = follower::Column::SeenAt.lt(unix_millis);
                follower::Entity::delete_many().filter(old).exec(transaction).await?;
                Ok(())
            })?;
        }
        for question in left {
            self.withdraw(question.id).await?;
        }
        Ok(())
    }

    /// Asks all servers how far their followers are. To be withdrawn with [`Store::withdraw`].
    pub async fn ask(&self, question: Question, now: i64) -> Result<()> {
        let Question { id, number, tag } = question;
        transaction!(self, |transaction| {
            let row = follower_question::Model { id, number, tag, asked_at: now };
            follower_question::Entity::insert(row.into_active_model()).exec_without_returning(transaction).await?;
            announce(transaction).await?;
            Ok(())
        })
    }

    /// The questions that are open.
    pub async fn questions(&self) -> Result<Vec<Question>> {
        let rows = follower_question::Entity::find().all(self.reader()).await?;
        Ok(rows.into_iter().map(|row| Question { id: row.id, number: row.number, tag: row.tag }).collect())
    }

    /// Writes this server's answer, in place of an older one of its own. An answer to a question that is gone is deleted
    /// with it, or by the next server that tidies up.
    pub async fn answer(&self, question: Uuid, answer: Answer) -> Result<()> {
        use follower_answer::Column;
        let row =
            follower_answer::Model { question, process: answer.process, number: answer.number, body: answer.body };
        transaction!(self, |transaction| {
            // The lock keeps the question, and so this answer, from being withdrawn in between.
            let open = follower_question::Entity::find_by_id(question);
            if open.lock_shared().one(transaction).await?.is_some() {
                let replace = OnConflict::columns([Column::Question, Column::Process])
                    .update_columns([Column::Number, Column::Body])
                    .to_owned();
                let insert = follower_answer::Entity::insert(row.clone().into_active_model()).on_conflict(replace);
                insert.exec_without_returning(transaction).await?;
            }
            Ok(())
        })
    }

    /// What the servers have answered so far.
    pub async fn answers(&self, question: Uuid) -> Result<Vec<Answer>> {
        let query = follower_answer::Entity::find().filter(follower_answer::Column::Question.eq(question));
        let rows = query.all(self.reader()).await?;
        Ok(rows.into_iter().map(|row| Answer { process: row.process, number: row.number, body: row.body }).collect())
    }

    /// Deletes a question with its answers.
    pub async fn withdraw(&self, question: Uuid) -> Result<()> {
        transaction!(self, |transaction| {
            follower_question::Entity::delete_by_id(question).exec(transaction).await?;
            let answers = follower_answer::Column::Question.eq(question);
            follower_answer::Entity::delete_many().filter(answers).exec(transaction).await?;
            // The others notice that there is nothing to answer any more.
            announce(transaction).await?;
            Ok(())
        })
    }
}

fn key(row: &follower::Model) -> (&str, &str, &str, Uuid) {
    (&row.client_id, &row.service, &row.instance, row.process)
}

fn row(record: &FollowerRecord) -> follower::Model {
    follower::Model {
        client_id: record.client.clone().unwrap_or_default(),
        service: record.service.clone(),
        instance: record.instance.clone(),
        process: record.process,
        address: record.address.clone(),
        lease_seconds: record.lease_seconds,
        accepts_stale: record.accepts_stale,
        version: record.version.clone(),
        seen_at: record.seen_at,
    }
}

fn record(row: follower::Model) -> FollowerRecord {
    FollowerRecord {
        client: Some(row.client_id).filter(|client| !client.is_empty()),
        service: row.service,
        instance: row.instance,
        process: row.process,
        address: row.address,
        lease_seconds: row.lease_seconds,
        accepts_stale: row.accepts_stale,
        version: row.version,
        seen_at: row.seen_at,
    }
}
