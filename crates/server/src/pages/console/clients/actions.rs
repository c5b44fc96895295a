//! `POST /console/clients/{id}/{action}`.

use actix_web::web::{Data, Path, Payload};
use actix_web::{HttpRequest, HttpResponse};
use ficha_authority::Began;
use i18n_embed_fl::fl;

use super::path;
use crate::pages::answer::{PageError, answered};
use crate::pages::confirm::{Question, wanted, who_is_there};
use crate::pages::cookies;
use crate::pages::done::Done;
use crate::pages::form_guard::submitted;
use crate::pages::frame::Frame;
use crate::pages::see_other;
use crate::pages::texts::isolated;
use crate::state::State;

/// What can be done to a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Action {
    Disable,
    Enable,
    EndSessions,
    Delete,
}

impl Action {
    fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "disable" => Self::Disable,
            "enable" => Self::Enable,
            "revoke-sessions" => Self::EndSessions,
            "delete" => Self::Delete,
            _ => return None,
        })
    }

    fn question(self, frame: &Frame, id: &str) -> Option<Question> {
        let texts = frame.texts;
        let all_end = fl!(texts, "all-sessions-of-client-end");
        let (title, more, button) = match self {
            Self::Enable => return None,
            Self::Disable => (
                fl!(texts, "disable-client", name = isolated(id)),
                fl!(texts, "disabled-client"),
                fl!(texts, "disable"),
            ),
            Self::EndSessions => (
                fl!(texts, "end-sessions-of", name = isolated(id)),
                fl!(texts, "may-sign-in-again"),
                fl!(texts, "end-them"),
            ),
            Self::Delete => {
                (fl!(texts, "delete-client", name = isolated(id)), fl!(texts, "deleted-client"), fl!(texts, "delete"))
            }
        };
        let cancel = format!("/console/clients/{}", path(id));
        Some(Question { title, consequences: vec![all_end, more], button, cancel })
    }
}

/// Does it.
pub async fn act(
    request: HttpRequest,
    at: Path<(String, String)>,
    payload: Payload,
    state: Data<State>,
) -> HttpResponse {
    let (id, action) = at.into_inner();
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
    let actor = visitor.actor();
    let action = Action::parse(action).ok_or_else(PageError::not_found)?;
    match action {
        Action::EndSessions => actor.require_ending_sessions()?,
        Action::Disable | Action::Enable | Action::Delete => actor.require_changing_clients()?,
    }
    let client = state.authority.admin().client(actor, id).await?;
    // Before anything is asked.
    if action != Action::EndSessions {
        actor.require_changing_client(&client)?;
    }
    if let Some(question) = action.question(&visitor.frame, id) {
        wanted(&visitor, &form, question)?;
    }
    let proof = match action {
        Action::Delete => who_is_there(request, state, &visitor, &form).await?,
        // It could administer again.
        Action::Enable if client.own_scopes => who_is_there(request, state, &visitor, &form).await?,
        _ => None,
    };
    let (admin, texts) = (state.authority.admin(), visitor.frame.texts);
    let back = format!("/console/clients/{}", path(id));
    let began = Began::now();
    let (revoked, title, back) = match action {
        Action::Enable => {
            admin.set_client_enabled(actor, id, true).await?;
            let mut response = see_other(state, &format!("{back}?note=enabled"));
            cookies::attach(&mut response, [proof]);
            return Ok(response);
        }
        Action::Disable => (
            admin.set_client_enabled(actor, id, false).await?,
            fl!(texts, "client-disabled", name = isolated(id)),
            back,
        ),
        Action::EndSessions => (admin.revoke_client(actor, id).await?, fl!(texts, "end-sessions"), back),
        Action::Delete => {
            let revoked = admin.delete_client(actor, id).await?;
            (revoked, fl!(texts, "client-deleted", name = isolated(id)), "/console/clients".to_owned())
        }
    };
    let done = Done { title, note: fl!(texts, "sessions-ended", count = revoked), secret: None, back };
    let mut response = done.page_with_receipt(request, state, visitor.frame, began).await;
    cookies::attach(&mut response, [proof]);
    Ok(response)
}
