//! The rules of the token endpoint: who gets what (RFC 6749 §4.3, §4.4; refreshing is in `refresh.rs`).

pub(crate) mod refresh_token;

use ficha_password::Password;
use ficha_store::{ClientScopes, InsertOutcome, NewSession, SessionRecord, UserRecord};
use ficha_token::{Grant, Scope, ordered_uuid};

use crate::Authority;
use crate::authn::throttle::Origin;
use crate::clients::AuthenticatedClient;
use crate::error::AuthorityError;
use crate::tokens::issue::Issued;

/// Scopes of this prefix are for the server's own API: they are granted only when named, and then for it alone.
const OWN_PREFIX: &str = "ficha:";

/// A request by the password grant.
#[derive(Debug, Clone)]
pub struct PasswordRequest {
    /// As typed.
    pub username: String,
    /// As typed.
    pub password: Password,
    /// What is asked for; `None` asks for everything but what must be named.
    pub scope: Option<Scope>,
}

impl Authority {
    /// RFC 6749 §4.3: a user's password for tokens.
    pub async fn password_grant(
        &self,
        client: &AuthenticatedClient,
        origin: &Origin,
        request: PasswordRequest,
    ) -> Result<Issued, AuthorityError> {
        // Read anew: against a record from memory a login would fail at its commit, as if the password were wrong,
        // for as long as another process' change to the client has not been heard of.
        let client = &self.current(client).await?;
        require_grant(client, Grant::Password)?;
        let user = self.check_password(client, origin, &request.username, request.password).await?;
        let allowed = match &client.record().scopes {
            ClientScopes::Any => user.scopes.clone(),
            ClientScopes::Only(scopes) => user.scopes.intersection(scopes),
        };
        let scope = granted(&allowed, request.scope)?;
        let session = self.new_user_session(client, origin, &user, scope);
        let has_refresh = client.record().grants.contains(&Grant::RefreshToken);
        let session = NewSession {
            session: if has_refresh { session } else { without_refresh(session) },
            user_version: Some(user.auth_version),
            client_version: client.record().auth_version,
        };
        let session = self.inserted(self.store().insert_session(session).await?)?;
        let keys = self.keys_for(&session, AuthorityError::Stale).await?;
        self.inner.metrics.logins.count();
        let now = session.created_at;
        Ok(Issued {
            access_token: self.sign_access_token(&keys, &session, &session.scopes, now, session.access_exp)?,
            expires_in: (session.access_exp - now) as u64,
            refresh_token: has_refresh.then(|| self.refresh_token_of(&keys, &session)).transpose()?,
            scope: session.scopes,
        })
    }

    /// RFC 6749 §4.4: a confidential client's own tokens. No refresh token (§4.4.3).
    pub async fn client_credentials_grant(
        &self,
        client: &AuthenticatedClient,
        origin: &Origin,
        scope: Option<Scope>,
    ) -> Result<Issued, AuthorityError> {
        if let Some(issued) = self.own_token(client, origin, scope.clone()).await? {
            return Ok(issued);
        }
        self.inner.clients.clear();
        let client = self.current(client).await?;
        self.own_token(&client, origin, scope).await?.ok_or(AuthorityError::ClientAuthentication)
    }

    /// A token of the client's own; `None` if the client was changed since `client` was read.
    async fn own_token(
        &self,
        client: &AuthenticatedClient,
        origin: &Origin,
        scope: Option<Scope>,
    ) -> Result<Option<Issued>, AuthorityError> {
        require_grant(client, Grant::ClientCredentials)?;
        if !client.is_confidential() {
            return Err(AuthorityError::GrantNotAllowed);
        }
        let allowed = match &client.record().scopes {
            // `any` means whatever the user holds, and here there is no user.
            ClientScopes::Any => Scope::empty(),
            ClientScopes::Only(scopes) => scopes.clone(),
        };
        let scope = granted(&allowed, scope)?;
        let now = self.now();
        let life = self.settings().token.access_seconds();
        // The session's horizon is committed two lives ahead and moved on at half, so issuing seldom writes; no token
        // reaches past it, so revoking the session covers them all.
        let horizon = now + 2 * life;
        let expires_at = now + (self.settings().token.session_ttl.as_secs() as i64).max(2 * life);
        let session = SessionRecord {
            expires_at,
            idle_expires_at: expires_at,
            access_exp: horizon,
            ..self.blank_session(client, origin, client.record().subject, scope, now)
        };
        let new = NewSession { session, user_version: None, client_version: client.record().auth_version };
        let outcome = self.store().client_session(new, now, now + life, horizon).await?;
        let InsertOutcome::Inserted(session) = outcome else { return Ok(None) };
        let keys = self.keys_for(&session, AuthorityError::Stale).await?;
        self.inner.metrics.client_tokens.count();
        let exp = (now + life).min(session.access_exp);
        Ok(Some(Issued {
            access_token: self.sign_access_token(&keys, &session, &session.scopes, now, exp)?,
            expires_in: (exp - now) as u64,
            refresh_token: None,
            scope: session.scopes,
        }))
    }

