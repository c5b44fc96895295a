//! `/console/events`: what happens, as it happens, for the pages that are open. It ends with the session.

use actix_web::http::StatusCode;
use actix_web::http::header::{HeaderName, HeaderValue};
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use ficha_authority::{BrowserWatch, Sight};

use super::answer::{PageError, script_answer};
use super::sign_in::query;
use super::visitor::{Visitor, silent_visitor};
use crate::api::events::{Stream, Ticket, last_event_id};
use crate::api::reads::record_read;
use crate::state::State;

/// Whether the session of a page is `live` or has `ended`.
const X_SESSION: HeaderName = HeaderName::from_static("x-session");

/// The stream. Without a session it is 401 and no redirect: a script asks, not a person.
pub async fn watch(request: HttpRequest, state: Data<State>) -> HttpResponse {
    match opened(&request, &state).await {
        Ok(stream) => stream.response(),
        Err(error) => script_answer(error.status_for_scripts()),
    }
}

/// Whether the session of a page is live, without a stream. That it has ended is no error: browsers would log one.
pub async fn is_signed_in(request: HttpRequest, state: Data<State>) -> HttpResponse {
    let session = match of_this_session(&request, &state).await {
        Ok(_) => "live",
        Err(PageError::NotSignedIn) => "ended",
        Err(error) => return script_answer(error.status_for_scripts()),
    };
    let mut response = script_answer(StatusCode::NO_CONTENT);
    response.headers_mut().insert(X_SESSION, HeaderValue::from_static(session));
    response
}

/// The browser, if the session is still the one that the page was made for.
pub async fn of_this_session(request: &HttpRequest, state: &State) -> Result<Visitor, PageError> {
    let visitor = silent_visitor(request, state).await?;
    match query(request, "session") {
        Some(session) if session != visitor.browser.id().to_string() => Err(PageError::NotSignedIn),
        _ => Ok(visitor),
    }
}

async fn opened(request: &HttpRequest, state: &State) -> Result<Stream, PageError> {
    let visitor = of_this_session(request, state).await?;
    // What administrators see is where the console is.
    let sight = match state.routes.console {
        true => visitor.actor().sight_of_stream()?,
        false => visitor.actor().sight_of_own()?,
    };
    if !matches!(sight, Sight::Own(_)) {
        record_read(request, state, StatusCode::OK).await?;
    }
    let after = last_event_id(request)?;
    let whose = visitor.browser.user.id;
    let ticket = Ticket::Browser(Box::new(BrowserWatch::new(visitor.browser)));
    Ok(Stream::open(state, ticket, whose, sight, after).await?)
}
