//! Column types that the tables share, for SQLite and PostgreSQL alike.
//!
//! A migration names its tables and columns as text, never through the store's types: those change later, a migration
//! must not.

use sea_orm_migration::prelude::*;

/// A UUID, or any other 16 bytes. SQLite keeps it as a blob.
pub(crate) fn uuid(name: &'static str) -> ColumnDef {
    ColumnDef::new(name).uuid().not_null().take()
}

/// A UUID that may be null.
pub(crate) fn uuid_null(name: &'static str) -> ColumnDef {
    ColumnDef::new(name).uuid().null().take()
}

/// A text that is never null. A list of names is one text, separated by spaces.
pub(crate) fn text(name: &'static str) -> ColumnDef {
    ColumnDef::new(name).text().not_null().take()
}

/// A text that may be null.
pub(crate) fn text_null(name: &'static str) -> ColumnDef {
    ColumnDef::new(name).text().null().take()
}

/// A count, a version, or Unix seconds.
pub(crate) fn bigint(name: &'static str) -> ColumnDef {
    ColumnDef::new(name).big_integer().not_null().take()
}

/// Unix seconds of something that may never have happened.
pub(crate) fn bigint_null(name: &'static str) -> ColumnDef {
    ColumnDef::new(name).big_integer().null().take()
}

/// True or false.
pub(crate) fn boolean(name: &'static str) -> ColumnDef {
    ColumnDef::new(name).boolean().not_null().take()
}

/// The id of a table with a single row. The migration that creates the table inserts that row.
pub(crate) fn single_row_id() -> ColumnDef {
    ColumnDef::new("id").integer().not_null().primary_key().take()
}
