//! `/console/clients/{id}/edit`.

use actix_web::http::StatusCode;
use actix_web::web::{Data, Path, Payload};
use actix_web::{HttpRequest, HttpResponse};
use askama::Template;
use ficha_authority::{AdminError, Began, ChangedClient, ClientRecord};
use i18n_embed_fl::fl;

use super::new::ClientFields;
use super::typed::Typed;
use super::{Row, path};
use crate::api::clients::version;
use crate::pages::answer::{PageError, answered, html};
use crate::pages::confirm::{Question, wanted, who_is_there};
use crate::pages::cookies;
use crate::pages::done::{Done, ShownOnce};
use crate::pages::form_guard::submitted;
use crate::pages::frame::Frame;
use crate::pages::reasons::{Reason, refusal};
use crate::pages::see_other;
use crate::pages::texts::isolated;
use crate::pages::visitor::{Visitor, visitor};
use crate::request::form::Form;
use crate::state::State;

#[derive(Template)]
#[template(path = "client_edit.html")]
struct EditPage {
    frame: Frame,
    client: Row,
    fields: ClientFields,
    /// What is different by now from what was typed.
    changed: Vec<(String, String)>,
    error: Reason,
}

/// The form.
pub async fn form(request: HttpRequest, id: Path<String>, state: Data<State>) -> HttpResponse {
    let outcome = shown(&request, &id, &state).await;
    answered(&request, &state, outcome).await
}

async fn shown(request: &HttpRequest, id: &str, state: &State) -> Result<HttpResponse, PageError> {
    let visitor = visitor(request, state).await?;
    visitor.actor().require_changing_clients()?;
    let client = state.authority.admin().client(visitor.actor(), id).await?;
    visitor.actor().require_changing_client(&client)?;
    let client = Row::new(&visitor.frame, client);
    let fields = ClientFields {
        id: client.id.clone(),
        is_public: client.is_public,
        password: client.has("password"),
        refresh_token: client.has("refresh_token"),
        client_credentials: client.has("client_credentials"),
        any_scope: client.scopes.is_none(),
        scopes: client.scopes.as_deref().unwrap_or_default().join(" "),
        audience: client.audience.clone(),
        serves: client.serves.join(" "),
        forwards_address: client.forwards_address,
        own_scopes: client.own_scopes,
        declared: state.authority.declared_scopes().await?,
    };
    Ok(html(
        StatusCode::OK,
        &EditPage { frame: visitor.frame, client, fields, changed: Vec::new(), error: Reason::default() },
    ))
}

/// Saves it, if the client still is as the form has shown it. If it loses rights, all its sessions end.
pub async fn save(request: HttpRequest, id: Path<String>, payload: Payload, state: Data<State>) -> HttpResponse {
    let outcome = saved(&request, &id, payload, &state).await;
    answered(&request, &state, outcome).await
}

