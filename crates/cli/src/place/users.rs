//! Users.

use ficha_authority::{ImportFormat, NewUser, PageFrom, UserChange, UserRecord, UserSearch};
use ficha_client::admin::{self, ChangedUser, User};
use ficha_server::views::{ShownUser, UserView};
use ficha_token::Scope;
use uuid::Uuid;
use zeroize::Zeroizing;

use super::jobs::job_id;
use super::{Items, PAGE, Part, Place, asked, id, shown};
use crate::admin_context::actor;
use crate::ask::{self, Typed};
use crate::error::CliError;
use crate::input_error::InputError;

/// A user to be added.
pub struct AddUser {
    pub name: String,
    pub password: Typed,
    pub email: Option<String>,
    pub scopes: Scope,
    pub roles: Vec<String>,
}

impl Place {
    /// Users, the newest first.
    pub async fn users(&self, part: Part) -> Result<Vec<User>, CliError> {
        let after = match &part.after {
            Some(name) if name.parse::<Uuid>().is_err() => Some(self.user(name).await?.id),
            other => other.clone(),
        };
        Part { after, ..part }
            .read(async |after, left| match self {
                Self::Here(context) => {
                    let from = after.as_deref().map(id).transpose()?.map_or(PageFrom::Newest, PageFrom::OlderThan);
                    let limit = left.min(PAGE) as usize;
                    let page = context.admin.search_users(&actor(), &UserSearch::default(), from, limit).await?;
                    let items = page.users.into_iter().map(user).collect::<Result<_, _>>()?;
                    Ok(Items { items, next: page.next.map(|id| id.to_string()) })
                }
                Self::There(remote) => Ok(remote.client.users(&[], after.as_deref(), asked(left)).await?.into()),
            })
            .await
    }

    /// One user.
    pub async fn user(&self, who: &str) -> Result<User, CliError> {
        match self {
            Self::Here(context) => user(context.admin.user(&actor(), who).await?),
            Self::There(remote) => Ok(remote.client.user(who).await?),
        }
    }

    /// One user, with their failed logins.
    pub async fn user_and_failures(&self, who: &str) -> Result<User, CliError> {
        match self {
            Self::Here(context) => {
                let user = context.admin.user(&actor(), who).await?;
                let failed = context.admin.failed_logins(&actor(), &user).await?;
                shown(ShownUser::new(user, failed))
            }
            Self::There(_) => self.user(who).await,
        }
    }

    /// Adds a user.
    pub async fn add_user(&self, new: AddUser) -> Result<User, CliError> {
        match self {
            Self::Here(context) => {
                let new = NewUser {
                    password: ask::parsed(new.password)?,
                    name: new.name,
                    email: new.email,
                    scopes: new.scopes,
                    roles: new.roles,
                    must_change: false,
                };
                user(context.admin.add_user(&actor(), new).await?)
            }
            Self::There(remote) => {
                let (password, password_hash) = match new.password {
                    Typed::Plain(password) => (Some(password.to_string()), None),
                    Typed::Hash(hash) => (None, Some(hash)),
                };
                let new = admin::NewUser {
                    name: new.name,
                    email: new.email,
                    password,
                    password_hash,
                    must_change: Some(false),
                    scopes: names(&new.scopes),
                    roles: new.roles,
                };
                Ok(remote.client.create_user(&new).await?.user)
            }
        }
    }

    /// Refuses a user who does not exist or may not be changed, before a password is typed for them.
    pub async fn require_changeable(&self, who: &str) -> Result<(), CliError> {
        match self {
            Self::Here(context) => drop(context.admin.changeable_user(&actor(), who).await?),
            Self::There(remote) => drop(remote.client.user(who).await?),
        }
        Ok(())
    }

    /// Changes a user. Returns the user before and after it, and how many sessions have ended.
    pub async fn change_user(&self, who: &str, change: UserChange) -> Result<(User, User, u64), CliError> {
        match self {
            Self::Here(context) => {
                let seen = context.admin.changeable_user(&actor(), who).await?;
                // The store compares the version: it changes the user that was read.
                let revoked = context.admin.change_user(&actor(), &seen, &change).await?;
                let after = applied(change, seen.clone());
                Ok((user(seen)?, user(after)?, revoked))
            }
            Self::There(remote) => {
                let before = remote.client.user(who).await?;
                let change = admin::UserChange {
                    email: change.email,
                    scopes: change.scopes.as_ref().map(names),
                    roles: change.roles,
                    ..admin::UserChange::default()
                };
                let ChangedUser { user, revoked, .. } = remote.client.change_user(who, &change).await?;
                Ok((before, user, revoked))
            }
        }
    }

