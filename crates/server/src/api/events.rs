//! `/api/v1/events`: events as they happen (Server-Sent Events).

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::web::{Bytes, Data};
use actix_web::{HttpRequest, HttpResponse};
use ficha_authority::{AdminError, BrowserWatch, CONSOLE, EventView, EventWatch, Gap, Sight};
use ficha_resource::Verified;
use tokio::time::{Instant, sleep_until};
use uuid::Uuid;

use super::caller::caller_and_token;
use super::problem::{FieldError, Problem, ProblemAnswer};
use super::query::Parameters;
use crate::http::sse::event_stream;
use crate::state::State;

/// How often it is checked whether the token is still valid. A revoked one ends its stream within a quarter of a second.
const CHECK: Duration = Duration::from_millis(100);
/// How often an idle stream says that it is there.
const ALIVE: Duration = Duration::from_secs(10);
/// How many streams one server has at most, and how many of them one user or client.
const MOST: usize = 2_000;
const MOST_OF_ONE: usize = 20;
/// The same for receipts.
const MOST_RECEIPTS: usize = 200;
const MOST_RECEIPTS_OF_ONE: usize = 5;

/// The streams of one kind that are open.
#[derive(Debug)]
pub struct Streams {
    open: Mutex<HashMap<Uuid, usize>>,
    most: usize,
    most_of_one: usize,
}

/// One of them, until it is dropped.
pub struct Place {
    streams: Arc<Streams>,
    whose: Uuid,
}

impl Streams {
    /// Those of events.
    pub fn of_events() -> Self {
        Self { open: Mutex::default(), most: MOST, most_of_one: MOST_OF_ONE }
    }

    /// Those of receipts: they end by themselves, and cost more.
    pub fn of_receipts() -> Self {
        Self { open: Mutex::default(), most: MOST_RECEIPTS, most_of_one: MOST_RECEIPTS_OF_ONE }
    }

    /// A place for a stream of a user or client. Refused if there are too many.
    pub fn place(self: &Arc<Self>, whose: Uuid) -> Result<Place, Problem> {
        self.take(whose).ok_or_else(|| {
            Problem::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", "there are too many streams").retry_after(5)
        })
    }

    fn take(self: &Arc<Self>, whose: Uuid) -> Option<Place> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let all: usize = open.values().sum();
        let own = open.get(&whose).copied().unwrap_or(0);
        if all >= self.most || own >= self.most_of_one {
            return None;
        }
        open.insert(whose, own + 1);
        Some(Place { streams: Arc::clone(self), whose })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut open = self.streams.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(own) = open.get_mut(&self.whose) {
            *own -= 1;
            if *own == 0 {
                open.remove(&self.whose);
            }
        }
    }
}

/// Sends events as they happen. A scope shows the events that it is about; `ficha:account` one's own.
#[utoipa::path(
    get,
    path = "/api/v1/events",
    tag = "Admin",
    operation_id = "watch_events",
    security(("token" = [])),
    params((
        "Last-Event-ID" = Option<String>, Header,
        description = "Go on after this event; a browser's EventSource sends it by itself"
    )),
    responses(
        (status = 200, description = "Events as they happen: `id` is the number, `event` the name, `data` as in the list. What can't be sent any more is an event `gap`. It ends with the token",
            body = String, content_type = "text/event-stream"),
        (status = 400, description = "The header is wrong", body = ProblemAnswer),
        (status = 401, description = "No valid token", body = ProblemAnswer),
        (status = 403, description = "The token does not allow this", body = ProblemAnswer),
        (status = 503, description = "The database does not answer, or there are too many streams", body = ProblemAnswer),
    )
)]
pub async fn watch(request: HttpRequest, state: Data<State>) -> HttpResponse {
    match opened(&request, &state).await {
        Ok(stream) => stream.response(),
        Err(problem) => problem.response(&state),
    }
}

/// What allows a stream to go on.
pub enum Ticket {
    /// A token.
    Token(Arc<Verified>),
    /// The session of a browser.
    Browser(Box<BrowserWatch>),
}

/// A stream of events.
pub struct Stream {
    state: State,
    ticket: Ticket,
    watch: EventWatch,
    /// What is sent first.
    first: Option<Bytes>,
    /// When the last bytes were sent.
    sent: Instant,
    _place: Place,
}

