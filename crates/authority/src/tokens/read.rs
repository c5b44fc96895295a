//! Reading a presented token: which key made it, and what it contains.

use ficha_store::StoreError;
use ficha_token::{AccessClaims, Unverified};

use crate::Authority;
use crate::tokens::refresh_token::RefreshToken;
use crate::tokens::sealed::{Kind, Sealed};

impl Authority {
    /// Looks for the key of a token in the database, in case another process has just replaced the keys in a purge. A
    /// token whose key is known costs nothing; concurrent callers share one read, so a forger gains little.
    pub async fn load_unknown_key(&self, text: &str) -> Result<(), StoreError> {
        let keys = self.inner.keys.current();
        let is_unknown = match RefreshToken::parse(text) {
            Some(token) => keys.is_newer_refresh(token.key_id()),
            None => {
                Unverified::parse(text).is_ok_and(|token| keys.verifying(token.kid(), self.earliest_now()).is_none())
            }
        };
        if is_unknown { self.load_keys().await } else { Ok(()) }
    }

    /// What one of our refresh keys has sealed, and that has this kind. One that is newer than those known here is looked
    /// for, as by [`Authority::load_unknown_key`].
    pub(crate) async fn unseal(&self, kind: Kind, text: &str) -> Result<Option<Sealed>, StoreError> {
        let Some(unchecked) = Sealed::parse(kind, text) else { return Ok(None) };
        if self.inner.keys.current().is_newer_refresh(unchecked.key_id()) {
            self.load_keys().await?;
        }
        let keys = self.inner.keys.current();
        Ok(keys.refresh(unchecked.key_id()).and_then(|key| unchecked.check(key)))
    }

    async fn load_keys(&self) -> Result<(), StoreError> {
        // Forged tokens cause no more reads than followers do.
        self.denylist().pace().await;
        // Boxed: it is rare, and its future is larger than those of the requests that contain it.
        Box::pin(self.follow()).await
    }

    /// The content of a refresh token, if one of our refresh keys made it. No query is needed: a forged token costs the
    /// database nothing.
    pub(crate) fn read_refresh_token(&self, text: &str) -> Option<RefreshToken> {
        let unchecked = RefreshToken::parse(text)?;
        let keys = self.inner.keys.current();
        let key = keys.refresh(unchecked.key_id())?;
        unchecked.check(key)
    }

    /// The claims of a token that one of our keys signed. Neither expiry nor the denylist is checked.
    pub(crate) fn read_access_token(&self, text: &str) -> Option<AccessClaims> {
        let unverified = Unverified::parse(text).ok()?;
        let key = self.inner.keys.current().verifying(unverified.kid(), self.earliest_now())?;
        let claims = unverified.verify_signature(&key).ok()?;
        (claims.iss == self.settings().issuer.as_str()).then_some(claims)
    }
}