    /// Sets a password. Returns how many sessions have ended.
    pub async fn set_password(&self, who: &str, password: Typed) -> Result<u64, CliError> {
        match (self, password) {
            (Self::Here(context), password) => {
                Ok(context.admin.set_password(&actor(), who, ask::parsed(password)?).await?)
            }
            (Self::There(remote), Typed::Plain(password)) => {
                Ok(remote.client.set_password(who, Some(&password), false).await?.revoked)
            }
            (Self::There(_), Typed::Hash(_)) => Err(InputError::HashElsewhere.into()),
        }
    }

    /// Enables or disables a user. Returns how many sessions have ended.
    pub async fn set_user_enabled(&self, who: &str, enabled: bool) -> Result<u64, CliError> {
        match self {
            Self::Here(context) => Ok(context.admin.set_user_enabled(&actor(), who, enabled).await?),
            Self::There(remote) => {
                let action = if enabled { "enable" } else { "disable" };
                Ok(remote.client.act_on_user(who, action, None).await?.revoked)
            }
        }
    }

    /// Clears failed logins. Returns how many sources had failed.
    pub async fn unlock_user(&self, who: &str) -> Result<u64, CliError> {
        match self {
            Self::Here(context) => Ok(context.admin.unlock_user(&actor(), who).await?),
            Self::There(remote) => Ok(remote.client.act_on_user(who, "unlock", None).await?.cleared.unwrap_or(0)),
        }
    }

    /// Refuses to erase a user who was never there. Of one who was deleted, only the id is known.
    pub async fn require_erasable(&self, who: &str) -> Result<(), CliError> {
        match self {
            _ if who.parse::<Uuid>().is_ok() => Ok(()),
            Self::Here(context) => {
                context.admin.changeable_user(&actor(), who).await?;
                Ok(())
            }
            Self::There(remote) => remote.require_user(who).await,
        }
    }

    /// Deletes a user and what is personal about them. Returns how many events had something of that, and how many
    /// sessions ended.
    pub async fn erase_user(&self, who: &str) -> Result<(u64, u64), CliError> {
        match self {
            Self::Here(context) => {
                let erased = context.admin.erase_user(&actor(), who).await?;
                Ok((erased.events, erased.sessions))
            }
            Self::There(remote) => {
                let done = remote.client.act_on_user(who, "erase", None).await?;
                Ok((done.events.unwrap_or(0), done.revoked))
            }
        }
    }

    /// Deletes a user. Returns how many sessions have ended.
    pub async fn delete_user(&self, who: &str) -> Result<u64, CliError> {
        match self {
            Self::Here(context) => Ok(context.admin.delete_user(&actor(), who).await?),
            Self::There(remote) => Ok(remote.client.delete_user(who).await?.revoked),
        }
    }

    /// Begins an import of users. Returns the job's id.
    pub async fn import_users(&self, format: ImportFormat, file: Zeroizing<Vec<u8>>) -> Result<Uuid, CliError> {
        match self {
            Self::Here(context) => Ok(context.admin.import_users(&actor(), format, file).await?),
            Self::There(remote) => {
                let kind = match format {
                    ImportFormat::Csv => admin::CSV,
                    ImportFormat::JsonLines => admin::JSON_LINES,
                };
                let job = remote.client.import_users(kind, file.to_vec()).await?;
                job_id(&job)
            }
        }
    }
}

/// A user as a change has left them: others may have changed them since.
fn applied(change: UserChange, user: UserRecord) -> UserRecord {
    UserRecord {
        email: change.email.unwrap_or(user.email),
        scopes: change.scopes.unwrap_or(user.scopes),
        roles: change.roles.unwrap_or(user.roles),
        ..user
    }
}

fn user(record: UserRecord) -> Result<User, CliError> {
    shown(UserView::from(record))
}

fn names(scope: &Scope) -> Vec<String> {
    scope.iter().map(str::to_owned).collect()
}
