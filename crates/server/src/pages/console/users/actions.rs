//! `POST /console/users/{id}/{action}`: what ends sessions is asked about first, and what can't be undone asks for the
//! password as well.

use actix_web::http::StatusCode;
use actix_web::web::{Data, Path, Payload};
use actix_web::{HttpRequest, HttpResponse};
use ficha_authority::{Began, UserRecord};
use ficha_token::Scope;
use i18n_embed_fl::fl;

use super::{find, grants_own};
use crate::api::users::version;
use crate::pages::answer::{PageError, answered};
use crate::pages::confirm::{Question, wanted, who_is_there};
use crate::pages::cookies;
use crate::pages::done::{Done, ShownOnce};
use crate::pages::form_guard::submitted;
use crate::pages::frame::Frame;
use crate::pages::see_other;
use crate::pages::sign_in::forget;
use crate::pages::texts::isolated;
use crate::pages::visitor::Visitor;
use crate::state::State;

/// What can be done to a user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Action {
    Disable,
    Enable,
    Unlock,
    EndSessions,
    OneTimePassword,
    Delete,
    Erase,
}

impl Action {
    fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "disable" => Self::Disable,
            "enable" => Self::Enable,
            "unlock" => Self::Unlock,
            "revoke-sessions" => Self::EndSessions,
            "password" => Self::OneTimePassword,
            "delete" => Self::Delete,
            "erase" => Self::Erase,
            _ => return None,
        })
    }

    /// True if it can't be undone, shows a secret, or gives somebody back the power to administer.
    fn asks_who_is_there(self, user: &UserRecord) -> bool {
        match self {
            Self::OneTimePassword | Self::Delete | Self::Erase => true,
            Self::Enable => grants_own(&Scope::empty(), &user.scopes),
            Self::Disable | Self::Unlock | Self::EndSessions => false,
        }
    }

    /// True if it ends the sessions of the user.
    fn ends_sessions(self) -> bool {
        !matches!(self, Self::Enable | Self::Unlock)
    }

    /// What is asked before; `None`: nothing, since it ends nothing.
    fn question(self, frame: &Frame, user: &UserRecord, is_own: bool) -> Option<Question> {
        let (texts, name) = (frame.texts, isolated(&user.name));
        let all_end = fl!(texts, "all-sessions-end");
        let (title, mut consequences, button) = match self {
            Self::Enable | Self::Unlock => return None,
            Self::Disable => (
                fl!(texts, "disable-user", name = name.as_str()),
                vec![fl!(texts, "disabled-cannot-sign-in")],
                fl!(texts, "disable"),
            ),
            Self::EndSessions => (
                fl!(texts, "end-sessions-of", name = name.as_str()),
                vec![fl!(texts, "may-sign-in-again")],
                fl!(texts, "end-them"),
            ),
            Self::OneTimePassword => {
                let what = vec![fl!(texts, "old-password-ends"), fl!(texts, "password-shown-once")];
                (fl!(texts, "one-time-password-for", name = name.as_str()), what, fl!(texts, "make-password"))
            }
            Self::Delete => (
                fl!(texts, "delete-user", name = name.as_str()),
                vec![fl!(texts, "deleted-name-is-free")],
                fl!(texts, "delete"),
            ),
            Self::Erase => {
                let what = vec![fl!(texts, "erased-is-deleted"), fl!(texts, "erased-events")];
                (fl!(texts, "erase-user", name = name.as_str()), what, fl!(texts, "erase"))
            }
        };
        consequences.insert(0, all_end);
        if is_own {
            consequences.push(fl!(texts, "this-is-you"));
        }
        Some(Question { title, consequences, button, cancel: format!("/console/users/{}", user.id) })
    }
}

/// Does it.
pub async fn act(
    request: HttpRequest,
    path: Path<(String, String)>,
    payload: Payload,
    state: Data<State>,
) -> HttpResponse {
    let (id, action) = path.into_inner();
    let outcome = done(&request, &id, &action, payload, &state).await;
    answered(&request, &state, outcome).await
}

async fn done(
    request: &HttpRequest,
    id: &str,
    action: &str,
    payload: Payload,
    state: &State,
) -> Result<HttpResponse, PageError> {
    let (visitor, form) = submitted(request, payload, state).await?;
    visitor.actor().require_changing_users()?;
    let action = Action::parse(action).ok_or_else(PageError::not_found)?;
    let user = find(&visitor, state, id).await?;
    // Before anything is asked.
    match action {
        Action::EndSessions => visitor.actor().require_ending_sessions_of(&user)?,
        _ => visitor.actor().require_changing_user(&user)?,
    }
    // A page that shows a secret can be asked for again: that makes no other secret.
    if form.get("version").is_some_and(|shown| shown != version(&user)) {
        let texts = visitor.frame.texts;
        return Err(PageError::Told(StatusCode::CONFLICT, fl!(texts, "conflict"), fl!(texts, "changed-since-shown")));
    }
    let is_own = user.id == visitor.browser.user.id;
    if let Some(question) = action.question(&visitor.frame, &user, is_own) {
        wanted(&visitor, &form, question)?;
    }
    let proof = match action.asks_who_is_there(&user) {
        true => who_is_there(request, state, &visitor, &form).await?,
        false => None,
    };
    let mut response = run(request, state, visitor, action, &user).await?;
    cookies::attach(&mut response, [proof]);
    if is_own && action.ends_sessions() {
        forget(state, &mut response);
    }
    Ok(response)
}

async fn run(
    request: &HttpRequest,
    state: &State,
    visitor: Visitor,
    action: Action,
    user: &UserRecord,
) -> Result<HttpResponse, PageError> {
    let (actor, admin, id) = (visitor.actor(), state.authority.admin(), user.id.to_string());
    let (texts, name) = (visitor.frame.texts, isolated(&user.name));
    let back = format!("/console/users/{id}");
    let began = Began::now();
    let (title, revoked, secret) = match action {
        Action::Enable => {
            admin.set_user_enabled(actor, &id, true).await?;
            return Ok(see_other(state, &format!("{back}?note=enabled")));
        }
        Action::Unlock => {
            admin.unlock_user(actor, &id).await?;
            return Ok(see_other(state, &format!("{back}?note=unlocked")));
        }
        Action::Disable => {
            (fl!(texts, "user-disabled", name = name), admin.set_user_enabled(actor, &id, false).await?, None)
        }
        Action::EndSessions => (fl!(texts, "end-sessions"), admin.revoke_user(actor, &id).await?, None),
        Action::OneTimePassword => {
            let (secret, revoked) = admin.set_one_time_password(actor, &id).await?;
            (fl!(texts, "new-password-of", name = name), revoked, Some(secret))
        }
        Action::Delete => (fl!(texts, "user-deleted", name = name), admin.delete_user(actor, &id).await?, None),
        Action::Erase => (fl!(texts, "user-erased"), admin.erase_user_by_id(actor, user.id).await?.sessions, None),
    };
    let is_own = user.id == visitor.browser.user.id;
    let done = Done {
        title,
        note: fl!(texts, "sessions-ended", count = revoked),
        secret: secret.map(|secret| ShownOnce::password(&visitor.frame, &secret)),
        back: match action {
            _ if is_own => "/login".to_owned(),
            Action::Delete | Action::Erase => "/console/users".to_owned(),
            _ => back,
        },
    };
    let frame = if is_own { visitor.frame.without_user() } else { visitor.frame };
    Ok(done.page_with_receipt(request, state, frame, began).await)
}
