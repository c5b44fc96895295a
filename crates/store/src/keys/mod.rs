//! Sealed keys.

pub(crate) mod purge;

use ficha_token::DENY_MARGIN_SECONDS;
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, ConnectionTrait, DbErr, EntityTrait, QueryFilter, QueryOrder, QuerySelect};
use serde_json::json;

use crate::database::globals::{lock, raise_changes};
use crate::database::transaction::transaction;
use crate::events::described::shown_time;
use crate::events::record;
use crate::rows::key;
use crate::{Cause, EventKind, KeyPurpose, KeyRecord, NewEvent, NewKey, Result, SealedKey, Store, StoreError};

impl Store {
    /// Every key, oldest first.
    pub async fn keys(&self) -> Result<Vec<KeyRecord>> {
        let rows = key::Entity::find().order_by_asc(key::Column::Id).all(self.reader()).await?;
        rows.into_iter().map(KeyRecord::try_from).collect()
    }

    /// What the master key must be able to open: every key that is not purged. Empty if the tables do not exist.
    ///
    /// It may be called before migrating, so it reads only columns that the first version's table has.
    pub async fn sealed_keys(&self) -> Result<Vec<SealedKey>> {
        if !self.has_tables().await? {
            return Ok(Vec::new());
        }
        let query = key::Entity::find()
            .select_only()
            .columns([key::Column::Purpose, key::Column::Kid, key::Column::Sealed])
            .filter(key::Column::PurgedAt.is_null())
            .into_tuple::<(String, String, Vec<u8>)>();
        let rows = match query.all(self.reader()).await.map_err(StoreError::from) {
            Err(StoreError::NotMigrated) => Vec::new(),
            rows => rows?,
        };
        let sealed = |(purpose, kid, sealed): (String, String, Vec<u8>)| {
            let purpose = KeyPurpose::parse(&purpose);
            let purpose = purpose.ok_or_else(|| StoreError::Corrupt(format!("the purpose of key {kid}")))?;
            Ok(SealedKey { purpose, kid, sealed })
        };
        rows.into_iter().map(sealed).collect()
    }

    /// Adds a key if the newest one for its purpose is still `expected_newest`, which then expires at `old_expires_at`.
    /// False if another server was faster.
    pub async fn rotate_key(
        &self,
        new: NewKey,
        expected_newest: &str,
        old_expires_at: i64,
        cause: &Cause,
    ) -> Result<bool> {
        transaction!(self, |transaction| {
            // Every change to the keys locks this row first, so the newest key stays the newest until the commit.
            lock(transaction).await?;
            let newest = key::Entity::find()
                .filter(key::Column::Purpose.eq(new.purpose.as_str()))
                .order_by_desc(key::Column::Id)
                .limit(1);
            let Some(newest) = newest.one(transaction).await?.filter(|newest| newest.kid == expected_newest) else {
                return Ok(false);
            };
            let update = key::Entity::update_many()
                .col_expr(key::Column::ExpiresAt, Expr::value(old_expires_at))
                .filter(key::Column::Id.eq(newest.id));
            update.exec(transaction).await?;
            insert_key(transaction, new.clone()).await?;
            raise_changes(transaction).await?;
            let detail = json!({ "kid": new.kid, "sign_from": shown_time(new.sign_from) });
            record(self, transaction, NewEvent::new(EventKind::KeyRotated, cause).detail(detail)).await?;
            Ok(true)
        })
    }

    /// Deletes the keys whose last token has expired and is no longer denied. Returns how many.
    pub async fn prune_keys(&self, now: i64) -> Result<u64> {
        let past = key::Column::ExpiresAt.lte(now - DENY_MARGIN_SECONDS);
        if key::Entity::find().filter(past.clone()).limit(1).one(self.reader()).await?.is_none() {
            return Ok(0);
        }
        transaction!(self, |transaction| {
            raise_changes(transaction).await?;
            Ok(key::Entity::delete_many().filter(past.clone()).exec(transaction).await?.rows_affected)
        })
    }
}

/// Inserts a key; the database assigns its number.
pub(crate) async fn insert_key(database: &impl ConnectionTrait, new: NewKey) -> Result<(), DbErr> {
    key::Entity::insert(key::ActiveModel::from(new)).exec_without_returning(database).await?;
    Ok(())
}
