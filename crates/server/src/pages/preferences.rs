//! `/preferences`: language and theme, kept in cookies.

use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse};

use super::answer::{PageError, answered};
use super::cookies::{self, Name};
use super::form_guard::{Sender, submitted_by_anybody};
use super::frame::theme_named;
use super::language::Language;
use super::see_other;
use crate::state::State;

/// Sets one of them, and leads back.
pub async fn set(request: HttpRequest, payload: Payload, state: Data<State>) -> HttpResponse {
    let outcome = changed(&request, payload, &state).await;
    answered(&request, &state, outcome).await
}

async fn changed(request: &HttpRequest, payload: Payload, state: &State) -> Result<HttpResponse, PageError> {
    let site = &*state.site;
    let (Sender::SignedIn(_, form) | Sender::Anonymous(form)) = submitted_by_anybody(request, payload, state).await?;
    let next = form.get("next").filter(|next| is_own(next)).unwrap_or("/login");
    let mut response = see_other(state, next);
    let language = form.get("language").and_then(Language::parse).map(|language| (Name::Language, language.tag()));
    let theme = form.get("theme").map(|theme| (Name::Theme, theme_named(theme)));
    for (name, value) in language.into_iter().chain(theme) {
        let cookie = if value.is_empty() { cookies::remove(site, name) } else { cookies::set(site, name, value) };
        cookies::attach(&mut response, [cookie]);
    }
    Ok(response)
}

/// A page to which a choice may lead back: also that of the sign-in.
fn is_own(next: &str) -> bool {
    super::sign_in::is_page(next) || next == "/" || next == "/login" || next.starts_with("/login?")
}
