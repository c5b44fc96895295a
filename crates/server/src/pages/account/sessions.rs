//! `/account/sessions`: where one is signed in, and how to end that.

use actix_web::http::StatusCode;
use actix_web::web::{Data, Path, Payload};
use actix_web::{HttpRequest, HttpResponse};
use askama::Template;
use ficha_authority::Began;
use i18n_embed_fl::fl;

use crate::api::query::Parameters;
use crate::api::sessions::{Seen, page_from, session_id};
use crate::pages::answer::{PageError, answered, html};
use crate::pages::console::receipt::{ReceiptView, receipt_of};
use crate::pages::console::row::Row;
use crate::pages::form_guard::submitted;
use crate::pages::frame::Frame;
use crate::pages::see_other;
use crate::pages::sign_in::forget;
use crate::pages::visitor::{Visitor, visitor};
use crate::state::State;

/// How many sessions a page shows.
const LIMIT: u64 = 50;

#[derive(Template)]
#[template(path = "account_sessions.html")]
struct SessionsPage {
    frame: Frame,
    rows: Vec<Row>,
    newer: Option<String>,
    older: Option<String>,
    note: String,
    receipt: Option<ReceiptView>,
}

/// Lists the user's sessions.
pub async fn list(request: HttpRequest, state: Data<State>) -> HttpResponse {
    let outcome = listed(&request, &state).await;
    answered(&request, &state, outcome).await
}

async fn listed(request: &HttpRequest, state: &State) -> Result<HttpResponse, PageError> {
    let visitor = visitor(request, state).await?;
    page(visitor, state, request.query_string(), String::new(), None).await
}

async fn page(
    visitor: Visitor,
    state: &State,
    query: &str,
    note: String,
    receipt: Option<ReceiptView>,
) -> Result<HttpResponse, PageError> {
    visitor.actor().sight_of_own()?;
    let mut parameters = Parameters::of(query);
    let from = page_from(&mut parameters);
    parameters.finish()?;
    let found = state.authority.admin().own_sessions(visitor.actor(), from, LIMIT).await?;
    let own = visitor.browser.id();
    let link = |name: &str, id| format!("{}/account/sessions?{name}={id}", visitor.frame.base);
    let (newer, older) = (found.previous.map(|id| link("before", id)), found.next.map(|id| link("after", id)));
    let rows = found.sessions.into_iter().map(|(session, state)| {
        // Who else has ended one is not told here.
        let seen = Seen { session, state, name: Some(visitor.browser.user.name.clone()), by: None };
        Row::new(&visitor.frame, own, seen)
    });
    let rows = rows.collect();
    Ok(html(StatusCode::OK, &SessionsPage { frame: visitor.frame, rows, newer, older, note, receipt }))
}

/// Ends one of them. If it is this one, that is signing out.
pub async fn revoke(request: HttpRequest, id: Path<String>, payload: Payload, state: Data<State>) -> HttpResponse {
    let outcome = revoked(&request, &id, payload, &state).await;
    answered(&request, &state, outcome).await
}

async fn revoked(request: &HttpRequest, id: &str, payload: Payload, state: &State) -> Result<HttpResponse, PageError> {
    let (visitor, _) = submitted(request, payload, state).await?;
    let id = session_id(id);
    let began = Began::now();
    let is_new = state.authority.admin().revoke_own_session(visitor.actor(), id).await?;
    if id == visitor.browser.id() {
        let mut response = see_other(state, "/login?note=signed-out");
        forget(state, &mut response);
        return Ok(response);
    }
    let receipt = receipt_of(request, state, &visitor.frame, began).await;
    let texts = visitor.frame.texts;
    let note = if is_new { fl!(texts, "session-ended") } else { fl!(texts, "session-had-ended") };
    page(visitor, state, "", note, Some(receipt)).await
}

/// Ends all of them but this one.
pub async fn revoke_others(request: HttpRequest, payload: Payload, state: Data<State>) -> HttpResponse {
    let outcome = others_revoked(&request, payload, &state).await;
    answered(&request, &state, outcome).await
}

async fn others_revoked(request: &HttpRequest, payload: Payload, state: &State) -> Result<HttpResponse, PageError> {
    let (visitor, _) = submitted(request, payload, state).await?;
    let began = Began::now();
    let count = state.authority.admin().revoke_other_sessions(visitor.actor()).await?;
    let receipt = receipt_of(request, state, &visitor.frame, began).await;
    let note = fl!(visitor.frame.texts, "sessions-ended", count = count);
    page(visitor, state, "", note, Some(receipt)).await
}
