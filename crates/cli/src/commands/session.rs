//! `ficha session …`

use std::collections::HashMap;

use clap::{ArgGroup, Args, Subcommand};
use ficha_authority::{SessionQuery, SessionRecord};
use serde::Serialize;
use uuid::Uuid;

use super::recover;
use crate::admin_context::{self, ACTOR, AdminContext, Empty, all_pages};
use crate::config::Configuration;
use crate::error::CliError;
use crate::output::{self, ended, or_dash, time};

#[derive(Debug, Subcommand)]
pub enum Command {
    /// List sessions, newest first
    List(List),
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
pub struct List {
    /// Only sessions of this user
    #[arg(long, value_name = "NAME")]
    user: Option<String>,
    /// Only sessions of this client
    #[arg(long, value_name = "ID")]
    client: Option<String>,
    /// Include sessions that have ended, for as long as they are kept
    #[arg(long)]
    ended: bool,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
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
}

/// Runs the command.
pub async fn run(command: Command, configuration: &Configuration) -> Result<(), CliError> {
    if let Command::Revoke(Revoke { all: true, yes, .. }) = command {
        return recover::purge(configuration, yes).await;
    }
    let context = admin_context::open(configuration, Empty::Refuse).await?;
    match command {
        Command::List(arguments) => list(&context, arguments).await,
        Command::Show { id, json } => show(&context, id, json).await,
        Command::Revoke(which) => revoke(&context, which).await,
    }
}

async fn revoke(context: &AdminContext, which: Revoke) -> Result<(), CliError> {
    let sessions = match (which.id, which.user, which.client) {
        (Some(id), _, _) => u64::from(context.admin.revoke_session(ACTOR, id).await?),
        (_, Some(user), _) => context.admin.revoke_user(ACTOR, &user).await?,
        (_, _, Some(client)) => context.admin.revoke_client(ACTOR, &client).await?,
        // clap requires one of them.
        (None, None, None) => 0,
    };
    output::say(&ended(sessions))
}

/// A session as shown.
#[derive(Serialize)]
struct Shown {
    id: String,
    state: String,
    user: Option<String>,
    client_id: String,
    subject: String,
    scope: String,
    roles: Vec<String>,
    audience: String,
    generation: i64,
    created_at: String,
    rotated_at: String,
    idle_expires_at: String,
    expires_at: String,
    revoked_at: Option<String>,
    address: Option<String>,
    user_agent: Option<String>,
}

/// Converts rows for display; the name of each user is looked up once.
struct Viewer<'a> {
    context: &'a AdminContext,
    now: i64,
    epoch: i64,
    users: HashMap<Uuid, Option<String>>,
}

impl<'a> Viewer<'a> {
    async fn new(context: &'a AdminContext) -> Result<Self, CliError> {
        let epoch = context.base.store.head().await?.epoch;
        Ok(Self { context, now: context.now(), epoch, users: HashMap::new() })
    }

    async fn show(&mut self, session: &SessionRecord) -> Result<Shown, CliError> {
        let user = match session.user_id {
            Some(id) => self.name(id).await?,
            None => None,
        };
        Ok(Shown {
            id: session.id.to_string(),
            state: self.state(session),
            user,
            client_id: session.client_id.clone(),
            subject: session.subject.to_string(),
            scope: session.scopes.to_string(),
            roles: session.roles.clone(),
            audience: session.audience.clone(),
            generation: session.generation,
            created_at: time(session.created_at),
            rotated_at: time(session.rotated_at),
            idle_expires_at: time(session.idle_expires_at),
            expires_at: time(session.expires_at),
            revoked_at: session.revoked.map(|(at, _)| time(at)),
            address: session.address.clone(),
            user_agent: session.user_agent.clone(),
        })
    }

    fn state(&self, session: &SessionRecord) -> String {
        match session.revoked {
            Some((_, reason)) => format!("revoked: {}", reason.as_str()),
            None if session.epoch < self.epoch => "revoked: purge".into(),
            None if session.expires_at.min(session.idle_expires_at) <= self.now => "expired".into(),
            None => "live".into(),
        }
    }

    async fn name(&mut self, id: Uuid) -> Result<Option<String>, CliError> {
        if let Some(name) = self.users.get(&id) {
            return Ok(name.clone());
        }
        let name = self.context.admin.user_by_id(id).await?.map(|user| user.name);
        self.users.insert(id, name.clone());
        Ok(name)
    }
}

async fn list(context: &AdminContext, arguments: List) -> Result<(), CliError> {
    let sessions = all_pages(async |last: Option<&SessionRecord>, limit| {
        let query = SessionQuery {
            user: arguments.user.clone(),
            client: arguments.client.clone(),
            live_only: !arguments.ended,
            after: last.map(|session| session.id),
            limit,
        };
        context.admin.sessions(query).await
    });
    let mut viewer = Viewer::new(context).await?;
    let mut shown = Vec::new();
    for session in sessions.await? {
        shown.push(viewer.show(&session).await?);
    }
    if arguments.json {
        return output::json(&shown);
    }
    let row = |session: Shown| {
        let user = or_dash(session.user.as_deref());
        let (scope, address) = (or_dash(Some(&session.scope)), or_dash(session.address.as_deref()));
        [session.id, user, session.client_id, scope, session.state, session.created_at, session.rotated_at, address]
    };
    let rows: Vec<_> = shown.into_iter().map(row).collect();
    output::table(["ID", "USER", "CLIENT", "SCOPES", "STATE", "CREATED", "REFRESHED", "ADDRESS"], &rows)
}

async fn show(context: &AdminContext, id: Uuid, json: bool) -> Result<(), CliError> {
    let session = context.admin.session(id).await?;
    let session = Viewer::new(context).await?.show(&session).await?;
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
    ])
}
