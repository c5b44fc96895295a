//! Changes to a user that end sessions. Each is one transaction and raises the user's `auth_version`, which a login
//! compares when it commits, so no concurrent login slips through. If the sessions are too many for one transaction, it
//! blocks the user, and the sessions end in batches.
//!
//! The version that the caller has read is compared under the row's lock ([`UserAt`]): rights that were given meanwhile are
//! not overlooked.

use ficha_token::Scope;
use sea_orm::sea_query::{Expr, SimpleExpr};
use sea_orm::{ColumnTrait, EntityTrait, ExprTrait, QueryFilter, QuerySelect};
use serde_json::json;
use uuid::Uuid;

use crate::database::globals::{self, raise_changes};
use crate::database::transaction::transaction;
use crate::database::write_connection::WriteConnection;
use crate::error::Fault;
use crate::events::actor::check;
use crate::events::described::{described, difference};
use crate::events::record;
use crate::rows::user::stored_cost;
use crate::rows::{join_names, parse_scope, user};
use crate::sessions::bulk::fits;
use crate::sessions::end::{end_sessions, lock_sessions_of_user, write_roles};
use crate::{
    Cause, EventActor, EventKind, NewEvent, PasswordHashText, Result, RevokeReason, Revoked, SessionsOf, Store,
    StoreError, UserAt, UserChange, UserRecord,
};

impl Store {
    /// Changes the password and ends all sessions of the user. `None`: there is no such user.
    pub async fn change_password(
        &self,
        user: impl Into<UserAt>,
        new: NewHash<'_>,
        now: i64,
        cause: &Cause,
    ) -> Result<Option<Revoked>> {
        let changed = [
            (user::Column::PasswordHash, Expr::value(new.text.0.as_str())),
            (user::Column::PasswordCost, Expr::value(stored_cost(new.cost))),
            (user::Column::MustChange, Expr::value(new.must_change)),
        ];
        let user = user.into();
        let id = user.id;
        transaction!(self, |transaction| {
            // The new cost may be the highest of all users.
            raise_changes(transaction).await?;
            if lock(transaction, user).await?.is_none() {
                return Ok(None);
            }
            change(transaction, id, &changed).await?;
            record(self, transaction, NewEvent::new(EventKind::UserPasswordChanged, cause).user(id)).await?;
            self.end_all(transaction, id, RevokeReason::PasswordChanged, now, cause).await.map(Some)
        })
    }

    /// Enables or disables a user; disabling ends all sessions. `None`: there is no such user.
    pub async fn set_user_enabled(
        &self,
        user: impl Into<UserAt>,
        enabled: bool,
        now: i64,
        cause: &Cause,
    ) -> Result<Option<Revoked>> {
        let user = user.into();
        let id = user.id;
        transaction!(self, |transaction| {
            globals::lock(transaction).await?;
            let Some(before) = lock(transaction, user).await? else { return Ok(None) };
            if before.enabled && enabled {
                // Nothing is recorded, so nothing else asks.
                check(transaction, cause).await?;
                return Ok(Some(Revoked::default()));
            }
            if !enabled {
                keep_an_admin(transaction, &before, cause).await?;
            }
            change(transaction, id, &[(user::Column::Enabled, Expr::value(enabled))]).await?;
            if before.enabled != enabled {
                let kind = if enabled { EventKind::UserEnabled } else { EventKind::UserDisabled };
                record(self, transaction, NewEvent::new(kind, cause).user(id)).await?;
            }
            if enabled {
                return Ok(Some(Revoked::default()));
            }
            self.end_all(transaction, id, RevokeReason::UserDisabled, now, cause).await.map(Some)
        })
    }

    /// Ends all sessions of a user, and rejects logins that are being checked. `None`: there is no such user.
    pub async fn revoke_user(&self, id: Uuid, now: i64, cause: &Cause) -> Result<Option<Revoked>> {
        transaction!(self, |transaction| {
            if !change(transaction, id, &[]).await? {
                return Ok(None);
            }
            let cause = &check(transaction, cause).await?;
            self.end_all(transaction, id, RevokeReason::Admin, now, cause).await.map(Some)
        })
    }

