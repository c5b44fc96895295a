//! `ficha session …`

mod list;
mod receipt;
mod there;
mod view;

use std::time::Duration;

use clap::{ArgGroup, Args, Subcommand};
use ficha_authority::{Began, RevokeMatching};
use ficha_client::admin::SessionFilter;
use uuid::Uuid;

use self::view::{Shown, Viewer};
use super::job;
use super::login::Loaded;
use super::recover;
use crate::admin_context::{AdminContext, Empty, actor};
use crate::ask;
use crate::error::CliError;
use crate::output::{self, ended, or_dash};
use crate::place::{At, Place};
use crate::remote::Remote;

#[derive(Debug, Args)]
pub struct Arguments {
    #[command(flatten)]
    at: At,
    #[command(subcommand)]
    command: Command,
}

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
#[command(group = ArgGroup::new("which").required(true).args(["id", "user", "client", "filter", "all"]))]
pub struct Revoke {
    /// The session id: the `sid` of its tokens
    id: Option<Uuid>,
    /// All sessions of this user
    #[arg(long, value_name = "NAME")]
    user: Option<String>,
    /// All sessions of this client
    #[arg(long, value_name = "ID")]
    client: Option<String>,
    /// All sessions that fit this, such as `user=alice`; repeat it to narrow them. What fits is counted first
    #[arg(long, value_name = "NAME=VALUE", value_parser = list::pair)]
    filter: Vec<(String, String)>,
    /// All sessions, at once; new keys replace the old ones
    #[arg(long)]
    all: bool,
    /// With --all or --filter: don't ask for confirmation
    #[arg(long)]
    yes: bool,
    /// How long to wait for the services that check tokens to refuse them, up to 30; with 0, none is shown
    #[arg(long, value_name = "SECONDS", default_value_t = 2, value_parser = clap::value_parser!(u64).range(..=30))]
    wait: u64,
    /// Print one JSON document
    #[arg(long, conflicts_with = "all")]
    json: bool,
}

impl Arguments {
    /// True if the command changes something.
    pub fn changes(&self) -> bool {
        !matches!(self.command, Command::List(_) | Command::Show { .. })
    }
}

/// Runs the command.
pub async fn run(arguments: Arguments, configuration: Loaded) -> Result<(), CliError> {
    let Arguments { at, command } = arguments;
    let context = match at.open(configuration, Empty::Refuse).await? {
        Place::Here(context) => context,
        Place::There(remote) => {
            let outcome = run_remotely(&remote, command).await;
            remote.settled().await;
            return outcome;
        }
    };
    match command {
        Command::Revoke(Revoke { all: true, yes, .. }) => recover::purge_in(&context, yes).await,
        Command::List(arguments) => list::list(&context, arguments).await,
        Command::Show { id, json } => {
            let session = context.admin.session(&actor(), id).await?;
            show(Viewer::new(&context).await?.show(&[session]).await?.remove(0), json)
        }
        Command::Revoke(which) => revoke(&context, which).await,
    }
}

async fn run_remotely(remote: &Remote, command: Command) -> Result<(), CliError> {
    match command {
        Command::List(arguments) => list::list_remotely(remote, arguments).await,
        Command::Show { id, json } => show(there::shown(remote.client.session(&id.to_string()).await?), json),
        Command::Revoke(Revoke { all: true, .. }) => {
            Err(CliError::Input("--all works on the server's own machine only: use `ficha key purge --server`".into()))
        }
        Command::Revoke(which) => {
            let wait = (which.wait > 0).then(|| Duration::from_secs(which.wait));
            let done = match (which.id, which.user, which.client) {
                (Some(id), ..) => remote.client.revoke_session(&id.to_string(), wait).await?,
                (_, Some(user), _) => remote.revoke_all_of(SessionFilter::new().with("user", user), wait).await?,
                (.., Some(client)) => remote.revoke_all_of(SessionFilter::new().with("client", client), wait).await?,
                (None, None, None) => {
                    let filter = which.filter.into_iter();
                    let filter = filter.fold(SessionFilter::new(), |filter, (name, value)| filter.with(name, value));
                    remote.revoke_confirmed(&filter, wait, |count| confirm(count, which.yes)).await?
                }
            };
            let revoked = match &done.job {
                Some(id) => job::watch_there(&remote.client, id).await?.changed(),
                None => done.revoked,
            };
            print(revoked, done.receipt.as_ref().map(there::receipt), which.json)
        }
    }
}

async fn revoke(context: &AdminContext, which: Revoke) -> Result<(), CliError> {
    let wait = Duration::from_secs(which.wait);
    let mut matching = None;
    if !which.filter.is_empty() {
        let search = ficha_server::session_search(which.filter).map_err(CliError::Input)?;
        let mut what = RevokeMatching { search, ..RevokeMatching::default() };
        what.expected = context.admin.count_matching(&actor(), &what).await?;
        confirm(what.expected, which.yes)?;
        matching = Some(what);
    }
    let began = Began::now();
    let sessions = match (which.id, which.user, which.client, matching) {
        (Some(id), ..) => u64::from(context.admin.revoke_session(&actor(), id).await?),
        (_, Some(user), ..) => context.admin.revoke_user(&actor(), &user).await?,
        (_, _, Some(client), _) => context.admin.revoke_client(&actor(), &client).await?,
        (.., Some(what)) => {
            let done = context.admin.revoke_matching(&actor(), &what).await?;
            match done.job {
                Some(id) => job::work_here(context, id).await?.changed(),
                None => done.revoked,
            }
        }
        // clap requires one of them.
        (None, None, None, None) => 0,
    };
    let receipt = match wait.is_zero() {
        true => None,
        false => Some(context.admin.receipt(began, wait).await),
    };
    print(sessions, receipt.as_ref().map(receipt::Shown::of), which.json)
}

fn confirm(count: u64, yes: bool) -> Result<(), CliError> {
    ask::confirm(&format!("{count} sessions fit, some of which may have ended before; they end now."), yes)
}

fn print(sessions: u64, receipt: Option<receipt::Shown<'_>>, json: bool) -> Result<(), CliError> {
    if json {
        return output::json(&serde_json::json!({ "revoked": sessions, "receipt": receipt }));
    }
    output::say(&ended(sessions))?;
    receipt.map_or(Ok(()), |receipt| receipt.print())
}

fn show(session: Shown, json: bool) -> Result<(), CliError> {
    if json {
        return output::json(&session);
    }
    output::fields(&[
        ("id", session.id),
        ("state", session.state),
        ("user", or_dash(session.user.as_deref())),
        ("client", session.client_id),
        ("subject", or_dash(session.subject.as_deref())),
        ("scopes", or_dash(Some(&session.scope))),
        ("roles", or_dash(Some(&session.roles.join(" ")))),
        ("audience", session.audience),
        ("generation", or_dash(session.generation.map(|number| number.to_string()).as_deref())),
        ("created", session.created_at),
        ("refreshed", session.rotated_at),
        ("ends unless refreshed", session.idle_expires_at),
        ("ends", session.expires_at),
        ("revoked", or_dash(session.revoked_at.as_deref())),
        ("address", or_dash(session.address.as_deref())),
        ("user agent", or_dash(session.user_agent.as_deref())),
        ("authenticated", or_dash(session.auth_time.as_deref())),
        ("methods", or_dash(Some(&session.amr.join(" ")))),
    ])
}
