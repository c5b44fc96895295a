//! `ficha session list`

use clap::Args;
use ficha_authority::{PageFrom, SessionQuery, SessionRecord};
use ficha_client::admin::SessionFilter;
use serde_json::json;
use uuid::Uuid;

use super::there;
use super::view::{Shown, Viewer};
use crate::admin_context::{AdminContext, actor};
use crate::error::CliError;
use crate::output::{self, JsonList, Table, or_dash};
use crate::remote::{self, Remote};

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
    /// Only sessions that fit this, such as `address=192.0.2.0/24`; repeat it to narrow them
    #[arg(long, value_name = "NAME=VALUE", value_parser = pair)]
    filter: Vec<(String, String)>,
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

impl List {
    /// All of it as one filter. Live sessions only, unless a state or `--ended` says otherwise.
    fn filters(&self) -> Vec<(String, String)> {
        let named = self.user.iter().map(|user| ("user".to_owned(), user.clone()));
        let named = named.chain(self.client.iter().map(|client| ("client".to_owned(), client.clone())));
        let mut all: Vec<_> = named.chain(self.filter.iter().cloned()).collect();
        if !self.ended && all.iter().all(|(name, _)| name != "state" && name != "reason") {
            all.push(("state".to_owned(), "live".to_owned()));
        }
        all
    }
}

/// Prints the sessions page by page, as they are read.
pub async fn list(context: &AdminContext, arguments: List) -> Result<(), CliError> {
    if let Some(user) = &arguments.user {
        // Nothing would be listed for a misspelt name.
        context.admin.user(&actor(), user).await?;
    }
    if arguments.count && arguments.filter.is_empty() {
        let query = SessionQuery {
            user: arguments.user,
            client: arguments.client,
            live_only: !arguments.ended,
            after: None,
            limit: PAGE,
        };
        return print_count(context.admin.count_sessions(&actor(), query).await?, arguments.json);
    }
    let search = ficha_server::session_search(arguments.filters()).map_err(CliError::Input)?;
    let mut from = arguments.after.map_or(PageFrom::Newest, PageFrom::OlderThan);
    let mut left = arguments.limit.unwrap_or(u64::MAX);
    let mut viewer = Viewer::new(context).await?;
    let (mut out, mut count) = (Output::new(&arguments), 0);
    while left > 0 {
        let page = context.admin.search_sessions(&actor(), &search, from, PAGE.min(left)).await?;
        let sessions: Vec<SessionRecord> = page.sessions.into_iter().map(|(session, _)| session).collect();
        left -= sessions.len() as u64;
        count += sessions.len() as u64;
        if !arguments.count && !sessions.is_empty() {
            out.print(viewer.show(&sessions).await?)?;
        }
        match page.next {
            Some(next) => from = PageFrom::OlderThan(next),
            None => break,
        }
    }
    if count == 0
        && let (Some(client), None) = (&arguments.client, arguments.after)
    {
        // A client without sessions may be misspelt. One with sessions may have been deleted.
        context.admin.client(&actor(), client).await?;
    }
    if arguments.count { print_count(count, arguments.json) } else { out.finish() }
}

/// The same of a server elsewhere.
pub async fn list_remotely(remote: &Remote, arguments: List) -> Result<(), CliError> {
    let filter = arguments.filters().into_iter();
    let filter = filter.fold(SessionFilter::new(), |filter, (name, value)| filter.with(name, value));
    let mut left = arguments.limit.unwrap_or(u64::MAX);
    let mut after = arguments.after.map(|id| id.to_string());
    let (mut out, mut count) = (Output::new(&arguments), 0);
    while left > 0 {
        let limit = left.min(remote::PAGE.into()) as u32;
        let page = remote.client.sessions(&filter, after.as_deref(), limit).await?;
        left -= page.items.len() as u64;
        count += page.items.len() as u64;
        if !arguments.count && !page.items.is_empty() {
            out.print(page.items.into_iter().map(there::shown).collect())?;
        }
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    if arguments.count { print_count(count, arguments.json) } else { out.finish() }
}

fn print_count(count: u64, json: bool) -> Result<(), CliError> {
    if json { output::json(&json!({ "count": count })) } else { output::say(&count.to_string()) }
}

/// A filter, as it is typed.
pub fn pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("write it like user=alice or address=192.0.2.0/24".into()),
    }
}

const HEADINGS: [&str; 8] = ["ID", "USER", "CLIENT", "SCOPES", "STATE", "CREATED", "REFRESHED", "ADDRESS"];

enum Output {
    Json(JsonList),
    Table(Box<Table<8>>),
}

impl Output {
    fn new(arguments: &List) -> Self {
        match arguments.json {
            true => Self::Json(JsonList::default()),
            false => Self::Table(Box::new(Table::new(HEADINGS))),
        }
    }

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
