//! What a form must show before it changes anything: that a page of this server has sent it (its origin, and a token that
//! only such a page knows), for the browser that is signed in.

use actix_web::http::header::{HOST, HeaderMap, ORIGIN};
use actix_web::http::uri::Authority as HostAndPort;
use actix_web::web::Payload;
use actix_web::{HttpMessage, HttpRequest};

use super::answer::PageError;
use super::cookies::{self, Name};
use super::visitor::{Visitor, silent_visitor, visitor};
use crate::api::caller::require_own_host;
use crate::request::form::Form;
use crate::state::State;

/// The field in which a form sends its token.
pub const TOKEN: &str = "csrf_token";

/// The field in which a script says that it runs.
const SCRIPTS: &str = "scripts";

/// Scripts run in the browser that has sent a form.
#[derive(Clone, Copy)]
struct HasScripts;

/// True if scripts run in the browser that has sent the form of this request.
pub fn has_scripts(request: &HttpRequest) -> bool {
    request.extensions().get::<HasScripts>().is_some()
}

/// Who sends a form.
pub enum Sender {
    /// A browser that is signed in.
    SignedIn(Box<Visitor>, Form),
    /// Another one.
    Anonymous(Form),
}

/// A form of a browser that is signed in.
pub async fn submitted(request: &HttpRequest, payload: Payload, state: &State) -> Result<(Visitor, Form), PageError> {
    let visitor = sender(request, state).await?;
    let form = read(request, payload).await?;
    if form.get(SCRIPTS) == Some("yes") {
        request.extensions_mut().insert(HasScripts);
    }
    require_token(state, &visitor, form.get(TOKEN)).await?;
    Ok((visitor, form))
}

/// Who sends a form, by what the request's head says. Nothing may be done for them before [`require_token`].
pub async fn sender(request: &HttpRequest, state: &State) -> Result<Visitor, PageError> {
    require_own_host(request, state)?;
    require_own_origin(request, state)?;
    visitor(request, state).await
}

/// Refuses a form without the token that a page of this session has.
pub async fn require_token(state: &State, visitor: &Visitor, token: Option<&str>) -> Result<(), PageError> {
    let token = token.ok_or(PageError::ForeignForm)?;
    match state.authority.is_form_token(visitor.browser.id(), token).await? {
        true => Ok(()),
        false => Err(PageError::ForeignForm),
    }
}

/// A form of a browser that is not signed in, or not any more: the token is bound to another cookie. False if it is not
/// what was made for this browser: then the form changes nothing.
pub async fn submitted_before(
    request: &HttpRequest,
    payload: Payload,
    state: &State,
) -> Result<(Form, bool), PageError> {
    require_own_host(request, state)?;
    require_own_origin(request, state)?;
    let form = read(request, payload).await?;
    let cookie = cookies::get(request, &state.site, Name::SignIn);
    let (Some(browser), Some(token)) = (cookie.and_then(|text| text.parse().ok()), form.get(TOKEN)) else {
        return Ok((form, false));
    };
    let is_own = state.authority.is_sign_in_form(browser, token).await?;
    Ok((form, is_own))
}

/// A form that anybody may send. A cookie whose session has ended signs nobody in.
pub async fn submitted_by_anybody(request: &HttpRequest, payload: Payload, state: &State) -> Result<Sender, PageError> {
    match silent_visitor(request, state).await {
        Ok(_) => {
            let (visitor, form) = submitted(request, payload, state).await?;
            Ok(Sender::SignedIn(Box::new(visitor), form))
        }
        Err(PageError::NotSignedIn) => match submitted_before(request, payload, state).await? {
            (form, true) => Ok(Sender::Anonymous(form)),
            (_, false) => Err(PageError::ForeignForm),
        },
        Err(error) => Err(error),
    }
}

async fn read(request: &HttpRequest, payload: Payload) -> Result<Form, PageError> {
    Ok(Form::read(request, payload).await?)
}

/// Every browser says from which origin a form comes. It must be the one that the request was sent to, which is known to
/// be our own by now: a loopback issuer has several names.
fn require_own_origin(request: &HttpRequest, state: &State) -> Result<(), PageError> {
    let host = request.headers().get(HOST).and_then(|host| host.to_str().ok());
    let host = request.uri().authority().map(HostAndPort::as_str).or(host).unwrap_or_default();
    let scheme = if state.site.is_plain_http() { "http" } else { "https" };
    if is_own_origin(request.headers(), scheme, host) { Ok(()) } else { Err(PageError::ForeignForm) }
}

fn is_own_origin(headers: &HeaderMap, scheme: &str, host: &str) -> bool {
    let mut origins = headers.get_all(ORIGIN);
    let origin = origins.next().and_then(|origin| origin.to_str().ok());
    let site = headers.get("sec-fetch-site").map(|site| site.as_bytes());
    let Ok(own) = url::Url::parse(&format!("{scheme}://{host}/")) else { return false };
    origin == Some(own.origin().ascii_serialization().as_str())
        && origins.next().is_none()
        && site.is_none_or(|site| site == b"same-origin")
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::{HeaderName, HeaderValue};

    use super::*;

    #[test]
    fn only_a_page_of_this_origin_may_send_a_form() {
        let is_own = |origin: Option<&'static str>, site: Option<&'static str>| {
            let mut headers = HeaderMap::new();
            if let Some(origin) = origin {
                headers.insert(ORIGIN, HeaderValue::from_static(origin));
            }
            if let Some(site) = site {
                headers.insert(HeaderName::from_static("sec-fetch-site"), HeaderValue::from_static(site));
            }
            is_own_origin(&headers, "https", "auth.example.com:443")
        };
        assert!(is_own(Some("https://auth.example.com"), Some("same-origin")));
        assert!(is_own(Some("https://auth.example.com"), None));
        for foreign in [
            None,
            Some("null"),
            Some("https://evil.example"),
            Some("http://auth.example.com"),
            Some("https://auth.example.com:8443"),
            Some("https://auth.example.com.evil.example"),
        ] {
            assert!(!is_own(foreign, None), "{foreign:?}");
        }
        for site in ["cross-site", "same-site", "none"] {
            assert!(!is_own(Some("https://auth.example.com"), Some(site)), "{site}");
        }
    }
}
