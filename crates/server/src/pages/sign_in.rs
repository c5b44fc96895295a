//! `/login` and `/sign-out`.

use actix_web::http::StatusCode;
use actix_web::http::header::{HeaderName, HeaderValue};
use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse};
use askama::Template;
use ficha_authority::{AuthorityError, Password};
use i18n_embed_fl::fl;

use super::answer::{PageError, answered, html};
use super::cookies::{self, Name};
use super::form_guard::{submitted, submitted_before};
use super::frame::Frame;
use super::see_other;
use super::visitor::{silent_visitor, visitor};
use crate::api::caller::require_own_host;
use crate::state::State;

#[derive(Template)]
#[template(path = "sign_in.html")]
struct SignInPage {
    frame: Frame,
    /// Where to go afterwards; empty for the first page that there is for this user.
    next: String,
    username: String,
    /// Why it has failed.
    error: String,
    /// What has happened before.
    note: String,
}

/// The form.
pub async fn form(request: HttpRequest, state: Data<State>) -> HttpResponse {
    let outcome = shown(&request, &state).await;
    answered(&request, &state, outcome).await
}

async fn shown(request: &HttpRequest, state: &State) -> Result<HttpResponse, PageError> {
    require_own_host(request, state)?;
    let next = query(request, "next").filter(|next| is_page(next)).unwrap_or_default();
    match visitor(request, state).await {
        Ok(visitor) if next.is_empty() => return Ok(see_other(state, visitor.frame.home())),
        Ok(_) => return Ok(see_other(state, &next)),
        Err(PageError::NotSignedIn) => {}
        Err(error) => return Err(error),
    }
    let frame = Frame::new(request, state);
    let note = match query(request, "note").as_deref() {
        Some("signed-out") => fl!(frame.texts, "signed-out"),
        Some("password-changed") => fl!(frame.texts, "password-changed-sign-in"),
        _ => String::new(),
    };
    let page = SignInPage { frame, next, username: String::new(), error: String::new(), note };
    with_form(request, state, StatusCode::OK, page)
}

/// Shows the form, bound to this browser.
fn with_form(
    request: &HttpRequest,
    state: &State,
    status: StatusCode,
    mut page: SignInPage,
) -> Result<HttpResponse, PageError> {
    let (token, cookie) = form_for(request, state)?;
    page.frame.token = token;
    let mut response = html(status, &page);
    cookies::attach(&mut response, [cookie]);
    Ok(response)
}

/// What a form sends back that is shown to a browser that is not signed in, and the cookie that it is bound to.
pub fn form_for(request: &HttpRequest, state: &State) -> Result<(String, Option<HeaderValue>), PageError> {
    let site = &*state.site;
    let known = cookies::get(request, site, Name::SignIn).and_then(|text| text.parse().ok());
    let form = state.authority.sign_in_form(known)?;
    let cookie = cookies::set(site, Name::SignIn, &form.browser.to_string());
    Ok((form.token.expose().to_owned(), cookie.filter(|_| known.is_none())))
}

/// Signs in.
pub async fn sign_in(request: HttpRequest, payload: Payload, state: Data<State>) -> HttpResponse {
    let outcome = signed_in(&request, payload, &state).await;
    answered(&request, &state, outcome).await
}

