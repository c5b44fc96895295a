//! Users.

use ficha_password::policy::PasswordPolicy;
use ficha_password::{Password, StoredHash};
use ficha_store::{PasswordHashText, UserRecord};
use ficha_token::{Scope, ordered_uuid};
use uuid::Uuid;

use super::{Admin, AdminError};
use crate::authn::password::MAX_NAME_BYTES;
use crate::authn::throttle::Attempt;
use crate::events::Event;

/// A password, or the hash of one that another system made.
#[derive(Debug, Clone)]
pub enum NewPassword {
    /// As typed. The password policy applies to it.
    Plain(Password),
    /// As another system stored it; it is rehashed at the user's next login.
    Imported(StoredHash),
}

/// A user to be created.
#[derive(Debug, Clone)]
pub struct NewUser {
    /// The name that is typed at login.
    pub name: String,
    /// The email address, if known.
    pub email: Option<String>,
    /// How the user logs in.
    pub password: NewPassword,
    /// What the user may be granted.
    pub scopes: Scope,
    /// Written into the user's tokens.
    pub roles: Vec<String>,
}

impl Admin {
    /// Creates a user.
    pub async fn add_user(&self, actor: &str, new: NewUser) -> Result<UserRecord, AdminError> {
        check_name(&new.name)?;
        check_roles(&new.roles)?;
        let hash = self.hash(&new.name, new.password).await?;
        let user = UserRecord {
            id: ordered_uuid(&*self.base.clock, &*self.base.entropy),
            name: new.name,
            email: new.email,
            password_hash: PasswordHashText(hash.to_string()),
            scopes: new.scopes,
            roles: new.roles,
            enabled: true,
            auth_version: 0,
            created_at: self.now(),
        };
        self.declare(&user.scopes).await?;
        if !self.base.store.add_user(user.clone(), hash.cost().unwrap_or(0)).await? {
            return Err(AdminError::Taken { kind: "user", name: user.name });
        }
        self.audit(Event::by(actor, "user.added").user(user.id)).await?;
        Ok(user)
    }

    /// The user with that name.
    pub async fn user(&self, name: &str) -> Result<UserRecord, AdminError> {
        let missing = || AdminError::NoSuch { kind: "user", name: name.to_owned() };
        self.base.store.user_by_name(name).await?.ok_or_else(missing)
    }

    /// The user with that id, if there is one.
    pub async fn user_by_id(&self, id: Uuid) -> Result<Option<UserRecord>, AdminError> {
        Ok(self.base.store.user_by_id(id).await?)
    }

    /// The names of the users with these ids, as far as there are any.
    pub async fn user_names(&self, ids: &[Uuid]) -> Result<Vec<(Uuid, String)>, AdminError> {
        Ok(self.base.store.user_names(ids).await?)
    }

    /// A page of users, in the order in which they were created.
    pub async fn users(&self, after: Option<Uuid>, limit: u64) -> Result<Vec<UserRecord>, AdminError> {
        Ok(self.base.store.list_users(after, limit).await?)
    }

    /// Sets a password, and logs the user out everywhere.
    pub async fn set_password(&self, actor: &str, name: &str, password: NewPassword) -> Result<u64, AdminError> {
        let user = self.user(name).await?;
        let hash = self.hash(name, password).await?;
        let text = PasswordHashText(hash.to_string());
        let revoked =
            self.base.store.change_password(user.id, &text, hash.cost().unwrap_or(0), self.ending_now()).await?;
        let sessions = self.ended(actor, "user.password_changed", user.id, name, revoked, 0).await?;
        self.clear_failures(name).await?;
        Ok(sessions)
    }

    /// Enables a user, or disables them and logs them out everywhere.
    pub async fn set_user_enabled(&self, actor: &str, name: &str, enabled: bool) -> Result<u64, AdminError> {
        let user = self.user(name).await?;
        let revoked = self.base.store.set_user_enabled(user.id, enabled, self.ending_now()).await?;
        let event = if enabled { "user.enabled" } else { "user.disabled" };
        let sessions = self.ended(actor, event, user.id, name, revoked, 0).await?;
        if enabled {
            self.clear_failures(name).await?;
        }
        Ok(sessions)
    }

    /// Sets what a user may be granted. Sessions that have more than that end.
    pub async fn set_user_rights(
        &self,
        actor: &str,
        name: &str,
        scopes: &Scope,
        roles: &[String],
    ) -> Result<u64, AdminError> {
        check_roles(roles)?;
        let user = self.user(name).await?;
        self.declare(scopes).await?;
        let revoked = self.base.store.set_user_rights(user.id, scopes, roles, self.ending_now()).await?;
        self.ended(actor, "user.rights_changed", user.id, name, revoked, 0).await
    }

