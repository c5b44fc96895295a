//! `ficha session list`

use clap::Args;
use ficha_authority::{SessionQuery, SessionRecord};
use serde_json::json;
use uuid::Uuid;

use super::view::{Shown, Viewer};
use crate::admin_context::{AdminContext, actor};
use crate::error::CliError;
use crate::output::{self, JsonList, Table, or_dash};

/// How many sessions are read and printed at a time.
const PAGE: u64 = 1_000;

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
    /// At most this many [default: all]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    limit: Option<u64>,
    /// Continue after the session with this id: the last one of the previous list
    #[arg(long, value_name = "SESSION")]
    after: Option<Uuid>,
    /// Print only how many there are
    #[arg(long, conflicts_with_all = ["limit", "after"])]
    count: bool,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

/// Prints the sessions page by page, as they are read.
pub async fn list(context: &AdminContext, arguments: List) -> Result<(), CliError> {
    let mut query = SessionQuery {
        user: arguments.user,
        client: arguments.client,
        live_only: !arguments.ended,
        after: arguments.after,
        limit: PAGE,
    };
    if arguments.count {
        let count = context.admin.count_sessions(&actor(), query).await?;
        return if arguments.json { output::json(&json!({ "count": count })) } else { output::say(&count.to_string()) };
    }
    let mut left = arguments.limit.unwrap_or(u64::MAX);
    let mut viewer = Viewer::new(context).await?;
    let mut out =
        if arguments.json { Output::Json(JsonList::default()) } else { Output::Table(Box::new(Table::new(HEADINGS))) };
    while left > 0 {
        query.limit = PAGE.min(left);
        let page: Vec<SessionRecord> = context.admin.sessions(&actor(), query.clone()).await?;
        let is_last = (page.len() as u64) < query.limit;
        left -= page.len() as u64;
        query.after = page.last().map(|session| session.id).or(query.after);
        out.print(viewer.show(&page).await?)?;
        if is_last {
            break;
        }
    }
    out.finish()
}

const HEADINGS: [&str; 8] = ["ID", "USER", "CLIENT", "SCOPES", "STATE", "CREATED", "REFRESHED", "ADDRESS"];

enum Output {
    Json(JsonList),
    Table(Box<Table<8>>),
}

impl Output {
    fn print(&mut self, sessions: Vec<Shown>) -> Result<(), CliError> {
        match self {
            Self::Json(list) => list.print(&sessions),
            Self::Table(table) => table.print(sessions.into_iter().map(row).collect()),
        }
    }

    fn finish(self) -> Result<(), CliError> {
        match self {
            Self::Json(list) => list.finish(),
            Self::Table(table) => table.finish(),
        }
    }
}

fn row(session: Shown) -> [String; 8] {
    let user = or_dash(session.user.as_deref());
    let (scope, address) = (or_dash(Some(&session.scope)), or_dash(session.address.as_deref()));
    [session.id, user, session.client_id, scope, session.state, session.created_at, session.rotated_at, address]
}