async fn opened(request: &HttpRequest, state: &Data<State>) -> Result<Stream, Problem> {
    let (actor, token) = caller_and_token(request, state).await?;
    let sight = actor.sight_of_stream()?;
    Parameters::of(request.query_string()).finish()?;
    let after = last_event_id(request)?;
    let whose = token.claims.sub;
    Stream::open(state, Ticket::Token(token), whose, sight, after).await
}

impl Stream {
    /// Opens a stream of a user or client, that goes on after an event.
    pub async fn open(
        state: &State,
        ticket: Ticket,
        whose: Uuid,
        sight: Sight,
        after: Option<i64>,
    ) -> Result<Self, Problem> {
        let place = state.streams.place(whose)?;
        let watched = state.authority.watch_events(sight, after).await;
        let (watch, gap) = watched.map_err(|error| Problem::from(AdminError::from(error)))?;
        // The position at which it begins is known even if it ends before the first event.
        let begin = format!("retry: 1000\nid: {}\n:\n\n", gap.map_or(watch.at(), |gap| gap.after));
        let first = Bytes::from(begin + &gap.map(|gap| gap_text(gap, watch.at())).unwrap_or_default());
        let now = Instant::now();
        Ok(Self { state: state.clone(), ticket, watch, first: Some(first), sent: now, _place: place })
    }
}

/// The header `Last-Event-ID`, if there is one.
pub fn last_event_id(request: &HttpRequest) -> Result<Option<i64>, Problem> {
    let Some(header) = request.headers().get("last-event-id") else { return Ok(None) };
    let number = header.to_str().ok().and_then(|text| text.parse::<i64>().ok()).filter(|number| *number >= 0);
    let wrong = || {
        let problem = "it must be the id of an event".to_owned();
        Problem::invalid(vec![FieldError { field: "Last-Event-ID".into(), problem }])
    };
    number.map(Some).ok_or_else(wrong)
}

fn gap_text(gap: Gap, at: i64) -> String {
    let data = serde_json::json!({ "after": gap.after, "until": gap.until });
    format!("id: {at}\nevent: gap\ndata: {data}\n\n")
}

impl Stream {
    /// The response.
    pub fn response(self) -> HttpResponse {
        event_stream(futures_util::stream::unfold(self, |mut stream| async move {
            let part = stream.part().await?;
            stream.sent = Instant::now();
            Some((part, stream))
        }))
    }

    /// What is sent next; `None`: it ends.
    async fn part(&mut self) -> Option<Bytes> {
        if let Some(first) = self.first.take() {
            return self.may_go_on().await.then_some(first);
        }
        loop {
            let alive = self.sent + ALIVE;
            let read = tokio::select! {
                read = self.watch.next() => read,
                () = self.ticket.ended(&self.state) => return None,
            };
            // A client that comes back goes on with the last event that it got.
            let (gap, events) = read.ok()?;
            let gap = gap.map(|gap| gap_text(gap, self.watch.at()));
            let text: String = gap.into_iter().chain(events.into_iter().map(text)).collect();
            // After what was read, and with nothing in between: what came after the end of the session is not sent.
            if !self.may_go_on().await {
                return None;
            }
            if !text.is_empty() {
                return Some(text.into());
            }
            if Instant::now() >= alive {
                return Some(Bytes::from_static(b":\n\n"));
            }
            tokio::select! {
                () = self.watch.news() => {}
                () = sleep_until(alive) => {}
                () = self.ticket.ended(&self.state) => return None,
                () = self.state.authority.closed() => return None,
            }
        }
    }

    async fn may_go_on(&mut self) -> bool {
        self.ticket.is_valid(&self.state).await
    }
}

impl Ticket {
    /// True if it still allows the stream to go on.
    pub async fn is_valid(&mut self, state: &State) -> bool {
        match self {
            Self::Token(token) => state.guard.recheck(token).is_ok(),
            Self::Browser(browser) => state.authority.is_still_signed_in(browser).await,
        }
    }

    /// Returns once it is no longer valid, or its client may not have the server's own scopes.
    pub async fn ended(&mut self, state: &State) {
        loop {
            let client = match self {
                Self::Token(token) => &token.claims.client_id,
                Self::Browser(_) => CONSOLE,
            };
            if !state.authority.may_have_own_scopes(client).await || !self.is_valid(state).await {
                return;
            }
            tokio::time::sleep(CHECK).await;
        }
    }
}

fn text(event: ficha_authority::EventRecord) -> String {
    let view = EventView::from(event);
    // One line: JSON has no line breaks in it.
    format!("id: {}\nevent: {}\ndata: {}\n", view.number.unwrap_or_default(), view.event, view.line())
}
