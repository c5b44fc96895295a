//! `/verify`: the gate. A proxy asks it about each request, and passes on those that have a valid token. It answers from
//! memory, on a listener of its own: it says what is in a token to everybody who can ask.

use std::sync::Arc;

use actix_web::http::StatusCode;
use actix_web::http::header::{AUTHORIZATION, CACHE_CONTROL, HeaderName, HeaderValue};
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse, ResponseError};
use ficha_resource::{ErrorResponse, Presented, Refusal, Verified, VerifyError};
use ficha_token::{Scope, TokenError};

use crate::api::query::Parameters;
use crate::error::ApiError;
use crate::http::unread_body::mark_authenticated;
use crate::state::State;

/// What the service behind the proxy learns. All of them are always there, so that a proxy that copies them overwrites
/// what the client has sent under these names.
const SUBJECT: HeaderName = HeaderName::from_static("x-auth-subject");
const CLIENT: HeaderName = HeaderName::from_static("x-auth-client");
const SCOPE: HeaderName = HeaderName::from_static("x-auth-scope");
const SESSION: HeaderName = HeaderName::from_static("x-auth-session");

/// The parameter behind which a proxy may put the path and query of the request that it asks about. Nothing in it counts.
const ABOUT: &str = "request=";

/// What the service behind the proxy needs.
#[derive(Debug, PartialEq, Eq)]
struct Wanted {
    audience: String,
    scope: Scope,
    /// The status for a valid token.
    status: StatusCode,
}

/// 204 for a valid token (200 for Envoy), with who has it; otherwise what RFC 6750 answers.
pub async fn verify(request: HttpRequest, state: Data<State>) -> HttpResponse {
    match admitted(&request, &state).await {
        Ok((verified, status)) => {
            mark_authenticated(&request);
            admission(&verified, status)
        }
        Err(refused) => refused,
    }
}

async fn admitted(request: &HttpRequest, state: &State) -> Result<(Arc<Verified>, StatusCode), HttpResponse> {
    let wanted = wanted(request.query_string()).map_err(|error| error.error_response())?;
    let refused = |refusal: Refusal| refusal_response(&refusal.response("ficha"));
    let presented = Presented::from_authorization(request.headers().get_all(AUTHORIZATION));
    let presented = presented.map_err(|malformed| refused(malformed.into()))?;
    let presented = presented.ok_or_else(|| refused(Refusal::Missing))?;
    // One that another server has just issued, after a purge.
    let loaded = state.authority.load_unknown_key(presented.token).await;
    loaded.map_err(|error| ApiError::from(ficha_authority::AuthorityError::from(error)).error_response())?;
    let verified = state.guard.verify_now(presented).map_err(|error| refused(error.into()))?;
    if !verified.claims.aud.contains(&wanted.audience) {
        return Err(refused(VerifyError::Invalid(TokenError::WrongAudience).into()));
    }
    if !wanted.scope.is_subset(&verified.claims.scope) {
        return Err(refused(Refusal::InsufficientScope { required: wanted.scope.to_string() }));
    }
    Ok((verified, wanted.status))
}

/// What the query asks for. The operator of the proxy has written it: an unknown parameter is an error, since it may be a
/// scope that is misspelt.
fn wanted(query: &str) -> Result<Wanted, ApiError> {
    let wrong = |_| ApiError::InvalidRequest("the query is not audience=NAME, and scope=NAMES if a scope is needed");
    // Envoy, which asks like this, admits with 200 alone.
    let (own, status) = match query.split_once(ABOUT) {
        Some((own, _)) if own.is_empty() || own.ends_with('&') => (own.trim_end_matches('&'), StatusCode::OK),
        _ => (query, StatusCode::NO_CONTENT),
    };
    let mut parameters = Parameters::of(own);
    let (audience, scope) = (parameters.text("audience"), parameters.text("scope"));
    parameters.finish().map_err(wrong)?;
    let audience = audience.ok_or(ApiError::MissingParameter("audience"))?;
    let scope = scope.unwrap_or_default().parse().map_err(|_| ApiError::InvalidRequest("the scope is malformed"))?;
    Ok(Wanted { audience, scope, status })
}

fn admission(verified: &Verified, status: StatusCode) -> HttpResponse {
    let claims = &verified.claims;
    let mut response = HttpResponse::build(status);
    response.insert_header((CACHE_CONTROL, "no-store"));
    for (name, text) in [
        (SUBJECT, claims.sub.to_string()),
        (CLIENT, claims.client_id.clone()),
        (SCOPE, claims.scope.to_string()),
        (SESSION, claims.sid.to_string()),
    ] {
        // Ids and scopes are printable ASCII.
        response.insert_header((name, HeaderValue::from_str(&text).unwrap_or(HeaderValue::from_static(""))));
    }
    response.finish()
}

fn refusal_response(refused: &ErrorResponse) -> HttpResponse {
    let status = StatusCode::from_u16(refused.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = HttpResponse::build(status);
    for header in refused.headers() {
        response.insert_header(header);
    }
    response.body(refused.body())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_query_is_the_operators_and_what_the_client_asked_for_does_not_count() {
        let parsed = |query: &str| wanted(query).map(|wanted| (wanted.audience, wanted.scope.to_string())).ok();
        let expected = |audience: &str, scope: &str| Some((audience.to_owned(), scope.to_owned()));
        assert_eq!(parsed("audience=notes"), expected("notes", ""));
        assert_eq!(
            parsed("audience=https%3A%2F%2Fapi.example.com&scope=a%20b"),
            expected("https://api.example.com", "a b")
        );
        let asked = "audience=notes&scope=a&request=/notes?audience=other&scope=b&request=c";
        assert_eq!(parsed(asked), expected("notes", "a"));
        for wrong in [
            "",
            "scope=a",
            "audience=",
            "audience=a&audience=b",
            "audience=a&scop=b",
            "request=/x?audience=a",
            "audience=a&scope=%22",
            "audience=a&xrequest=/",
        ] {
            assert_eq!(parsed(wrong), None, "{wrong}");
        }
    }
}
