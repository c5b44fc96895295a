//! Issuing the tokens of a session.

use std::sync::Arc;

use ficha_store::SessionRecord;
use ficha_token::AccessClaims;
use ficha_token::SigningKey;
use ficha_token::{Scope, random_uuid};

use crate::Authority;
use crate::error::AuthorityError;
use crate::keys::key_ring::Keys;
use crate::keys::secret::Secret;
use crate::tokens::refresh_token::RefreshToken;

/// The tokens that a grant issues.
#[derive(Debug, Clone)]
pub struct Issued {
    /// The signed access token.
    pub access_token: Secret,
    /// Seconds until it expires.
    pub expires_in: u64,
    /// The refresh token, if the grant has one.
    pub refresh_token: Option<Secret>,
    /// The granted scope.
    pub scope: Scope,
}

/// The keys for the tokens of one session.
pub(crate) struct IssuingKeys {
    signer: Arc<SigningKey>,
    pub(crate) keys: Arc<Keys>,
}

impl Authority {
    /// The signing key and the refresh keys for `session`: those of the session's own epoch. A purge that commits after
    /// the session was written then denies the token by its key. `ended` is the error if there was a purge already.
    pub(crate) async fn keys_for(
        &self,
        session: &SessionRecord,
        ended: AuthorityError,
    ) -> Result<IssuingKeys, AuthorityError> {
        // Asked again: the database's history may have changed while the password was hashed.
        self.require_fresh()?;
        let keys = self.keys_of(session.epoch).await?.ok_or(ended)?;
        let signer = keys.signer(self.now());
        let signer = signer.ok_or_else(|| AuthorityError::Key("there is no active signing key".into()))?;
        Ok(IssuingKeys { signer, keys })
    }

    /// Signs an access token of `session` that is valid until `exp`.
    pub(crate) fn sign_access_token(
        &self,
        keys: &IssuingKeys,
        session: &SessionRecord,
        scope: &Scope,
        now: i64,
        exp: i64,
    ) -> Result<Secret, AuthorityError> {
        // The row says how long a revocation lasts: no token may outlive it.
        debug_assert!(exp <= session.access_exp, "a token must not outlive what its session's row says");
        let mut claims = AccessClaims::new(
            self.settings().issuer.as_str(),
            session.subject,
            [session.audience.as_str()],
            session.client_id.as_str(),
            session.id,
            random_uuid(&*self.inner.base.entropy),
            now..exp,
        );
        claims.scope = scope.clone();
        claims.auth_time = session.auth_time();
        claims.roles = session.roles.clone();
        let text = keys.signer.sign(&claims).map_err(|error| AuthorityError::Key(error.to_string()))?;
        Ok(Secret::new(text))
    }

    /// The refresh token of a session's current generation. It is derived, so asking again gives the same token.
    pub(crate) fn refresh_token_of(
        &self,
        keys: &IssuingKeys,
        session: &SessionRecord,
    ) -> Result<Secret, AuthorityError> {
        let newest = keys.keys.newest_refresh();
        let (key_id, key) = newest.ok_or_else(|| AuthorityError::Key("there is no active refresh key".into()))?;
        Ok(RefreshToken { key_id, session: session.id, generation: session.generation }.seal(key))
    }
}
