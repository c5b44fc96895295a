//! Who calls the admin API: looked at before anything else of a request.

use std::sync::Arc;

use actix_web::http::StatusCode;
use actix_web::http::header::{AUTHORIZATION, HOST};
use actix_web::http::uri::Authority as HostAndPort;
use actix_web::{HttpMessage, HttpRequest};
use ficha_authority::{Actor, AuthorityError, SigningSettings};
use ficha_resource::{Presented, Refusal, Verified, VerifyError};
use url::Url;

use super::problem::Problem;
use crate::http::unread_body::mark_authenticated;
use crate::state::State;

/// The administrator who sent this request: whose token has one of the server's own scopes, and is for the server.
pub async fn caller(request: &HttpRequest, state: &State) -> Result<Actor, Problem> {
    caller_and_token(request, state).await.map(|(actor, _)| actor)
}

/// The same with the token, for answers that take longer than it may be valid.
pub async fn caller_and_token(request: &HttpRequest, state: &State) -> Result<(Actor, Arc<Verified>), Problem> {
    if matches!(state.authority.settings().signing, SigningSettings::SharedSecret(_)) {
        return Err(not_available());
    }
    let refused = |refusal: Refusal| Problem::refused(&refusal);
    let presented = Presented::from_authorization(request.headers().get_all(AUTHORIZATION));
    let presented =
        presented.map_err(|malformed| refused(malformed.into()))?.ok_or_else(|| refused(Refusal::Missing))?;
    let loaded = state.authority.load_unknown_key(presented.token).await;
    loaded.map_err(|error| {
        tracing::debug!(%error, "the keys could not be read");
        Problem::from(ficha_authority::AdminError::from(error))
    })?;
    let verified = state.guard.verify_now(presented).map_err(|error| refused(error.into()))?;
    let claims = &verified.claims;
    let is_for_us = claims.aud.iter().any(|audience| audience == state.authority.settings().issuer.as_str());
    if !is_for_us || !claims.scope.iter().any(|name| name.starts_with("ficha:")) {
        let why = "the token has none of the server's own scopes; request it with the client ficha-cli, and name them";
        return Err(Problem::new(StatusCode::FORBIDDEN, "forbidden", why));
    }
    require_own_host(request, state)?;
    mark_authenticated(request);
    let source = state.proxies.trace(request).sender();
    // Its session may be older than the flag, or another server may not know the flag yet.
    let client = state.authority.client_record(&claims.client_id).await.map_err(unavailable)?;
    let Some(client) = client.filter(|client| client.own_scopes && client.enabled) else {
        let why = "the token's client may not have the server's own scopes; sign in with the client ficha-cli";
        return Err(Problem::new(StatusCode::FORBIDDEN, "forbidden", why));
    };
    let user = state.authority.user(claims.sub).await.map_err(unavailable)?;
    let actor = match user {
        // While many sessions of theirs are ended in batches, the last are still there.
        Some(user) if !user.enabled => return Err(refused(VerifyError::Denied.into())),
        Some(user) => Actor::user(user.id, &user.name, &claims.scope.intersection(&user.scopes), source),
        None if client.subject == claims.sub => Actor::client(&client.id, &claims.scope, source),
        // The user was deleted, and this server has not heard of it yet.
        None => return Err(refused(VerifyError::Denied.into())),
    };
    let actor = actor.in_session(claims.sid);
    request.extensions_mut().insert(actor.clone());
    Ok((actor, verified))
}

/// With a shared secret there is no admin API.
pub fn not_available() -> Problem {
    let why = "every service has the secret that signs tokens (token.secret_key), so there is no admin API";
    Problem::new(StatusCode::NOT_FOUND, "not-available", why)
}

fn unavailable(error: AuthorityError) -> Problem {
    match error {
        AuthorityError::Store(error) => Problem::from(ficha_authority::AdminError::from(error)),
        error => Problem::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", error.to_string()),
    }
}

/// A page that has its own name resolve to this server's address (DNS rebinding) sends that name as Host.
pub fn require_own_host(request: &HttpRequest, state: &State) -> Result<(), Problem> {
    let header = request.headers().get(HOST).and_then(|host| host.to_str().ok());
    let host = request.uri().authority().map(HostAndPort::as_str).or(header);
    if host.is_some_and(|host| is_own(host, state.site.as_str())) {
        return Ok(());
    }
    Err(Problem::new(
        StatusCode::MISDIRECTED_REQUEST,
        "misdirected",
        "the Host header is not that of the issuer, or of admin.origin; a proxy must pass it on",
    ))
}

/// True for this site's own host and port; for a loopback address, at any loopback name and port.
fn is_own(host: &str, site: &str) -> bool {
    let Ok(own) = Url::parse(site) else { return false };
    let Ok(asked) = Url::parse(&format!("{}://{host}/", own.scheme())) else { return false };
    let is_loopback = |url: &Url| match url.host() {
        Some(url::Host::Domain(name)) => name == "localhost",
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    };
    let same = asked.host() == own.host() && asked.port_or_known_default() == own.port_or_known_default();
    same || (is_loopback(&own) && is_loopback(&asked))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_foreign_host_is_told_apart() {
        let issuer = "https://auth.example.com";
        assert!(is_own("auth.example.com", issuer) && is_own("AUTH.example.com:443", issuer));
        for foreign in ["evil.example", "auth.example.com:8443", "auth.example.com.evil.example", "127.0.0.1", ""] {
            assert!(!is_own(foreign, issuer), "{foreign}");
        }
        let local = "http://127.0.0.1:8080";
        assert!(is_own("localhost:8080", local) && is_own("[::1]:9", local) && is_own("127.0.0.1:8080", local));
        assert!(!is_own("evil.example:8080", local) && !is_own("localhost.evil.example", local));
    }
}