    /// Sets or removes a user's email address.
    pub async fn set_user_email(&self, actor: &str, name: &str, email: Option<&str>) -> Result<(), AdminError> {
        let user = self.user(name).await?;
        self.base.store.set_user_email(user.id, email).await?;
        self.audit(Event::by(actor, "user.email_changed").user(user.id)).await
    }

    /// Deletes a user and ends their sessions.
    pub async fn delete_user(&self, actor: &str, name: &str) -> Result<u64, AdminError> {
        let user = self.user(name).await?;
        let mut before = 0;
        loop {
            let revoked = self.base.store.delete_user(user.id, self.ending_now()).await?;
            match revoked {
                // They were too many for one transaction: the user is only disabled so far.
                Some(revoked) if revoked.rest.is_some() => {
                    before += self.audit_and_finish(Event::by(actor, "user.disabled").user(user.id), revoked).await?;
                }
                revoked => return self.ended(actor, "user.deleted", user.id, name, revoked, before).await,
            }
        }
    }

    /// Logs a user out everywhere.
    pub async fn revoke_user(&self, actor: &str, name: &str) -> Result<u64, AdminError> {
        let user = self.user(name).await?;
        let revoked = self.base.store.revoke_user(user.id, self.ending_now()).await?;
        self.ended(actor, "user.sessions_revoked", user.id, name, revoked, 0).await
    }

    /// Clears the failed logins of a user. Returns how many sources they came from.
    pub async fn unlock_user(&self, actor: &str, name: &str) -> Result<u64, AdminError> {
        let user = self.user(name).await?;
        let sources = self.clear_failures(name).await?;
        self.audit(Event::by(actor, "user.unlocked").user(user.id)).await?;
        Ok(sources)
    }

    async fn clear_failures(&self, name: &str) -> Result<u64, AdminError> {
        // Before the first start there is no key, and there are no failed logins.
        let Some(master) = self.base.master_key.load()? else { return Ok(0) };
        let account = Attempt::new(&master, name, None, None).account;
        Ok(self.base.store.clear_login_failures(account).await?)
    }

    async fn ended(
        &self,
        actor: &str,
        event: &'static str,
        id: Uuid,
        name: &str,
        revoked: Option<ficha_store::Revoked>,
        before: u64,
    ) -> Result<u64, AdminError> {
        let revoked = revoked.ok_or_else(|| AdminError::NoSuch { kind: "user", name: name.to_owned() })?;
        Ok(before + self.audit_and_finish(Event::by(actor, event).user(id), revoked).await?)
    }

    async fn hash(&self, name: &str, password: NewPassword) -> Result<StoredHash, AdminError> {
        let password = match password {
            NewPassword::Plain(password) => password,
            NewPassword::Imported(hash) => return self.importable(hash),
        };
        let settings = &self.base.settings.password;
        PasswordPolicy { min_length: settings.min_length }.check(&password, name)?;
        self.hashing.hash(0, password, settings.bcrypt_cost).await.map_err(|_| AdminError::Busy)
    }

    fn importable(&self, hash: StoredHash) -> Result<StoredHash, AdminError> {
        let most = self.base.settings.password.max_stored_cost;
        if hash.cost().is_some_and(|cost| cost > most) {
            return Err(AdminError::Invalid(format!(
                "the hash's cost is above password.max_stored_cost ({most}): raise that first, or no login can succeed"
            )));
        }
        Ok(hash)
    }
}

fn check_name(name: &str) -> Result<(), AdminError> {
    let invalid = |why: &str| Err(AdminError::Invalid(format!("a user name {why}")));
    if name.is_empty() || name.len() > MAX_NAME_BYTES {
        return invalid("must be 1 to 256 bytes long");
    }
    if name.chars().any(char::is_control) || name.trim() != name {
        return invalid("must not contain control characters, or a space at either end");
    }
    Ok(())
}

/// Roles follow the same rules as scope names.
fn check_roles(roles: &[String]) -> Result<(), AdminError> {
    let fits = |role: &String| !role.contains(' ') && !role.is_empty() && role.parse::<Scope>().is_ok();
    match roles.iter().find(|role| !fits(role)) {
        Some(role) => Err(AdminError::Invalid(format!("the role {role:?} must be printable ASCII without spaces"))),
        None => Ok(()),
    }
}
