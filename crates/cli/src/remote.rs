//! A server elsewhere, over its admin API.

use std::time::Duration;

use ficha_client::admin::{AdminClient, AdminError, Revoked, SessionFilter};
use ficha_client::{TokenSource, TokenStore};

use crate::error::CliError;
use crate::input_error::InputError;
use crate::token_file::AdminTokenFile;

/// How often ending all sessions is tried while new ones begin.
const ATTEMPTS: u32 = 10;
/// How many sessions are read and printed at a time.
pub const PAGE: u32 = 200;

/// A server elsewhere, to which `ficha login --admin` has signed in.
pub struct Remote {
    pub client: AdminClient,
    source: TokenSource,
    issuer: String,
}

impl Remote {
    /// Uses the stored tokens, which must be of this server. Its admin API may be at another origin.
    pub async fn open(server: &str, admin_origin: Option<&str>, file: &AdminTokenFile) -> Result<Self, CliError> {
        let store = file.store()?;
        let tokens = store.load().await.map_err(ficha_client::Error::from)?;
        let Some(tokens) = tokens else {
            return Err(InputError::NotSignedIn(server.to_owned()).into());
        };
        if tokens.issuer().trim_end_matches('/') != server.trim_end_matches('/') {
            let (issuer, server) = (tokens.issuer().to_owned(), server.to_owned());
            return Err(InputError::SignedInElsewhere { issuer, server }.into());
        }
        let source = crate::commands::login::source_of(&tokens, store)?;
        Ok(Self { client: admin_client(&source, admin_origin)?, source, issuer: tokens.issuer().to_owned() })
    }

    /// The server's issuer.
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// Before the process ends: a refresh may still be running.
    pub async fn settled(&self) {
        self.source.settled().await;
    }

    /// Ends what a filter fits, and no more than its count has shown, after `confirm`. The session of these tokens is
    /// spared.
    pub async fn revoke_confirmed(
        &self,
        filter: &SessionFilter,
        wait: Option<Duration>,
        confirm: impl FnOnce(u64) -> Result<(), CliError>,
    ) -> Result<Revoked, CliError> {
        let expected = self.client.count_sessions_to_revoke(filter, false).await?;
        confirm(expected)?;
        Ok(self.client.revoke_sessions(filter, false, expected, wait).await?)
    }

    /// Refuses a user who does not exist: an empty list would not tell that. Not everybody who may see sessions may ask.
    pub async fn require_user(&self, who: &str) -> Result<(), CliError> {
        unless_forbidden(self.client.user(who).await)
    }

    /// The same of a client.
    pub async fn require_client(&self, id: &str) -> Result<(), CliError> {
        unless_forbidden(self.client.client(id).await)
    }

    /// Ends all live sessions of a user or of a client. If others begin meanwhile, it tries again.
    pub async fn revoke_all_of(&self, filter: SessionFilter, wait: Option<Duration>) -> Result<Revoked, CliError> {
        let filter = filter.with("state", "live");
        for _ in 0..ATTEMPTS {
            let expected = self.client.count_sessions_to_revoke(&filter, true).await?;
            match self.client.revoke_sessions(&filter, true, expected, wait).await {
                Err(AdminError::Refused(problem)) if problem.status == 409 => {}
                other => return Ok(other?),
            }
        }
        Err(InputError::NewSessions.into())
    }
}

fn unless_forbidden<T>(asked: Result<T, AdminError>) -> Result<(), CliError> {
    match asked {
        Err(AdminError::Refused(problem)) if problem.status == 403 => Ok(()),
        other => Ok(other.map(drop)?),
    }
}

/// The admin API of a source's issuer, or of its other origin.
fn admin_client(source: &TokenSource, origin: Option<&str>) -> Result<AdminClient, CliError> {
    Ok(match origin {
        None => AdminClient::new(source.clone())?,
        Some(origin) => AdminClient::at_origin(source.clone(), origin)?,
    })
}

impl From<AdminError> for CliError {
    fn from(error: AdminError) -> Self {
        match error {
            AdminError::Client(error @ ficha_client::Error::BadAnswer(_))
                if error.to_string().contains("admin.origin") =>
            {
                InputError::NoAdminApi(error.to_string()).into()
            }
            AdminError::Client(error) => error.into(),
            AdminError::Refused(problem) => {
                // The title is of the API: "Not found", for example.
                let text = if problem.errors.is_empty() { problem.detail.clone() } else { problem.to_string() };
                let kind = problem.kind.rsplit('/').next().unwrap_or_default().to_owned();
                InputError::Refused { text, status: problem.status, kind }.into()
            }
            other => InputError::Refused { text: other.to_string(), status: 0, kind: String::new() }.into(),
        }
    }
}
