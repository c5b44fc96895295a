//! `/console/users`: finding users.

use actix_web::http::StatusCode;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use askama::Template;
use i18n_embed_fl::fl;

use super::Row;
use crate::api::sessions::page_from;
use crate::api::users::search;
use crate::pages::answer::{PageError, answered, html};
use crate::pages::filter::FilterFields;
use crate::pages::frame::Frame;
use crate::pages::visitor::visitor;
use crate::state::State;

/// How many users a page shows.
const LIMIT: usize = 50;

#[derive(Template)]
#[template(path = "users.html")]
struct UsersPage {
    frame: Frame,
    filter: FilterFields,
    rows: Vec<Row>,
    /// How many were looked at, if the page is not full and there may be more. They are not counted: that would read them
    /// all.
    scanned: String,
    newer: Option<String>,
    older: Option<String>,
    may_change: bool,
}

/// Lists users, the newest first.
pub async fn list(request: HttpRequest, state: Data<State>) -> HttpResponse {
    let outcome = listed(&request, &state).await;
    answered(&request, &state, outcome).await
}

async fn listed(request: &HttpRequest, state: &State) -> Result<HttpResponse, PageError> {
    let visitor = visitor(request, state).await?;
    let actor = visitor.actor();
    actor.require_seeing_users()?;
    let filter = FilterFields::of(request.query_string());
    let mut parameters = filter.parameters();
    let (wanted, from) = (search(&mut parameters), page_from(&mut parameters));
    parameters.finish()?;
    let admin = state.authority.admin();
    let found = admin.search_users(actor, &wanted, from, LIMIT).await?;
    let scanned =
        found.scanned.map(|count| fl!(visitor.frame.texts, "users-scanned", count = count)).unwrap_or_default();
    let path = format!("{}/console/users", visitor.frame.base);
    let page = UsersPage {
        newer: found.previous.map(|id| filter.page(&path, "before", &id.to_string())),
        older: found.next.map(|id| filter.page(&path, "after", &id.to_string())),
        rows: found.users.into_iter().map(|user| Row::new(&visitor.frame, user)).collect(),
        may_change: actor.require_changing_users().is_ok(),
        scanned,
        filter,
        frame: visitor.frame,
    };
    Ok(html(StatusCode::OK, &page))
}
