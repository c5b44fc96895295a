//! `/console/users/{id}`: one user, with what can be done.

use actix_web::http::StatusCode;
use actix_web::http::header::{CONTENT_DISPOSITION, HeaderValue};
use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse};
use askama::Template;
use ficha_authority::FailedLogins;
use i18n_embed_fl::fl;

use super::{Row, find};
use crate::api::users::export_view;
use crate::error::no_store;
use crate::pages::answer::{PageError, answered, html};
use crate::pages::console::happened::{Happened, latest};
use crate::pages::frame::Frame;
use crate::pages::sign_in::query;
use crate::pages::visitor::visitor;
use crate::state::State;

#[derive(Template)]
#[template(path = "user.html")]
struct UserPage {
    frame: Frame,
    user: Row,
    may_change: bool,
    may_end: bool,
    /// True if only that keeps who asks from changing them.
    has_more_rights: bool,
    note: String,
    failed: FailedLogins,
    /// What happened to them last.
    happened: Vec<Happened>,
}

/// Shows a user.
pub async fn show(request: HttpRequest, id: Path<String>, state: Data<State>) -> HttpResponse {
    let outcome = shown(&request, &id, &state).await;
    answered(&request, &state, outcome).await
}

async fn shown(request: &HttpRequest, id: &str, state: &State) -> Result<HttpResponse, PageError> {
    let visitor = visitor(request, state).await?;
    visitor.actor().require_seeing_users()?;
    let user = find(&visitor, state, id).await?;
    let happened = latest(&visitor, state, |query| query.user = Some(user.id.to_string())).await?;
    let failed = state.authority.admin().failed_logins(visitor.actor(), &user).await?;
    let actor = visitor.actor();
    let (may_change, may_end) =
        (actor.require_changing_user(&user).is_ok(), actor.require_ending_sessions_of(&user).is_ok());
    let has_more_rights = !may_change && actor.require_changing_users().is_ok();
    let texts = visitor.frame.texts;
    let note = match query(request, "note").as_deref() {
        Some("changed") => fl!(texts, "saved"),
        Some("enabled") => fl!(texts, "user-enabled"),
        Some("unlocked") => fl!(texts, "user-unlocked"),
        _ => String::new(),
    };
    let page = UserPage {
        user: Row::new(&visitor.frame, user),
        may_change,
        may_end,
        has_more_rights,
        note,
        failed,
        happened,
        frame: visitor.frame,
    };
    Ok(html(StatusCode::OK, &page))
}

/// Everything that is kept about a user, as a file.
pub async fn export(request: HttpRequest, id: Path<String>, state: Data<State>) -> HttpResponse {
    let outcome = exported(&request, &id, &state).await;
    answered(&request, &state, outcome).await
}

async fn exported(request: &HttpRequest, id: &str, state: &State) -> Result<HttpResponse, PageError> {
    let visitor = visitor(request, state).await?;
    visitor.actor().require_seeing_users()?;
    let admin = state.authority.admin();
    let all = admin.export_user(visitor.actor(), admin.user_id(visitor.actor(), id).await?).await?;
    let name = format!("attachment; filename=\"user-{}.json\"", all.user.id);
    let mut response = HttpResponse::Ok();
    no_store(&mut response);
    let mut response = response.json(export_view(all));
    // An id, and so no character that a header can't have.
    if let Ok(name) = HeaderValue::from_str(&name) {
        response.headers_mut().insert(CONTENT_DISPOSITION, name);
    }
    Ok(response)
}