async fn signed_in(request: &HttpRequest, payload: Payload, state: &State) -> Result<HttpResponse, PageError> {
    let (form, is_own) = submitted_before(request, payload, state).await?;
    let next = form.get("next").filter(|next| is_page(next)).unwrap_or_default().to_owned();
    let username = form.get("username").unwrap_or_default().to_owned();
    let password = Password::new(form.get("password").unwrap_or_default());
    let source = state.proxies.trace(request).sender();
    let frame = Frame::new(request, state);
    if !is_own {
        let error = fl!(frame.texts, "form-outdated");
        let page = SignInPage { frame, next, username, error, note: String::new() };
        return with_form(request, state, StatusCode::FORBIDDEN, page);
    }
    let before = silent_visitor(request, state).await.ok();
    let (status, error) = match state.authority.sign_in(&source, &username, password).await {
        Ok(signed_in) => {
            let frame = frame.for_user(&username, &signed_in.actor, String::new());
            let target = if next.is_empty() { frame.home().to_owned() } else { next };
            let site = &*state.site;
            let mut response = see_other(state, &target);
            if let Some(before) = before
                && let Err(error) = state.authority.sign_out(&source, &before.browser).await
            {
                tracing::warn!(%error, "the former session of a browser could not be ended");
            }
            // A new session each time, with a new cookie: one that was there before is of no use to who has set it.
            let set = [
                cookies::set(site, Name::Session, signed_in.cookie.expose()),
                cookies::remove(site, Name::Confirmed),
                cookies::remove(site, Name::SignIn),
            ];
            cookies::attach(&mut response, set);
            return Ok(response);
        }
        Err(AuthorityError::PasswordChangeRequired) => {
            let mut response = see_other(state, "/account/password?note=must-change");
            forget(state, &mut response);
            return Ok(response);
        }
        Err(AuthorityError::ClientAuthentication | AuthorityError::GrantNotAllowed) => {
            (StatusCode::FORBIDDEN, fl!(frame.texts, "console-is-off"))
        }
        Err(AuthorityError::BadCredentials) => (StatusCode::FORBIDDEN, fl!(frame.texts, "wrong-password")),
        Err(AuthorityError::ScopeExceeded) => (StatusCode::FORBIDDEN, fl!(frame.texts, "nothing-here")),
        Err(AuthorityError::Busy { .. }) => (StatusCode::SERVICE_UNAVAILABLE, fl!(frame.texts, "too-many-sign-ins")),
        Err(error) => return Err(error.into()),
    };
    with_form(request, state, status, SignInPage { frame, next, username, error, note: String::new() })
}

/// Signs out: the session ends, and nothing of it stays in the browser.
pub async fn sign_out(request: HttpRequest, payload: Payload, state: Data<State>) -> HttpResponse {
    let outcome = signed_out(&request, payload, &state).await;
    answered(&request, &state, outcome).await
}

async fn signed_out(request: &HttpRequest, payload: Payload, state: &State) -> Result<HttpResponse, PageError> {
    let (visitor, _) = submitted(request, payload, state).await?;
    state.authority.sign_out(&visitor.source, &visitor.browser).await?;
    let mut response = see_other(state, "/login?note=signed-out");
    forget(state, &mut response);
    Ok(response)
}

/// Removes everything of a session from the browser.
pub fn forget(state: &State, response: &mut HttpResponse) {
    let site = &*state.site;
    let removed = [Name::Session, Name::Confirmed].map(|name| cookies::remove(site, name));
    cookies::attach(response, removed);
    response.headers_mut().insert(HeaderName::from_static("clear-site-data"), HeaderValue::from_static("\"cache\""));
}

/// True for a path of a page of this server: nothing leads from here to another one.
pub fn is_page(path: &str) -> bool {
    let plain = path.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\');
    let is_below =
        |prefix: &str| path.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with(['/', '?']));
    plain && (is_below("/console") || is_below("/account")) && !path.contains("..") && !path.contains("//")
}

/// A parameter of the query.
pub fn query(request: &HttpRequest, name: &str) -> Option<String> {
    let pairs = url::form_urlencoded::parse(request.query_string().as_bytes());
    pairs.into_iter().find(|(known, _)| known == name).map(|(_, value)| value.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_page_of_this_server_follows_the_sign_in() {
        for good in ["/console", "/console/sessions?user=alice&address=192.0.2.0%2F24", "/account/sessions"] {
            assert!(is_page(good), "{good}");
        }
        for bad in [
            "",
            "/",
            "//evil.example",
            "/\\evil.example",
            "https://evil.example",
            "/consoleevil",
            "/console/../token",
            "/console//evil.example",
            "/account\r\nX: y",
            "/login",
            "javascript:alert(1)",
            "/console?a b",
        ] {
            assert!(!is_page(bad), "{bad}");
        }
    }
}
