//! `ficha session …`

mod list;
mod receipt;
mod view;

use std::time::Duration;

use clap::{ArgGroup, Args, Subcommand};
use ficha_authority::Began;
use uuid::Uuid;

use self::view::Viewer;
use super::recover;
use crate::admin_context::{self, AdminContext, Empty, actor};
use crate::config::Configuration;
use crate::error::CliError;
use crate::output::{self, ended, or_dash};

#[derive(Debug, Subcommand)]
pub enum Command {
    /// List sessions, newest first
    List(list::List),
    /// Show one session
    Show {
        /// The session id: the `sid` of its tokens
        id: Uuid,
        /// Print one JSON document
        #[arg(long)]
        json: bool,
    },
    /// End sessions; their tokens are refused
    Revoke(Revoke),
}

#[derive(Debug, Args)]
#[command(group = ArgGroup::new("which").required(true).args(["id", "user", "client", "all"]))]
pub struct Revoke {
    /// The session id: the `sid` of its tokens
    id: Option<Uuid>,
    /// All sessions of this user
    #[arg(long, value_name = "NAME")]
    user: Option<String>,
    /// All sessions of this client
    #[arg(long, value_name = "ID")]
    client: Option<String>,
    /// All sessions, at once; new keys replace the old ones
    #[arg(long)]
    all: bool,
    /// With --all: don't ask for confirmation
    #[arg(long)]
    yes: bool,
    /// How long to wait for the services that check tokens to refuse them, up to 30; with 0, none is shown
    #[arg(long, value_name = "SECONDS", default_value_t = 2, value_parser = clap::value_parser!(u64).range(..=30))]
    wait: u64,
    /// Print one JSON document
    #[arg(long, conflicts_with = "all")]
    json: bool,
}

/// Runs the command.
pub async fn run(command: Command, configuration: &Configuration) -> Result<(), CliError> {
    if let Command::Revoke(Revoke { all: true, yes, .. }) = command {
        return recover::purge(configuration, yes).await;
    }
    let context = admin_context::open(configuration, Empty::Refuse).await?;
    match command {
        Command::List(arguments) => list::list(&context, arguments).await,
        Command::Show { id, json } => show(&context, id, json).await,
        Command::Revoke(which) => revoke(&context, which).await,
    }
}

async fn revoke(context: &AdminContext, which: Revoke) -> Result<(), CliError> {
    let (began, wait) = (Began::now(), Duration::from_secs(which.wait));
    let sessions = match (which.id, which.user, which.client) {
        (Some(id), _, _) => u64::from(context.admin.revoke_session(&actor(), id).await?),
        (_, Some(user), _) => context.admin.revoke_user(&actor(), &user).await?,
        (_, _, Some(client)) => context.admin.revoke_client(&actor(), &client).await?,
        // clap requires one of them.
        (None, None, None) => 0,
    };
    let receipt = match wait.is_zero() {
        true => None,
        false => Some(context.admin.receipt(began, wait).await),
    };
    if which.json {
        let receipt = receipt.as_ref().map(receipt::Shown::of);
        return output::json(&serde_json::json!({ "revoked": sessions, "receipt": receipt }));
    }
    output::say(&ended(sessions))?;
    receipt.map_or(Ok(()), |receipt| receipt::print(&receipt))
}

async fn show(context: &AdminContext, id: Uuid, json: bool) -> Result<(), CliError> {
    let session = context.admin.session(&actor(), id).await?;
    let session = Viewer::new(context).await?.show(&[session]).await?.remove(0);
    if json {
        return output::json(&session);
    }
    output::fields(&[
        ("id", session.id),
        ("state", session.state),
        ("user", or_dash(session.user.as_deref())),
        ("client", session.client_id),
        ("subject", session.subject),
        ("scopes", or_dash(Some(&session.scope))),
        ("roles", or_dash(Some(&session.roles.join(" ")))),
        ("audience", session.audience),
        ("generation", session.generation.to_string()),
        ("created", session.created_at),
        ("refreshed", session.rotated_at),
        ("ends unless refreshed", session.idle_expires_at),
        ("ends", session.expires_at),
        ("revoked", or_dash(session.revoked_at.as_deref())),
        ("address", or_dash(session.address.as_deref())),
        ("user agent", or_dash(session.user_agent.as_deref())),
        ("authenticated", session.auth_time),
        ("methods", or_dash(Some(&session.amr.join(" ")))),
    ])
}
