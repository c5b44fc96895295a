//! Database rows. They stay in this crate; callers get [`records`](crate::records).

pub(crate) mod activity;
pub(crate) mod bulk_revocation;
pub(crate) mod client;
pub(crate) mod client_secret;
pub(crate) mod denylist;
pub(crate) mod denylist_head;
pub(crate) mod event;
pub(crate) mod event_chain;
pub(crate) mod follower;
pub(crate) mod follower_answer;
pub(crate) mod follower_question;
pub(crate) mod globals;
pub(crate) mod heartbeat;
pub(crate) mod idempotency_key;
pub(crate) mod job;
pub(crate) mod job_line;
pub(crate) mod job_part;
pub(crate) mod key;
pub(crate) mod login_failure;
pub(crate) mod old_audit;
pub(crate) mod pending_event;
pub(crate) mod scope;
pub(crate) mod session;
pub(crate) mod user;

use ficha_token::Scope;

use crate::{Result, StoreError};

/// A list of names as one text. A name with a space in it is rejected: it would be read back as two.
pub(crate) fn join_names(what: &str, names: &[String]) -> Result<String> {
    for name in names {
        if name.is_empty() || name.chars().any(|c| c.is_whitespace() || c.is_control()) {
            return Err(StoreError::Conflict(format!("{what} {name:?}: a name must not be empty or contain spaces")));
        }
    }
    Ok(names.join(" "))
}

/// The inverse of [`join_names`].
pub(crate) fn split_names(text: &str) -> Vec<String> {
    text.split(' ').filter(|name| !name.is_empty()).map(str::to_owned).collect()
}

/// Reads a stored scope.
pub(crate) fn parse_scope(text: &str) -> Result<Scope> {
    text.parse().map_err(|error| StoreError::Corrupt(format!("a scope: {error}")))
}
