//! Answers that are pages: their headers, and what a refusal looks like.

use actix_web::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, ContentType, HeaderName, HeaderValue, REFERRER_POLICY, RETRY_AFTER,
};
use actix_web::http::{Method, StatusCode};
use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder, ResponseError};
use askama::Template;
use ficha_authority::{AdminError, AuthorityError};
use i18n_embed_fl::fl;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use super::cookies::{self, Name};
use super::frame::Frame;
use super::see_other;
use super::texts::isolated;
use super::visitor::visitor;
use crate::api::problem::Problem;
use crate::api::reads::record_read;
use crate::error::ApiError;
use crate::state::State;

/// Everything is loaded from this server, nothing is written into a page, and no page may frame another.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
                      form-action 'self'; frame-ancestors 'none'; base-uri 'none'; \
                      require-trusted-types-for 'script'; trusted-types ficha";

/// Why a page is not shown, or why a form changes nothing.
#[derive(Debug)]
pub enum PageError {
    /// The browser is not signed in, or its session has ended.
    NotSignedIn,
    /// A form does not show that a page of this server has sent it.
    ForeignForm,
    /// Another page has to be answered first.
    Instead(Box<HttpResponse>),
    /// Nobody would be left who may administer everything.
    LastAdministrator,
    /// Refused, in words of our own: the status, what it is, and what to do.
    Told(StatusCode, String, String),
    /// Refused, as the admin API would refuse it: the status, and its detail.
    Refused(StatusCode, String),
}

impl PageError {
    /// There is nothing at this path.
    pub fn not_found() -> Self {
        Self::Refused(StatusCode::NOT_FOUND, String::new())
    }

    /// A field of a form is wrong, though no page of this server sends it so.
    pub fn invalid(field: &str) -> Self {
        Self::Refused(StatusCode::BAD_REQUEST, field.to_owned())
    }

    /// The status for a script: without a session it is 401, and no way to the sign-in.
    pub fn status_for_scripts(&self) -> StatusCode {
        match self {
            Self::NotSignedIn => StatusCode::UNAUTHORIZED,
            other => other.status(),
        }
    }

    fn status(&self) -> StatusCode {
        match self {
            Self::NotSignedIn => StatusCode::SEE_OTHER,
            Self::Instead(page) => page.status(),
            Self::ForeignForm => StatusCode::FORBIDDEN,
            Self::LastAdministrator => StatusCode::CONFLICT,
            Self::Refused(status, _) | Self::Told(status, ..) => *status,
        }
    }
}

impl From<Problem> for PageError {
    fn from(problem: Problem) -> Self {
        match problem.status() {
            StatusCode::UNAUTHORIZED => Self::NotSignedIn,
            status => Self::Refused(status, problem.to_string()),
        }
    }
}

impl From<AdminError> for PageError {
    fn from(error: AdminError) -> Self {
        match error {
            AdminError::LastAdministrator(_) => Self::LastAdministrator,
            error => Problem::from(error).into(),
        }
    }
}

impl From<AuthorityError> for PageError {
    fn from(error: AuthorityError) -> Self {
        ApiError::from(error).into()
    }
}

impl From<ApiError> for PageError {
    fn from(error: ApiError) -> Self {
        let status = error.error_response().status();
        let detail = if status.is_server_error() { String::new() } else { error.to_string() };
        Self::Refused(status, detail)
    }
}

/// A page that says what went wrong, and what to do.
#[derive(Template)]
#[template(path = "problem.html")]
struct ProblemPage {
    frame: Frame,
    title: String,
    advice: String,
    detail: String,
}

/// A page for a browser that came from another site: it has not sent its cookie, and does so if it asks again.
#[derive(Template)]
#[template(path = "again.html")]
struct AgainPage {
    frame: Frame,
}

/// A response that is a page.
pub fn html(status: StatusCode, page: &impl Template) -> HttpResponse {
    match page.render() {
        Ok(page) => text(status, page),
        Err(error) => {
            tracing::error!(%error, "a page could not be rendered");
            response(StatusCode::INTERNAL_SERVER_ERROR).finish()
        }
    }
}

/// A response that is a page, from its text.
pub fn text(status: StatusCode, page: String) -> HttpResponse {
    response(status).content_type(ContentType::html()).body(page)
}

