//! `/problems/{name}`: the page that a problem's `type` leads to.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::web::Path;

use super::problem::KINDS;
use crate::error::ApiError;
use crate::pages::answer;

/// A short page about one kind of problem. It is made from fixed texts alone.
pub async fn page(name: Path<String>) -> Result<HttpResponse, ApiError> {
    let (_, title, text) = KINDS.iter().find(|(kind, ..)| *kind == name.as_str()).ok_or(ApiError::NotFound)?;
    let page = format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><meta name=\"viewport\" \
         content=\"width=device-width\"><title>{title} - Ficha</title><h1>{title}</h1><p>{text}</p></html>"
    );
    Ok(answer::text(StatusCode::OK, page))
}
