//! Who refuses what was ended, as a page shows it. With scripts the page goes on by itself
//! ([`receipt_stream`](super::receipt_stream)); without them, one asks again.

use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use askama::Template;
use ficha_authority::{Began, FollowerState, Receipt};
use i18n_embed_fl::fl;

use super::receipt_stream::Address;
use crate::api::receipt::waited;
use crate::pages::answer::{PageError, answered, html};
use crate::pages::form_guard::has_scripts;
use crate::pages::frame::Frame;
use crate::pages::visitor::{Visitor, silent_visitor, visitor};
use crate::pages::when::When;
use crate::state::State;

/// How long a page waits for the services.
const WAIT: Duration = Duration::from_secs(2);
/// The same if it goes on by itself: most services answer within some milliseconds.
const FIRST_LOOK: Duration = Duration::from_millis(150);

#[derive(Template)]
#[template(path = "receipt_again.html")]
struct ReceiptPage {
    frame: Frame,
    receipt: Option<ReceiptView>,
}

/// Which services refuse everything that was ended until now, for users who may end something and ask again.
pub async fn show(request: HttpRequest, state: Data<State>) -> HttpResponse {
    let outcome = shown(&request, &state).await;
    answered(&request, &state, outcome).await
}

async fn shown(request: &HttpRequest, state: &State) -> Result<HttpResponse, PageError> {
    let visitor = visitor(request, state).await?;
    require_asking(&visitor)?;
    let receipt = waited(request, state, Began::now(), WAIT).await;
    let view = ReceiptView::new(&visitor.frame, without_times(receipt.clone()));
    let receipt = view.going_on(state, &visitor.frame, &receipt, None);
    Ok(html(StatusCode::OK, &ReceiptPage { frame: visitor.frame, receipt: Some(receipt) }))
}

/// Who may ask for receipts: who may end something, if only their own sessions.
pub fn require_asking(visitor: &Visitor) -> Result<(), PageError> {
    let actor = visitor.actor();
    let may = [actor.require_ending_sessions(), actor.require_changing_users(), actor.require_changing_clients()];
    if may.iter().all(Result::is_err) {
        actor.sight_of_own()?;
    }
    Ok(())
}

/// A receipt of what was not ended just now: after how long is not known.
pub fn without_times(receipt: Receipt) -> Receipt {
    let services = receipt.services.into_iter().map(|one| FollowerState { after_ms: None, ..one }).collect();
    Receipt { services, ..receipt }
}

/// Who refuses what a form has ended since `began`.
pub async fn receipt_of(request: &HttpRequest, state: &State, frame: &Frame, began: Began) -> ReceiptView {
    // Their own session may be what has ended: then nothing goes on.
    let goes_on = !frame.session.is_empty() && silent_visitor(request, state).await.is_ok();
    let wait = if goes_on && has_scripts(request) { FIRST_LOOK } else { WAIT };
    let receipt = waited(request, state, began, wait).await;
    let view = ReceiptView::new(frame, receipt.clone());
    if goes_on { view.going_on(state, frame, &receipt, Some(began)) } else { view }
}

/// What the services have answered.
pub struct ReceiptView {
    pub is_complete: bool,
    /// In one sentence.
    pub summary: String,
    pub services: Vec<ServiceRow>,
    /// How many followers have not named themselves.
    pub unnamed: u64,
    /// How many servers have not answered.
    pub silent: u64,
    /// Where a script is told how it goes on, if it does.
    pub stream: Option<String>,
}

/// The part of a receipt that changes.
#[derive(Template)]
#[template(path = "receipt_event.html")]
pub struct ReceiptState<'a> {
    pub frame: &'a Frame,
    pub receipt: &'a ReceiptView,
}

/// How one service stands.
pub struct ServiceRow {
    pub service: String,
    pub instance: String,
    /// `applied`, `behind`, `cut_off` or `accepts_stale`.
    pub state: &'static str,
    pub text: String,
    /// When it refuses everything at the latest.
    pub refuses: Option<When>,
}

impl ReceiptView {
    /// In the language of a page.
    pub fn new(frame: &Frame, receipt: Receipt) -> Self {
        let texts = frame.texts;
        let Receipt { complete, unnamed, silent, services, about: _ } = receipt;
        let services: Vec<_> = services.into_iter().map(|one| ServiceRow::new(frame, one)).collect();
        let count = services.len();
        let summary = match (complete, count + unnamed as usize) {
            (true, 0) => fl!(texts, "receipt-no-services"),
            (true, _) => fl!(texts, "receipt-complete", count = count),
            (false, _) => fl!(texts, "receipt-incomplete"),
        };
        Self { is_complete: complete, summary, services, unnamed, silent, stream: None }
    }

    /// With the address of the stream that goes on with it, unless it is complete.
    fn going_on(self, state: &State, frame: &Frame, receipt: &Receipt, began: Option<Began>) -> Self {
        let address = Address { session: &frame.session, about: receipt.about.as_deref(), began };
        let now = state.authority.clock().unix_millis();
        let stream =
            (!receipt.complete).then(|| format!("{}/console/receipt/stream?{}", frame.base, address.query(now)));
        Self { stream, ..self }
    }
}

impl ServiceRow {
    fn new(frame: &Frame, one: FollowerState) -> Self {
        let texts = frame.texts;
        let state = one.standing.as_str();
        let text = match (state, one.after_ms) {
            ("applied", Some(after)) => fl!(texts, "applied-after", milliseconds = after),
            ("applied", None) => fl!(texts, "applied"),
            ("behind", _) => fl!(texts, "behind"),
            ("cut_off", _) => fl!(texts, "cut-off"),
            _ => fl!(texts, "accepts-stale"),
        };
        let refuses = one.refuses_at.map(|at| frame.when(at.div_euclid(1_000)));
        Self { service: one.service, instance: one.instance, state, text, refuses }
    }
}
