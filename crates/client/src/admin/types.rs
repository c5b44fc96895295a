//! What the admin API takes and returns. Members that a later version adds are ignored.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::error::Error;

/// Why a request failed.
///
/// ```no_run
/// # use ficha_client::admin::{AdminClient, AdminError};
/// # async fn example(admin: AdminClient) {
/// match admin.session("4cd5b2d5-8f1e-4a7e-9d3b-0c7c0a4c1f00").await {
///     Ok(session) => println!("{}", session.state),
///     Err(AdminError::Refused(problem)) => println!("{} ({})", problem.detail, problem.status),
///     Err(AdminError::Client(error)) => println!("{error}"),
///     Err(error) => println!("{error}"),
/// }
/// # }
/// ```
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum AdminError {
    /// The server refused it, and says why.
    #[error("{0}")]
    Refused(Box<Problem>),
    /// There is no token, the server can't be reached, or its answer can't be used.
    #[error(transparent)]
    Client(#[from] Error),
}

/// Why the server refused a request (RFC 9457).
///
/// See the example at [`AdminError`].
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
pub struct Problem {
    /// The address of a page that explains this kind of problem; its last part is the kind.
    #[serde(rename = "type")]
    pub kind: String,
    /// The kind in words.
    pub title: String,
    /// The status of the response.
    pub status: u16,
    /// What is wrong in this case.
    pub detail: String,
    /// The fields that are wrong.
    #[serde(default)]
    pub errors: Vec<FieldProblem>,
}

/// A field that is wrong.
///
/// See the example at [`AdminError`].
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
pub struct FieldProblem {
    /// The parameter, or the member of the body.
    pub field: String,
    /// What is wrong with it.
    pub problem: String,
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.title, self.detail)
    }
}

/// A page of a list, the newest first.
///
/// See the example at [`AdminClient::sessions`](super::AdminClient::sessions).
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[non_exhaustive]
pub struct Page<T> {
    /// What is in it.
    pub items: Vec<T>,
    /// Where the next page begins; `None`: it is the last.
    pub next: Option<String>,
    /// Where the previous page ends; `None`: it is the first, or the list has only one direction.
    pub previous: Option<String>,
}

/// Which sessions are wanted: those that fit all of it. The names are the parameters of `GET /api/v1/sessions`; the server
/// refuses others.
///
/// ```
/// use ficha_client::admin::SessionFilter;
///
/// let filter = SessionFilter::new().with("user", "alice").with("state", "live");
/// assert_ne!(filter, SessionFilter::new());
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SessionFilter(Vec<(String, String)>);

impl SessionFilter {
    /// Every session.
    pub fn new() -> Self {
        Self::default()
    }

    /// Only those that fit this as well, such as `("user", "alice")`.
    pub fn with(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.0.push((name.into(), value.into()));
        self
    }

    pub(super) fn pairs(&self) -> &[(String, String)] {
        &self.0
    }

    /// The same as an object, in which each name can stand only once: if it were left out, more would fit.
    pub(super) fn members(&self) -> Result<Map<String, Value>, Error> {
        let mut members = Map::new();
        for (name, value) in &self.0 {
            if members.insert(name.clone(), Value::String(value.clone())).is_some() {
                return Err(Error::Setting(format!("the filter {name} is given twice")));
            }
        }
        Ok(members)
    }
}

/// A session.
///
/// See the example at [`AdminClient::sessions`](super::AdminClient::sessions).
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[non_exhaustive]
pub struct Session {
    /// The `sid` of its tokens.
    pub id: String,
    /// Whose it is; `None` for a client's own.
    pub user: Option<UserName>,
    /// The client that it was issued to.
    pub client_id: String,
    /// The `sub` of its tokens: the user's id, or the client's own.
    #[serde(default)]
    pub subject: Option<String>,
    /// What it was granted.
    pub scopes: Vec<String>,
    /// The `aud` of its tokens.
    pub audience: String,
    /// The user's roles, as in its tokens.
    pub roles: Vec<String>,
    /// `live`, `expired` or `revoked`.
    pub state: String,
    /// RFC 3339.
    pub created_at: String,
    /// When it was last refreshed, or created.
    pub refreshed_at: String,
    /// When it ends in any case.
    pub expires_at: String,
    /// When it ends unless it is refreshed.
    pub idle_expires_at: String,
    /// From where it was created.
    pub address: Option<String>,
    /// The program that created it.
    pub user_agent: Option<String>,
    /// How the user was authenticated (RFC 8176).
    pub amr: Vec<String>,
    /// When the user was authenticated (RFC 3339).
    #[serde(default)]
    pub auth_time: Option<String>,
    /// When and why it ended early.
    pub ended: Option<Ended>,
}

/// A user, by id and name.
///
/// See the example at [`AdminClient::sessions`](super::AdminClient::sessions).
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[non_exhaustive]
pub struct UserName {
    /// The user's id.
    pub id: String,
    /// `None` if the user was deleted, or the caller may not see names.
    pub name: Option<String>,
}

