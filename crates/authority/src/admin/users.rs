//! Users.

use ficha_password::policy::PasswordPolicy;
use ficha_password::{Password, StoredHash};
use ficha_store::{NewHash, PasswordHashText, UserChange, UserRecord};
use ficha_token::Scope;
use uuid::Uuid;

use super::powers::{Access, Area};
use super::{Actor, Admin, AdminError};
use crate::authn::throttle::Attempt;
use crate::settings::ACCOUNT_SCOPE;
use crate::user_name::{find_user, new_name};

/// The longest e-mail address, in bytes (RFC 5321 §4.5.3.1.3).
const MOST_EMAIL: usize = 254;

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
    /// True if the password must be changed before anything is issued.
    pub must_change: bool,
}

impl Admin {
    /// Creates a user.
    pub async fn add_user(&self, actor: &Actor, new: NewUser) -> Result<UserRecord, AdminError> {
        self.add_user_as(actor, self.new_id(), new).await
    }

    /// The same with this id, which is new.
    pub async fn add_user_as(&self, actor: &Actor, id: Uuid, new: NewUser) -> Result<UserRecord, AdminError> {
        actor.require(Access::Write, Area::Users)?;
        actor.require_scopes_of(&new.scopes)?;
        let name = check_name(&new.name)?;
        check_email(new.email.as_deref())?;
        check_roles(&new.roles)?;
        let hash = self.hash(&name, new.password).await?;
        let user = UserRecord {
            id,
            name,
            email: new.email,
            password_hash: PasswordHashText(hash.to_string()),
            scopes: with_account(&new.scopes),
            roles: new.roles,
            enabled: true,
            auth_version: 0,
            created_at: self.now(),
            must_change: new.must_change,
        };
        self.declare(actor, &user.scopes).await?;
        let cause = self.cause(actor);
        if !self.base.store.add_user(user.clone(), hash.cost().unwrap_or(0), &cause).await? {
            return Err(AdminError::Taken { kind: "user", name: user.name });
        }
        Ok(user)
    }

    /// The user with that name.
    pub async fn user(&self, actor: &Actor, name: &str) -> Result<UserRecord, AdminError> {
        actor.require(Access::Read, Area::Users)?;
        self.user_in_list(name).await
    }

    /// A user whom a list is about: any spelling of the name will do, or the id.
    pub(super) async fn user_in_list(&self, name: &str) -> Result<UserRecord, AdminError> {
        match name.parse::<Uuid>() {
            Ok(_) => self.find_user(name).await,
            Err(_) => find_user(&self.base.store, name).await?.ok_or_else(|| no_user(name)),
        }
    }

    /// The user with that id.
    pub async fn user_by_id(&self, actor: &Actor, id: Uuid) -> Result<UserRecord, AdminError> {
        actor.require(Access::Read, Area::Users)?;
        let missing = || AdminError::NoSuch { kind: "user", name: id.to_string() };
        self.base.store.user_by_id(id).await?.ok_or_else(missing)
    }

    /// The id of a user who is named by id or name. Somebody who is not there has the id of nobody.
    pub async fn user_id(&self, actor: &Actor, who: &str) -> Result<Uuid, AdminError> {
        actor.require(Access::Name, Area::Users)?;
        match who.parse() {
            Ok(id) => Ok(id),
            Err(_) => match self.find_user(who).await {
                Ok(user) => Ok(user.id),
                Err(AdminError::NoSuch { .. }) => Ok(Uuid::default()),
                Err(other) => Err(other),
            },
        }
    }

    /// By the exact name, or by id: no name looks like an id. Another spelling might be somebody else's name, who has been
    /// deleted a moment ago, and the wrong user would be changed.
    pub(super) async fn find_user(&self, who: &str) -> Result<UserRecord, AdminError> {
        if let Ok(id) = who.parse::<Uuid>()
            && let Some(user) = self.base.store.user_by_id(id).await?
        {
            return Ok(user);
        }
        match find_user(&self.base.store, who).await? {
            Some(user) if user.name == who => Ok(user),
            Some(other) => Err(AdminError::OtherSpelling(other.id)),
            None => Err(no_user(who)),
        }
    }

    /// The user with that name, if the actor may change it. The change has to be made to the user as it was read here: the
    /// store compares the version.
    pub async fn changeable_user(&self, actor: &Actor, name: &str) -> Result<UserRecord, AdminError> {
        actor.require(Access::Write, Area::Users)?;
        let user = self.find_user(name).await?;
        actor.require_scopes_of(&user.scopes)?;
        Ok(user)
    }

    /// The names of the users with these ids, as far as there are any.
    pub async fn user_names(&self, actor: &Actor, ids: &[Uuid]) -> Result<Vec<(Uuid, String)>, AdminError> {
        actor.require(Access::Name, Area::Users)?;
        Ok(self.base.store.user_names(ids).await?)
    }

