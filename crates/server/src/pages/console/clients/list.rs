//! `/console/clients`: all clients, by id.

use actix_web::http::StatusCode;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use askama::Template;
use i18n_embed_fl::fl;

use super::{Row, path};
use crate::pages::answer::{PageError, answered, html};
use crate::pages::filter::FilterFields;
use crate::pages::frame::Frame;
use crate::pages::visitor::visitor;
use crate::state::State;

/// How many clients a page shows.
const LIMIT: usize = 50;

#[derive(Template)]
#[template(path = "clients.html")]
struct ClientsPage {
    frame: Frame,
    rows: Vec<Row>,
    /// With which id the list begins, as it was typed.
    from: String,
    newer: Option<String>,
    older: Option<String>,
    may_change: bool,
}

/// Lists clients.
pub async fn list(request: HttpRequest, state: Data<State>) -> HttpResponse {
    let outcome = listed(&request, &state).await;
    answered(&request, &state, outcome).await
}

async fn listed(request: &HttpRequest, state: &State) -> Result<HttpResponse, PageError> {
    let visitor = visitor(request, state).await?;
    let actor = visitor.actor();
    actor.require_seeing_clients()?;
    let filter = FilterFields::of(request.query_string());
    let mut parameters = filter.parameters();
    let (after, from) = (parameters.text("after"), parameters.text("from"));
    parameters.finish()?;
    let admin = state.authority.admin();
    let begin = after.as_deref().or(from.as_deref());
    let mut found = admin.clients(actor, begin, LIMIT as u64 + 1).await?;
    if let Some(from) = from.as_deref().filter(|_| after.is_none()) {
        // The list begins behind this id.
        found.splice(0..0, admin.client(actor, from).await.ok());
    }
    let more = found.len() > LIMIT;
    found.truncate(LIMIT);
    let base = &visitor.frame.base;
    let older = found.last().filter(|_| more).map(|last| format!("{base}/console/clients?after={}", path(&last.id)));
    let page = ClientsPage {
        newer: begin.map(|_| format!("{base}/console/clients")),
        from: from.clone().unwrap_or_default(),
        older,
        rows: found.into_iter().map(|client| Row::new(&visitor.frame, client)).collect(),
        may_change: actor.require_changing_clients().is_ok(),
        frame: visitor.frame,
    };
    Ok(html(StatusCode::OK, &page))
}
