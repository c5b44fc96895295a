//! `/console/scopes`: what scopes there are, in words for those who are asked.

use actix_web::http::StatusCode;
use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse};
use askama::Template;
use ficha_authority::{AdminError, OWN_SCOPES};
use i18n_embed_fl::fl;

use crate::api::scopes::is_description;
use crate::pages::answer::{PageError, answered, html};
use crate::pages::confirm::{Question, wanted};
use crate::pages::form_guard::submitted;
use crate::pages::frame::Frame;
use crate::pages::see_other;
use crate::pages::sign_in::query;
use crate::pages::visitor::{Visitor, visitor};
use crate::state::State;

#[derive(Template)]
#[template(path = "scopes.html")]
struct ScopesPage {
    frame: Frame,
    scopes: Vec<(String, String)>,
    may_change: bool,
    about: About,
}

impl ScopesPage {
    /// True for the server's own, which stay declared.
    fn is_own(&self, name: &str) -> bool {
        OWN_SCOPES.iter().any(|(own, _)| *own == name)
    }
}

/// What has happened, or what was typed and why it was not saved.
#[derive(Default)]
struct About {
    note: String,
    name: String,
    description: String,
    error: String,
}

/// Lists scopes.
pub async fn list(request: HttpRequest, state: Data<State>) -> HttpResponse {
    let outcome = listed(&request, &state).await;
    answered(&request, &state, outcome).await
}

async fn listed(request: &HttpRequest, state: &State) -> Result<HttpResponse, PageError> {
    let visitor = visitor(request, state).await?;
    let note = match query(request, "note").as_deref() {
        Some("changed") => fl!(visitor.frame.texts, "saved"),
        Some("removed") => fl!(visitor.frame.texts, "scope-removed"),
        _ => String::new(),
    };
    page(visitor, state, StatusCode::OK, About { note, ..About::default() }).await
}

async fn page(visitor: Visitor, state: &State, status: StatusCode, about: About) -> Result<HttpResponse, PageError> {
    let scopes = state.authority.admin().scopes(visitor.actor()).await?;
    let may_change = visitor.actor().require_changing_scopes().is_ok();
    Ok(html(status, &ScopesPage { frame: visitor.frame, scopes, may_change, about }))
}

/// Declares a scope, or describes it in other words.
pub async fn declare(request: HttpRequest, payload: Payload, state: Data<State>) -> HttpResponse {
    let outcome = declared(&request, payload, &state).await;
    answered(&request, &state, outcome).await
}

async fn declared(request: &HttpRequest, payload: Payload, state: &State) -> Result<HttpResponse, PageError> {
    let (visitor, form) = submitted(request, payload, state).await?;
    visitor.actor().require_changing_scopes()?;
    let (name, description) =
        (form.get("name").unwrap_or_default().trim(), form.get("description").unwrap_or_default());
    let refused = match is_description(description) {
        false => Some(fl!(visitor.frame.texts, "description-rules")),
        true => match state.authority.admin().declare_scope(visitor.actor(), name, description).await {
            Ok(()) => None,
            Err(AdminError::Invalid(why)) => Some(why),
            Err(error) => return Err(error.into()),
        },
    };
    match refused {
        None => Ok(see_other(state, "/console/scopes?note=changed")),
        Some(error) => {
            let (name, description) = (name.to_owned(), description.to_owned());
            let about = About { name, description, error, ..About::default() };
            page(visitor, state, StatusCode::BAD_REQUEST, about).await
        }
    }
}

/// Removes the declaration of a scope.
pub async fn remove(request: HttpRequest, payload: Payload, state: Data<State>) -> HttpResponse {
    let outcome = removed(&request, payload, &state).await;
    answered(&request, &state, outcome).await
}

async fn removed(request: &HttpRequest, payload: Payload, state: &State) -> Result<HttpResponse, PageError> {
    let (visitor, form) = submitted(request, payload, state).await?;
    visitor.actor().require_changing_scopes()?;
    let name = form.get("name").ok_or_else(|| PageError::invalid("name"))?;
    let texts = visitor.frame.texts;
    let question = Question {
        title: fl!(texts, "remove-scope", name = name),
        consequences: vec![fl!(texts, "scope-stays-with-users")],
        button: fl!(texts, "remove"),
        cancel: "/console/scopes".to_owned(),
    };
    wanted(&visitor, &form, question)?;
    state.authority.admin().remove_scope(visitor.actor(), name).await?;
    Ok(see_other(state, "/console/scopes?note=removed"))
}
