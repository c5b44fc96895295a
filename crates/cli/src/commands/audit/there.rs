//! Events of a server elsewhere.

use std::time::Duration;

use ficha_authority::{ActorView, EventView};
use ficha_client::admin::Event;
use uuid::Uuid;

use super::{Command, Export, FOLLOW_EVERY, List, Output, Which};
use crate::error::CliError;
use crate::input_error::InputError;
use crate::output;
use crate::remote::{PAGE, Remote};
use crate::report::Report;

/// How long the server may take to number an event.
const NUMBERED_BY_SERVER: Duration = Duration::from_secs(1);

pub async fn run(remote: &Remote, report: Report, command: Command) -> Result<(), CliError> {
    match command {
        Command::List(arguments) => list(remote, report, arguments).await,
        Command::Export(arguments) => export(remote, arguments).await,
        Command::Verify(_) => Err(InputError::VerifyElsewhere.into()),
    }
}

async fn list(remote: &Remote, report: Report, arguments: List) -> Result<(), CliError> {
    let filter = arguments.which.parameters();
    let (mut left, mut after) = (arguments.limit, arguments.after.map(|number| number.to_string()));
    let (mut out, mut found) = (Output::new(report.is_json()), 0);
    while left > 0 {
        let limit = u32::try_from(left).unwrap_or(PAGE).min(PAGE);
        let page = remote.client.events(&filter, after.as_deref(), limit).await?;
        left -= page.items.len() as u64;
        found += page.items.len();
        if !page.items.is_empty() {
            out.print(page.items.into_iter().map(view).collect())?;
        }
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    if found == 0 {
        require_user(remote, &arguments.which).await?;
    }
    out.finish()
}

/// Nothing is listed for a misspelt name. A user who was deleted has none any more, and is named by id.
async fn require_user(remote: &Remote, which: &Which) -> Result<(), CliError> {
    match which.user.as_deref().filter(|user| user.parse::<Uuid>().is_err()) {
        Some(user) => remote.require_user(user).await,
        None => Ok(()),
    }
}

async fn export(remote: &Remote, arguments: Export) -> Result<(), CliError> {
    require_user(remote, &arguments.which).await?;
    let (filter, mut after) = (arguments.which.parameters(), arguments.after);
    let mut awaited = arguments.follow;
    loop {
        let page = remote.client.events_after(&filter, after, PAGE).await?;
        after = page.items.first().map_or(after, |event| event.number);
        // A page that is not full may have looked at many that did not fit.
        let further = page.previous.as_deref().and_then(|number| number.parse().ok());
        output::print(&page.items.into_iter().rev().map(|event| view(event).line()).collect::<String>())?;
        match further {
            Some(number) if number > after => after = number,
            Some(_) => {}
            None if arguments.follow => tokio::time::sleep(FOLLOW_EVERY).await,
            // What has happened just before this command gets its number within a second.
            None if !awaited => {
                tokio::time::sleep(NUMBERED_BY_SERVER).await;
                awaited = true;
            }
            None => return Ok(()),
        }
    }
}

fn view(event: Event) -> EventView {
    let id = |text: Option<String>| text.and_then(|text| text.parse().ok());
    EventView {
        number: Some(event.number),
        at: event.at,
        event: event.event,
        actor: ActorView { kind: event.actor.kind, name: event.actor.name, id: id(event.actor.id) },
        user: id(event.user),
        client: event.client,
        session: id(event.session),
        address: event.address,
        request_id: event.request_id,
        detail: event.detail,
        hash: event.hash,
    }
}
