//! What a running server polls, in one query.

use std::sync::LazyLock;

use sea_orm::{ConnectionTrait, DbBackend, FromQueryResult, Statement};
use uuid::Uuid;

use crate::database::postgres::primary;
use crate::{Head, History, Result, Store, StoreError};

/// A single statement, so that all of it is of one moment and of one server.
const HEAD: &str = "SELECT d.number, d.tag, g.epoch, g.changes, g.bootstrapped_at, \
                    (SELECT h.number FROM heartbeats h WHERE h.process = $1) AS beat, \
                    EXISTS (SELECT 1 FROM follower_questions) AS asked, HISTORY \
                    FROM globals g CROSS JOIN denylist_head d WHERE g.id = 1 AND d.id = 1";

/// SQLite is a file. Whether it is still the same one is checked separately.
const HISTORY_OF_SQLITE: &str = "0 AS standby, 0 AS read_only, 0 AS system, NULL AS timeline";

#[derive(FromQueryResult)]
struct Row {
    number: i64,
    tag: i64,
    epoch: i64,
    changes: i64,
    bootstrapped_at: Option<i64>,
    beat: Option<i64>,
    asked: bool,
    standby: bool,
    read_only: bool,
    system: i64,
    timeline: Option<String>,
}

impl Store {
    /// The denylist's head, the epoch and the change counter, and which history of the database they belong to. An
    /// error if this is not the primary.
    pub async fn head(&self) -> Result<Head> {
        // Before the query: a heartbeat that was acknowledged by now must be there.
        let (process, beat) = self.last_own_beat();
        // Before the query, not after: a file that is moved away during it was still the right one.
        self.check_file()?;
        self.health().check()?;
        let row = Row::find_by_statement(statement(self.reader(), process)).one(self.reader()).await?;
        let row =
            row.ok_or_else(|| StoreError::Corrupt("the row of `globals` or `denylist_head` is missing".into()))?;
        if let Some(why) = primary::refusal(row.standby, row.read_only) {
            // Others may be open to the same server.
            self.condemned().condemn_open();
            return Err(StoreError::NotPrimary(why.into()));
        }
        let timeline = row.timeline.map(|timeline| u32::from_str_radix(&timeline, 16)).transpose();
        let timeline = timeline.map_err(|_| StoreError::Corrupt("the timeline of the write-ahead log".into()))?;
        Ok(Head {
            history: History { system: row.system, timeline: timeline.unwrap_or(0) },
            has_own_beat: row.beat.is_none_or(|seen| seen >= beat),
            number: row.number,
            tag: row.tag,
            epoch: row.epoch,
            changes: row.changes,
            bootstrapped: row.bootstrapped_at.is_some(),
            asked: row.asked,
        })
    }
}

fn statement(database: &impl ConnectionTrait, process: Uuid) -> Statement {
    static SQLITE: LazyLock<String> = LazyLock::new(|| HEAD.replace("HISTORY", HISTORY_OF_SQLITE));
    static POSTGRES: LazyLock<String> = LazyLock::new(|| HEAD.replace("HISTORY", primary::HISTORY));
    let backend = database.get_database_backend();
    let sql = if backend == DbBackend::Sqlite { &*SQLITE } else { &*POSTGRES };
    Statement::from_sql_and_values(backend, sql, [process.into()])
}
