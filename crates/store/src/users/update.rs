//! Changes to a user that end sessions. Each is one transaction and raises the user's `auth_version`, which a login
//! compares when it commits, so no concurrent login slips through. If the sessions are too many for one transaction, it
//! blocks the user, and the sessions end in batches.

use ficha_token::Scope;
use sea_orm::sea_query::{Expr, SimpleExpr};
use sea_orm::{ColumnTrait, EntityTrait, ExprTrait, QueryFilter};
use uuid::Uuid;

use crate::database::globals::raise_changes;
use crate::database::transaction::transaction;
use crate::database::write_connection::WriteConnection;
use crate::error::Fault;
use crate::rows::user::stored_cost;
use crate::rows::{join_names, user};
use crate::sessions::bulk::fits;
use crate::sessions::end::{end_sessions, lock_sessions_of_user, write_roles};
use crate::{PasswordHashText, Result, RevokeReason, Revoked, SessionsOf, Store};

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

    /// Deletes a user and ends all sessions; if they are too many for one transaction, it only disables the user.
    /// `None`: there is no such user.
    pub async fn delete_user(&self, id: Uuid, now: i64) -> Result<Option<Revoked>> {
        transaction!(self, |transaction| {
            // A login that holds the share lock commits before this continues; one that comes later finds the change.
            let disabled = [(user::Column::Enabled, Expr::value(false))];
            let reason = Some(RevokeReason::UserDisabled);
            let revoked = self.change_and_end(transaction, id, &disabled, reason, now).await?;
            if revoked.as_ref().is_some_and(|revoked| revoked.rest.is_none()) {
                user::Entity::delete_by_id(id).exec(transaction).await?;
            }
            Ok(revoked)
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
            self.end_beyond_rights(transaction, id, now).await.map(Some)
        })
    }

    /// Ends the sessions that were granted more than the user has now, and gives the others the user's roles.
    async fn end_beyond_rights(&self, transaction: &WriteConnection, id: Uuid, now: i64) -> Result<Revoked, Fault> {
        let reason = RevokeReason::RightsChanged;
        let Some(sessions) = lock_sessions_of_user(transaction, id, now).await? else {
            return self.end_in_batches(transaction, id, reason, now).await;
        };
        let Some(user) = user::Entity::find_by_id(id).one(transaction).await? else {
            return Ok(Revoked::default());
        };
        let (mut ended, mut kept) = (Vec::new(), Vec::new());
        for session in &sessions {
            if fits(session, &user)? {
                kept.push(session.id);
            } else {
                ended.push((session, reason));
            }
        }
        let revoked = end_sessions(self, transaction, &ended, now).await?;
        write_roles(transaction, &kept, &user.roles).await?;
        Ok(revoked)
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
        let Some(sessions) = lock_sessions_of_user(transaction, id, now).await? else {
            return self.end_in_batches(transaction, id, reason, now).await;
        };
        let ended: Vec<_> = sessions.iter().map(|row| (row, reason)).collect();
        end_sessions(self, transaction, &ended, now).await
    }

    /// Blocks a user, whose row is locked, until all sessions have ended in other transactions.
    async fn end_in_batches(
        &self,
        transaction: &WriteConnection,
        id: Uuid,
        reason: RevokeReason,
        now: i64,
    ) -> Result<Revoked, Fault> {
        let update = user::Entity::update_many().col_expr(user::Column::Revoking, Expr::value(true));
        update.filter(user::Column::Id.eq(id)).exec(transaction).await?;
        let rest = self.begin_bulk(transaction, &SessionsOf::User(id), reason, now).await?;
        Ok(Revoked { rest: Some(rest), ..Revoked::default() })
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