    /// Deletes a user and ends all sessions; if they are too many for one transaction, it only disables the user.
    /// `None`: there is no such user.
    pub async fn delete_user(&self, user: impl Into<UserAt>, now: i64, cause: &Cause) -> Result<Option<Revoked>> {
        let user = user.into();
        let id = user.id;
        transaction!(self, |transaction| {
            globals::lock(transaction).await?;
            // A login that holds the share lock commits before this continues; one that comes later finds the change.
            let Some(before) = lock(transaction, user).await? else { return Ok(None) };
            keep_an_admin(transaction, &before, cause).await?;
            let cause = &check(transaction, cause).await?;
            change(transaction, id, &[(user::Column::Enabled, Expr::value(false))]).await?;
            let revoked = self.end_all(transaction, id, RevokeReason::UserDisabled, now, cause).await?;
            let event = NewEvent::new(EventKind::UserDeleted, cause).user(id);
            if revoked.rest.is_none() {
                user::Entity::delete_by_id(id).exec(transaction).await?;
                record(self, transaction, event.detail(json!({ "before": described(&before) }))).await?;
            } else if before.enabled {
                record(self, transaction, NewEvent { kind: EventKind::UserDisabled, ..event }).await?;
            }
            Ok(Some(revoked))
        })
    }

    /// Sets a user's scopes and roles. Sessions with a scope or a role that the user no longer has are ended, the
    /// others get the new roles. `None`: there is no such user.
    pub async fn set_user_rights(
        &self,
        user: impl Into<UserAt>,
        scopes: &Scope,
        roles: &[String],
        now: i64,
        cause: &Cause,
    ) -> Result<Option<Revoked>> {
        let roles_text = join_names("role", roles)?;
        let changed = [
            (user::Column::Scopes, Expr::value(scopes.to_string())),
            (user::Column::Roles, Expr::value(roles_text.as_str())),
        ];
        let user = user.into();
        let id = user.id;
        transaction!(self, |transaction| {
            raise_changes(transaction).await?;
            let Some(before) = lock(transaction, user).await? else { return Ok(None) };
            if !scopes.contains(ADMIN_SCOPE) {
                keep_an_admin(transaction, &before, cause).await?;
            }
            change(transaction, id, &changed).await?;
            let after = user::Model { scopes: scopes.to_string(), roles: roles_text.clone(), ..before.clone() };
            if let Some(detail) = difference(&described(&before), &described(&after)) {
                record(self, transaction, NewEvent::new(EventKind::UserChanged, cause).user(id).detail(detail)).await?;
            }
            self.end_beyond_rights(transaction, id, now, cause).await.map(Some)
        })
    }

    /// Sets or clears a user's e-mail address. False if there is no such user.
    pub async fn set_user_email(&self, user: impl Into<UserAt>, email: Option<&str>, cause: &Cause) -> Result<bool> {
        let user = user.into();
        let id = user.id;
        transaction!(self, |transaction| {
            let Some(before) = lock(transaction, user).await? else { return Ok(false) };
            let after = user::Model { email: email.map(str::to_owned), ..before.clone() };
            let Some(detail) = difference(&described(&before), &described(&after)) else { return Ok(true) };
            let update = user::Entity::update_many()
                .col_expr(user::Column::Email, Expr::value(after.email))
                .filter(user::Column::Id.eq(id));
            update.exec(transaction).await?;
            record(self, transaction, NewEvent::new(EventKind::UserChanged, cause).user(id).detail(detail)).await?;
            Ok(true)
        })
    }

