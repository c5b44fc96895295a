//! `/console/users/{id}/edit`: other rights, or another e-mail address.

use actix_web::http::StatusCode;
use actix_web::web::{Data, Path, Payload};
use actix_web::{HttpRequest, HttpResponse};
use askama::Template;
use ficha_authority::{AdminError, Began, UserChange, UserRecord};
use ficha_token::Scope;
use i18n_embed_fl::fl;

use super::{Row, find, grants_own, typed_scopes};
use crate::api::users::version;
use crate::pages::answer::{PageError, answered, html};
use crate::pages::confirm::who_is_there;
use crate::pages::cookies;
use crate::pages::done::Done;
use crate::pages::form_guard::submitted;
use crate::pages::frame::Frame;
use crate::pages::reasons::{Reason, refusal};
use crate::pages::see_other;
use crate::pages::visitor::{Visitor, visitor};
use crate::request::form::Form;
use crate::state::State;

#[derive(Template)]
#[template(path = "user_edit.html")]
struct EditPage {
    frame: Frame,
    /// The user as they are now.
    user: Row,
    email: String,
    scopes: String,
    roles: String,
    declared: Vec<(String, String)>,
    /// Why it was not saved.
    error: Reason,
    /// What is different by now from what was typed.
    changed: Vec<(String, String)>,
}

/// The form.
pub async fn form(request: HttpRequest, id: Path<String>, state: Data<State>) -> HttpResponse {
    let outcome = shown(&request, &id, &state).await;
    answered(&request, &state, outcome).await
}

async fn shown(request: &HttpRequest, id: &str, state: &State) -> Result<HttpResponse, PageError> {
    let visitor = visitor(request, state).await?;
    visitor.actor().require_changing_users()?;
    let user = find(&visitor, state, id).await?;
    visitor.actor().require_changing_user(&user)?;
    let user = Row::new(&visitor.frame, user);
    let page = EditPage {
        email: user.email.clone(),
        scopes: user.scopes.join(" "),
        roles: user.roles.join(" "),
        user,
        declared: state.authority.declared_scopes().await?,
        error: Reason::default(),
        changed: Vec::new(),
        frame: visitor.frame,
    };
    Ok(html(StatusCode::OK, &page))
}

/// Saves it, if the user still is as the form has shown them. Sessions with rights that they lose end.
pub async fn save(request: HttpRequest, id: Path<String>, payload: Payload, state: Data<State>) -> HttpResponse {
    let outcome = saved(&request, &id, payload, &state).await;
    answered(&request, &state, outcome).await
}

async fn saved(request: &HttpRequest, id: &str, payload: Payload, state: &State) -> Result<HttpResponse, PageError> {
    let (visitor, form) = submitted(request, payload, state).await?;
    visitor.actor().require_changing_users()?;
    let seen = find(&visitor, state, id).await?;
    visitor.actor().require_changing_user(&seen)?;
    if form.get("version") != Some(version(&seen).as_str()) {
        return again(&visitor.frame, state, Row::new(&visitor.frame, seen), &form, None).await;
    }
    let Some(scopes) = typed_scopes(form.get("scopes").unwrap_or_default()) else {
        let why = (StatusCode::BAD_REQUEST, fl!(visitor.frame.texts, "scopes-malformed").into());
        return again(&visitor.frame, state, Row::new(&visitor.frame, seen), &form, Some(why)).await;
    };
    let proof = match grants_own(&seen.scopes, &scopes) {
        true => who_is_there(request, state, &visitor, &form).await?,
        false => None,
    };
    let mut response = changed(request, state, &visitor, (seen, scopes), &form).await?;
    cookies::attach(&mut response, [proof]);
    Ok(response)
}

async fn changed(
    request: &HttpRequest,
    state: &State,
    visitor: &Visitor,
    (seen, scopes): (UserRecord, Scope),
    form: &Form,
) -> Result<HttpResponse, PageError> {
    let change = UserChange {
        email: Some(form.get("email").map(|email| email.trim().to_owned())),
        scopes: Some(scopes),
        roles: Some(form.get("roles").unwrap_or_default().split_whitespace().map(str::to_owned).collect()),
        ..UserChange::default()
    };
    let began = Began::now();
    let (admin, frame) = (state.authority.admin(), visitor.frame.clone());
    let back = format!("/console/users/{}", seen.id);
    match admin.change_user(visitor.actor(), &seen, &change).await {
        Ok(0) => Ok(see_other(state, &format!("{back}?note=changed"))),
        Ok(revoked) => {
            let (title, note) = (fl!(frame.texts, "saved"), fl!(frame.texts, "sessions-ended", count = revoked));
            Ok(Done { title, note, secret: None, back }.page_with_receipt(request, state, frame, began).await)
        }
        Err(AdminError::Conflict(_)) => {
            let user = Row::new(&frame, find(visitor, state, &seen.id.to_string()).await?);
            again(&frame, state, user, form, None).await
        }
        Err(error) => {
            let why = refusal(frame.texts, error, fl!(frame.texts, "user-rules"))?;
            again(&frame, state, Row::new(&frame, seen), form, Some(why)).await
        }
    }
}

/// The form once more, with what was typed; and without an `error`, with what somebody else has changed.
async fn again(
    frame: &Frame,
    state: &State,
    user: Row,
    form: &Form,
    refused: Option<(StatusCode, Reason)>,
) -> Result<HttpResponse, PageError> {
    let texts = frame.texts;
    let typed = |name: &str| form.get(name).unwrap_or_default().to_owned();
    let current = [
        (fl!(texts, "email"), typed("email"), user.email.clone()),
        (fl!(texts, "scopes"), typed("scopes"), user.scopes.join(" ")),
        (fl!(texts, "roles"), typed("roles"), user.roles.join(" ")),
    ];
    let is_conflict = refused.is_none();
    let changed = current.into_iter().filter(|(_, typed, now)| is_conflict && typed != now);
    let (status, error) = refused.unwrap_or_else(|| (StatusCode::CONFLICT, fl!(texts, "changed-meanwhile").into()));
    let page = EditPage {
        changed: changed.map(|(what, _, now)| (what, now)).collect(),
        email: typed("email"),
        scopes: typed("scopes"),
        roles: typed("roles"),
        declared: state.authority.declared_scopes().await?,
        error,
        user,
        frame: frame.clone(),
    };
    Ok(html(status, &page))
}
