//! The client credentials grant (RFC 6749 §4.4).

use ficha_store::{ClientScopes, InsertOutcome, NewSession, SessionRecord};
use ficha_token::{Grant, Scope};

use crate::Authority;
use crate::clients::AuthenticatedClient;
use crate::error::AuthorityError;
use crate::grants::{granted, is_own, require_grant};
use crate::request_source::RequestSource;
use crate::tokens::issue::Issued;

impl Authority {
    /// RFC 6749 §4.4: a confidential client's own tokens. No refresh token (§4.4.3).
    pub async fn client_credentials_grant(
        &self,
        client: &AuthenticatedClient,
        source: &RequestSource,
        scope: Option<Scope>,
    ) -> Result<Issued, AuthorityError> {
        self.require_fresh()?;
        if let Some(issued) = self.own_token(client, source, scope.clone()).await? {
            return Ok(issued);
        }
        self.inner.clients.clear();
        let client = self.current(client).await?;
        self.own_token(&client, source, scope).await?.ok_or(AuthorityError::ClientAuthentication)
    }

    /// A token for the client itself; `None` if the client was changed since `client` was read.
    async fn own_token(
        &self,
        client: &AuthenticatedClient,
        source: &RequestSource,
        scope: Option<Scope>,
    ) -> Result<Option<Issued>, AuthorityError> {
        require_grant(client, Grant::ClientCredentials)?;
        if !client.is_confidential() {
            return Err(AuthorityError::GrantNotAllowed);
        }
        let allowed = match &client.record().scopes {
            // `any` stands for the scopes of the user, and here there is no user.
            ClientScopes::Any => Scope::empty(),
            ClientScopes::Only(scopes) => scopes.clone(),
        };
        let scope = granted(&allowed, scope, client.record().own_scopes)?;
        let now = self.now();
        let life = self.settings().token.access_seconds();
        // The session's horizon is committed two token lives ahead and extended when half of that is left, so issuing
        // rarely writes. No token outlives it, so revoking the session covers them all.
        let horizon = now + 2 * life;
        let settings = self.settings();
        let is_own = scope.iter().any(is_own);
        let ttl = if is_own { settings.admin.session_ttl } else { settings.token.session_ttl };
        let expires_at = now + (ttl.as_secs() as i64).max(2 * life);
        let session = SessionRecord {
            expires_at,
            idle_expires_at: expires_at,
            access_exp: horizon,
            ..self.blank_session(client, source, client.record().subject, scope, now)
        };
        let new = NewSession {
            session,
            user_version: None,
            client_version: client.record().auth_version,
            cause: self.cause_of_client(client, source),
        };
        let outcome = self.store().client_session(new, now, now + life, horizon).await?;
        let session = match outcome {
            InsertOutcome::Inserted(session) => session,
            InsertOutcome::Outdated => return Ok(None),
            InsertOutcome::Revoking => return Err(AuthorityError::Revoking),
        };
        let keys = self.keys_for(&session, AuthorityError::Purged).await?;
        self.inner.metrics.client_tokens.count();
        let exp = (now + life).min(session.access_exp);
        Ok(Some(Issued {
            access_token: self.sign_access_token(&keys, &session, &session.scopes, now, exp)?,
            expires_in: (exp - now) as u64,
            refresh_token: None,
            scope: session.scopes,
        }))
    }
}
