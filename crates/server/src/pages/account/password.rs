//! `/account/password`: another password. With a session; or without one, for a user whose password must be changed.

use actix_web::http::StatusCode;
use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse};
use askama::Template;
use ficha_authority::{AdminError, OwnPassword, Password};
use i18n_embed_fl::fl;

use crate::api::caller::require_own_host;
use crate::pages::answer::{PageError, answered, html};
use crate::pages::cookies;
use crate::pages::form_guard::{Sender, submitted_by_anybody};
use crate::pages::frame::Frame;
use crate::pages::reasons::policy_text;
use crate::pages::see_other;
use crate::pages::sign_in::{forget, form_for, query};
use crate::pages::visitor::visitor;
use crate::request::form::Form;
use crate::state::State;

#[derive(Template)]
#[template(path = "password.html")]
struct PasswordPage {
    frame: Frame,
    username: String,
    /// True if it has to be changed before anything else is possible.
    must_change: bool,
    min_length: usize,
    error: String,
}

/// The form.
pub async fn form(request: HttpRequest, state: Data<State>) -> HttpResponse {
    let outcome = shown(&request, &state).await;
    answered(&request, &state, outcome).await
}

async fn shown(request: &HttpRequest, state: &State) -> Result<HttpResponse, PageError> {
    if query(request, "note").as_deref() == Some("must-change") {
        require_own_host(request, state)?;
        return before_sign_in(request, state, StatusCode::OK, String::new(), String::new());
    }
    let visitor = visitor(request, state).await?;
    visitor.actor().sight_of_own()?;
    Ok(page(state, StatusCode::OK, visitor.frame, visitor.browser.user.name, false, String::new()))
}

fn page(
    state: &State,
    status: StatusCode,
    frame: Frame,
    username: String,
    must_change: bool,
    error: String,
) -> HttpResponse {
    let min_length = state.authority.settings().password.min_length;
    html(status, &PasswordPage { frame, username, must_change, min_length, error })
}

fn before_sign_in(
    request: &HttpRequest,
    state: &State,
    status: StatusCode,
    username: String,
    error: String,
) -> Result<HttpResponse, PageError> {
    let (token, cookie) = form_for(request, state)?;
    let frame = Frame { token, ..Frame::new(request, state) };
    let mut response = page(state, status, frame, username, true, error);
    cookies::attach(&mut response, [cookie]);
    Ok(response)
}

/// Changes it. All the user's sessions end with it, this one too.
pub async fn change(request: HttpRequest, payload: Payload, state: Data<State>) -> HttpResponse {
    let outcome = changed(&request, payload, &state).await;
    answered(&request, &state, outcome).await
}

async fn changed(request: &HttpRequest, payload: Payload, state: &State) -> Result<HttpResponse, PageError> {
    let (form, name, session, frame) = match submitted_by_anybody(request, payload, state).await? {
        Sender::SignedIn(visitor, form) => {
            visitor.actor().sight_of_own()?;
            let session = Some(visitor.browser.id());
            (form, visitor.browser.user.name, session, Some(visitor.frame))
        }
        Sender::Anonymous(form) => {
            let name = form.get("username").unwrap_or_default().to_owned();
            (form, name, None, None)
        }
    };
    let texts = Frame::new(request, state).texts;
    let mut status = StatusCode::BAD_REQUEST;
    let error = match wanted(&form, &name, session) {
        None => fl!(texts, "passwords-differ"),
        Some(change) => {
            let source = state.proxies.trace(request).sender();
            match state.authority.change_own_password(&source, change).await {
                Ok(_) => {
                    let mut response = see_other(state, "/login?note=password-changed");
                    forget(state, &mut response);
                    return Ok(response);
                }
                Err(AdminError::BadCredentials) => fl!(texts, "wrong-old-password"),
                Err(AdminError::Invalid(_)) => fl!(texts, "same-password"),
                Err(AdminError::Password(why)) => policy_text(texts, &why),
                Err(AdminError::Busy) => {
                    status = StatusCode::SERVICE_UNAVAILABLE;
                    fl!(texts, "too-many-sign-ins")
                }
                Err(error) => return Err(error.into()),
            }
        }
    };
    match frame {
        Some(frame) => Ok(page(state, status, frame, name, false, error)),
        None => before_sign_in(request, state, status, name, error),
    }
}

/// What is to be changed; `None` if the new password was not typed twice alike.
fn wanted(form: &Form, name: &str, session: Option<uuid::Uuid>) -> Option<OwnPassword> {
    let field = |name: &str| form.get(name).unwrap_or_default();
    let new = field("new_password");
    (new == field("repeated_password")).then(|| OwnPassword {
        name: name.to_owned(),
        old: Password::new(field("old_password")),
        new: Password::new(new),
        session,
    })
}
