//! Users.

use std::time::Duration;

use oauth2::http::Method;
use serde::{Deserialize, Serialize};

use super::types::Receipt;
use super::{AdminClient, AdminError, Page, ShownOnce, segment, waiting};

/// A user.
///
/// See the example at [`AdminClient::create_user`].
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[non_exhaustive]
pub struct User {
    /// The user's id: the `sub` of their tokens.
    pub id: String,
    /// What they type to log in.
    pub name: String,
    /// Their e-mail address, if it is known.
    pub email: Option<String>,
    /// False if they can't log in.
    pub enabled: bool,
    /// What they may be granted.
    pub scopes: Vec<String>,
    /// Written into their tokens.
    pub roles: Vec<String>,
    /// RFC 3339.
    pub created_at: String,
    /// True if nothing is issued until they have changed their password.
    pub must_change: bool,
    /// Their failed logins; only if one user was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed_logins: Option<FailedLogins>,
}

/// Failed logins of a user since the last successful one, or since they were cleared.
///
/// See the example at [`AdminClient::create_user`].
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[non_exhaustive]
pub struct FailedLogins {
    /// How many there were, of these sources together.
    pub failures: u64,
    /// From how many sources; at most a thousand are counted.
    pub sources: u64,
    /// When the last one was (RFC 3339).
    pub last_at: Option<String>,
    /// How many of these sources are refused at the moment, whatever password they send.
    pub throttled: u64,
    /// True if all sources that never logged in to this account are.
    pub blocked: bool,
}

/// A user to be created. Without `password` and `password_hash`, the server makes a one-time password.
///
/// See the example at [`AdminClient::create_user`].
#[derive(Clone, Default, Serialize)]
pub struct NewUser {
    /// What they type to log in.
    pub name: String,
    /// Their e-mail address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// Their password.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub password: Option<String>,
    /// A hash from another system, in place of a password.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub password_hash: Option<String>,
    /// True if they have to change the password first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub must_change: Option<bool>,
    /// What they may be granted.
    pub scopes: Vec<String>,
    /// Written into their tokens.
    pub roles: Vec<String>,
}

impl std::fmt::Debug for NewUser {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NewUser").field("name", &self.name).field("scopes", &self.scopes).finish_non_exhaustive()
    }
}

/// A user who was created.
///
/// See the example at [`AdminClient::create_user`].
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
pub struct CreatedUser {
    /// The user.
    #[serde(flatten)]
    pub user: User,
    /// The one-time password, if one was made.
    pub password: Option<ShownOnce>,
}

/// What is changed about a user; `None` leaves it as it is.
///
/// See the example at [`AdminClient::change_user`].
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct UserChange {
    /// `Some(None)` removes it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email: Option<Option<String>>,
    /// The whole list.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scopes: Option<Vec<String>>,
    /// The whole list.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub roles: Option<Vec<String>>,
    /// False disables them, and ends their sessions.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
    /// True if nothing is issued until they have changed their password.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub must_change: Option<bool>,
}

/// A user after a change.
///
/// See the example at [`AdminClient::change_user`].
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
pub struct ChangedUser {
    /// As the user is now.
    #[serde(flatten)]
    pub user: User,
    /// How many sessions have ended.
    #[serde(default)]
    pub revoked: u64,
    /// Who refuses their tokens, if that was asked for.
    pub receipt: Option<Receipt>,
}

/// What something that was done to a user has done.
///
/// See the example at [`AdminClient::act_on_user`].
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
pub struct UserAction {
    /// How many sessions it has ended.
    #[serde(default)]
    pub revoked: u64,
    /// The one-time password, if one was made.
    pub password: Option<ShownOnce>,
    /// After an unlock: how many sources had failed.
    pub cleared: Option<u64>,
    /// After an erasure: in how many events something was deleted.
    pub events: Option<u64>,
    /// Who refuses their tokens, if that was asked for.
    pub receipt: Option<Receipt>,
}

impl AdminClient {
    /// A page of users, the newest first. `filter` has the parameters of `GET /api/v1/users`.
    pub async fn users(
        &self,
        filter: &[(String, String)],
        after: Option<&str>,
        limit: u32,
    ) -> Result<Page<User>, AdminError> {
        self.page("users", filter, after, limit).await
    }

    /// A user, by name or id.
    pub async fn user(&self, who: &str) -> Result<User, AdminError> {
        self.get(&format!("users/{}", segment(who)), &[]).await
    }

    /// Creates a user.
    ///
    /// ```no_run
    /// # use ficha_client::admin::{AdminClient, AdminError, NewUser};
    /// # async fn example(admin: AdminClient) -> Result<(), AdminError> {
    /// let alice = NewUser { name: "alice".to_owned(), scopes: vec!["notes:read".to_owned()], ..NewUser::default() };
    /// let created = admin.create_user(&alice).await?;
    /// if let Some(password) = created.password {
    ///     println!("one-time password: {}", password.expose());
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub async fn create_user(&self, new: &NewUser) -> Result<CreatedUser, AdminError> {
        self.create("users", new).await
    }

    /// Changes a user, all at once. Sessions with more rights than they then have end.
    ///
    /// ```no_run
    /// # use ficha_client::admin::{AdminClient, AdminError, UserChange};
    /// # async fn example(admin: AdminClient) -> Result<(), AdminError> {
    /// let change = UserChange { scopes: Some(vec!["notes:read".to_owned()]), ..UserChange::default() };
    /// let changed = admin.change_user("alice", &change).await?;
    /// println!("{} sessions had more rights, and ended", changed.revoked);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn change_user(&self, who: &str, change: &UserChange) -> Result<ChangedUser, AdminError> {
        self.send(Method::PATCH, &format!("users/{}", segment(who)), &[], Some(change), None).await
    }

    /// Deletes a user, and ends their sessions.
    pub async fn delete_user(&self, who: &str) -> Result<UserAction, AdminError> {
        self.send(Method::DELETE, &format!("users/{}", segment(who)), &[], None::<&()>, None).await
    }

    /// Sets a password, and ends the user's sessions. `None` makes a one-time password.
    pub async fn set_password(
        &self,
        who: &str,
        password: Option<&str>,
        must_change: bool,
    ) -> Result<UserAction, AdminError> {
        let body = serde_json::json!({ "password": password, "must_change": must_change });
        self.send(Method::POST, &format!("users/{}/password", segment(who)), &[], Some(&body), None).await
    }

    /// Does something to a user: `disable`, `enable`, `unlock`, `revoke-sessions` or `erase`.
    ///
    /// ```no_run
    /// # use std::time::Duration;
    /// # use ficha_client::admin::{AdminClient, AdminError};
    /// # async fn example(admin: AdminClient) -> Result<(), AdminError> {
    /// let done = admin.act_on_user("alice", "disable", Some(Duration::from_secs(2))).await?;
    /// println!("{} sessions ended; refused everywhere: {:?}", done.revoked, done.receipt.map(|receipt| receipt.complete));
    /// # Ok(())
    /// # }
    /// ```
    pub async fn act_on_user(&self, who: &str, action: &str, wait: Option<Duration>) -> Result<UserAction, AdminError> {
        let path = format!("users/{}/{}", segment(who), segment(action));
        self.send(Method::POST, &path, &waiting(wait), None::<&()>, wait).await
    }
}
