//! `ficha audit …`

mod there;

use std::time::Duration;

use clap::{Args, Subcommand};
use ficha_authority::{EventQuery, EventSearch, EventView, EventsFrom, Sight, Verified, hex};
use ficha_server::IpNet;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use uuid::Uuid;

use super::login::Loaded;
use crate::admin_context::{AdminContext, Empty, actor};
use crate::error::CliError;
use crate::output::{self, JsonList, Table, or_dash};
use crate::place::{At, Place};
use crate::report::Report;

/// How long a command waits for the numbers of what has just happened. A server gives them within a second; if none
/// runs, the command gives them.
pub const NUMBERED_WITHIN: Duration = Duration::from_secs(3);

/// How often an export that follows looks for new events.
const FOLLOW_EVERY: Duration = Duration::from_millis(250);

/// How many events are read and printed at a time.
const PAGE: u64 = 1_000;

/// How much of an event's hash is enough to name it, in hexadecimal digits: 48 bits, as in the metric.
const SHORTEST_HASH: usize = 12;

#[derive(Debug, Args)]
pub struct Arguments {
    #[command(flatten)]
    at: At,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List events, newest first
    List(List),
    /// Print events as lines of JSON, oldest first
    Export(Export),
    /// Check that no event was removed, changed, reordered or cut off
    Verify(Verify),
}

#[derive(Debug, Args)]
pub struct Which {
    /// Only events with this name; `login.` for all whose name begins so
    #[arg(long, value_name = "EVENT")]
    event: Option<String>,
    /// Only events that happened to this user: name or id
    #[arg(long, value_name = "USER")]
    user: Option<String>,
    /// Only events of this client
    #[arg(long, value_name = "CLIENT")]
    client: Option<String>,
    /// Only events of this session
    #[arg(long, value_name = "SESSION")]
    session: Option<Uuid>,
    /// Only events that somebody with this name, or the user with this id, caused
    #[arg(long, value_name = "ACTOR")]
    actor: Option<String>,
    /// Only events from this address or network
    #[arg(long, value_name = "ADDRESS", value_parser = network)]
    address: Option<IpNet>,
    /// Only events at or after this time (RFC 3339)
    #[arg(long, value_name = "TIME", value_parser = millis)]
    since: Option<i64>,
    /// Only events before this time (RFC 3339)
    #[arg(long, value_name = "TIME", value_parser = millis)]
    until: Option<i64>,
}

#[derive(Debug, Args)]
pub struct List {
    #[command(flatten)]
    which: Which,
    /// At most this many
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u64).range(1..))]
    limit: u64,
    /// Continue after the event with this number: the last one of the previous list
    #[arg(long, value_name = "NUMBER", alias = "before")]
    after: Option<i64>,
}

#[derive(Debug, Args)]
pub struct Export {
    #[command(flatten)]
    which: Which,
    /// Continue after the event with this number: the last one of the previous export
    #[arg(long, value_name = "NUMBER", default_value_t = 0)]
    after: i64,
    /// Go on with events as they happen, until interrupted
    #[arg(long)]
    follow: bool,
}

#[derive(Debug, Args)]
pub struct Verify {
    /// An event that was noted elsewhere: its number, a colon, and its hash or at least the first 12 digits of it
    #[arg(long, value_name = "NUMBER:HASH", value_parser = expected)]
    expect: Option<(i64, String)>,
}

/// Runs the command.
pub async fn run(arguments: Arguments, configuration: Loaded) -> Result<(), CliError> {
    let Arguments { at, command } = arguments;
    at.run(configuration, Empty::Refuse, async |place, report| match place {
        Place::Here(context) => here(context, report, command).await,
        Place::There(remote) => there::run(remote, report, command).await,
    })
    .await
}

