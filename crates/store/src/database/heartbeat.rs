//! The heartbeat: one change per second that shows whether changes are kept, on behalf of all that are not checked
//! individually. It also records in the database the time at which this process last ran.

use sea_orm::sea_query::{Expr, OnConflict};
use sea_orm::{
    ColumnTrait, ConnectionTrait, DbBackend, EntityTrait, ExprTrait, IntoActiveModel, QueryFilter, QueryOrder,
    QuerySelect, Statement,
};
use uuid::Uuid;

use crate::database::Target;
use crate::database::transaction::statement;
use crate::rows::heartbeat::{Column, Entity, Model};
use crate::{DatabaseKind, Result, Store};

/// Extra bytes written after a failure: a full disk may have room for one page, but not for a revocation.
const PROOF: usize = 64 * 1024;

/// Does not wait for others. Its row says how many frames the log has, and how many of them are in the database now.
const CHECKPOINT: &str = "PRAGMA wal_checkpoint(PASSIVE)";

/// The rows of processes that have been silent for this many seconds are deleted.
const FORGET: i64 = 86_400;

/// The time, as recorded by a process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heartbeat {
    /// The process.
    pub process: Uuid,
    /// Increases with each heartbeat.
    pub number: i64,
    /// The time.
    pub time: BeatTime,
    /// Identifies the machine's boot from which `elapsed` counts, if the system reports it.
    pub boot: Option<String>,
    /// Milliseconds since that boot, suspension included.
    pub elapsed: i64,
    /// The settings that all servers on a database should have in common, as text.
    pub settings: String,
}

/// Another process with this database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Neighbour {
    /// The process.
    pub process: Uuid,
    /// The number of its last heartbeat. If it does not increase, the process has ended.
    pub number: i64,
    /// Its settings, as in [`Heartbeat::settings`]; `None` if it does not say.
    pub settings: Option<String>,
}

/// Another process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Beating {
    /// The process.
    pub process: Uuid,
    /// The number of its last heartbeat.
    pub number: i64,
    /// The time of it, by that process's clock, in Unix seconds.
    pub at: i64,
    /// True if it has stopped in order.
    pub stopped: bool,
}

/// What a process took the time to be, in Unix seconds. The three values differ while its clock is in doubt; for that
/// long, a process that starts after it must doubt the clock too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BeatTime {
    /// The time on its clock.
    pub at: i64,
    /// The earliest time that it may have been, used for the end of sessions.
    pub earliest: i64,
    /// The same, used for deleting expired rows.
    pub expiry: i64,
}

/// The newest heartbeats in a database.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LastBeat {
    /// The one of the process whose clock is furthest ahead.
    pub any: Option<BeatTime>,
    /// The newest one from this boot of this machine, and its elapsed time in milliseconds.
    pub of_this_boot: Option<(BeatTime, i64)>,
}

impl Store {
    /// Writes a heartbeat and reads it over another connection. From then on [`Store::writes`] reports the outcome.
    /// Pass `thorough` after a failure, or if a call has failed since the last heartbeat: it writes more.
    pub async fn beat(&self, beat: &Heartbeat, thorough: bool) -> Result<()> {
        let lost = self.health().lost();
        let outcome = self.beat_once(beat, thorough).await;
        // A success that began before something was lost proves nothing.
        if outcome.is_err() || self.health().lost() == lost {
            self.health().note_heartbeat(&outcome);
        }
        outcome
    }

