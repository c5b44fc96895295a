//! What a caller presents.

use std::convert::Infallible;
use std::fmt;
use std::marker::PhantomData;

/// What a caller presents: a token, and a proof that the token is the caller's own.
///
/// Every method that verifies takes one. A text converts to a bearer token, so `oauth2.verify(token)` is enough.
///
/// ```
/// use ficha_resource::{Presented, TestIssuer};
///
/// let issuer = TestIssuer::new();
/// let token = issuer.token().sign();
/// assert!(issuer.oauth2().verify_now(Presented::bearer(&token)).is_ok());
/// assert!(issuer.oauth2().verify_now(&token).is_ok());
/// ```
#[derive(Clone, Copy)]
#[non_exhaustive]
pub struct Presented<'a> {
    /// The access token: a compact JWS (RFC 7515 §7.1).
    pub token: &'a str,
    /// The proof, if the caller has sent one.
    pub proof: Option<Proof<'a>>,
}

/// A proof that the caller holds the key to which its token is bound. There is no kind of proof yet, so no value of this
/// type can exist: every token is a bearer token (RFC 6750). DPoP (RFC 9449) and client certificates (RFC 8705) will be
/// kinds of it.
///
/// ```
/// use ficha_resource::Presented;
///
/// assert!(Presented::bearer("eyJ0eXAiOi…").proof.is_none());
/// ```
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Proof<'a> {
    #[expect(dead_code, reason = "it only says that there is no such value")]
    pub(crate) none: Infallible,
    pub(crate) borrowed: PhantomData<&'a str>,
}

impl<'a> Presented<'a> {
    /// A bearer token (RFC 6750): whoever has it may use it.
    pub fn bearer(token: &'a str) -> Self {
        Self { token, proof: None }
    }
}

impl<'a> From<&'a str> for Presented<'a> {
    fn from(token: &'a str) -> Self {
        Self::bearer(token)
    }
}

impl<'a> From<&'a String> for Presented<'a> {
    fn from(token: &'a String) -> Self {
        Self::bearer(token)
    }
}

/// Without the token, which is a credential.
impl fmt::Debug for Presented<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Presented").field("token", &"[redacted]").field("proof", &self.proof).finish()
    }
}
