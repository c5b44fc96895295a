//! `/` for a browser: what this server is, and where to go from here.

use actix_web::http::StatusCode;
use actix_web::http::header::ACCEPT;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use askama::Template;
use i18n_embed_fl::fl;

use super::answer::{PageError, answered, html};
use super::cookies;
use super::frame::Frame;
use super::sign_in::form_for;
use super::visitor::visitor;
use crate::api::caller::require_own_host;
use crate::error::ApiError;
use crate::state::State;

#[derive(Template)]
#[template(path = "root.html")]
struct RootPage {
    frame: Frame,
    issuer: String,
}

/// The page, for a browser; a program is told that there is no endpoint here.
pub async fn show(request: HttpRequest, state: Data<State>) -> Result<HttpResponse, ApiError> {
    let accepts = request.headers().get_all(ACCEPT).filter_map(|accept| accept.to_str().ok());
    if !accepts.flat_map(|accept| accept.split(',')).any(|range| range.trim().starts_with("text/html")) {
        return Err(ApiError::NotFound);
    }
    let outcome = shown(&request, &state).await;
    Ok(answered(&request, &state, outcome).await)
}

/// What other methods get.
pub async fn nothing() -> Result<HttpResponse, ApiError> {
    Err(ApiError::NotFound)
}

async fn shown(request: &HttpRequest, state: &State) -> Result<HttpResponse, PageError> {
    require_own_host(request, state)?;
    let issuer = state.authority.settings().issuer.as_str().to_owned();
    match visitor(request, state).await {
        Ok(visitor) => Ok(html(StatusCode::OK, &RootPage { frame: visitor.frame, issuer })),
        Err(PageError::NotSignedIn) => {
            let (token, cookie) = form_for(request, state)?;
            let frame = Frame { token, ..Frame::new(request, state) };
            let mut response = html(StatusCode::OK, &RootPage { frame, issuer });
            cookies::attach(&mut response, [cookie]);
            Ok(response)
        }
        Err(error) => Err(error),
    }
}
