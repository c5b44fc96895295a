//! Many denylist rows as one row of text.
//!
//! The database driver takes a few microseconds for each row that it hands over. A list of a million would take it
//! seconds, while a server that starts vouches for nothing, and after a mass revocation every server would be late. So
//! the database puts the rows of a part together, and they are taken apart here.

use ficha_token::{DenyEntry, DenyId};
use sea_orm::sea_query::{Alias, Expr, Query, SelectStatement};
use sea_orm::{ConnectionTrait, DbBackend, QuerySelect, QueryTrait};
use uuid::Uuid;

use crate::database::timeout::TimeoutPool;
use crate::rows::denylist;
use crate::{DenyRow, Result, StoreError};

const PACK_IN_SQLITE: &str =
    "group_concat(part.number || ',' || hex(part.id) || ',' || part.until || ',' || part.tag, ';')";
const PACK_IN_POSTGRES: &str = "string_agg(part.number || ',' || part.id || ',' || part.until || ',' || part.tag, ';')";

/// The rows that `query` selects, in the order of their numbers.
pub(super) async fn fetch(database: &TimeoutPool, query: sea_orm::Select<denylist::Entity>) -> Result<Vec<DenyRow>> {
    let backend = database.get_database_backend();
    let columns = [denylist::Column::Number, denylist::Column::Id, denylist::Column::Until, denylist::Column::Tag];
    let part = query.select_only().columns(columns).into_query();
    let row = database.query_one_raw(backend.build(&packed(part, backend))).await?;
    let text: Option<String> = row.map(|row| row.try_get_by_index(0)).transpose()?.flatten();
    let Some(text) = text else { return Ok(Vec::new()) };
    let mut rows = unpack(&text).ok_or_else(|| StoreError::Corrupt("a row of the denylist".into()))?;
    // The database need not keep the order of the part.
    if !rows.is_sorted_by_key(|row| row.number) {
        rows.sort_unstable_by_key(|row| row.number);
    }
    Ok(rows)
}

fn packed(part: SelectStatement, backend: DbBackend) -> SelectStatement {
    let pack = if backend == DbBackend::Sqlite { PACK_IN_SQLITE } else { PACK_IN_POSTGRES };
    Query::select().expr(Expr::cust(pack)).from_subquery(part, Alias::new("part")).take()
}

/// `None` if it is not what the database packs.
fn unpack(text: &str) -> Option<Vec<DenyRow>> {
    text.split(';').map(unpack_row).collect()
}

fn unpack_row(text: &str) -> Option<DenyRow> {
    let mut columns = text.split(',');
    let mut next = || columns.next();
    let number = next()?.parse().ok()?;
    // With or without hyphens.
    let id = Uuid::try_parse(next()?).ok()?;
    let (until, tag) = (next()?.parse().ok()?, next()?.parse().ok()?);
    Some(DenyRow { number, tag, entry: DenyEntry::new(DenyId::from(id), until) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_taken_apart_as_the_database_packs_them() {
        let id: Uuid = "0198abcd-0000-7000-8000-000000000001".parse().unwrap();
        let row = |number, until, tag| DenyRow { number, tag, entry: DenyEntry::new(DenyId::from(id), until) };
        let packed = "7,0198ABCD000070008000000000000001,1800000000,-5;8,0198abcd-0000-7000-8000-000000000001,1,9";
        assert_eq!(unpack(packed).unwrap(), [row(7, 1_800_000_000, -5), row(8, 1, 9)]);
        for bad in
            ["", "7", "7,x,1,1", "7,0198ABCD000070008000000000000001,1", "7,0198ABCD000070008000000000000001,1,1;"]
        {
            assert!(unpack(bad).is_none(), "{bad:?}");
        }
    }
}