/// An answer to a script of a page: a status alone.
pub fn script_answer(status: StatusCode) -> HttpResponse {
    let mut response = HttpResponse::new(status);
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// The headers of every page.
fn response(status: StatusCode) -> HttpResponseBuilder {
    let mut response = HttpResponse::build(status);
    for (name, value) in [
        (CONTENT_SECURITY_POLICY, POLICY),
        (CACHE_CONTROL, "no-store"),
        // Without a referrer, browsers would send `Origin: null` with forms.
        (REFERRER_POLICY, "same-origin"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
        (HeaderName::from_static("permissions-policy"), "camera=(), geolocation=(), microphone=()"),
    ] {
        response.insert_header((name, HeaderValue::from_static(value)));
    }
    response
}

/// The page, or one that says why there is none.
pub async fn answered(request: &HttpRequest, state: &State, outcome: Result<HttpResponse, PageError>) -> HttpResponse {
    let outcome = match outcome {
        Ok(response) => {
            record_read(request, state, response.status()).await.map(|()| response).map_err(PageError::from)
        }
        refused => refused,
    };
    match outcome {
        Ok(response) => response,
        Err(PageError::Instead(response)) => *response,
        Err(PageError::NotSignedIn) => to_sign_in(request, state),
        Err(error) => refused(request, state, &error).await,
    }
}

async fn refused(request: &HttpRequest, state: &State, error: &PageError) -> HttpResponse {
    let status = error.status();
    // With the menu of who is signed in, if that can be found out.
    let frame = match visitor(request, state).await {
        Ok(visitor) => visitor.frame,
        Err(_) => Frame::new(request, state),
    };
    let texts = frame.texts;
    let (title, advice) = match (error, status) {
        (PageError::ForeignForm, _) => (fl!(texts, "foreign-form"), fl!(texts, "foreign-form-advice")),
        (PageError::Told(_, title, advice), _) => (title.clone(), advice.clone()),
        (_, StatusCode::FORBIDDEN) => (fl!(texts, "forbidden"), fl!(texts, "forbidden-advice")),
        (_, StatusCode::NOT_FOUND) => (fl!(texts, "not-found"), fl!(texts, "not-found-advice")),
        (PageError::LastAdministrator, _) => {
            (fl!(texts, "last-administrator"), fl!(texts, "last-administrator-advice"))
        }
        (_, StatusCode::CONFLICT) => (fl!(texts, "conflict"), fl!(texts, "conflict-advice")),
        (_, StatusCode::MISDIRECTED_REQUEST) => {
            let site = isolated(state.site.as_str());
            (fl!(texts, "misdirected"), fl!(texts, "misdirected-advice", site = site))
        }
        (_, StatusCode::SERVICE_UNAVAILABLE) => (fl!(texts, "unavailable"), fl!(texts, "unavailable-advice")),
        (_, status) if status.is_server_error() => (fl!(texts, "failed"), fl!(texts, "failed-advice")),
        _ => (fl!(texts, "invalid"), fl!(texts, "invalid-advice")),
    };
    let detail = match error {
        PageError::Refused(_, detail) => detail.clone(),
        _ => String::new(),
    };
    let mut response = html(status, &ProblemPage { frame, title, advice, detail });
    if status == StatusCode::SERVICE_UNAVAILABLE {
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
    }
    response
}

/// The sign-in page, which leads back here. A browser that comes from another site has not sent its cookie, though it may
/// have one (`SameSite=Strict`): it asks again from a page of this site, once.
fn to_sign_in(request: &HttpRequest, state: &State) -> HttpResponse {
    let header = |name: &str| request.headers().get(name).map(HeaderValue::as_bytes);
    let came_from_elsewhere =
        header("sec-fetch-site") == Some(b"cross-site") && header("sec-fetch-mode") == Some(b"navigate");
    let site = &*state.site;
    let is_read = matches!(*request.method(), Method::GET | Method::HEAD);
    if is_read && came_from_elsewhere && cookies::get(request, site, Name::Session).is_none() {
        return html(StatusCode::OK, &AgainPage { frame: Frame::new(request, state) });
    }
    let here = Frame::new(request, state).here;
    let back = if is_read { format!("?next={}", utf8_percent_encode(&here, NON_ALPHANUMERIC)) } else { String::new() };
    let mut response = see_other(state, &format!("/login{back}"));
    if cookies::get(request, site, Name::Session).is_some() {
        // Its session has ended: it is of no more use.
        cookies::attach(&mut response, [cookies::remove(site, Name::Session)]);
    }
    response
}
