//! A token that has been checked.

use std::fmt;

use ficha_token::{AccessClaims, DenyId, VerifyingKey};

/// A token that was valid when it was checked.
///
/// ```
/// use ficha_resource::TestIssuer;
///
/// let issuer = TestIssuer::new();
/// let token = issuer.token().scope("notes:read").roles(["editor"]).sign();
/// let verified = issuer.oauth2().verify_now(&token).unwrap();
/// assert!(verified.claims.scope.contains("notes:read"));
/// assert_eq!(verified.claims.roles, ["editor"]);
/// assert_eq!(verified.token(), token);
/// ```
pub struct Verified {
    /// The token's claims.
    pub claims: AccessClaims,
    /// The `kid` of the key that signed it.
    pub kid: String,
    pub(crate) key: VerifyingKey,
    deny_ids: [DenyId; 3],
    token: Box<str>,
}

impl Verified {
    pub(crate) fn new(token: &str, claims: AccessClaims, key: &VerifyingKey) -> Self {
        // `AccessClaims::deny_ids` would hash the kid again.
        let deny_ids = [claims.jti.into(), claims.sid.into(), key.deny_id()];
        Self { claims, kid: key.kid().to_owned(), key: key.clone(), deny_ids, token: token.into() }
    }

    /// The text of the token, to pass it on to another service. It is a credential: whoever reads it in a log can use it.
    pub fn token(&self) -> &str {
        &self.token
    }

    /// The ids under which it can be denied: that of the token (`jti`), of its session (`sid`) and of its key.
    pub fn deny_ids(&self) -> &[DenyId] {
        &self.deny_ids
    }
}

/// Without the token's text, which is a credential.
impl fmt::Debug for Verified {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Verified").field("claims", &self.claims).field("kid", &self.kid).finish_non_exhaustive()
    }
}