    /// The client as the database has it now.
    async fn current(&self, client: &AuthenticatedClient) -> Result<AuthenticatedClient, AuthorityError> {
        client.by_record(self.store().client(client.id()).await?)
    }

    fn new_user_session(
        &self,
        client: &AuthenticatedClient,
        origin: &Origin,
        user: &UserRecord,
        scope: Scope,
    ) -> SessionRecord {
        let token = &self.settings().token;
        let now = self.now();
        let expires_at = now + token.session_ttl.as_secs() as i64;
        SessionRecord {
            user_id: Some(user.id),
            roles: user.roles.clone(),
            access_exp: (now + token.access_seconds()).min(expires_at),
            expires_at,
            idle_expires_at: (now + token.refresh_idle_ttl.as_secs() as i64).min(expires_at),
            ..self.blank_session(client, origin, user.id, scope, now)
        }
    }

    fn blank_session(
        &self,
        client: &AuthenticatedClient,
        origin: &Origin,
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
            address: origin.address_text(),
            user_agent: origin.user_agent.clone(),
            revoked: None,
        }
    }

    /// A token with a scope of the server's own goes to the server alone.
    fn audience_for(&self, client: &AuthenticatedClient, scope: &Scope) -> String {
        if scope.iter().any(is_own) {
            return self.settings().issuer.as_str().to_owned();
        }
        let default = || self.settings().default_audience().to_owned();
        client.record().audience.clone().unwrap_or_else(default)
    }

    /// A user or client that changed between the check and the commit is treated as if the check had failed.
    fn inserted(&self, outcome: InsertOutcome) -> Result<SessionRecord, AuthorityError> {
        match outcome {
            InsertOutcome::Inserted(session) => Ok(session),
            InsertOutcome::Outdated => {
                self.inner.clients.clear();
                Err(AuthorityError::BadCredentials)
            }
        }
    }
}

/// A session that nobody can refresh ends with its only access token.
fn without_refresh(session: SessionRecord) -> SessionRecord {
    SessionRecord { expires_at: session.access_exp, idle_expires_at: session.access_exp, ..session }
}

pub(crate) fn require_grant(client: &AuthenticatedClient, grant: Grant) -> Result<(), AuthorityError> {
    if client.record().grants.contains(&grant) { Ok(()) } else { Err(AuthorityError::GrantNotAllowed) }
}

/// What is granted of `allowed`: what was asked for, all of it or none; nothing asked means everything but the
/// server's own scopes, which must be named.
fn granted(allowed: &Scope, asked: Option<Scope>) -> Result<Scope, AuthorityError> {
    match asked {
        Some(asked) if asked.is_subset(allowed) => Ok(asked),
        Some(_) => Err(AuthorityError::ScopeExceeded),
        None => Ok(allowed.filter(|name| !is_own(name))),
    }
}

fn is_own(name: &str) -> bool {
    name.starts_with(OWN_PREFIX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn own_scopes_are_granted_only_when_named_and_never_more_than_allowed() {
        let scope = |text: &str| text.parse::<Scope>().unwrap();
        let allowed = scope("notes:read ficha:admin");
        assert_eq!(granted(&allowed, None).unwrap(), scope("notes:read"));
        assert_eq!(granted(&allowed, Some(scope("ficha:admin"))).unwrap(), scope("ficha:admin"));
        assert!(matches!(granted(&allowed, Some(scope("notes:read x"))), Err(AuthorityError::ScopeExceeded)));
    }
}
