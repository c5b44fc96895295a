//! `/console/new-user`: a user with a password for one use.

use actix_web::http::StatusCode;
use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse};
use askama::Template;
use ficha_authority::{NewPassword, NewUser, Password};
use ficha_token::Scope;
use i18n_embed_fl::fl;

use super::typed_scopes;
use crate::pages::answer::{PageError, answered, html};
use crate::pages::confirm::who_is_there;
use crate::pages::cookies;
use crate::pages::done::{Done, ShownOnce};
use crate::pages::form_guard::submitted;
use crate::pages::frame::Frame;
use crate::pages::reasons::{Reason, refusal};
use crate::pages::texts::isolated;
use crate::pages::visitor::{Visitor, visitor};
use crate::request::form::Form;
use crate::state::State;

#[derive(Template)]
#[template(path = "user_new.html")]
struct NewUserPage {
    frame: Frame,
    name: String,
    email: String,
    scopes: String,
    roles: String,
    declared: Vec<(String, String)>,
    error: Reason,
}

/// The form.
pub async fn form(request: HttpRequest, state: Data<State>) -> HttpResponse {
    let outcome = shown(&request, &state).await;
    answered(&request, &state, outcome).await
}

async fn shown(request: &HttpRequest, state: &State) -> Result<HttpResponse, PageError> {
    let visitor = visitor(request, state).await?;
    visitor.actor().require_changing_users()?;
    page(&visitor, state, StatusCode::OK, |_| "", Reason::default()).await
}

async fn page<'a>(
    visitor: &Visitor,
    state: &State,
    status: StatusCode,
    typed: impl Fn(&str) -> &'a str,
    error: Reason,
) -> Result<HttpResponse, PageError> {
    let page = NewUserPage {
        frame: visitor.frame.clone(),
        name: typed("name").to_owned(),
        email: typed("email").to_owned(),
        scopes: typed("scopes").to_owned(),
        roles: typed("roles").to_owned(),
        declared: state.authority.declared_scopes().await?,
        error,
    };
    Ok(html(status, &page))
}

/// Creates the user, and shows their password once.
pub async fn create(request: HttpRequest, payload: Payload, state: Data<State>) -> HttpResponse {
    let outcome = created(&request, payload, &state).await;
    answered(&request, &state, outcome).await
}

async fn created(request: &HttpRequest, payload: Payload, state: &State) -> Result<HttpResponse, PageError> {
    let (visitor, form) = submitted(request, payload, state).await?;
    visitor.actor().require_changing_users()?;
    // A password will be shown.
    let proof = who_is_there(request, state, &visitor, &form).await?;
    let mut response = match typed_scopes(form.get("scopes").unwrap_or_default()) {
        Some(scopes) => added(&visitor, state, &form, scopes).await?,
        None => {
            again(&visitor, state, &form, fl!(visitor.frame.texts, "scopes-malformed").into(), StatusCode::BAD_REQUEST)
                .await?
        }
    };
    cookies::attach(&mut response, [proof]);
    Ok(response)
}

async fn added(visitor: &Visitor, state: &State, form: &Form, scopes: Scope) -> Result<HttpResponse, PageError> {
    let admin = state.authority.admin();
    let secret = admin.one_time_password();
    let new = new_user(form, scopes, NewPassword::Plain(Password::new(secret.expose())));
    let user = match admin.add_user(visitor.actor(), new).await {
        Ok(user) => user,
        Err(error) => {
            let (status, why) = refusal(visitor.frame.texts, error, fl!(visitor.frame.texts, "user-rules"))?;
            return again(visitor, state, form, why, status).await;
        }
    };
    let texts = visitor.frame.texts;
    let done = Done {
        title: fl!(texts, "user-created", name = isolated(&user.name)),
        note: fl!(texts, "user-created-next"),
        secret: Some(ShownOnce::password(&visitor.frame, &secret)),
        back: format!("/console/users/{}", user.id),
    };
    Ok(done.page(visitor.frame.clone()))
}

/// The form once more, with what was typed.
async fn again(
    visitor: &Visitor,
    state: &State,
    form: &Form,
    error: Reason,
    status: StatusCode,
) -> Result<HttpResponse, PageError> {
    page(visitor, state, status, |name| form.get(name).unwrap_or_default(), error).await
}

fn new_user(form: &Form, scopes: Scope, password: NewPassword) -> NewUser {
    NewUser {
        name: form.get("name").unwrap_or_default().trim().to_owned(),
        email: form.get("email").map(|email| email.trim().to_owned()).filter(|email| !email.is_empty()),
        password,
        scopes,
        roles: form.get("roles").unwrap_or_default().split_whitespace().map(str::to_owned).collect(),
        must_change: true,
    }
}
