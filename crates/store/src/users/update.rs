//! Changes to a user that end sessions. Each is one transaction and raises the user's `auth_version`, which a login
//! compares when it commits, so no concurrent login slips through.

use ficha_token::Scope;
use sea_orm::sea_query::{Expr, SimpleExpr};
use sea_orm::{ColumnTrait, EntityTrait, ExprTrait, QueryFilter};
use uuid::Uuid;

use crate::database::globals::raise_changes;
use crate::database::transaction::transaction;
use crate::database::write_connection::WriteConnection;
use crate::error::Fault;
use crate::rows::user::stored_cost;
use crate::rows::{join_names, parse_scope, session, split_names, user};
use crate::sessions::end::{end_sessions, lock_sessions_of_user};
use crate::{PasswordHashText, Result, RevokeReason, Revoked, Store};

impl Store {
    /// Changes the password and ends all sessions of the user. `None`: there is no such user.
    pub async fn change_password(
        &self,
        id: Uuid,
        new: &PasswordHashText,
        cost: u32,
        now: i64,
    ) -> Result<Option<Revoked>> {
        let changed = [
            (user::Column::PasswordHash, Expr::value(new.0.as_str())),
            (user::Column::PasswordCost, Expr::value(stored_cost(cost))),
        ];
        transaction!(self, |transaction| {
            // The new cost may be the highest of all users.
            raise_changes(transaction).await?;
            self.change_and_end(transaction, id, &changed, Some(RevokeReason::PasswordChanged), now).await
        })
    }

    /// Enables or disables a user; disabling ends all sessions. `None`: there is no such user.
    pub async fn set_user_enabled(&self, id: Uuid, enabled: bool, now: i64) -> Result<Option<Revoked>> {
        let changed = [(user::Column::Enabled, Expr::value(enabled))];
        let reason = (!enabled).then_some(RevokeReason::UserDisabled);
        transaction!(self, |transaction| self.change_and_end(transaction, id, &changed, reason, now).await)
    }

    /// Ends all sessions of a user, and rejects logins that are being checked. `None`: there is no such user.
    pub async fn revoke_user(&self, id: Uuid, now: i64) -> Result<Option<Revoked>> {
        transaction!(self, |transaction| {
            self.change_and_end(transaction, id, &[], Some(RevokeReason::Admin), now).await
        })
    }

    /// Deletes a user and ends all sessions. `None`: there is no such user.
    pub async fn delete_user(&self, id: Uuid, now: i64) -> Result<Option<Revoked>> {
        transaction!(self, |transaction| {
            // A login that holds the share lock commits before this continues; one that comes later finds no user.
            if user::Entity::delete_by_id(id).exec(transaction).await?.rows_affected == 0 {
                return Ok(None);
            }
            self.end_all(transaction, id, RevokeReason::UserDisabled, now).await.map(Some)
        })
    }

    /// Sets a user's scopes and roles. Sessions with a scope or a role that the user no longer has are ended, the
    /// others get the new roles. `None`: there is no such user.
    pub async fn set_user_rights(
        &self,
        id: Uuid,
        scopes: &Scope,
        roles: &[String],
        now: i64,
    ) -> Result<Option<Revoked>> {
        let roles_text = join_names("role", roles)?;
        let changed = [
            (user::Column::Scopes, Expr::value(scopes.to_string())),
            (user::Column::Roles, Expr::value(roles_text.as_str())),
        ];
        transaction!(self, |transaction| {
            raise_changes(transaction).await?;
            if !change(transaction, id, &changed).await? {
                return Ok(None);
            }
            let sessions = lock_sessions_of_user(transaction, id, now).await?;
            let mut ended = Vec::new();
            for row in &sessions {
                let still_held = split_names(&row.roles).iter().all(|role| roles.contains(role));
                if !still_held || !parse_scope(&row.scopes)?.is_subset(scopes) {
                    ended.push((row, RevokeReason::RightsChanged));
                }
            }
            let revoked = end_sessions(self, transaction, &ended, now).await?;
            write_roles(transaction, id, &roles_text).await?;
            Ok(Some(revoked))
        })
    }

    async fn change_and_end(
        &self,
        transaction: &WriteConnection,
        id: Uuid,
        changed: &[(user::Column, SimpleExpr)],
        reason: Option<RevokeReason>,
        now: i64,
    ) -> Result<Option<Revoked>, Fault> {
        if !change(transaction, id, changed).await? {
            return Ok(None);
        }
        match reason {
            Some(reason) => self.end_all(transaction, id, reason, now).await.map(Some),
            None => Ok(Some(Revoked::default())),
        }
    }

    async fn end_all(
        &self,
        transaction: &WriteConnection,
        id: Uuid,
        reason: RevokeReason,
        now: i64,
    ) -> Result<Revoked, Fault> {
        let sessions = lock_sessions_of_user(transaction, id, now).await?;
        let ended: Vec<_> = sessions.iter().map(|row| (row, reason)).collect();
        end_sessions(self, transaction, &ended, now).await
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

/// The sessions are already locked. Those that remain have none of the removed roles.
async fn write_roles(transaction: &WriteConnection, id: Uuid, roles: &str) -> Result<(), Fault> {
    let update = session::Entity::update_many()
        .col_expr(session::Column::Roles, Expr::value(roles))
        .filter(session::Column::UserId.eq(id))
        .filter(session::Column::RevokedAt.is_null());
    update.exec(transaction).await?;
    Ok(())
}
