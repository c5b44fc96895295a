//! Revoking everything at once.

use ficha_token::{DENY_MARGIN_SECONDS, DenyEntry, DenyId};
use sea_orm::sea_query::{Expr, Func};
use sea_orm::{ColumnTrait, DbErr, EntityTrait, ExprTrait, QueryFilter};
use serde_json::json;

use crate::database::globals::{ONLY, lock, raise_changes};
use crate::database::transaction::transaction;
use crate::database::write_connection::WriteConnection;
use crate::denylist::deny;
use crate::events::record;
use crate::keys::insert_key;
use crate::rows::{globals, key};
use crate::{Cause, EventKind, KeyPurpose, NewEvent, NewKey, Result, Revoked, Store};

/// The keys that replace all others.
#[derive(Clone)]
pub struct NewKeys {
    /// Signs access tokens.
    pub sign: NewKey,
    /// Derives refresh tokens.
    pub refresh: NewKey,
    /// The time.
    pub now: i64,
    /// Until when the old signing keys are denied.
    pub until: i64,
}

impl Store {
    /// Ends every session and revokes every token that was ever issued, in one transaction, however many there are:
    /// puts the signing keys on the denylist until `until`, replaces them and the refresh keys, and raises the global
    /// epoch.
    ///
    /// `sessions` in the result is 0: they are not counted.
    pub async fn purge(&self, new: NewKeys, cause: &Cause) -> Result<Revoked> {
        Ok(self.purge_if(None, new, cause).await?.unwrap_or_default())
    }

    /// The same, but only if one of these signing keys has not been purged; `None` if all of them have. Servers that
    /// find out at the same time that a purge was lost repeat it once.
    pub async fn purge_again(&self, kids: &[String], new: NewKeys, cause: &Cause) -> Result<Option<Revoked>> {
        self.purge_if(Some(kids), new, cause).await
    }

    async fn purge_if(&self, only: Option<&[String]>, new: NewKeys, cause: &Cause) -> Result<Option<Revoked>> {
        let NewKeys { sign, refresh, now, until } = new;
        transaction!(self, |transaction| {
            // Waits for the logins that hold a share lock on this row; later ones get the new epoch. Another purge waits
            // for this lock, and then finds the keys purged.
            lock(transaction).await?;
            let kids = unpurged_signing_keys(transaction, now).await?;
            if only.is_some_and(|only| !kids.iter().any(|kid| only.contains(kid))) {
                return Ok(None);
            }
            // First: it ends the session of who purges as well.
            let detail = json!({ "purged": kids, "kid": sign.kid, "again": only.is_some() });
            record(self, transaction, NewEvent::new(EventKind::KeyPurged, cause).detail(detail)).await?;
            raise_epoch(transaction).await?;
            mark_purged(transaction, now, until).await?;
            insert_key(transaction, sign.clone()).await?;
            insert_key(transaction, refresh.clone()).await?;
            let entries: Vec<_> = kids.iter().map(|kid| DenyEntry::new(DenyId::of_key(kid), until)).collect();
            deny(self, transaction, &entries).await?;
            Ok(Some(Revoked { sessions: 0, entries, rest: None }))
        })
    }
}

async fn raise_epoch(transaction: &WriteConnection) -> Result<(), DbErr> {
    let update = globals::Entity::update_many()
        .col_expr(globals::Column::Epoch, Expr::col(globals::Column::Epoch).add(1))
        .filter(globals::Column::Id.eq(ONLY));
    update.exec(transaction).await?;
    raise_changes(transaction).await
}

/// The signing keys whose tokens may still be valid.
async fn unpurged_signing_keys(transaction: &WriteConnection, now: i64) -> Result<Vec<String>, DbErr> {
    let may_live =
        key::Column::ExpiresAt.is_null().or(key::Column::ExpiresAt.gt(now.saturating_sub(DENY_MARGIN_SECONDS)));
    let query = key::Entity::find()
        .filter(key::Column::Purpose.eq(KeyPurpose::Sign.as_str()))
        .filter(key::Column::PurgedAt.is_null())
        .filter(may_live);
    Ok(query.all(transaction).await?.into_iter().map(|row| row.kid).collect())
}

/// For both purposes: a refresh token under an old key is then rejected before any query.
async fn mark_purged(transaction: &WriteConnection, now: i64, until: i64) -> Result<(), DbErr> {
    let expires_at = Func::coalesce([Expr::col(key::Column::ExpiresAt), Expr::value(until)]);
    let update = key::Entity::update_many()
        .col_expr(key::Column::PurgedAt, Expr::value(now))
        .col_expr(key::Column::ExpiresAt, expires_at.into())
        .filter(key::Column::PurgedAt.is_null());
    update.exec(transaction).await?;
    Ok(())
}
