//! A token that has been checked.

use ficha_token::{AccessClaims, DenyId, VerifyingKey};

/// A token that was valid when it was checked.
#[derive(Debug)]
pub struct Verified {
    /// The token's claims.
    pub claims: AccessClaims,
    /// The `kid` of the key that signed it.
    pub kid: String,
    pub(crate) key: VerifyingKey,
    deny_ids: [DenyId; 3],
}

impl Verified {
    pub(crate) fn new(claims: AccessClaims, key: &VerifyingKey) -> Self {
        // `AccessClaims::deny_ids` would hash the kid again.
        let deny_ids = [claims.jti.into(), claims.sid.into(), key.deny_id()];
        Self { claims, kid: key.kid().to_owned(), key: key.clone(), deny_ids }
    }

    /// The ids under which it can be denied: that of the token (`jti`), of its session (`sid`) and of its key.
    pub fn deny_ids(&self) -> &[DenyId] {
        &self.deny_ids
    }
}