    /// A page of users, in the order in which they were created.
    pub async fn users(&self, actor: &Actor, after: Option<Uuid>, limit: u64) -> Result<Vec<UserRecord>, AdminError> {
        actor.require(Access::Read, Area::Users)?;
        Ok(self.base.store.list_users(after, limit).await?)
    }

    /// Sets a password, and logs the user out everywhere.
    pub async fn set_password(&self, actor: &Actor, name: &str, password: NewPassword) -> Result<u64, AdminError> {
        self.replace_password(actor, name, password, false).await
    }

    /// The same. With `must_change` it is for one use: nothing is issued for it until the user has changed it.
    pub async fn replace_password(
        &self,
        actor: &Actor,
        name: &str,
        password: NewPassword,
        must_change: bool,
    ) -> Result<u64, AdminError> {
        let user = self.changeable_user(actor, name).await?;
        let hash = self.hash(&user.name, password).await?;
        let text = PasswordHashText(hash.to_string());
        let new = NewHash { text: &text, cost: hash.cost().unwrap_or(0), must_change };
        let (now, cause) = (self.ending_now(), self.cause(actor));
        let revoked = self.base.store.change_password(&user, new, now, &cause).await?;
        let sessions = self.finish(revoked.ok_or_else(|| no_user(name))?).await?;
        self.clear_failures(&user.name).await?;
        Ok(sessions)
    }

    /// Enables a user, or disables them and logs them out everywhere.
    pub async fn set_user_enabled(&self, actor: &Actor, name: &str, enabled: bool) -> Result<u64, AdminError> {
        let user = self.changeable_user(actor, name).await?;
        let (now, cause) = (self.ending_now(), self.cause(actor));
        let revoked = self.base.store.set_user_enabled(&user, enabled, now, &cause).await?;
        let sessions = self.finish(revoked.ok_or_else(|| no_user(name))?).await?;
        match (enabled, user.enabled) {
            (true, false) => self.clear_failures(&user.name).await?,
            // Nothing else has changed, so this is what is recorded.
            (true, true) => drop(self.unlock_user(actor, &user.id.to_string()).await?),
            (false, _) => {}
        }
        Ok(sessions)
    }

    /// Sets what a user may be granted. Sessions that have more than that end.
    pub async fn set_user_rights(
        &self,
        actor: &Actor,
        name: &str,
        scopes: &Scope,
        roles: &[String],
    ) -> Result<u64, AdminError> {
        let user = self.changeable_user(actor, name).await?;
        actor.require_scopes_of(scopes)?;
        check_roles(roles)?;
        self.declare(actor, scopes).await?;
        let (now, cause) = (self.ending_now(), self.cause(actor));
        let revoked = self.base.store.set_user_rights(&user, scopes, roles, now, &cause).await?;
        self.finish(revoked.ok_or_else(|| no_user(name))?).await
    }

    /// Changes a user who still is as `seen`, all at once. Returns how many sessions that has ended.
    pub async fn change_user(&self, actor: &Actor, seen: &UserRecord, wanted: &UserChange) -> Result<u64, AdminError> {
        actor.require(Access::Write, Area::Users)?;
        actor.require_scopes_of(&seen.scopes)?;
        check_roles(wanted.roles.as_deref().unwrap_or_default())?;
        check_email(wanted.email.as_ref().and_then(Option::as_deref))?;
        if let Some(scopes) = &wanted.scopes {
            actor.require_scopes_of(scopes)?;
            self.declare(actor, scopes).await?;
        }
        let revoked = self.base.store.change_user(seen, wanted, self.ending_now(), &self.cause(actor)).await?;
        let sessions = self.finish(revoked.ok_or_else(|| no_user(&seen.name))?).await?;
        if wanted.enabled == Some(true) && !seen.enabled {
            self.clear_failures(&seen.name).await?;
        }
        Ok(sessions)
    }

    /// Sets or removes a user's email address.
    pub async fn set_user_email(&self, actor: &Actor, name: &str, email: Option<&str>) -> Result<(), AdminError> {
        let user = self.changeable_user(actor, name).await?;
        let is_there = self.base.store.set_user_email(&user, email, &self.cause(actor)).await?;
        if is_there { Ok(()) } else { Err(no_user(name)) }
    }

    /// Deletes a user and ends their sessions.
    pub async fn delete_user(&self, actor: &Actor, name: &str) -> Result<u64, AdminError> {
        let (mut sessions, mut cause) = (0, self.cause(actor));
        let first = self.changeable_user(actor, name).await?;
        loop {
            let user = self.changeable_user(actor, name).await?;
            if user.id != first.id {
                // They are gone, and somebody else has got their name.
                return Ok(sessions);
            }
            let revoked = self.base.store.delete_user(&user, self.ending_now(), &cause).await?;
            // It may have been their own session; what has begun is completed.
            cause.session = None;
            let revoked = revoked.ok_or_else(|| no_user(name))?;
            // If they were too many for one transaction, the user is only disabled so far.
            let is_deleted = revoked.rest.is_none();
            sessions += self.finish(revoked).await?;
            if is_deleted {
                return Ok(sessions);
            }
        }
    }

