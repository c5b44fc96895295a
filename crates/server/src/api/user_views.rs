//! What the API of users reads and answers.

use ficha_authority::{EventView, FailedLogins, UserRecord};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;
use zeroize::Zeroizing;

use super::audit::EventSchema;
use super::body::patched;
use super::receipt::ReceiptView;
use super::sessions::{SessionView, time_text};

/// A user.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AdminUser)]
pub struct UserView {
    pub(super) id: Uuid,
    /// What the user types to log in.
    pub(super) name: String,
    #[schema(required = true)]
    pub(super) email: Option<String>,
    pub(super) enabled: bool,
    /// What the user may be granted.
    pub(super) scopes: Vec<String>,
    /// Written into the user's tokens.
    pub(super) roles: Vec<String>,
    pub(super) created_at: String,
    /// True if nothing is issued for the password until the user has changed it.
    pub(super) must_change: bool,
}

/// A user, with the failed logins.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AdminShownUser)]
pub struct ShownUser {
    #[serde(flatten)]
    user: UserView,
    failed_logins: FailedLoginsView,
}

/// Failed logins since the last successful one, or since they were cleared.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AdminFailedLogins)]
pub struct FailedLoginsView {
    /// How many there were, of these sources together.
    failures: u64,
    /// From how many sources; at most a thousand are counted.
    sources: u64,
    /// When the last one was.
    #[schema(required = true)]
    last_at: Option<String>,
    /// How many of these sources are refused at the moment, whatever password they send.
    throttled: u64,
    /// True if all sources that never logged in to this account are.
    blocked: bool,
}

impl ShownUser {
    /// A user with these.
    pub fn new(user: UserRecord, failed: FailedLogins) -> Self {
        let FailedLogins { failures, sources, last_at, throttled, blocked } = failed;
        let last_at = last_at.map(time_text);
        Self { user: user.into(), failed_logins: FailedLoginsView { failures, sources, last_at, throttled, blocked } }
    }
}

/// A page of users.
#[derive(Serialize, ToSchema)]
#[schema(as = AdminUserPage)]
pub struct UserList {
    /// The newest first. Missing with `count=only`, as are `next` and `previous`.
    #[schema(required = false)]
    pub(super) items: Vec<UserView>,
    /// `after` for the next page; null at the end.
    pub(super) next: Option<String>,
    /// `before` for the previous page; null at the beginning.
    pub(super) previous: Option<String>,
    /// With `count=true`: how many there are, or `{"at_least": N}`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(schema_with = crate::api::schemas::count, required = false)]
    pub(super) count: Option<Value>,
    /// If filters fit so few users that the search has stopped before the page was full: how many it looked at. It
    /// continues with `next`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub(super) scanned: Option<u64>,
}

/// A user to be created. Without `password` and `password_hash`, a one-time password is made.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = AdminNewUser)]
pub struct NewUserBody {
    #[schema(example = "alice")]
    pub(super) name: String,
    pub(super) email: Option<String>,
    #[schema(value_type = Option<String>)]
    pub(super) password: Option<Zeroizing<String>>,
    /// A hash from another system.
    #[schema(value_type = Option<String>)]
    pub(super) password_hash: Option<Zeroizing<String>>,
    /// True if the user has to change the password first.
    pub(super) must_change: Option<bool>,
    #[serde(default)]
    pub(super) scopes: Vec<String>,
    #[serde(default)]
    pub(super) roles: Vec<String>,
}

/// A user who was created.
#[derive(Serialize, ToSchema)]
#[schema(as = AdminCreatedUser)]
pub struct CreatedUser {
    #[serde(flatten)]
    pub(super) user: UserView,
    /// The one-time password, if one was made. It is shown only here.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, value_type = Option<String>)]
    pub(super) password: Option<Zeroizing<String>>,
}

/// What is changed about a user (RFC 7396): members that are missing stay as they are.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = AdminUserPatch)]
pub struct UserPatch {
    /// Null removes it.
    #[serde(default, deserialize_with = "patched")]
    #[schema(value_type = Option<String>)]
    pub(super) email: Option<Option<String>>,
    #[serde(default, deserialize_with = "patched")]
    #[schema(value_type = Option<bool>, nullable = false)]
    pub(super) enabled: Option<Option<bool>>,
    /// Null removes all.
    #[serde(default, deserialize_with = "patched")]
    #[schema(value_type = Option<Vec<String>>)]
    pub(super) scopes: Option<Option<Vec<String>>>,
    /// Null removes all.
    #[serde(default, deserialize_with = "patched")]
    #[schema(value_type = Option<Vec<String>>)]
    pub(super) roles: Option<Option<Vec<String>>>,
    #[serde(default, deserialize_with = "patched")]
    #[schema(value_type = Option<bool>, nullable = false)]
    pub(super) must_change: Option<Option<bool>>,
}

/// A user after a change, and what that has ended.
#[derive(Serialize, ToSchema)]
#[schema(as = AdminChangedUser)]
pub struct ChangedUser {
    #[serde(flatten)]
    pub(super) user: UserView,
    /// How many sessions have ended.
    pub(super) revoked: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub(super) receipt: Option<ReceiptView>,
}

/// A password to be set. Without `password`, a one-time password is made.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = AdminSetPassword)]
pub struct SetPassword {
    #[schema(value_type = Option<String>)]
    pub(super) password: Option<Zeroizing<String>>,
    /// True if the user has to change it first; true if it is not given.
    pub(super) must_change: Option<bool>,
}

/// What an action on a user has done.
#[derive(Default, Serialize, ToSchema)]
#[schema(as = AdminUserAction)]
pub struct Done {
    /// How many sessions have ended.
    pub(super) revoked: u64,
    /// The one-time password, if one was made. It is shown only here.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, value_type = Option<String>)]
    pub(super) password: Option<Zeroizing<String>>,
    /// After `unlock`: how many sources had failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub(super) cleared: Option<u64>,
    /// After `erase`: in how many events something personal was deleted.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub(super) events: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub(super) receipt: Option<ReceiptView>,
}

/// Everything that is kept about a user.
#[derive(Serialize, ToSchema)]
#[schema(as = AdminUserExport)]
pub struct ExportView {
    pub(super) user: UserView,
    /// The newest first.
    pub(super) sessions: Vec<SessionView>,
    /// The oldest first. Who else did something to the user, and from where, is missing.
    #[schema(value_type = Vec<EventSchema>)]
    pub(super) events: Vec<EventView>,
}

impl From<UserRecord> for UserView {
    fn from(user: UserRecord) -> Self {
        Self {
            id: user.id,
            name: user.name,
            email: user.email,
            enabled: user.enabled,
            scopes: user.scopes.iter().map(str::to_owned).collect(),
            roles: user.roles,
            created_at: time_text(user.created_at),
            must_change: user.must_change,
        }
    }
}