    /// Returns once a call has failed because of the database since this last returned.
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
            at: beat.time.at,
            earliest: beat.time.earliest,
            steady: beat.time.expiry,
            boot: beat.boot.clone(),
            elapsed: beat.elapsed,
            settings: Some(beat.settings.clone()),
            proof: self.proof(thorough),
            stopped: false,
        };
        // Not `transaction!`: a failure here must not be retried at once, and it must be tried even while all
        // other changes are refused.
        let written = self.write_beat(row);
        crate::database::timeout::in_time(self.kind(), written).await?;
        self.check_file()?;
        let seen = Entity::find_by_id(beat.process).one(self.reader()).await?;
        match seen {
            Some(seen) if seen.number >= beat.number => {
                self.note_own_beat(beat.process, beat.number);
                Ok(())
            }
            _ => Err(self.lost("a heartbeat was committed, but another connection does not see it".into())),
        }
    }

    /// Random, so that neither the database nor the file system can compress it.
    fn proof(&self, thorough: bool) -> Vec<u8> {
        let mut proof = vec![0; if thorough { PROOF } else { 0 }];
        self.options().entropy.fill(&mut proof);
        proof
    }

    async fn write_beat(&self, row: Model) -> Result<()> {
        let connection = self.take_any_writer().await?;
        connection.control(self.begin_statement()).await?;
        let gone = Column::At.lt(row.at - FORGET).or(Column::At.gt(row.at + FORGET));
        // A row of this boot with less elapsed time but a later clock was written while the clock was ahead.
        let ahead = Column::Boot.eq(row.boot.clone()).and(Column::Elapsed.lt(row.elapsed)).and(Column::At.gt(row.at));
        let gone = Entity::delete_many().filter(gone.or(ahead)).filter(Column::Process.ne(row.process));
        let replace = OnConflict::column(Column::Process)
            .update_columns([
                Column::Number,
                Column::At,
                Column::Earliest,
                Column::Steady,
                Column::Boot,
                Column::Elapsed,
                Column::Settings,
                Column::Proof,
            ])
            .to_owned();
        let insert = Entity::insert(row.into_active_model()).on_conflict(replace);
        // An error closes the connection, which ends the transaction.
        gone.exec(&connection).await?;
        insert.exec_without_returning(&connection).await?;
        connection.control("COMMIT").await?;
        connection.give_back();
        Ok(())
    }

    /// What the stored heartbeats say about the time. Call it before this process writes its first one.
    pub async fn last_beat(&self, boot: Option<&str>) -> Result<LastBeat> {
        let any = Entity::find().order_by_desc(Column::At).limit(1).one(self.reader()).await?.map(|row| time(&row));
        let of_this_boot = match boot {
            None => None,
            Some(boot) => {
                let query = Entity::find().filter(Column::Boot.eq(boot)).order_by_desc(Column::Elapsed).limit(1);
                query.one(self.reader()).await?.map(|row| (time(&row), row.elapsed))
            }
        };
        Ok(LastBeat { any, of_this_boot })
    }

    /// The other processes that have written heartbeats in the last day, running or not.
    pub async fn neighbours(&self) -> Result<Vec<Neighbour>> {
        let query = Entity::find()
            .select_only()
            .column(Column::Process)
            .column(Column::Number)
            .column(Column::Settings)
            .filter(Column::Process.ne(self.last_own_beat().0));
        let rows: Vec<(Uuid, i64, Option<String>)> = query.into_tuple().all(self.reader()).await?;
        Ok(rows.into_iter().map(|(process, number, settings)| Neighbour { process, number, settings }).collect())
    }

    /// The other processes, as their heartbeats say: running, stopped in order, or not any more.
    pub async fn beats(&self) -> Result<Vec<Beating>> {
        let query = Entity::find()
            .select_only()
            .columns([Column::Process, Column::Number, Column::At, Column::Stopped])
            .filter(Column::Process.ne(self.last_own_beat().0));
        let rows: Vec<(Uuid, i64, i64, bool)> = query.into_tuple().all(self.reader()).await?;
        let beating = |(process, number, at, stopped)| Beating { process, number, at, stopped };
        Ok(rows.into_iter().map(beating).collect())
    }

    /// This process, once it has written a heartbeat.
    pub fn process(&self) -> Option<Uuid> {
        Some(self.last_own_beat().0).filter(|process| !process.is_nil())
    }

    /// Records that this process answers nobody any more.
    pub async fn note_stopped(&self) -> Result<()> {
        let process = self.last_own_beat().0;
        statement!(self, |database| {
            let update = Entity::update_many().col_expr(Column::Stopped, Expr::value(true));
            update.filter(Column::Process.eq(process)).exec(database).await.map(drop)
        })
    }

    /// Moves the content of a write-ahead log that was unlinked into the database, over the connections that still have
    /// it open, so that nothing is missing after a restart.
    async fn save_log(&self) {
        let Target::Sqlite(file, _, _) = self.target() else { return };
        if !file.has_only_lost_its_log() {
            return;
        }
        if let Ok(connection) = self.take_any_writer().await
            && let Ok(Some(row)) = connection.query_one_raw(Statement::from_string(DbBackend::Sqlite, CHECKPOINT)).await
            && let (Ok(frames), Ok(moved)) = (row.try_get_by_index::<i32>(1), row.try_get_by_index::<i32>(2))
            && frames == moved
        {
            connection.give_back();
            tracing::warn!("the write-ahead log was removed; its content was saved to the database");
        }
    }

    /// Has SQLite move its write-ahead log into the database, so that what was written does not depend on two files.
    /// Does nothing on PostgreSQL.
    pub async fn checkpoint(&self) -> Result<()> {
        if self.kind() == DatabaseKind::Sqlite {
            let connection = self.take_writer().await?;
            connection.execute_unprepared(CHECKPOINT).await?;
            connection.give_back();
        }
        Ok(())
    }
}

fn time(row: &Model) -> BeatTime {
    BeatTime { at: row.at, earliest: row.earliest, expiry: row.steady }
}