    /// Logs a user out everywhere. Who may end sessions, or change this user, may do it.
    pub async fn revoke_user(&self, actor: &Actor, name: &str) -> Result<u64, AdminError> {
        // Before it is looked for: who may do neither is not told who there is.
        actor.require_ending_sessions().or_else(|refused| actor.require_changing_users().map_err(|_| refused))?;
        let user = self.find_user(name).await?;
        actor.require_ending_sessions_of(&user)?;
        let revoked = self.base.store.revoke_user(user.id, self.ending_now(), &self.cause(actor)).await?;
        self.finish(revoked.ok_or_else(|| no_user(name))?).await
    }

    /// Clears the failed logins of a user. Returns how many sources they came from.
    pub async fn unlock_user(&self, actor: &Actor, name: &str) -> Result<u64, AdminError> {
        let user = self.changeable_user(actor, name).await?;
        let Some(account) = self.account(&user.name)? else { return Ok(0) };
        Ok(self.base.store.unlock_user(account, &user, &self.cause(actor)).await?)
    }

    pub(super) async fn clear_failures(&self, name: &str) -> Result<(), AdminError> {
        if let Some(account) = self.account(name)? {
            self.base.store.clear_login_failures(account).await?;
        }
        Ok(())
    }

    /// The pseudonym under which failed logins are counted. Before the first start there is no key for it, and there are
    /// no failed logins.
    pub(super) fn account(&self, name: &str) -> Result<Option<[u8; 16]>, AdminError> {
        let master = self.base.master_key.load()?;
        Ok(master.map(|master| Attempt::new(&master, name, None, None).account))
    }

    pub(crate) async fn hash(&self, name: &str, password: NewPassword) -> Result<StoredHash, AdminError> {
        let password = match password {
            NewPassword::Plain(password) => password,
            NewPassword::Imported(hash) => return self.importable(hash),
        };
        self.check_new_password(name, &password)?;
        let cost = self.base.settings.password.bcrypt_cost;
        self.hashing.hash(0, password, cost).await.map_err(|_| AdminError::Busy)
    }

    pub(crate) fn check_new_password(&self, name: &str, password: &Password) -> Result<(), AdminError> {
        let min_length = self.base.settings.password.min_length;
        Ok(PasswordPolicy { min_length }.check(password, name)?)
    }

    pub(super) fn importable(&self, hash: StoredHash) -> Result<StoredHash, AdminError> {
        let most = self.base.settings.password.max_stored_cost;
        if hash.cost().is_some_and(|cost| cost > most) {
            return Err(AdminError::Invalid(format!(
                "the hash's cost is above password.max_stored_cost ({most}): raise that first, or no login can succeed"
            )));
        }
        Ok(hash)
    }
}

pub(super) fn no_user(name: &str) -> AdminError {
    AdminError::NoSuch { kind: "user", name: name.to_owned() }
}

/// Everybody may look after themselves. Setting the scopes without it takes that away.
pub(super) fn with_account(scopes: &Scope) -> Scope {
    format!("{scopes} {ACCOUNT_SCOPE}").trim_start().parse().unwrap_or_else(|_| scopes.clone())
}

pub(super) fn check_email(email: Option<&str>) -> Result<(), AdminError> {
    match email {
        Some(email) if email.is_empty() || email.len() > MOST_EMAIL || email.chars().any(char::is_control) => {
            Err(AdminError::Invalid(format!(
                "an e-mail address must be 1 to {MOST_EMAIL} bytes without control characters"
            )))
        }
        _ => Ok(()),
    }
}

/// The name as it is stored.
pub(super) fn check_name(name: &str) -> Result<String, AdminError> {
    new_name(name).map_err(|why| AdminError::Invalid(format!("a user name {why}")))
}

/// How many bytes all roles of a user may have: a token has them all, and at most 16 KiB.
const MOST_ROLE_BYTES: usize = 4_096;

/// Roles follow the same rules as scope names.
pub(super) fn check_roles(roles: &[String]) -> Result<(), AdminError> {
    let fits = |role: &String| !role.contains(' ') && !role.is_empty() && role.parse::<Scope>().is_ok();
    let bytes: usize = roles.iter().map(|role| role.len() + 1).sum();
    if bytes > MOST_ROLE_BYTES {
        return Err(AdminError::Invalid(format!("all roles together must have at most {MOST_ROLE_BYTES} bytes")));
    }
    match roles.iter().find(|role| !fits(role)) {
        Some(role) => Err(AdminError::Invalid(format!("the role {role:?} must be printable ASCII without spaces"))),
        None => Ok(()),
    }
}
