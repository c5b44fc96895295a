//! A change a second that says whether changes are kept: the canary of everything that is written without a look of its
//! own. It also leaves in the database what time it was when this process last ran.

use sea_orm::sea_query::OnConflict;
use sea_orm::{
    ColumnTrait, ConnectionTrait, EntityTrait, ExprTrait, IntoActiveModel, QueryFilter, QueryOrder, QuerySelect,
};
use uuid::Uuid;

use crate::connect::Target;
use crate::rows::heartbeat::{Column, Entity, Model};
use crate::{DatabaseKind, Result, Store};

/// What is written besides after a failure, in bytes: a full disk may have room for one page and not for a revocation.
const PROOF: usize = 64 * 1024;

/// Processes that have not been heard of for so long, in seconds, are forgotten.
const FORGET: i64 = 86_400;

/// A moment, as a process wrote it down.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heartbeat {
    /// Which process.
    pub process: Uuid,
    /// Rises with each.
    pub number: i64,
    /// Its clock, in Unix seconds.
    pub at: i64,
    /// Which boot of which machine its elapsed time counts from, where the system says so.
    pub boot: Option<String>,
    /// Milliseconds since that boot, suspension included.
    pub elapsed: i64,
}

/// The newest heartbeats in a database.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LastBeat {
    /// The furthest clock of any process.
    pub any: Option<i64>,
    /// The newest one of this boot of this machine: its clock and its elapsed time.
    pub of_this_boot: Option<(i64, i64)>,
}

impl Store {
    /// Writes a heartbeat and reads it by another connection. What comes of it is what [`Store::writes`] says from then
    /// on. After a failure, or after a call that failed since the last time, `thorough` writes more.
    pub async fn beat(&self, beat: &Heartbeat, thorough: bool) -> Result<()> {
        let outcome = self.beat_once(beat, thorough).await;
        self.health().tried(&outcome);
        outcome
    }

    /// Returns once a call has failed because of the database since the last time.
    pub async fn failed(&self) {
        self.health().suspected().await;
    }

    async fn beat_once(&self, beat: &Heartbeat, thorough: bool) -> Result<()> {
        if let Err(error) = self.check_file() {
            self.save_log().await;
            return Err(error);
        }
        let row = Model {
            process: beat.process,
            number: beat.number,
            at: beat.at,
            boot: beat.boot.clone(),
            elapsed: beat.elapsed,
            proof: vec![0; if thorough { PROOF } else { 0 }],
        };
        // Not `transaction!`: a failure here is no reason to try this again at once, and it must be tried while nothing
        // else is.
        let written = self.write_beat(row);
        crate::limited::in_time(self.kind(), written).await?;
        self.check_file()?;
        let seen = Entity::find_by_id(beat.process).one(self.reader()).await?;
        match seen {
            Some(seen) if seen.number >= beat.number => Ok(()),
            _ => Err(self.lost("a heartbeat was committed, and another connection does not see it".into())),
        }
    }

    async fn write_beat(&self, row: Model) -> Result<()> {
        let connection = self.take_any_writer().await?;
        connection.control(self.begin_statement()).await?;
        let gone = Column::At.lt(row.at - FORGET).or(Column::At.gt(row.at + FORGET));
        let gone = Entity::delete_many().filter(gone).filter(Column::Process.ne(row.process));
        let again = OnConflict::column(Column::Process)
            .update_columns([Column::Number, Column::At, Column::Boot, Column::Elapsed, Column::Proof])
            .to_owned();
        let insert = Entity::insert(row.into_active_model()).on_conflict(again);
        // An error closes the connection, and so ends the transaction.
        gone.exec(&connection).await?;
        insert.exec_without_returning(&connection).await?;
        connection.control("COMMIT").await?;
        connection.give_back();
        Ok(())
    }

    /// What the heartbeats say of the time: read before the first one of this process is written.
    pub async fn last_beat(&self, boot: Option<&str>) -> Result<LastBeat> {
        let any = Entity::find().order_by_desc(Column::At).limit(1).one(self.reader()).await?.map(|row| row.at);
        let of_this_boot = match boot {
            None => None,
            Some(boot) => {
                let query = Entity::find().filter(Column::Boot.eq(boot)).order_by_desc(Column::Elapsed).limit(1);
                query.one(self.reader()).await?.map(|row| (row.at, row.elapsed))
            }
        };
        Ok(LastBeat { any, of_this_boot })
    }

    /// Moves what is in a write-ahead log that has lost its name into the database, by the connections that still have it:
    /// after a restart nothing is missing then.
    async fn save_log(&self) {
        let Target::Sqlite(file, _, _) = self.target() else { return };
        if !file.has_only_lost_its_log() {
            return;
        }
        if let Ok(connection) = self.take_any_writer().await
            && connection.execute_unprepared("PRAGMA wal_checkpoint(PASSIVE)").await.is_ok()
        {
            connection.give_back();
            tracing::warn!("the write-ahead log was removed; what it held is in the database now");
        }
    }

    /// Has SQLite move its write-ahead log into the database, so that what was written does not hang on two files. Does
    /// nothing on PostgreSQL.
    pub async fn checkpoint(&self) -> Result<()> {
        if self.kind() == DatabaseKind::Sqlite {
            let connection = self.take_writer().await?;
            connection.execute_unprepared("PRAGMA wal_checkpoint(PASSIVE)").await?;
            connection.give_back();
        }
        Ok(())
    }
}
