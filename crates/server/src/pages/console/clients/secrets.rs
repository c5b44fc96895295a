//! `POST /console/clients/{id}/secrets`: another secret, shown once; and the end of one.

use actix_web::http::StatusCode;
use actix_web::web::{Data, Path, Payload};
use actix_web::{HttpRequest, HttpResponse};
use ficha_authority::{NewClientSecret, OtherSecrets};
use i18n_embed_fl::fl;
use uuid::Uuid;

use super::path;
use crate::api::clients::version;
use crate::pages::answer::{PageError, answered};
use crate::pages::confirm::{Question, wanted, who_is_there};
use crate::pages::cookies;
use crate::pages::done::{Done, ShownOnce};
use crate::pages::form_guard::submitted;
use crate::pages::see_other;
use crate::pages::texts::isolated;
use crate::state::State;

/// For how long the secrets that a client has may go on beside a new one, in seconds.
const KEEP: [(&str, i64); 3] = [("hour", 3_600), ("day", 86_400), ("week", 7 * 86_400)];

/// Gives the client another secret.
pub async fn add(request: HttpRequest, id: Path<String>, payload: Payload, state: Data<State>) -> HttpResponse {
    let outcome = added(&request, &id, payload, &state).await;
    answered(&request, &state, outcome).await
}

async fn added(request: &HttpRequest, id: &str, payload: Payload, state: &State) -> Result<HttpResponse, PageError> {
    let (visitor, form) = submitted(request, payload, state).await?;
    visitor.actor().require_changing_clients()?;
    let others = match form.get("others") {
        Some("keep") => OtherSecrets::Keep,
        Some("remove") => OtherSecrets::Remove,
        Some(kept) => {
            let known = KEEP.into_iter().find(|(name, _)| *name == kept);
            let (_, seconds) = known.ok_or_else(|| PageError::invalid("others"))?;
            OtherSecrets::KeepUntil(visitor.frame.now + seconds)
        }
        None => return Err(PageError::invalid("others")),
    };
    let texts = visitor.frame.texts;
    let seen = state.authority.admin().client(visitor.actor(), id).await?;
    visitor.actor().require_changing_client(&seen)?;
    // A page that shows a secret can be asked for again: that makes no other secret.
    if form.get("version").is_some_and(|shown| shown != version(&seen)) {
        return Err(PageError::Told(StatusCode::CONFLICT, fl!(texts, "conflict"), fl!(texts, "changed-since-shown")));
    }
    if others == OtherSecrets::Remove {
        let question = Question {
            title: fl!(texts, "replace-secret-of", name = isolated(id)),
            consequences: vec![fl!(texts, "secrets-refused-at-once"), fl!(texts, "sessions-go-on")],
            button: fl!(texts, "new-secret"),
            cancel: format!("/console/clients/{}", path(id)),
        };
        wanted(&visitor, &form, question)?;
    }
    let proof = who_is_there(request, state, &visitor, &form).await?;
    let new = NewClientSecret { expires_at: None, others };
    let (_, secret) = state.authority.admin().add_client_secret(visitor.actor(), id, new).await?;
    let done = Done {
        title: fl!(texts, "new-secret-of", name = isolated(id)),
        note: fl!(texts, "secret-added"),
        secret: Some(ShownOnce::client_secret(&visitor.frame, &secret)),
        back: format!("/console/clients/{}", path(id)),
    };
    let mut response = done.page(visitor.frame);
    cookies::attach(&mut response, [proof]);
    Ok(response)
}

/// Removes one of its secrets.
pub async fn remove(
    request: HttpRequest,
    at: Path<(String, Uuid)>,
    payload: Payload,
    state: Data<State>,
) -> HttpResponse {
    let (id, secret) = at.into_inner();
    let outcome = removed(&request, &id, secret, payload, &state).await;
    answered(&request, &state, outcome).await
}

async fn removed(
    request: &HttpRequest,
    id: &str,
    secret: Uuid,
    payload: Payload,
    state: &State,
) -> Result<HttpResponse, PageError> {
    let (visitor, form) = submitted(request, payload, state).await?;
    visitor.actor().require_changing_clients()?;
    let seen = state.authority.admin().client(visitor.actor(), id).await?;
    visitor.actor().require_changing_client(&seen)?;
    let texts = visitor.frame.texts;
    let back = format!("/console/clients/{}", path(id));
    let question = Question {
        title: fl!(texts, "remove-secret-of", name = isolated(id)),
        consequences: vec![fl!(texts, "secret-refused"), fl!(texts, "sessions-go-on")],
        button: fl!(texts, "remove"),
        cancel: back.clone(),
    };
    wanted(&visitor, &form, question)?;
    state.authority.admin().remove_client_secret(visitor.actor(), id, secret).await?;
    Ok(see_other(state, &format!("{back}?note=secret-removed")))
}