async fn here(context: &AdminContext, report: Report, command: Command) -> Result<(), CliError> {
    let waiting = context.admin.number_events(&actor(), NUMBERED_WITHIN).await?;
    if waiting > 0 {
        tracing::warn!(events = waiting, "the newest events have no numbers yet and are missing here; try again");
    }
    match command {
        Command::List(arguments) => list(context, report, arguments).await,
        // Lines of JSON in any case.
        Command::Export(arguments) => export(context, arguments).await,
        Command::Verify(arguments) => verify(context, report, arguments).await,
    }
}

async fn list(context: &AdminContext, report: Report, arguments: List) -> Result<(), CliError> {
    let search = search(context, &arguments.which).await?;
    let (mut left, mut from) = (arguments.limit, arguments.after.map_or(EventsFrom::Newest, EventsFrom::Before));
    let mut out = Output::new(report.is_json());
    while left > 0 {
        let limit = PAGE.min(left);
        let page = context.admin.search_events(&search, from, limit as usize).await?;
        left -= page.events.len() as u64;
        let next = page.next;
        out.print(page.events.into_iter().map(EventView::from).collect())?;
        match next {
            Some(number) => from = EventsFrom::Before(number),
            None => break,
        }
    }
    out.finish()
}

/// Events as they are read.
enum Output {
    Json(JsonList),
    Table(Box<Table<8>>),
}

impl Output {
    fn new(json: bool) -> Self {
        match json {
            true => Self::Json(JsonList::default()),
            false => Self::Table(Box::new(Table::new(HEADINGS))),
        }
    }

    fn print(&mut self, events: Vec<EventView>) -> Result<(), CliError> {
        match self {
            Self::Json(list) => list.print(&events),
            Self::Table(table) => table.print(events.into_iter().map(row).collect()),
        }
    }

    fn finish(self) -> Result<(), CliError> {
        match self {
            Self::Json(list) => list.finish(),
            Self::Table(table) => table.finish(),
        }
    }
}

const HEADINGS: [&str; 8] = ["NUMBER", "AT", "EVENT", "ACTOR", "USER", "CLIENT", "ADDRESS", "DETAIL"];

fn row(event: EventView) -> [String; 8] {
    let actor = match event.actor.name {
        Some(name) => format!("{}:{name}", event.actor.kind),
        None => event.actor.kind,
    };
    let user = event.user.map(|user| user.to_string());
    [
        event.number.map(|number| number.to_string()).unwrap_or_default(),
        event.at,
        event.event,
        actor,
        or_dash(user.as_deref()),
        or_dash(event.client.as_deref()),
        or_dash(event.address.as_deref()),
        or_dash(event.detail.map(|detail| detail.to_string()).as_deref()),
    ]
}

async fn export(context: &AdminContext, arguments: Export) -> Result<(), CliError> {
    let (mut search, mut after) = (search(context, &arguments.which).await?, arguments.after);
    loop {
        // Whatever gets its number after this is read in the next round.
        let newest = context.admin.newest_event(&actor()).await?;
        loop {
            let (page, next) = context.admin.events_following(&search, after, PAGE).await?;
            after = page.last().and_then(|event| event.number).unwrap_or(after);
            output::print(&page.into_iter().map(|event| EventView::from(event).line()).collect::<String>())?;
            match next {
                Some(number) => after = number,
                None => break,
            }
        }
        if !arguments.follow {
            return Ok(());
        }
        after = after.max(newest);
        tokio::time::sleep(FOLLOW_EVERY).await;
        // Of a span of time, more may have happened.
        search = self::search(context, &arguments.which).await?;
    }
}

async fn search(context: &AdminContext, which: &Which) -> Result<EventSearch, CliError> {
    if let Some(user) = which.user.as_deref().filter(|user| user.parse::<Uuid>().is_err()) {
        // Nothing would be listed for a misspelt name. A user who was deleted has none any more.
        context.admin.user(&actor(), user).await?;
    }
    Ok(context.admin.event_search(&actor(), &which.query(), Sight::All).await?)
}