    /// Changes a user who still is as `seen`, all at once. Sessions with a scope or a role that the user no longer has are
    /// ended, the others get the new roles; disabling ends all. `None`: there is no such user.
    pub async fn change_user(
        &self,
        seen: &UserRecord,
        wanted: &UserChange,
        now: i64,
        cause: &Cause,
    ) -> Result<Option<Revoked>> {
        let id = seen.id;
        transaction!(self, |transaction| {
            raise_changes(transaction).await?;
            let Some(before) = lock(transaction, UserAt::from(seen)).await? else { return Ok(None) };
            if before.email != seen.email {
                // The version does not count it.
                return Err(Fault::Store(changed_meanwhile(&before)));
            }
            let after = changed(before.clone(), wanted)?;
            let Some(detail) = difference(&described(&before), &described(&after)) else {
                return Ok(Some(Revoked::default()));
            };
            if !after.enabled || !parse_scope(&after.scopes)?.contains(ADMIN_SCOPE) {
                keep_an_admin(transaction, &before, cause).await?;
            }
            let columns = [
                (user::Column::Email, Expr::value(after.email.clone())),
                (user::Column::Scopes, Expr::value(after.scopes.as_str())),
                (user::Column::Roles, Expr::value(after.roles.as_str())),
                (user::Column::Enabled, Expr::value(after.enabled)),
                (user::Column::MustChange, Expr::value(after.must_change)),
            ];
            change(transaction, id, &columns).await?;
            let kind = match (before.enabled, after.enabled) {
                (true, false) => EventKind::UserDisabled,
                (false, true) => EventKind::UserEnabled,
                _ => EventKind::UserChanged,
            };
            record(self, transaction, NewEvent::new(kind, cause).user(id).detail(detail)).await?;
            if !after.enabled {
                return self.end_all(transaction, id, RevokeReason::UserDisabled, now, cause).await.map(Some);
            }
            if (&before.scopes, &before.roles) == (&after.scopes, &after.roles) {
                return Ok(Some(Revoked::default()));
            }
            self.end_beyond_rights(transaction, id, now, cause).await.map(Some)
        })
    }

    /// Ends the sessions that were granted more than the user has now, and gives the others the user's roles.
    async fn end_beyond_rights(
        &self,
        transaction: &WriteConnection,
        id: Uuid,
        now: i64,
        cause: &Cause,
    ) -> Result<Revoked, Fault> {
        let reason = RevokeReason::RightsChanged;
        let Some(sessions) = lock_sessions_of_user(transaction, id, now).await? else {
            return self.end_in_batches(transaction, id, reason, now, cause).await;
        };
        let Some(user) = user::Entity::find_by_id(id).one(transaction).await? else {
            return Ok(Revoked::default());
        };
        let (mut ended, mut kept) = (Vec::new(), Vec::new());
        for session in &sessions {
            if fits(session, &user)? {
                kept.push(session.id);
            } else {
                ended.push(session);
            }
        }
        let event = NewEvent::new(EventKind::SessionsRevoked, cause).user(id);
        let revoked = end_sessions(self, transaction, &ended, reason, event, now).await?;
        write_roles(transaction, &kept, &user.roles).await?;
        Ok(revoked)
    }

    async fn end_all(
        &self,
        transaction: &WriteConnection,
        id: Uuid,
        reason: RevokeReason,
        now: i64,
        cause: &Cause,
    ) -> Result<Revoked, Fault> {
        let Some(sessions) = lock_sessions_of_user(transaction, id, now).await? else {
            return self.end_in_batches(transaction, id, reason, now, cause).await;
        };
        let event = NewEvent::new(EventKind::SessionsRevoked, cause).user(id);
        end_sessions(self, transaction, &sessions.iter().collect::<Vec<_>>(), reason, event, now).await
    }

