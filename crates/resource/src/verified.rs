//! A token that has been checked.

use ficha_token::{AccessClaims, DenyId, VerifyingKey};

/// A token that was good when it was checked.
#[derive(Debug)]
pub struct Verified {
    /// What it says.
    pub claims: AccessClaims,
    /// The key that signed it.
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

    /// The ids by which it can be denied: of the token, its session and its key.
    pub fn deny_ids(&self) -> &[DenyId] {
        &self.deny_ids
    }
}
