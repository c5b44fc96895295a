//! `/console/audit`: the event log.

use actix_web::http::StatusCode;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use askama::Template;
use ficha_authority::{AdminError, EventKind, Sight};
use i18n_embed_fl::fl;

use super::happened::Happened;
use crate::api::audit::{from, query};
use crate::pages::answer::{PageError, answered, html};
use crate::pages::filter::FilterFields;
use crate::pages::frame::Frame;
use crate::pages::reasons::filter_errors;
use crate::pages::visitor::visitor;
use crate::state::State;

/// How many events a page shows.
pub const LIMIT: usize = 50;

#[derive(Template)]
#[template(path = "audit.html")]
struct AuditPage {
    frame: Frame,
    filter: FilterFields,
    /// The names of events, to choose from.
    names: Vec<&'static str>,
    rows: Vec<Happened>,
    errors: Vec<String>,
    scanned: String,
    newer: Option<String>,
    older: Option<String>,
}

/// Lists events, the newest first.
pub async fn list(request: HttpRequest, state: Data<State>) -> HttpResponse {
    let outcome = listed(&request, &state).await;
    answered(&request, &state, outcome).await
}

async fn listed(request: &HttpRequest, state: &State) -> Result<HttpResponse, PageError> {
    let visitor = visitor(request, state).await?;
    let Sight::All = visitor.actor().sight_of_log()? else {
        return Err(AdminError::Forbidden("one's own events are in the account".into()).into());
    };
    let filter = FilterFields::of(request.query_string());
    let mut parameters = filter.parameters();
    let (wanted, from) = (query(&mut parameters), from(&mut parameters));
    let mut page = AuditPage {
        filter,
        names: EventKind::ALL.iter().map(|kind| kind.as_str()).collect(),
        rows: Vec::new(),
        errors: Vec::new(),
        scanned: String::new(),
        newer: None,
        older: None,
        frame: visitor.frame.clone(),
    };
    if let Err(problem) = parameters.finish() {
        page.errors = filter_errors(page.frame.texts, &problem);
        return Ok(html(StatusCode::BAD_REQUEST, &page));
    }
    let admin = state.authority.admin();
    let search = admin.event_search(visitor.actor(), &wanted, Sight::All).await?;
    let found = admin.search_events(&search, from, LIMIT).await?;
    let path = format!("{}/console/audit", page.frame.base);
    page.newer = found.previous.map(|number| page.filter.page(&path, "before", &number.to_string()));
    page.older = found.next.map(|number| page.filter.page(&path, "after", &number.to_string()));
    page.scanned =
        found.scanned.map(|count| fl!(page.frame.texts, "events-scanned", count = count)).unwrap_or_default();
    page.rows = found.events.into_iter().map(|event| Happened::new(&page.frame, event)).collect();
    Ok(html(StatusCode::OK, &page))
}
