//! `/console/new-client`.

use actix_web::http::StatusCode;
use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse};
use askama::Template;
use i18n_embed_fl::fl;

use super::path;
use super::typed::Typed;
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
#[template(path = "client_new.html")]
struct NewClientPage {
    frame: Frame,
    fields: ClientFields,
    error: Reason,
}

/// The fields of a form about a client, as they were typed.
pub struct ClientFields {
    pub id: String,
    pub is_public: bool,
    pub password: bool,
    pub refresh_token: bool,
    pub client_credentials: bool,
    pub any_scope: bool,
    pub scopes: String,
    pub audience: String,
    pub serves: String,
    pub forwards_address: bool,
    pub own_scopes: bool,
    /// Every declared scope.
    pub declared: Vec<(String, String)>,
}

impl ClientFields {
    /// Of a form that was sent.
    pub fn of(form: &Form, declared: Vec<(String, String)>) -> Self {
        let text = |name: &str| form.get(name).unwrap_or_default().to_owned();
        let has = |name: &str| form.get(name) == Some("yes");
        Self {
            id: text("id"),
            is_public: form.get("kind") == Some("public"),
            password: has("grant-password"),
            refresh_token: has("grant-refresh_token"),
            client_credentials: has("grant-client_credentials"),
            any_scope: has("any_scope"),
            scopes: text("scopes"),
            audience: text("audience"),
            serves: text("serves"),
            forwards_address: has("forwards_address"),
            own_scopes: has("own_scopes"),
            declared,
        }
    }
}

/// The form.
pub async fn form(request: HttpRequest, state: Data<State>) -> HttpResponse {
    let outcome = shown(&request, &state).await;
    answered(&request, &state, outcome).await
}

async fn shown(request: &HttpRequest, state: &State) -> Result<HttpResponse, PageError> {
    let visitor = visitor(request, state).await?;
    visitor.actor().require_changing_clients()?;
    let fields = ClientFields {
        id: String::new(),
        is_public: true,
        password: true,
        refresh_token: true,
        client_credentials: false,
        any_scope: false,
        scopes: String::new(),
        audience: String::new(),
        serves: String::new(),
        forwards_address: false,
        own_scopes: false,
        declared: state.authority.declared_scopes().await?,
    };
    Ok(html(StatusCode::OK, &NewClientPage { frame: visitor.frame, fields, error: Reason::default() }))
}

/// Creates the client, and shows its secret once.
pub async fn create(request: HttpRequest, payload: Payload, state: Data<State>) -> HttpResponse {
    let outcome = created(&request, payload, &state).await;
    answered(&request, &state, outcome).await
}

async fn created(request: &HttpRequest, payload: Payload, state: &State) -> Result<HttpResponse, PageError> {
    let (visitor, form) = submitted(request, payload, state).await?;
    visitor.actor().require_changing_clients()?;
    let Some(typed) = Typed::of(&form)? else {
        let why = (StatusCode::BAD_REQUEST, fl!(visitor.frame.texts, "scopes-malformed").into());
        return again(visitor, state, &form, why).await;
    };
    // A secret will be shown, or the client could administer.
    let proof = match typed.is_public != Some(true) || typed.may_administer() {
        true => who_is_there(request, state, &visitor, &form).await?,
        false => None,
    };
    let mut response = match state.authority.admin().add_client(visitor.actor(), typed.new_client()).await {
        Ok((client, secret)) => {
            let texts = visitor.frame.texts;
            let done = Done {
                title: fl!(texts, "client-created", name = isolated(&client.id)),
                note: fl!(texts, "client-created-next"),
                secret: secret.map(|secret| ShownOnce::client_secret(&visitor.frame, &secret)),
                back: format!("/console/clients/{}", path(&client.id)),
            };
            done.page(visitor.frame)
        }
        Err(error) => {
            let why = refusal(visitor.frame.texts, error, fl!(visitor.frame.texts, "client-rules"))?;
            again(visitor, state, &form, why).await?
        }
    };
    cookies::attach(&mut response, [proof]);
    Ok(response)
}

async fn again(
    visitor: Visitor,
    state: &State,
    form: &Form,
    (status, error): (StatusCode, Reason),
) -> Result<HttpResponse, PageError> {
    let fields = ClientFields::of(form, state.authority.declared_scopes().await?);
    Ok(html(status, &NewClientPage { frame: visitor.frame, fields, error }))
}
