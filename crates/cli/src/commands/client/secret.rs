//! `ficha client secret`.

use clap::Args;
use ficha_authority::{NewClientSecret, OtherSecrets};
use ficha_client::admin;
use ficha_token::{Clock, SystemClock};

use super::show;
use crate::admin_context::{AdminContext, actor};
use crate::config::duration::Seconds;
use crate::error::CliError;
use crate::output::time;
use crate::remote::Remote;

#[derive(Debug, Args)]
pub struct New {
    /// The client_id
    id: String,
    /// Let the old secret work for so long, so that the application changes over without a gap: `24h`, `7d`
    #[arg(long, value_name = "DURATION")]
    keep_old: Option<Seconds>,
    /// Let the new secret expire after so long
    #[arg(long, value_name = "DURATION")]
    expires: Option<Seconds>,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

/// Adds a secret, in place of the others unless they are kept for a while.
pub async fn add(context: &AdminContext, arguments: New) -> Result<(), CliError> {
    let now = context.now();
    let from_now = |duration: Seconds| now.saturating_add_unsigned(duration.0);
    let new = NewClientSecret {
        expires_at: arguments.expires.map(from_now),
        others: arguments.keep_old.map_or(OtherSecrets::Remove, |duration| OtherSecrets::KeepUntil(from_now(duration))),
    };
    let (_, secret) = context.admin.add_client_secret(&actor(), &arguments.id, new).await?;
    show::secret(&arguments.id, secret.expose(), arguments.json)
}

/// The same at a server elsewhere, whose clock may differ from the one here.
pub async fn add_there(remote: &Remote, arguments: New) -> Result<(), CliError> {
    let New { id, keep_old, expires, json } = arguments;
    let now = SystemClock.unix_now();
    let from_now = |duration: Seconds| time(now.saturating_add_unsigned(duration.0));
    let (expires, keep) = (expires.map(from_now), keep_old.map(from_now));
    let others = keep.as_deref().map_or(admin::OtherSecrets::Remove, admin::OtherSecrets::KeepUntil);
    let added = remote.client.add_client_secret(&id, expires.as_deref(), others).await?;
    match &added.secret {
        Some(secret) => show::secret(&id, secret.expose(), json),
        None => {
            super::there::lost(&id);
            Err(CliError::Input("the new secret is in place, and nobody has seen it".into()))
        }
    }
}
