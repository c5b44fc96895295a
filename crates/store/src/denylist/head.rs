//! What a running server polls, in one query.

use sea_orm::{ConnectionTrait, FromQueryResult, Statement};

use crate::{Head, Result, Store, StoreError};

/// Both rows in one statement, so that they are consistent.
pub(crate) const HEAD: &str = "SELECT d.number, d.tag, g.epoch, g.changes, g.bootstrapped_at \
                               FROM globals g CROSS JOIN denylist_head d WHERE g.id = 1 AND d.id = 1";

#[derive(FromQueryResult)]
struct Row {
    number: i64,
    tag: i64,
    epoch: i64,
    changes: i64,
    bootstrapped_at: Option<i64>,
}

impl Store {
    /// The denylist's head, the epoch and the change counter, read in one query.
    pub async fn head(&self) -> Result<Head> {
        // Before the query, not after: a file that is moved away during it was still the right one.
        self.check_file()?;
        self.health().check()?;
        let row = Row::find_by_statement(statement(self.reader())).one(self.reader()).await?;
        let row =
            row.ok_or_else(|| StoreError::Corrupt("the row of `globals` or `denylist_head` is missing".into()))?;
        Ok(Head {
            number: row.number,
            tag: row.tag,
            epoch: row.epoch,
            changes: row.changes,
            bootstrapped: row.bootstrapped_at.is_some(),
        })
    }
}

fn statement(database: &impl ConnectionTrait) -> Statement {
    Statement::from_string(database.get_database_backend(), HEAD)
}
