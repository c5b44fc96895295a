//! The grants of the token endpoint (RFC 6749 §4.3, §4.4, §6).

pub(crate) mod client_credentials;
pub(crate) mod password;
pub(crate) mod refresh_token;

use ficha_store::SessionRecord;
use ficha_token::{Grant, Scope, ordered_uuid};

use crate::Authority;
use crate::clients::AuthenticatedClient;
use crate::error::AuthorityError;
use crate::request_source::RequestSource;

/// Scopes with this prefix are for the server's own API: they are granted only when named, and the token is then for
/// the server alone.
const OWN_PREFIX: &str = "ficha:";

impl Authority {
    /// Without a fresh view of the primary nothing is issued: a login fails at once instead of waiting for a connection,
    /// and nothing is signed while the database's history is in doubt.
    pub(crate) fn require_fresh(&self) -> Result<(), AuthorityError> {
        if self.is_fresh() { Ok(()) } else { Err(AuthorityError::Stale) }
    }

    /// The client as the database has it now.
    async fn current(&self, client: &AuthenticatedClient) -> Result<AuthenticatedClient, AuthorityError> {
        client.by_record(self.store().client(client.id()).await?, self.now())
    }

    fn blank_session(
        &self,
        client: &AuthenticatedClient,
        source: &RequestSource,
        subject: uuid::Uuid,
        scopes: Scope,
        now: i64,
    ) -> SessionRecord {
        let base = &self.inner.base;
        SessionRecord {
            id: ordered_uuid(&*base.clock, &*base.entropy),
            user_id: None,
            subject,
            client_id: client.id().to_owned(),
            audience: self.audience_for(client, &scopes),
            scopes,
            roles: Vec::new(),
            generation: 0,
            rotated_at: now,
            access_exp: now,
            epoch: 0,
            created_at: now,
            expires_at: now,
            idle_expires_at: now,
            idle_seconds: None,
            address: source.address_text(),
            user_agent: source.user_agent.clone(),
            authentication: None,
            revoked: None,
        }
    }

    /// For whom a client's tokens are, if it asks for this scope.
    pub fn audience_of(&self, client: &AuthenticatedClient, asked: Option<&Scope>) -> String {
        self.audience_for(client, asked.unwrap_or(&Scope::default()))
    }

    /// A token with one of the server's own scopes is for the server alone.
    fn audience_for(&self, client: &AuthenticatedClient, scope: &Scope) -> String {
        if scope.iter().any(is_own) {
            return self.settings().issuer.as_str().to_owned();
        }
        let default = || self.settings().default_audience().to_owned();
        client.record().audience.clone().unwrap_or_else(default)
    }
}

pub(crate) fn require_grant(client: &AuthenticatedClient, grant: Grant) -> Result<(), AuthorityError> {
    if client.record().revoking {
        return Err(AuthorityError::Revoking);
    }
    if client.record().grants.contains(&grant) { Ok(()) } else { Err(AuthorityError::GrantNotAllowed) }
}

/// What is granted of `allowed`: all that was asked for, or nothing. Without a `scope` it is everything but the
/// server's own scopes, which must be named. They are for clients with a flag: `has_flag`.
fn granted(allowed: &Scope, asked: Option<Scope>, has_flag: bool) -> Result<Scope, AuthorityError> {
    match asked.map(|asked| without_openid(asked, allowed)) {
        Some(asked) if !has_flag && asked.iter().any(is_own) => Err(AuthorityError::OwnScope),
        Some(asked) if asked.is_subset(allowed) => Ok(asked),
        Some(_) => Err(AuthorityError::ScopeExceeded),
        None => Ok(allowed.filter(|name| !is_own(name))),
    }
}

/// Libraries for OpenID Connect ask for `openid` whatever they need. There are no ID tokens here, so it is left out, as RFC
/// 6749 §3.3 allows, unless it may be granted as any other scope. Who asks for nothing else gets nothing else.
fn without_openid(asked: Scope, allowed: &Scope) -> Scope {
    match allowed.contains(OPENID) {
        true => asked,
        false => asked.filter(|name| name != OPENID),
    }
}

/// What OpenID Connect Core §3.1.2.1 requires in each request.
const OPENID: &str = "openid";

pub(crate) fn is_own(name: &str) -> bool {
    name.starts_with(OWN_PREFIX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn own_scopes_are_granted_only_when_named_and_never_more_than_allowed() {
        let scope = |text: &str| text.parse::<Scope>().unwrap();
        let allowed = scope("notes:read ficha:admin");
        assert_eq!(granted(&allowed, None, true).unwrap(), scope("notes:read"));
        assert_eq!(granted(&allowed, Some(scope("ficha:admin")), true).unwrap(), scope("ficha:admin"));
        assert!(matches!(granted(&allowed, Some(scope("notes:read x")), true), Err(AuthorityError::ScopeExceeded)));
        // The scope of OpenID Connect is left out, and never widens what was asked for.
        assert_eq!(granted(&allowed, Some(scope("openid notes:read")), true).unwrap(), scope("notes:read"));
        assert_eq!(granted(&allowed, Some(scope("openid")), true).unwrap(), Scope::default());
        assert_eq!(granted(&scope("openid x"), Some(scope("openid")), true).unwrap(), scope("openid"));
        let without_flag = granted(&allowed, Some(scope("notes:read ficha:admin")), false);
        assert!(matches!(without_flag, Err(AuthorityError::OwnScope)));
        assert_eq!(granted(&allowed, Some(scope("notes:read")), false).unwrap(), scope("notes:read"));
    }
}
