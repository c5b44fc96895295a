//! Jobs, and what begins them.

use oauth2::http::Method;
use serde::{Deserialize, Serialize};

use super::{AdminClient, AdminError, Page, segment};

/// The type of a file of users in CSV.
pub const CSV: &str = "text/csv";
/// The type of a file of users with one JSON object a line.
pub const JSON_LINES: &str = "application/jsonl";

/// Work of many transactions, which any server goes on with.
///
/// See the example at [`AdminClient::import_users`].
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[non_exhaustive]
pub struct Job {
    /// Its id.
    pub id: String,
    /// `revoke_sessions` or `import_users`.
    pub kind: String,
    /// Who began it.
    pub by: JobActor,
    /// `receiving`, `queued`, `running`, `done`, `failed` or `stopped`.
    pub state: String,
    /// Why, if that was said.
    pub why: Option<String>,
    /// How many items there are.
    pub total: u64,
    /// How many of them are done, `unchanged` included.
    pub done: u64,
    /// How many needed no change.
    pub unchanged: u64,
    /// How many could not be done.
    pub failed: u64,
    /// Lines of an import that could not be used.
    pub report: Option<JobReport>,
    /// Why it has failed or stopped.
    pub error: Option<String>,
    /// RFC 3339.
    pub started_at: String,
    /// RFC 3339; `None` while it is not over.
    pub finished_at: Option<String>,
}

/// Who began a job.
///
/// See the example at [`AdminClient::import_users`].
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[non_exhaustive]
pub struct JobActor {
    /// `user`, `client` or `cli`.
    pub kind: String,
    /// `None` after that user was erased.
    pub name: Option<String>,
}

/// What could not be imported.
///
/// See the example at [`AdminClient::import_users`].
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[non_exhaustive]
pub struct JobReport {
    /// The lines, the first of them.
    pub lines: Vec<JobReportLine>,
    /// True if there are more.
    pub more: bool,
}

/// A line that could not be used.
///
/// See the example at [`AdminClient::import_users`].
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[non_exhaustive]
pub struct JobReportLine {
    /// Its number.
    pub line: u64,
    /// What is wrong with it.
    pub problem: String,
}

#[derive(Deserialize)]
pub(super) struct Accepted {
    pub(super) job: String,
}

impl AdminClient {
    /// Imports users from a file of this type ([`CSV`] or [`JSON_LINES`]). Returns the id of the job that does it.
    ///
    /// ```no_run
    /// # use std::time::Duration;
    /// # use ficha_client::admin::{AdminClient, CSV};
    /// # async fn example(admin: AdminClient) -> Result<(), Box<dyn std::error::Error>> {
    /// let id = admin.import_users(CSV, std::fs::read("users.csv")?).await?;
    /// let job = loop {
    ///     let job = admin.job(&id).await?;
    ///     if job.finished_at.is_some() {
    ///         break job;
    ///     }
    ///     tokio::time::sleep(Duration::from_secs(1)).await;
    /// };
    /// println!("{} of {} imported, {} failed", job.done, job.total, job.failed);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn import_users(&self, kind: &'static str, file: Vec<u8>) -> Result<String, AdminError> {
        let accepted: Accepted = self.upload("users/import", kind, file).await?;
        Ok(accepted.job)
    }

    /// A page of jobs, the newest first.
    pub async fn jobs(&self, after: Option<&str>, limit: u32) -> Result<Page<Job>, AdminError> {
        self.page("jobs", &[], after, limit).await
    }

    /// A job.
    pub async fn job(&self, id: &str) -> Result<Job, AdminError> {
        self.get(&format!("jobs/{}", segment(id)), &[]).await
    }

    /// Stops a job; what it has done stays.
    pub async fn stop_job(&self, id: &str) -> Result<Job, AdminError> {
        self.send(Method::DELETE, &format!("jobs/{}", segment(id)), &[], None::<&()>, None).await
    }
}