async fn saved(request: &HttpRequest, id: &str, payload: Payload, state: &State) -> Result<HttpResponse, PageError> {
    let (visitor, form) = submitted(request, payload, state).await?;
    visitor.actor().require_changing_clients()?;
    let admin = state.authority.admin();
    let seen = admin.client(visitor.actor(), id).await?;
    visitor.actor().require_changing_client(&seen)?;
    let meanwhile = fl!(visitor.frame.texts, "changed-meanwhile");
    if form.get("version") != Some(version(&seen).as_str()) {
        return again(visitor, state, seen, &form, (StatusCode::CONFLICT, meanwhile.into())).await;
    }
    let Some(typed) = Typed::of(&form)? else {
        let why = fl!(visitor.frame.texts, "scopes-malformed");
        return again(visitor, state, seen, &form, (StatusCode::BAD_REQUEST, why.into())).await;
    };
    // A secret will be shown, or the client could administer.
    let needs_proof = typed.may_administer() || seen.is_public() && typed.is_public == Some(false);
    let change = typed.change();
    let ends = admin.would_end_sessions(&seen, &change);
    if ends {
        let texts = visitor.frame.texts;
        let question = Question {
            title: fl!(texts, "narrow-client", name = isolated(id)),
            consequences: vec![fl!(texts, "all-sessions-of-client-end"), fl!(texts, "may-sign-in-again")],
            button: fl!(texts, "save"),
            cancel: format!("/console/clients/{}", path(id)),
        };
        wanted(&visitor, &form, question)?;
    }
    let proof = match needs_proof {
        true => who_is_there(request, state, &visitor, &form).await?,
        false => None,
    };
    let began = Began::now();
    let back = format!("/console/clients/{}", path(id));
    let mut response = match admin.change_client_at(visitor.actor(), &seen, change).await {
        Ok(changed) if ends => {
            let (title, note) = (fl!(visitor.frame.texts, "saved"), fl!(visitor.frame.texts, "client-narrowed"));
            let secret = changed.secret.map(|secret| ShownOnce::client_secret(&visitor.frame, &secret));
            Done { title, note, secret, back }.page_with_receipt(request, state, visitor.frame, began).await
        }
        Ok(ChangedClient { secret: Some(secret), .. }) => {
            let (title, note) = (fl!(visitor.frame.texts, "saved"), fl!(visitor.frame.texts, "client-confidential"));
            let secret = Some(ShownOnce::client_secret(&visitor.frame, &secret));
            Done { title, note, secret, back }.page(visitor.frame)
        }
        Ok(_) => see_other(state, &format!("{back}?note=changed")),
        Err(AdminError::Conflict(_)) => {
            let now = admin.client(visitor.actor(), id).await?;
            again(visitor, state, now, &form, (StatusCode::CONFLICT, meanwhile.into())).await?
        }
        Err(error) => {
            let why = refusal(visitor.frame.texts, error, fl!(visitor.frame.texts, "client-rules"))?;
            again(visitor, state, seen, &form, why).await?
        }
    };
    cookies::attach(&mut response, [proof]);
    Ok(response)
}

async fn again(
    visitor: Visitor,
    state: &State,
    client: ClientRecord,
    form: &Form,
    (status, error): (StatusCode, Reason),
) -> Result<HttpResponse, PageError> {
    let client = Row::new(&visitor.frame, client);
    let mut fields = ClientFields::of(form, state.authority.declared_scopes().await?);
    if form.get("kind").is_none() {
        fields.is_public = client.is_public;
    }
    let changed =
        if status == StatusCode::CONFLICT { differences(&visitor.frame, &client, &fields) } else { Vec::new() };
    Ok(html(status, &EditPage { frame: visitor.frame, client, fields, changed, error }))
}

/// What is different by now from what was typed.
fn differences(frame: &Frame, client: &Row, typed: &ClientFields) -> Vec<(String, String)> {
    let texts = frame.texts;
    let grants = [("password", typed.password), ("refresh_token", typed.refresh_token)];
    let grants = grants.into_iter().chain([("client_credentials", typed.client_credentials)]);
    let typed_grants: Vec<_> = grants.filter(|(_, is_set)| *is_set).map(|(name, _)| name).collect();
    let any = fl!(texts, "any-scope");
    let scopes = |is_any: bool, list: String| if is_any { any.clone() } else { list };
    let flag = |is_set: bool| if is_set { "✓" } else { "–" }.to_owned();
    let kind = |is_public: bool| if is_public { fl!(texts, "public") } else { fl!(texts, "confidential") };
    let both = [
        (fl!(texts, "kind"), kind(typed.is_public), kind(client.is_public)),
        (fl!(texts, "grants"), typed_grants.join(" "), client.grants.join(" ")),
        (
            fl!(texts, "scopes"),
            scopes(typed.any_scope, typed.scopes.clone()),
            scopes(client.scopes.is_none(), client.scopes.as_deref().unwrap_or_default().join(" ")),
        ),
        (fl!(texts, "audience"), typed.audience.clone(), client.audience.clone()),
        (fl!(texts, "serves"), typed.serves.clone(), client.serves.join(" ")),
        (fl!(texts, "forwards-address"), flag(typed.forwards_address), flag(client.forwards_address)),
        (fl!(texts, "may-have-own-scopes"), flag(typed.own_scopes), flag(client.own_scopes)),
    ];
    both.into_iter().filter(|(_, typed, now)| typed != now).map(|(what, _, now)| (what, now)).collect()
}
