//! `/console/sessions/{id}`: one session, and its end.

use actix_web::http::StatusCode;
use actix_web::web::{Data, Path, Payload};
use actix_web::{HttpRequest, HttpResponse};
use askama::Template;
use ficha_authority::Began;
use i18n_embed_fl::fl;
use uuid::Uuid;

use super::receipt::{ReceiptView, receipt_of};
use super::row::Row;
use crate::api::sessions::{seen, session_id};
use crate::pages::answer::{PageError, answered, html};
use crate::pages::form_guard::submitted;
use crate::pages::frame::Frame;
use crate::pages::visitor::{Visitor, visitor};
use crate::state::State;

#[derive(Template)]
#[template(path = "session.html")]
struct SessionPage {
    frame: Frame,
    session: Row,
    /// Whether who asks may end it.
    may_end: bool,
    /// What has just happened.
    note: String,
    receipt: Option<ReceiptView>,
}

#[derive(Template)]
#[template(path = "session_revoke.html")]
struct ConfirmPage {
    frame: Frame,
    session: Row,
    services: Vec<String>,
    of_users: bool,
    of_apps: bool,
}

/// Shows a session.
pub async fn show(request: HttpRequest, id: Path<String>, state: Data<State>) -> HttpResponse {
    let outcome = shown(&request, &id, &state).await;
    answered(&request, &state, outcome).await
}

async fn shown(request: &HttpRequest, id: &str, state: &State) -> Result<HttpResponse, PageError> {
    let visitor = visitor(request, state).await?;
    visitor.actor().require_seeing_sessions()?;
    let session = row(&visitor, state, session_id(id)).await?;
    let may_end = visitor.actor().require_ending_sessions().is_ok();
    let page = SessionPage { frame: visitor.frame, session, may_end, note: String::new(), receipt: None };
    Ok(html(StatusCode::OK, &page))
}

/// Asks whether to end it; and if that is confirmed, ends it.
pub async fn revoke(request: HttpRequest, id: Path<String>, payload: Payload, state: Data<State>) -> HttpResponse {
    let outcome = revoked(&request, &id, payload, &state).await;
    answered(&request, &state, outcome).await
}

async fn revoked(request: &HttpRequest, id: &str, payload: Payload, state: &State) -> Result<HttpResponse, PageError> {
    let (visitor, form) = submitted(request, payload, state).await?;
    visitor.actor().require_ending_sessions()?;
    let id = session_id(id);
    if form.get("confirm") != Some("yes") {
        let session = row(&visitor, state, id).await?;
        let services = services(&visitor, state).await?;
        return Ok(html(
            StatusCode::OK,
            &ConfirmPage {
                of_users: session.has_user,
                of_apps: !session.has_user,
                frame: visitor.frame,
                session,
                services,
            },
        ));
    }
    let began = Began::now();
    let is_new = state.authority.admin().revoke_session(visitor.actor(), id).await?;
    let receipt = receipt_of(request, state, &visitor.frame, began).await;
    // Their own session may be what they have ended: the page about it is the last that they see.
    let session = row(&visitor, state, id).await?;
    let texts = visitor.frame.texts;
    let note = if is_new { fl!(texts, "session-ended") } else { fl!(texts, "session-had-ended") };
    let page = SessionPage { frame: visitor.frame, session, may_end: true, note, receipt: Some(receipt) };
    Ok(html(StatusCode::OK, &page))
}

async fn row(visitor: &Visitor, state: &State, id: Uuid) -> Result<Row, PageError> {
    let found = state.authority.admin().session_and_state(visitor.actor(), id).await?;
    let seen = seen(visitor.actor(), state, vec![found]).await?.pop().ok_or_else(PageError::not_found)?;
    Ok(Row::new(&visitor.frame, visitor.browser.id(), seen))
}

/// The names of the services that follow the denylist, as far as who asks may see them.
pub async fn services(visitor: &Visitor, state: &State) -> Result<Vec<String>, PageError> {
    if visitor.actor().require_seeing_resource_servers().is_err() {
        return Ok(Vec::new());
    }
    let known = state.authority.admin().resource_servers(visitor.actor()).await?;
    let mut names: Vec<String> = known.services.into_iter().map(|one| one.service).collect();
    names.sort_unstable();
    names.dedup();
    Ok(names)
}
