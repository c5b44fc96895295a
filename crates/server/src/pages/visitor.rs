//! Who asks for a page: a browser that is signed in.

use actix_web::{HttpMessage, HttpRequest};
use ficha_authority::{Actor, BrowserSession, RequestSource};

use super::answer::PageError;
use super::cookies::{self, Name};
use super::frame::Frame;
use crate::api::caller::require_own_host;
use crate::http::unread_body::mark_authenticated;
use crate::state::State;

/// A browser that is signed in, and what surrounds its pages.
pub struct Visitor {
    pub browser: BrowserSession,
    pub frame: Frame,
    pub source: RequestSource,
}

impl Visitor {
    /// Who they are to the rules.
    pub fn actor(&self) -> &Actor {
        &self.browser.actor
    }
}

/// The browser that sent this request. Looked at before anything else of it.
pub async fn visitor(request: &HttpRequest, state: &State) -> Result<Visitor, PageError> {
    found(request, state, true).await
}

/// The same for a request that a script makes by itself: it does not count as a use of the session.
pub async fn silent_visitor(request: &HttpRequest, state: &State) -> Result<Visitor, PageError> {
    found(request, state, false).await
}

async fn found(request: &HttpRequest, state: &State, counts: bool) -> Result<Visitor, PageError> {
    require_own_host(request, state)?;
    let source = state.proxies.trace(request).sender();
    let cookie = cookies::get(request, &state.site, Name::Session);
    let browser = match cookie {
        Some(cookie) => state.authority.browser_session(&source, &cookie, counts).await?,
        None => None,
    };
    let browser = browser.ok_or(PageError::NotSignedIn)?;
    mark_authenticated(request);
    request.extensions_mut().insert(browser.actor.clone());
    let token = state.authority.form_token(browser.id())?;
    let frame = Frame::new(request, state);
    let frame = frame.for_user(&browser.user.name, &browser.actor, token.expose().to_owned());
    Ok(Visitor { browser, frame, source })
}
