//! `POST /console/sessions/revoke`: the end of the sessions that were selected, or of all that a filter fits. First a page
//! says how many they are; what it confirms is that number.

use actix_web::http::StatusCode;
use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse};
use askama::Template;
use ficha_authority::{AdminError, Began, RevokeMatching, RevokePreview};
use i18n_embed_fl::fl;
use uuid::Uuid;

use super::receipt::{ReceiptView, receipt_of};
use super::session::services;
use crate::api::revoke_sessions::turn;
use crate::api::sessions::search;
use crate::pages::answer::{PageError, answered, html};
use crate::pages::filter::FilterFields;
use crate::pages::form_guard::submitted;
use crate::pages::frame::Frame;
use crate::pages::reasons::label;
use crate::pages::visitor::Visitor;
use crate::request::form::Form;
use crate::state::State;

/// The longest reason, in characters.
const MOST_REASON: usize = 200;

#[derive(Template)]
#[template(path = "sessions_revoke.html")]
struct ConfirmPage {
    frame: Frame,
    filter: FilterFields,
    ids: Vec<Uuid>,
    /// True if everything that the filter fits is meant, and not a selection.
    is_all: bool,
    /// How many fit: this is what is confirmed.
    matched: u64,
    /// How many of them would end.
    open: u64,
    summary: String,
    /// Whose they are, in the words of the page; each with a name in it, or none.
    whose: Vec<Whose>,
    of_users: bool,
    of_apps: bool,
    /// What was typed before.
    reason: String,
    services: Vec<String>,
    /// What has changed since the last time that this was shown.
    note: String,
}

impl ConfirmPage {
    /// What the list calls a field of the filter.
    fn label(&self, field: &str) -> String {
        label(self.frame.texts, field)
    }
}

#[derive(Template)]
#[template(path = "sessions_revoked.html")]
struct RevokedPage {
    frame: Frame,
    filter: FilterFields,
    note: String,
    receipt: Option<ReceiptView>,
    /// The job that ends them, if they are many.
    job: Option<Uuid>,
}

/// Asks whether to end them; and if that is confirmed, ends them.
pub async fn revoke(request: HttpRequest, payload: Payload, state: Data<State>) -> HttpResponse {
    let outcome = revoked(&request, payload, &state).await;
    answered(&request, &state, outcome).await
}

async fn revoked(request: &HttpRequest, payload: Payload, state: &State) -> Result<HttpResponse, PageError> {
    let (visitor, form) = submitted(request, payload, state).await?;
    visitor.actor().require_ending_sessions()?;
    let filter = FilterFields::of(form.get("filter").unwrap_or_default());
    let what = wanted(&visitor.frame, &filter, &form)?;
    let _turn = turn(&what).await?;
    let Some(expected) = form.get("expected") else {
        return confirm(visitor, state, filter, &what, String::new()).await;
    };
    let expected = expected.parse().map_err(|_| PageError::invalid("expected"))?;
    let what = RevokeMatching { expected, ..what };
    let admin = state.authority.admin();
    let began = Began::now();
    let done = match admin.revoke_matching(visitor.actor(), &what).await {
        Ok(done) => done,
        Err(AdminError::Conflict(_)) => {
            let note = fl!(visitor.frame.texts, "more-by-now");
            return confirm(visitor, state, filter, &what, note).await;
        }
        Err(error) => return Err(error.into()),
    };
    let texts = visitor.frame.texts;
    let (note, receipt) = match done.job {
        Some(job) => {
            admin.spawn_job(job);
            (fl!(texts, "a-job-ends-them", count = done.matched), None)
        }
        None => {
            let receipt = receipt_of(request, state, &visitor.frame, began).await;
            let note = fl!(texts, "sessions-ended", count = done.revoked);
            (note, Some(receipt))
        }
    };
    Ok(html(StatusCode::OK, &RevokedPage { frame: visitor.frame, filter, note, receipt, job: done.job }))
}

async fn confirm(
    visitor: Visitor,
    state: &State,
    filter: FilterFields,
    what: &RevokeMatching,
    note: String,
) -> Result<HttpResponse, PageError> {
    let preview = state.authority.admin().preview_matching(visitor.actor(), what).await?;
    let whose = whose(&visitor, state, &preview).await?;
    let RevokePreview { matched, open, of_clients, .. } = preview;
    let services = services(&visitor, state).await?;
    let texts = visitor.frame.texts;
    let summary = match &what.ids {
        Some(_) => fl!(texts, "will-end-selected", count = open),
        None => fl!(texts, "will-end-matching", count = open, all = matched),
    };
    let status = if note.is_empty() { StatusCode::OK } else { StatusCode::CONFLICT };
    let page = ConfirmPage {
        frame: visitor.frame,
        filter,
        is_all: what.ids.is_none(),
        ids: what.ids.clone().unwrap_or_default(),
        matched,
        open,
        summary,
        whose,
        of_users: open > of_clients,
        of_apps: of_clients > 0,
        reason: what.reason.clone().unwrap_or_default(),
        services,
        note,
    };
    Ok(html(status, &page))
}

/// A line that says whose the sessions are.
struct Whose {
    /// Of one user; empty: of several, or of nobody.
    name: String,
    text: String,
}

/// Whose the sessions are that would end.
async fn whose(visitor: &Visitor, state: &State, preview: &RevokePreview) -> Result<Vec<Whose>, PageError> {
    let ids: Vec<Uuid> = preview.users.iter().map(|(user, _)| *user).collect();
    let names = match state.authority.admin().user_names(visitor.actor(), &ids).await {
        Err(AdminError::Forbidden(_)) => Vec::new(),
        names => names?,
    };
    let texts = visitor.frame.texts;
    let named = preview.users.iter().map(|&(user, count)| {
        let name = names.iter().find(|(id, _)| *id == user).map(|(_, name)| name.clone());
        // One who was deleted has no name any more.
        Whose { name: name.unwrap_or_else(|| user.to_string()), text: fl!(texts, "as-many-sessions", count = count) }
    });
    let others = [
        (preview.other_users, fl!(texts, "of-other-users", count = preview.other_users)),
        (preview.of_clients, fl!(texts, "of-clients", count = preview.of_clients)),
    ];
    let others = others.into_iter().filter(|(count, _)| *count > 0);
    Ok(named.chain(others.map(|(_, text)| Whose { name: String::new(), text })).collect())
}

/// What a form names: the selected sessions, or all that the filter fits.
fn wanted(frame: &Frame, filter: &FilterFields, form: &Form) -> Result<RevokeMatching, PageError> {
    let selected: Vec<Uuid> = form.names().filter_map(|name| name.strip_prefix("session-")?.parse().ok()).collect();
    let is_all = form.get("all") == Some("yes");
    if selected.is_empty() && !is_all {
        let (title, advice) = (fl!(frame.texts, "nothing-selected"), fl!(frame.texts, "select-first"));
        return Err(PageError::Told(StatusCode::BAD_REQUEST, title, advice));
    }
    let reason = form.get("reason").map(str::to_owned);
    if reason.as_ref().is_some_and(|text| text.chars().count() > MOST_REASON || text.chars().any(char::is_control)) {
        return Err(PageError::invalid("reason"));
    }
    if !is_all {
        return Ok(RevokeMatching { ids: Some(selected), reason, ..RevokeMatching::default() });
    }
    let mut parameters = filter.parameters();
    let search = search(&mut parameters);
    parameters.finish()?;
    Ok(RevokeMatching { search, reason, ..RevokeMatching::default() })
}
