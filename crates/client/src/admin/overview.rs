//! The state of the whole.

use serde::Deserialize;
use serde_json::Value;

use super::{AdminClient, AdminError};

/// The state of the whole.
///
/// See the example at [`AdminClient::overview`].
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[non_exhaustive]
pub struct Overview {
    /// How many sessions can be refreshed; or an object with `at_least`.
    pub live_sessions: Value,
    /// How many entries the denylist has.
    pub denylist: u64,
    /// What happened in each of the last minutes, the oldest first.
    pub series: Vec<Minute>,
    /// What needs attention.
    pub attention: Vec<Attention>,
}

/// What happened in a minute, on all servers.
///
/// See the example at [`AdminClient::overview`].
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
pub struct Minute {
    /// When it began (RFC 3339).
    pub at: String,
    /// Successful logins.
    pub logins: u64,
    /// Failed logins.
    pub login_failures: u64,
    /// Refreshes.
    pub refreshes: u64,
    /// Revocations.
    pub revocations: u64,
}

/// Something that needs attention.
///
/// See the example at [`AdminClient::overview`].
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
pub struct Attention {
    /// A stable name, such as `service_behind`.
    pub kind: String,
    /// What it is about, and what to do.
    pub detail: String,
    /// Since when, if that is known (RFC 3339).
    pub since: Option<String>,
}

impl AdminClient {
    /// The state of the whole, with so many of the last minutes.
    ///
    /// ```no_run
    /// # use ficha_client::admin::{AdminClient, AdminError};
    /// # async fn example(admin: AdminClient) -> Result<(), AdminError> {
    /// println!("{:?}", admin.overview(60).await?);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn overview(&self, minutes: u32) -> Result<Overview, AdminError> {
        self.get("overview", &[("minutes".to_owned(), minutes.to_string())]).await
    }
}