    /// Blocks a user, whose row is locked, until all sessions have ended in other transactions.
    async fn end_in_batches(
        &self,
        transaction: &WriteConnection,
        id: Uuid,
        reason: RevokeReason,
        now: i64,
        cause: &Cause,
    ) -> Result<Revoked, Fault> {
        let update = user::Entity::update_many().col_expr(user::Column::Revoking, Expr::value(true));
        update.filter(user::Column::Id.eq(id)).exec(transaction).await?;
        let rest = self.begin_bulk(transaction, &SessionsOf::User(id), reason, now, cause).await?;
        Ok(Revoked { rest: Some(rest), ..Revoked::default() })
    }
}

/// A hash to be stored.
#[derive(Debug, Clone, Copy)]
pub struct NewHash<'a> {
    /// Its text.
    pub text: &'a PasswordHashText,
    /// Its cost.
    pub cost: u32,
    /// True if the user has to change the password before anything is issued.
    pub must_change: bool,
}

/// The scope that contains all of the server's own.
const ADMIN_SCOPE: &str = "ficha:admin";

/// A conflict if this is the last enabled user who may administer everything, and is about to lose that. Whoever has the
/// server's own machine may do it. The row of `globals` is locked, so that two don't do it to each other.
async fn keep_an_admin(transaction: &WriteConnection, user: &user::Model, cause: &Cause) -> Result<(), Fault> {
    let is_local = matches!(cause.actor, EventActor::Cli { .. } | EventActor::Server { .. });
    if is_local || !user.enabled || !parse_scope(&user.scopes)?.contains(ADMIN_SCOPE) {
        return Ok(());
    }
    let others: Vec<String> = user::Entity::find()
        .select_only()
        .column(user::Column::Scopes)
        .filter(user::Column::Id.ne(user.id))
        .filter(user::Column::Enabled.eq(true))
        .filter(user::Column::Scopes.contains(ADMIN_SCOPE))
        .into_tuple()
        .all(transaction)
        .await?;
    for scopes in others {
        if parse_scope(&scopes)?.contains(ADMIN_SCOPE) {
            return Ok(());
        }
    }
    let what =
        format!("the user {:?} is the last one with the scope {ADMIN_SCOPE}; give it to another first", user.name);
    Err(Fault::Store(StoreError::LastAdministrator(what)))
}

fn changed(before: user::Model, wanted: &UserChange) -> Result<user::Model, StoreError> {
    let UserChange { email, scopes, roles, enabled, must_change } = wanted;
    Ok(user::Model {
        email: email.clone().unwrap_or(before.email),
        scopes: scopes.as_ref().map_or(before.scopes, ToString::to_string),
        roles: roles.as_ref().map(|roles| join_names("role", roles)).transpose()?.unwrap_or(before.roles),
        enabled: enabled.unwrap_or(before.enabled),
        must_change: must_change.unwrap_or(before.must_change),
        ..before
    })
}

fn changed_meanwhile(user: &user::Model) -> StoreError {
    StoreError::Conflict(format!("the user {:?} was changed meanwhile; look at it and try again", user.name))
}

/// Locks a user until the commit. A conflict if it is not at the version that the caller has read.
pub(super) async fn lock(transaction: &WriteConnection, user: UserAt) -> Result<Option<user::Model>, Fault> {
    let row = user::Entity::find_by_id(user.id).lock_exclusive().one(transaction).await?;
    match (&row, user.version) {
        (Some(row), Some(version)) if row.auth_version != version => Err(Fault::Store(changed_meanwhile(row))),
        _ => Ok(row),
    }
}

/// Writes columns and raises the version. Locks the row until the commit, so a concurrent login waits and then sees it.
async fn change(
    transaction: &WriteConnection,
    id: Uuid,
    changed: &[(user::Column, SimpleExpr)],
) -> Result<bool, Fault> {
    let mut update = user::Entity::update_many()
        .col_expr(user::Column::AuthVersion, Expr::col(user::Column::AuthVersion).add(1))
        .filter(user::Column::Id.eq(id));
    for (column, value) in changed {
        update = update.col_expr(*column, value.clone());
    }
    Ok(update.exec(transaction).await?.rows_affected == 1)
}
