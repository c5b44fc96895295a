//! `GET /docs`: Swagger UI from a vendored crate. The Authorize button signs in with the password flow.

use std::sync::Arc;

use actix_web::http::header::{CACHE_CONTROL, CONTENT_ENCODING, CONTENT_SECURITY_POLICY, LOCATION};
use actix_web::web::{Data, Path};
use actix_web::{HttpResponse, http::StatusCode};
use utoipa_swagger_ui::{Config, oauth};

use crate::error::ApiError;
use crate::state::State;

/// Everything is loaded from this server; Swagger UI itself uses inline styles and data: images.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; \
                      connect-src 'self'; font-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'";

/// Redirects to `/docs/`, because the page refers to its files by relative names.
pub async fn redirect(state: Data<State>) -> HttpResponse {
    let target = format!("{}/docs/", state.authority.settings().issuer.path());
    HttpResponse::build(StatusCode::SEE_OTHER).insert_header((LOCATION, target)).finish()
}

/// Makes Swagger UI send no credentials of the browser: after a wrong client secret (401 with a challenge), browsers would
/// ask for a password in a dialog of their own, and hide what the server has said.
fn without_credentials(path: &str, content: Vec<u8>) -> Vec<u8> {
    const BEGIN: &str = "SwaggerUIBundle({";
    const OMIT: &str = "SwaggerUIBundle({\n  requestInterceptor: (request) => ({ ...request, credentials: \"omit\" }),";
    match String::from_utf8(content) {
        Ok(text) if path == "swagger-initializer.js" => text.replacen(BEGIN, OMIT, 1).into_bytes(),
        Ok(text) => text.into_bytes(),
        Err(bytes) => bytes.into_bytes(),
    }
}

/// A file of the page.
pub async fn file(path: Path<String>, state: Data<State>) -> Result<HttpResponse, ApiError> {
    let settings = state.authority.settings();
    let login = oauth::Config::new().client_id(settings.default_client().unwrap_or_default()).app_name("Ficha");
    let config = Config::with_oauth_config([format!("{}/openapi.json", settings.issuer.path())], login);
    // Otherwise Swagger UI shows a badge from swagger.io's validator, which discloses our address to it.
    let config = config.persist_authorization(false).try_it_out_enabled(true).validator_url("none");
    let file =
        utoipa_swagger_ui::serve(&path, Arc::new(config)).map_err(|_| ApiError::NotFound)?.ok_or(ApiError::NotFound)?;
    let mut response = HttpResponse::Ok();
    response
        .content_type(file.content_type)
        .insert_header((CACHE_CONTROL, "no-cache"))
        .insert_header((CONTENT_SECURITY_POLICY, POLICY));
    if file.gzpipped {
        response.insert_header((CONTENT_ENCODING, "gzip"));
    }
    Ok(response.body(without_credentials(&path, file.bytes.into_owned())))
}
