//! The password grant (RFC 6749 §4.3).

use ficha_password::Password;
use ficha_store::{Authentication, ClientScopes, EventActor, InsertOutcome, NewSession, SessionRecord, UserRecord};
use ficha_token::{Grant, Scope};

use crate::Authority;
use crate::authn::outcome::{Authenticated, Outcome};
use crate::clients::AuthenticatedClient;
use crate::error::AuthorityError;
use crate::grants::{granted, is_own, require_grant};
use crate::request_source::RequestSource;
use crate::settings::Settings;
use crate::tokens::issue::Issued;

/// A request with the password grant.
#[derive(Debug, Clone)]
pub struct PasswordRequest {
    /// As typed.
    pub username: String,
    /// As typed.
    pub password: Password,
    /// The scope asked for; `None` asks for everything but the scopes that must be named.
    pub scope: Option<Scope>,
}

/// What a login has made.
pub(crate) struct LoggedIn {
    /// The session, committed.
    pub session: SessionRecord,
    /// The user's name as it is stored, which may be another spelling of what was typed.
    pub user: String,
    /// True if it can be refreshed.
    pub has_refresh: bool,
}

impl Authority {
    /// RFC 6749 §4.3: exchanges a user's password for tokens.
    pub async fn password_grant(
        &self,
        client: &AuthenticatedClient,
        source: &RequestSource,
        request: PasswordRequest,
    ) -> Result<Issued, AuthorityError> {
        let PasswordRequest { username, password, scope } = request;
        let choose = |allowed: &Scope, has_flag| granted(allowed, scope, has_flag);
        let LoggedIn { session, has_refresh, .. } = self.log_in(client, source, (username, password), choose).await?;
        let keys = self.keys_for(&session, AuthorityError::Purged).await?;
        let now = session.created_at;
        self.inner.metrics.logins.count();
        Ok(Issued {
            access_token: self.sign_access_token(&keys, &session, &session.scopes, now, session.access_exp)?,
            expires_in: (session.access_exp - now) as u64,
            refresh_token: has_refresh.then(|| self.refresh_token_of(&keys, &session)).transpose()?,
            scope: session.scopes,
        })
    }

    /// Checks a user's password, and creates the session of a login. `choose` determines its scope, from what may be
    /// granted and whether the client may have the server's own.
    pub(crate) async fn log_in(
        &self,
        client: &AuthenticatedClient,
        source: &RequestSource,
        (username, password): (String, Password),
        choose: impl FnOnce(&Scope, bool) -> Result<Scope, AuthorityError>,
    ) -> Result<LoggedIn, AuthorityError> {
        self.require_fresh()?;
        self.require_room(client, source, &username)?;
        // Read again: with a cached record a login would fail at its commit, as if the password were wrong, until
        // another process's change to the client is noticed.
        let client = &self.current(client).await?;
        require_grant(client, Grant::Password)?;
        let outcome = self.check_password(client, source, &username, password).await?;
        if matches!(outcome, Outcome::PasswordChangeRequired(_)) {
            // The password was right: nobody should learn that without an event.
            self.record_refusal(client, source, &username).await?;
        }
        let Authenticated { user, how } = outcome.complete()?;
        let allowed = match &client.record().scopes {
            ClientScopes::Any => user.scopes.clone(),
            ClientScopes::Only(scopes) => user.scopes.intersection(scopes),
        };
        let scope = match choose(&allowed, client.record().own_scopes) {
            Ok(scope) => scope,
            Err(error) => {
                // The password was right: nobody should learn that without an event.
                self.record_refusal(client, source, &username).await?;
                return Err(error);
            }
        };
        let session = self.new_user_session(client, source, &user, how, scope);
        let has_refresh = client.record().grants.contains(&Grant::RefreshToken);
        let name = user.name.clone();
        let session = NewSession {
            session: if has_refresh { session } else { without_refresh(session) },
            user_version: Some(user.auth_version),
            client_version: client.record().auth_version,
            cause: self.cause(EventActor::User { id: user.id, name: Some(user.name) }, source),
        };
        let outcome = self.store().insert_session(session).await?;
        if !matches!(outcome, InsertOutcome::Inserted(_)) {
            self.record_refusal(client, source, &username).await?;
        }
        Ok(LoggedIn { session: self.inserted(outcome)?, user: name, has_refresh })
    }

    fn new_user_session(
        &self,
        client: &AuthenticatedClient,
        source: &RequestSource,
        user: &UserRecord,
        how: Authentication,
        scope: Scope,
    ) -> SessionRecord {
        let Settings { token, admin, .. } = self.settings();
        let is_own = scope.iter().any(is_own);
        let (ttl, idle_ttl) = match is_own {
            true => (admin.session_ttl, admin.session_idle_ttl),
            false => (token.session_ttl, token.refresh_idle_ttl),
        };
        let (now, idle) = (self.now(), idle_ttl.as_secs() as i64);
        let expires_at = now + ttl.as_secs() as i64;
        SessionRecord {
            user_id: Some(user.id),
            authentication: Some(how),
            roles: user.roles.clone(),
            access_exp: (now + token.access_seconds()).min(expires_at),
            expires_at,
            idle_expires_at: (now + idle).min(expires_at),
            idle_seconds: is_own.then_some(idle),
            ..self.blank_session(client, source, user.id, scope, now)
        }
    }

    /// A user or client that changed between the check and the commit is treated as if the check had failed.
    fn inserted(&self, outcome: InsertOutcome) -> Result<SessionRecord, AuthorityError> {
        match outcome {
            InsertOutcome::Inserted(session) => Ok(session),
            InsertOutcome::Outdated => {
                self.inner.clients.clear();
                Err(AuthorityError::BadCredentials)
            }
            InsertOutcome::Revoking => Err(AuthorityError::Revoking),
        }
    }
}

/// A session without a refresh token ends with its only access token.
fn without_refresh(session: SessionRecord) -> SessionRecord {
    SessionRecord { expires_at: session.access_exp, idle_expires_at: session.access_exp, ..session }
}
