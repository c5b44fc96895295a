//! `/console/sessions`: finding sessions. The URL is the state: it has the filters of the admin API's list.

use actix_web::http::StatusCode;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use askama::Template;
use ficha_authority::{SearchedState, SessionCount, SessionSearch};
use i18n_embed_fl::fl;

use super::row::{Row, reasons};
use crate::api::sessions::{page_from, search, seen};
use crate::pages::answer::{PageError, answered, html};
use crate::pages::filter::FilterFields;
use crate::pages::frame::Frame;
use crate::pages::reasons::filter_errors;
use crate::pages::visitor::visitor;
use crate::state::State;

/// How many sessions a page shows.
const LIMIT: u64 = 50;

#[derive(Template)]
#[template(path = "sessions.html")]
struct SessionsPage {
    frame: Frame,
    filter: FilterFields,
    /// Why sessions may have been ended, to choose from.
    reasons: Vec<(&'static str, String)>,
    rows: Vec<Row>,
    /// How many fit, in words.
    count: String,
    /// What is wrong with the filter.
    errors: Vec<String>,
    /// How many were looked at, if the page is not full and there may be more.
    scanned: String,
    /// The paths of the neighbouring pages, if there are any.
    newer: Option<String>,
    older: Option<String>,
    may_end: bool,
    /// True if the filter is narrow enough that all that fit may be ended.
    may_end_all: bool,
}

/// Lists sessions, the newest first.
pub async fn list(request: HttpRequest, state: Data<State>) -> HttpResponse {
    let outcome = listed(&request, &state).await;
    answered(&request, &state, outcome).await
}

async fn listed(request: &HttpRequest, state: &State) -> Result<HttpResponse, PageError> {
    let visitor = visitor(request, state).await?;
    let actor = visitor.actor();
    actor.require_seeing_sessions()?;
    let filter = FilterFields::of(request.query_string());
    let mut parameters = filter.parameters();
    let (wanted, from) = (search(&mut parameters), page_from(&mut parameters));
    let texts = visitor.frame.texts;
    let mut page = SessionsPage {
        reasons: reasons(texts),
        rows: Vec::new(),
        count: String::new(),
        errors: Vec::new(),
        scanned: String::new(),
        newer: None,
        older: None,
        may_end: actor.require_ending_sessions().is_ok(),
        may_end_all: false,
        filter,
        frame: visitor.frame.clone(),
    };
    if let Err(problem) = parameters.finish() {
        page.errors = filter_errors(page.frame.texts, &problem);
        return Ok(html(StatusCode::BAD_REQUEST, &page));
    }
    let admin = state.authority.admin();
    let found = admin.search_sessions(actor, &wanted, from, LIMIT).await?;
    page.count = match admin.count_fitting_sessions(actor, &wanted).await? {
        SessionCount::Exactly(count) => fl!(texts, "sessions-count", count = count),
        SessionCount::AtLeast(count) => fl!(texts, "sessions-at-least", count = count),
    };
    page.scanned = found.scanned.map(|scanned| fl!(texts, "scanned", count = scanned)).unwrap_or_default();
    let path = format!("{}/console/sessions", page.frame.base);
    page.newer = found.previous.map(|id| page.filter.page(&path, "before", &id.to_string()));
    page.older = found.next.map(|id| page.filter.page(&path, "after", &id.to_string()));
    let seen = seen(actor, state, found.sessions).await?;
    page.rows = seen.into_iter().map(|seen| Row::new(&page.frame, visitor.browser.id(), seen)).collect();
    page.may_end_all = page.may_end && is_narrow(&wanted);
    Ok(html(StatusCode::OK, &page))
}

/// What the rule asks of a filter whose sessions are all to be ended, and that there is something to end.
fn is_narrow(search: &SessionSearch) -> bool {
    let named = search.user.is_some() || search.client.is_some() || search.address.is_some();
    named && search.state.is_none_or(|state| state != SearchedState::Revoked)
}
