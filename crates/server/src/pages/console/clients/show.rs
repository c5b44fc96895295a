//! `/console/clients/{id}`: one client, and how to use it.

use actix_web::http::StatusCode;
use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse};
use askama::Template;
use i18n_embed_fl::fl;

use super::Row;
use super::snippets::{Snippet, snippets};
use crate::pages::answer::{PageError, answered, html};
use crate::pages::console::happened::{Happened, latest};
use crate::pages::frame::Frame;
use crate::pages::sign_in::query;
use crate::pages::visitor::visitor;
use crate::state::State;

#[derive(Template)]
#[template(path = "client.html")]
struct ClientPage {
    frame: Frame,
    client: Row,
    may_change: bool,
    /// True if only that keeps who asks from changing it.
    has_more_rights: bool,
    may_end: bool,
    note: String,
    snippets: Vec<Snippet>,
    happened: Vec<Happened>,
}

/// Shows a client.
pub async fn show(request: HttpRequest, id: Path<String>, state: Data<State>) -> HttpResponse {
    let outcome = shown(&request, &id, &state).await;
    answered(&request, &state, outcome).await
}

async fn shown(request: &HttpRequest, id: &str, state: &State) -> Result<HttpResponse, PageError> {
    let visitor = visitor(request, state).await?;
    let actor = visitor.actor();
    actor.require_seeing_clients()?;
    let client = state.authority.admin().client(actor, id).await?;
    let happened = latest(&visitor, state, |query| query.client = Some(client.id.clone())).await?;
    let texts = visitor.frame.texts;
    let note = match query(request, "note").as_deref() {
        Some("changed") => fl!(texts, "saved"),
        Some("enabled") => fl!(texts, "client-enabled"),
        Some("secret-removed") => fl!(texts, "secret-removed"),
        _ => String::new(),
    };
    let may_change = actor.require_changing_client(&client).is_ok();
    let has_more_rights = !may_change && actor.require_changing_clients().is_ok();
    let client = Row::new(&visitor.frame, client);
    let page = ClientPage {
        snippets: snippets(state.authority.settings().issuer.as_str(), &client),
        client,
        may_change,
        has_more_rights,
        may_end: actor.require_ending_sessions().is_ok(),
        note,
        happened,
        frame: visitor.frame,
    };
    Ok(html(StatusCode::OK, &page))
}