/// The end of a session.
///
/// See the example at [`AdminClient::sessions`](super::AdminClient::sessions).
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[non_exhaustive]
pub struct Ended {
    /// RFC 3339; `None` after a purge of the keys.
    pub at: Option<String>,
    /// Why.
    pub reason: String,
    /// Who ended it, if that is known.
    pub by: Option<EndedBy>,
}

/// Who ended a session.
///
/// See the example at [`AdminClient::sessions`](super::AdminClient::sessions).
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[non_exhaustive]
pub struct EndedBy {
    /// `user`, `client`, `cli`, `server` or `anonymous`.
    pub kind: String,
    /// `None` if it is not known, or was erased.
    pub name: Option<String>,
}

/// A number, or `{"at_least": N}`.
#[derive(Deserialize)]
pub(super) struct Counted {
    pub(super) count: Value,
}

#[derive(Deserialize)]
pub(super) struct Matched {
    pub(super) matched: u64,
}

/// What a revocation did.
///
/// See the example at [`AdminClient::revoke_sessions`](super::AdminClient::revoke_sessions).
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[non_exhaustive]
pub struct Revoked {
    /// How many sessions fitted; 0 if a job ends them.
    #[serde(default)]
    pub matched: u64,
    /// How many it ended; the others had ended before.
    #[serde(default)]
    pub revoked: u64,
    /// They are more than 10,000: this job ends them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub job: Option<String>,
    /// Who refuses their tokens, if that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub receipt: Option<Receipt>,
}

/// Who refuses what was revoked.
///
/// See the example at [`AdminClient`](super::AdminClient).
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[non_exhaustive]
pub struct Receipt {
    /// True if every resource server refuses it, and every server has said so of its own.
    pub complete: bool,
    /// How many followers have not named themselves.
    pub unnamed: u64,
    /// How many servers have not answered in time.
    pub silent: u64,
    /// The resource servers that have named themselves.
    pub services: Vec<ServiceReceipt>,
}

/// How one resource server stands to a revocation.
///
/// See the example at [`AdminClient`](super::AdminClient).
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[non_exhaustive]
pub struct ServiceReceipt {
    /// The service.
    pub service: String,
    /// Which instance of it.
    pub instance: String,
    /// `applied`, `behind`, `cut_off` or `accepts_stale`.
    pub state: String,
    /// For `applied`: how many milliseconds after the request began that was shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after_ms: Option<u64>,
    /// When it refuses everything at the latest, unless it gets an answer before (RFC 3339).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refuses_at: Option<String>,
}

/// Who follows the denylist.
///
/// See the example at [`AdminClient::resource_servers`](super::AdminClient::resource_servers).
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
pub struct ResourceServers {
    /// Those that have named themselves.
    pub items: Vec<ResourceServer>,
    /// How many have not.
    pub unnamed: u64,
    /// How many servers have not said in time who follows them.
    pub silent: u64,
}

/// A resource server.
///
/// See the example at [`AdminClient::resource_servers`](super::AdminClient::resource_servers).
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
pub struct ResourceServer {
    /// The service.
    pub service: String,
    /// Which instance of it.
    pub instance: String,
    /// From where it polls.
    pub address: Option<String>,
    /// The client with which it authenticates.
    pub client_id: Option<String>,
    /// `applied`, `behind`, `cut_off` or `accepts_stale`, for the newest entry.
    pub state: String,
    /// How many entries it lacks at most.
    pub cursor_lag: Option<i64>,
    /// How many milliseconds ago the first of them was written.
    pub lag_ms: Option<u64>,
    /// RFC 3339.
    pub last_seen: String,
    /// The version of what it runs.
    pub version: Option<String>,
    /// How many seconds it relies on an answer.
    pub lease_seconds: Option<u64>,
    /// `refuse` or `accept`.
    pub stale: String,
}

/// An event of the log.
///
/// See the example at [`AdminClient::events_after`](super::AdminClient::events_after).
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[non_exhaustive]
pub struct Event {
    /// Its number.
    pub number: i64,
    /// RFC 3339.
    pub at: String,
    /// Its name.
    pub event: String,
    /// Who did it.
    pub actor: EventActor,
    /// The id of the user it happened to.
    pub user: Option<String>,
    /// The client.
    pub client: Option<String>,
    /// The session.
    pub session: Option<String>,
    /// From where it was done.
    pub address: Option<String>,
    /// The request, as in the header `X-Request-Id` of its answer.
    pub request_id: Option<String>,
    /// More.
    pub detail: Option<Value>,
    /// The hash of this event and all before it.
    pub hash: Option<String>,
}

/// Who did it.
///
/// See the example at [`AdminClient::events_after`](super::AdminClient::events_after).
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
pub struct EventActor {
    /// `user`, `client`, `cli`, `server` or `anonymous`.
    pub kind: String,
    /// The name, if it is known.
    pub name: Option<String>,
    /// The id, if it is a user.
    pub id: Option<String>,
}

/// The user whose session it is.
///
/// See the example at [`AdminClient::me`](super::AdminClient::me).
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
pub struct Me {
    /// The user's id.
    pub id: String,
    /// What the user types to log in.
    pub name: String,
    /// What the user may be granted.
    pub scopes: Vec<String>,
    /// The user's roles.
    pub roles: Vec<String>,
}
