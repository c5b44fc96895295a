//! `/console/receipt/stream`: a receipt that goes on after its page was sent. Each service is ticked off as it answers.

use std::sync::Arc;
use std::time::Duration;

use actix_web::web::{Bytes, Data};
use actix_web::{HttpRequest, HttpResponse};
use askama::Template;
use ficha_authority::{Began, BrowserWatch, Receipt};
use tokio::sync::watch::Receiver;
use tokio::time::{Instant, sleep, sleep_until};
use url::form_urlencoded::Serializer;

use super::receipt::{ReceiptState, ReceiptView, require_asking, without_times};
use crate::api::events::{Place, Ticket};
use crate::http::connections::Connection;
use crate::http::sse::event_stream;
use crate::http::unread_body::connection;
use crate::pages::answer::{PageError, script_answer};
use crate::pages::events::of_this_session;
use crate::pages::frame::Frame;
use crate::pages::sign_in::query;
use crate::state::State;

/// How long it goes on: as long as `?wait=` of the API. Then one asks again.
const LONGEST: Duration = Duration::from_secs(30);
/// How often an idle one says that it is there.
const ALIVE: Duration = Duration::from_secs(5);
/// How long it waits after a change for more.
const GATHER: Duration = Duration::from_millis(50);
/// What ended longer ago than this has no time beside its services.
const OLDEST: Duration = Duration::from_secs(600);

/// What a page asks for.
pub struct Address<'a> {
    /// The session that the page was made for.
    pub session: &'a str,
    /// What its receipt is about.
    pub about: Option<&'a str>,
    /// When it ended what the receipt is about.
    pub began: Option<Began>,
}

impl Address<'_> {
    /// As a query. How long ago it began is counted until the page was made: on its way to the script it adds up.
    pub fn query(&self, now_ms: i64) -> String {
        let began = self.began.map(|began| now_ms - began.elapsed().as_millis() as i64);
        let mut query = Serializer::new(String::new());
        query.append_pair("session", self.session);
        if let Some(about) = self.about {
            query.append_pair("about", about);
        }
        if let Some(began) = began {
            query.append_pair("began", &began.to_string());
        }
        query.finish()
    }
}

/// The stream: an event `receipt` with the new state of the page's part, as HTML, whenever it has changed, and `end`.
pub async fn watch(request: HttpRequest, state: Data<State>) -> HttpResponse {
    match opened(&request, &state).await {
        Ok(stream) => stream.response(),
        Err(error) => script_answer(error.status_for_scripts()),
    }
}

/// A receipt that is open.
struct Stream {
    state: State,
    ticket: Ticket,
    frame: Frame,
    receipt: Receiver<Option<Receipt>>,
    has_times: bool,
    /// What was sent last, and when.
    sent: String,
    sent_at: Instant,
    has_ended: bool,
    connection: Option<Arc<Connection>>,
    _place: Place,
}

async fn opened(request: &HttpRequest, state: &Data<State>) -> Result<Stream, PageError> {
    let visitor = of_this_session(request, state).await?;
    require_asking(&visitor)?;
    let place = state.receipts.place(visitor.browser.user.id)?;
    let ago = query(request, "began").and_then(|began| ago(state, began.parse().ok()?));
    let began = ago.map_or_else(Began::now, Began::ago);
    let receipt = state.authority.admin().watch_receipt(began, query(request, "about").as_deref(), LONGEST);
    Ok(Stream {
        state: state.get_ref().clone(),
        ticket: Ticket::Browser(Box::new(BrowserWatch::new(visitor.browser))),
        frame: visitor.frame,
        receipt,
        has_times: ago.is_some(),
        sent: String::new(),
        sent_at: Instant::now(),
        has_ended: false,
        connection: connection(request).cloned(),
        _place: place,
    })
}

/// How long ago a moment was, by the clock of the server that is asked; `None` if that can't be true.
fn ago(state: &State, began_ms: i64) -> Option<Duration> {
    let ago = state.authority.clock().unix_millis().checked_sub(began_ms)?;
    let ago = Duration::from_millis(u64::try_from(ago).ok()?);
    (ago <= OLDEST).then_some(ago)
}

impl Stream {
    fn response(self) -> HttpResponse {
        event_stream(futures_util::stream::unfold(self, |mut stream| async move {
            let part = stream.part().await?;
            stream.sent_at = Instant::now();
            Some((part, stream))
        }))
    }

    /// What is sent next; `None`: it ends.
    async fn part(&mut self) -> Option<Bytes> {
        loop {
            if self.has_ended {
                return None;
            }
            let hung_up = async {
                match &self.connection {
                    Some(connection) => connection.hung_up().await,
                    None => std::future::pending().await,
                }
            };
            let changed = tokio::select! {
                changed = self.receipt.changed() => changed.is_ok(),
                // One that has gone away is noticed by what is sent, and a silent connection would be closed.
                () = sleep_until(self.sent_at + ALIVE) => return Some(Bytes::from_static(b":\n\n")),
                () = self.ticket.ended(&self.state) => return None,
                () = self.state.authority.closed() => return None,
                () = hung_up => return None,
            };
            if !self.ticket.is_valid(&self.state).await {
                return None;
            }
            if !changed {
                self.has_ended = true;
                return Some(Bytes::from_static(b"event: end\ndata:\n\n"));
            }
            if !self.sent.is_empty() {
                // What changes within this time is seen together.
                sleep(GATHER).await;
            }
            let receipt = self.receipt.borrow_and_update().clone();
            if let Some(part) = receipt.and_then(|receipt| self.told(receipt)) {
                return Some(part);
            }
        }
    }

    /// The event for a new state; `None` if a reader would see no difference.
    fn told(&mut self, receipt: Receipt) -> Option<Bytes> {
        self.frame.now = self.state.authority.clock().now().unix_timestamp();
        let receipt = if self.has_times { receipt } else { without_times(receipt) };
        let receipt = ReceiptView::new(&self.frame, receipt);
        let html = ReceiptState { frame: &self.frame, receipt: &receipt }.render().ok()?;
        if html == self.sent {
            return None;
        }
        let mut event = String::from("event: receipt\n");
        for line in html.lines() {
            event.extend(["data: ", line, "\n"]);
        }
        event.push('\n');
        self.sent = html;
        Some(event.into())
    }
}
