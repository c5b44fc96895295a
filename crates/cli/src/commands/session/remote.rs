//! Sessions of a server elsewhere, over its admin API.

use std::time::Duration;

use ficha_client::admin::{AdminClient, AdminError, Receipt, Revoked, Session, SessionFilter};
use ficha_client::{TokenSource, TokenStore};

use super::receipt;
use super::view::Shown;
use crate::error::CliError;
use crate::token_file::AdminTokenFile;

/// How often ending all sessions is tried while new ones begin.
const ATTEMPTS: u32 = 10;
/// How many sessions are read and printed at a time.
pub const PAGE: u32 = 200;

/// A server elsewhere, to which `ficha login --admin` has signed in.
pub struct Remote {
    pub client: AdminClient,
    source: TokenSource,
}

impl Remote {
    /// Uses the stored tokens, which must be of this server.
    pub async fn open(server: &str, file: &AdminTokenFile) -> Result<Self, CliError> {
        let store = file.store()?;
        let how = || format!("run `ficha login --admin --issuer {server}`");
        let tokens = store.load().await.map_err(ficha_client::Error::from)?;
        let Some(tokens) = tokens else {
            return Err(CliError::Input(format!("you are not signed in at {server}: {}", how())));
        };
        if tokens.issuer().trim_end_matches('/') != server.trim_end_matches('/') {
            let issuer = tokens.issuer();
            return Err(CliError::Input(format!("you are signed in at {issuer}, and not at {server}: {}", how())));
        }
        let source = super::super::login::source_of(&tokens, store)?;
        Ok(Self { client: AdminClient::new(source.clone())?, source })
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
        Err(CliError::Input("new sessions begin all the time: disable the user or the client first".into()))
    }
}

/// As the local database's sessions are shown.
pub fn shown(session: Session) -> Shown {
    let state = match (&*session.state, &session.ended) {
        ("revoked", Some(ended)) => format!("revoked: {}", ended.reason),
        (state, _) => state.to_owned(),
    };
    Shown {
        id: session.id,
        state,
        user: session.user.and_then(|user| user.name),
        client_id: session.client_id,
        subject: None,
        scope: session.scopes.join(" "),
        roles: session.roles,
        audience: session.audience,
        generation: None,
        created_at: session.created_at,
        rotated_at: session.refreshed_at,
        idle_expires_at: session.idle_expires_at,
        expires_at: session.expires_at,
        revoked_at: session.ended.and_then(|ended| ended.at),
        address: session.address,
        user_agent: session.user_agent,
        amr: session.amr,
        acr: None,
        auth_time: None,
    }
}

/// A receipt as the local ones are shown.
pub fn receipt(receipt: &Receipt) -> receipt::Shown<'_> {
    receipt::Shown {
        complete: receipt.complete,
        unnamed: receipt.unnamed,
        silent: receipt.silent,
        services: receipt
            .services
            .iter()
            .map(|one| receipt::Service {
                service: &one.service,
                instance: &one.instance,
                state: &one.state,
                after_ms: one.after_ms,
                refuses_at: one.refuses_at.clone(),
            })
            .collect(),
    }
}

impl From<AdminError> for CliError {
    fn from(error: AdminError) -> Self {
        match error {
            AdminError::Client(error) => error.into(),
            other => Self::Input(other.to_string()),
        }
    }
}