async fn verify(context: &AdminContext, report: Report, arguments: Verify) -> Result<(), CliError> {
    let expected = arguments.expect.as_ref().map(|(number, hash)| (*number, hash.as_str()));
    let found = context.admin.verify_events(&actor(), expected).await?;
    let verdict = match found.damages.len() {
        0 => Ok(()),
        damages => Err(CliError::EventsDamaged(damages)),
    };
    output::verdict(tell(&found, report), verdict)
}

fn tell(found: &Verified, report: Report) -> Result<(), CliError> {
    let hash = hex(&found.newest.hash);
    if report.is_json() {
        let damages: Vec<_> = found.damages.iter().map(ToString::to_string).collect();
        return output::json(&serde_json::json!({
            "intact": damages.is_empty(), "events": found.events, "first": found.first,
            "newest": { "number": found.newest.number, "hash": hash }, "pending": found.pending, "damages": damages,
        }));
    }
    let end = format!("{}:{hash}", found.newest.number);
    output::say(&format!("{} events checked, from {} to {end}", found.events, found.first))?;
    for damage in &found.damages {
        output::say(&damage.to_string())?;
    }
    match found.damages.is_empty() {
        true => {
            output::say("the log is intact. To notice if it is cut off later, note the last number and hash elsewhere")
        }
        false => Ok(()),
    }
}

impl Which {
    /// The same as parameters of the API.
    fn parameters(&self) -> Vec<(String, String)> {
        let session = self.session.map(|id| id.to_string());
        let address = self.address.map(|network| network.to_string());
        let [since, until] = [self.since, self.until].map(|at| at.map(output::millis_time));
        let all = [
            ("event", self.event.clone()),
            ("user", self.user.clone()),
            ("client", self.client.clone()),
            ("session", session),
            ("actor", self.actor.clone()),
            ("address", address),
            ("since", since),
            ("until", until),
        ];
        all.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect()
    }

    fn query(&self) -> EventQuery {
        EventQuery {
            event: self.event.clone(),
            user: self.user.clone(),
            client: self.client.clone(),
            session: self.session,
            actor: self.actor.clone(),
            address: self.address,
            since: self.since,
            until: self.until,
        }
    }
}

fn network(text: &str) -> Result<IpNet, String> {
    let one = text.parse::<std::net::IpAddr>().map(IpNet::from);
    one.or_else(|_| text.parse()).map_err(|_| "write it like 192.0.2.7 or 192.0.2.0/24".into())
}

fn millis(text: &str) -> Result<i64, String> {
    let time = OffsetDateTime::parse(text, &Rfc3339).map_err(|_| "write it like 2026-01-31T12:00:00Z".to_owned())?;
    i64::try_from(time.unix_timestamp_nanos().div_euclid(1_000_000)).map_err(|error| error.to_string())
}

fn expected(text: &str) -> Result<(i64, String), String> {
    let wrong = || format!("write it like 1024:9f86d081884c, with at least {SHORTEST_HASH} digits of the hash");
    let (number, hash) = text.split_once(':').ok_or_else(wrong)?;
    let number = number.parse::<i64>().ok().filter(|number| *number > 0).ok_or_else(wrong)?;
    let is_hash = (SHORTEST_HASH..=64).contains(&hash.len()) && hash.bytes().all(|byte| byte.is_ascii_hexdigit());
    if is_hash { Ok((number, hash.to_ascii_lowercase())) } else { Err(wrong()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_expected_event_is_a_number_and_enough_of_its_hash() {
        assert_eq!(expected("7:9F86d081884c").unwrap(), (7, "9f86d081884c".into()));
        for wrong in ["7", "7:", "7:9f86", "x:9f86d081884c", "0:9f86d081884c", "-1:9f86d081884c", "7:9f86d081884g"] {
            assert!(expected(wrong).unwrap_err().contains("write it like"), "{wrong}");
        }
    }
}
