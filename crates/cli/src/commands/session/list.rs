//! `ficha session list`

use clap::Args;
use ficha_authority::SessionQuery;
use ficha_client::admin::Session;
use serde_json::json;

use super::view;
use crate::admin_context::actor;
use crate::error::CliError;
use crate::output::{JsonList, Table, or_dash};
use crate::place::{Part, Place};
use crate::report::Report;

#[derive(Debug, Args)]
pub struct List {
    /// Only sessions of this user
    #[arg(long, value_name = "USER")]
    user: Option<String>,
    /// Only sessions of this client
    #[arg(long, value_name = "CLIENT")]
    client: Option<String>,
    /// Only sessions that fit this, such as `address=192.0.2.0/24`; repeat it to narrow them
    #[arg(long, value_name = "NAME=VALUE", value_parser = pair)]
    filter: Vec<(String, String)>,
    /// Include sessions that have ended, for as long as they are kept
    #[arg(long)]
    ended: bool,
    #[command(flatten)]
    part: Part,
    /// Print only how many there are
    #[arg(long, conflicts_with_all = ["limit", "after"])]
    count: bool,
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
pub async fn run(place: &Place, report: Report, arguments: List) -> Result<(), CliError> {
    if let Place::Here(context) = place {
        if let Some(user) = &arguments.user {
            // Nothing would be listed for a misspelt name.
            context.admin.user(&actor(), user).await?;
        }
        if arguments.count && arguments.filter.is_empty() {
            let (user, client, live_only) = (arguments.user, arguments.client, !arguments.ended);
            let query = SessionQuery { user, client, live_only, after: None, limit: 1 };
            return print_count(report, context.admin.count_sessions(&actor(), query).await?);
        }
    }
    let filters = arguments.filters();
    if arguments.count {
        let count = place.count_sessions(&filters).await?;
        require_names(place, &arguments, count).await?;
        return print_count(report, count);
    }
    let mut left = arguments.part.limit.unwrap_or(u64::MAX);
    let mut after = arguments.part.after.clone();
    let (mut out, mut count) = (Output::new(report), 0);
    while left > 0 {
        let page = place.sessions(&filters, after.as_deref(), left).await?;
        left -= page.sessions.len() as u64;
        count += page.sessions.len() as u64;
        if !page.sessions.is_empty() {
            out.print(page.sessions)?;
        }
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    require_names(place, &arguments, count).await?;
    out.finish()
}

/// A user or a client without sessions may be misspelt. A client with sessions may have been deleted.
async fn require_names(place: &Place, arguments: &List, found: u64) -> Result<(), CliError> {
    if found > 0 || arguments.part.after.is_some() {
        return Ok(());
    }
    if let (Place::There(remote), Some(user)) = (place, &arguments.user) {
        remote.require_user(user).await?;
    }
    match (place, &arguments.client) {
        (Place::There(remote), Some(client)) => remote.require_client(client).await,
        (Place::Here(context), Some(client)) => {
            context.admin.client(&actor(), client).await?;
            Ok(())
        }
        (_, None) => Ok(()),
    }
}

fn print_count(report: Report, count: u64) -> Result<(), CliError> {
    report.say(&count.to_string(), &json!({ "count": count }))
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
    fn new(report: Report) -> Self {
        match report.is_json() {
            true => Self::Json(JsonList::default()),
            false => Self::Table(Box::new(Table::new(HEADINGS))),
        }
    }

    fn print(&mut self, sessions: Vec<Session>) -> Result<(), CliError> {
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

fn row(session: Session) -> [String; 8] {
    let (state, user) = (view::state(&session), or_dash(view::user(&session)));
    let (scopes, address) = (or_dash(Some(&session.scopes.join(" "))), or_dash(session.address.as_deref()));
    let Session { id, client_id, created_at, refreshed_at, .. } = session;
    [id, user, client_id, scopes, state, created_at, refreshed_at, address]
}
