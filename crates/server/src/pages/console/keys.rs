//! `/console/keys`: the keys, and their replacement.

use actix_web::http::StatusCode;
use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse};
use askama::Template;
use ficha_authority::{Began, key_state};
use i18n_embed_fl::fl;

use crate::pages::answer::{PageError, answered, html};
use crate::pages::confirm::{Question, wanted, who_is_there};
use crate::pages::done::Done;
use crate::pages::form_guard::submitted;
use crate::pages::frame::Frame;
use crate::pages::see_other;
use crate::pages::sign_in::{forget, query};
use crate::pages::texts::Texts;
use crate::pages::visitor::visitor;
use crate::pages::when::When;
use crate::state::State;

#[derive(Template)]
#[template(path = "keys.html")]
struct KeysPage {
    frame: Frame,
    keys: Vec<Row>,
    may_change: bool,
    note: String,
}

/// A key, in words.
struct Row {
    kid: String,
    purpose: &'static str,
    algorithm: String,
    state: &'static str,
    text: String,
    from: When,
}

/// Lists keys.
pub async fn list(request: HttpRequest, state: Data<State>) -> HttpResponse {
    let outcome = listed(&request, &state).await;
    answered(&request, &state, outcome).await
}

async fn listed(request: &HttpRequest, state: &State) -> Result<HttpResponse, PageError> {
    let visitor = visitor(request, state).await?;
    let all = state.authority.admin().keys(visitor.actor()).await?;
    let frame = visitor.frame.clone();
    let row = |key: &ficha_authority::KeyRecord| {
        let state = key_state(key, &all, frame.now);
        Row {
            kid: key.kid.clone(),
            purpose: key.purpose.as_str(),
            algorithm: key.algorithm.clone(),
            state,
            text: state_text(frame.texts, state),
            from: frame.when(key.sign_from),
        }
    };
    let note = match query(request, "note").as_deref() {
        Some("rotated") => fl!(frame.texts, "key-rotated"),
        _ => String::new(),
    };
    let page = KeysPage {
        keys: all.iter().map(row).collect(),
        may_change: visitor.actor().require_changing_keys().is_ok(),
        note,
        frame: visitor.frame,
    };
    Ok(html(StatusCode::OK, &page))
}

fn state_text(texts: &Texts, state: &str) -> String {
    match state {
        "next" => fl!(texts, "key-next"),
        "current" => fl!(texts, "key-current"),
        "old" => fl!(texts, "key-old"),
        "purged" => fl!(texts, "key-purged"),
        other => other.to_owned(),
    }
}

/// Publishes a new signing key.
pub async fn rotate(request: HttpRequest, payload: Payload, state: Data<State>) -> HttpResponse {
    let outcome = rotated(&request, payload, &state).await;
    answered(&request, &state, outcome).await
}

async fn rotated(request: &HttpRequest, payload: Payload, state: &State) -> Result<HttpResponse, PageError> {
    let (visitor, _) = submitted(request, payload, state).await?;
    visitor.actor().require_changing_keys()?;
    state.authority.admin().rotate_key(visitor.actor()).await?;
    Ok(see_other(state, "/console/keys?note=rotated"))
}

/// Replaces all keys and ends every session, this one too.
pub async fn purge(request: HttpRequest, payload: Payload, state: Data<State>) -> HttpResponse {
    let outcome = purged(&request, payload, &state).await;
    answered(&request, &state, outcome).await
}

async fn purged(request: &HttpRequest, payload: Payload, state: &State) -> Result<HttpResponse, PageError> {
    let (visitor, form) = submitted(request, payload, state).await?;
    visitor.actor().require_changing_keys()?;
    let texts = visitor.frame.texts;
    let question = Question {
        title: fl!(texts, "purge-question"),
        consequences: vec![fl!(texts, "purge-all"), fl!(texts, "purge-keys"), fl!(texts, "purge-you")],
        button: fl!(texts, "purge"),
        cancel: "/console/keys".to_owned(),
    };
    wanted(&visitor, &form, question)?;
    who_is_there(request, state, &visitor, &form).await?;
    let began = Began::now();
    state.authority.admin().purge_keys(visitor.actor()).await?;
    let (title, note) = (fl!(texts, "purged"), fl!(texts, "purged-next"));
    let done = Done { title, note, secret: None, back: "/login".to_owned() };
    // What they see is the last of this session: no form of it is of any use.
    let mut response = done.page_with_receipt(request, state, visitor.frame.without_user(), began).await;
    forget(state, &mut response);
    Ok(response)
}
