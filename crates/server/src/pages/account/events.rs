//! `/account/events`: what happened to the user, in words.

use actix_web::http::StatusCode;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use askama::Template;
use ficha_authority::EventQuery;
use i18n_embed_fl::fl;

use crate::api::audit::from;
use crate::api::query::Parameters;
use crate::pages::answer::{PageError, answered, html};
use crate::pages::console::audit::LIMIT;
use crate::pages::console::happened::Happened;
use crate::pages::frame::Frame;
use crate::pages::visitor::visitor;
use crate::state::State;

#[derive(Template)]
#[template(path = "account_events.html")]
struct EventsPage {
    frame: Frame,
    rows: Vec<Happened>,
    newer: Option<String>,
    older: Option<String>,
}

/// Lists what the user did, and what happened to them.
pub async fn list(request: HttpRequest, state: Data<State>) -> HttpResponse {
    let outcome = listed(&request, &state).await;
    answered(&request, &state, outcome).await
}

async fn listed(request: &HttpRequest, state: &State) -> Result<HttpResponse, PageError> {
    let visitor = visitor(request, state).await?;
    let sight = visitor.actor().sight_of_own()?;
    let mut parameters = Parameters::of(request.query_string());
    let from = from(&mut parameters);
    parameters.finish()?;
    let admin = state.authority.admin();
    let search = admin.event_search(visitor.actor(), &EventQuery::default(), sight).await?;
    let found = admin.search_events(&search, from, LIMIT).await?;
    let path = format!("{}/account/events", visitor.frame.base);
    let page = EventsPage {
        newer: found.previous.map(|number| format!("{path}?before={number}")),
        older: found.next.map(|number| format!("{path}?after={number}")),
        rows: found.events.into_iter().map(|event| Happened::new(&visitor.frame, event)).collect(),
        frame: visitor.frame,
    };
    Ok(html(StatusCode::OK, &page))
}
