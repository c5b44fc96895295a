//! `/api/v1/events`: events as they happen (Server-Sent Events).

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::web::{Bytes, Data};
use actix_web::{HttpRequest, HttpResponse};
use ficha_authority::{AdminError, EventView, EventWatch, Gap};
use ficha_resource::Verified;
use tokio::time::{Instant, sleep_until};

use super::caller::{caller_and_token, still_administers};
use super::problem::{FieldError, Problem, ProblemAnswer};
use super::query::Parameters;
use crate::error::no_store;
use crate::state::State;

/// How often it is checked whether the token is still valid. A revoked one ends its stream within a quarter of a second.
const CHECK: Duration = Duration::from_millis(100);
/// How often an idle stream says that it is there.
const ALIVE: Duration = Duration::from_secs(10);
/// How many streams one server has at most.
const MOST: usize = 2_000;

static OPEN: AtomicUsize = AtomicUsize::new(0);

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

struct Stream {
    state: State,
    token: Arc<Verified>,
    watch: EventWatch,
    /// What is sent first.
    first: Option<Bytes>,
    /// When the last bytes were sent.
    sent: Instant,
    /// When the token was last checked.
    checked: Instant,
    _place: Place,
}

/// One of the streams that are open.
struct Place;

impl Place {
    fn take() -> Option<Self> {
        let taken = OPEN.fetch_add(1, Ordering::AcqRel);
        let place = Self;
        (taken < MOST).then_some(place)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        OPEN.fetch_sub(1, Ordering::AcqRel);
    }
}

async fn opened(request: &HttpRequest, state: &Data<State>) -> Result<Stream, Problem> {
    let (actor, token) = caller_and_token(request, state).await?;
    let sight = actor.sight_of_stream()?;
    Parameters::of(request.query_string()).finish()?;
    let after = match request.headers().get("last-event-id") {
        None => None,
        Some(header) => {
            let number = header.to_str().ok().and_then(|text| text.parse::<i64>().ok()).filter(|number| *number >= 0);
            Some(number.ok_or_else(|| {
                let problem = "it must be the id of an event".to_owned();
                Problem::invalid(vec![FieldError { field: "Last-Event-ID".into(), problem }])
            })?)
        }
    };
    let place = Place::take();
    let place = place.ok_or_else(|| {
        Problem::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", "there are too many streams").retry_after(5)
    })?;
    let watched = state.authority.watch_events(sight, after).await;
    let (watch, gap) = watched.map_err(|error| Problem::from(AdminError::from(error)))?;
    // The position at which it begins is known even if it ends before the first event.
    let begin = format!("retry: 1000\nid: {}\n:\n\n", gap.map_or(watch.at(), |gap| gap.after));
    let first = Bytes::from(begin + &gap.map(|gap| gap_text(gap, watch.at())).unwrap_or_default());
    let now = Instant::now();
    let state = (***state).clone();
    Ok(Stream { state, token, watch, first: Some(first), sent: now, checked: now, _place: place })
}

fn gap_text(gap: Gap, at: i64) -> String {
    let data = serde_json::json!({ "after": gap.after, "until": gap.until });
    format!("id: {at}\nevent: gap\ndata: {data}\n\n")
}

impl Stream {
    fn response(self) -> HttpResponse {
        let mut response = HttpResponse::Ok();
        no_store(&mut response);
        // nginx would hold back what is sent.
        response.content_type("text/event-stream").insert_header(("x-accel-buffering", "no"));
        let parts = futures_util::stream::unfold(self, |mut stream| async move {
            let part = stream.part().await?;
            stream.sent = Instant::now();
            Some((Ok::<_, std::convert::Infallible>(part), stream))
        });
        response.streaming(parts)
    }

    /// What is sent next; `None`: it ends.
    async fn part(&mut self) -> Option<Bytes> {
        if let Some(first) = self.first.take() {
            return Some(first);
        }
        loop {
            // Before what is read, not after: an event that came after the end of the session is not sent.
            if !self.may_go_on().await {
                return None;
            }
            // A client that comes back goes on with the last event that it got.
            let events = self.watch.next().await.ok()?;
            if !events.is_empty() {
                return Some(events.into_iter().map(text).collect::<String>().into());
            }
            let alive = self.sent + ALIVE;
            if Instant::now() >= alive {
                return Some(Bytes::from_static(b":\n\n"));
            }
            let next_check = (self.checked + CHECK).min(alive);
            tokio::select! {
                () = self.watch.news() => {}
                () = sleep_until(next_check) => {}
                () = self.state.authority.closed() => return None,
            }
        }
    }

    async fn may_go_on(&mut self) -> bool {
        self.checked = Instant::now();
        self.state.guard.recheck(&self.token).is_ok() && still_administers(&self.token.claims, &self.state).await
    }
}

fn text(event: ficha_authority::EventRecord) -> String {
    let view = EventView::from(event);
    // One line: JSON has no line breaks in it.
    format!("id: {}\nevent: {}\ndata: {}\n", view.number.unwrap_or_default(), view.event, view.line())
}
