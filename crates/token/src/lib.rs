//! Ficha's tokens: claims, scope, keys, signing, verifying, and the set of denied ids.
//!
//! It contains no HTTP, no database, and apart from signing nothing that only an issuer needs, so what a resource
//! server links stays small.
//!
//! To issue a token, call [`SigningKey::sign`]. To verify one, call [`Unverified::parse`], find the key by its `kid`,
//! and call [`Unverified::verify`]; then look up the ids of the claims in a [`DenySet`].

#![forbid(unsafe_code)]

mod clock;
mod crypto;
mod denylist;
mod jwt;
mod protocol;

pub use clock::{Clock, ManualClock, SystemClock};
pub use crypto::algorithm::{Algorithm, UnknownAlgorithm};
pub use crypto::entropy::{Entropy, SystemEntropy, ordered_uuid, random_uuid};
pub use crypto::key_error::KeyError;
pub use denylist::deny_id::{DENY_MARGIN_SECONDS, DenyEntry, DenyId};
pub use denylist::page::DenyPage;
pub use denylist::set::DenySet;
pub use jwt::claims::{AccessClaims, MAX_TIME};
pub use jwt::jwk::{Jwk, MAX_KID_BYTES};
pub use jwt::jwk_set::{JwkSet, KeyProblem, KeySetError, MAX_SET_BYTES, MAX_SET_KEYS};
pub use jwt::sign::{SignError, SigningKey};
pub use jwt::verify::{
    Expected, MAX_LEEWAY_SECONDS, MAX_TOKEN_BYTES, MIN_SECRET_BYTES, TokenError, Unverified, VerifyingKey,
    check_claims, check_times,
};
pub use protocol::grant::Grant;
pub use protocol::introspection::Introspection;
pub use protocol::message::{ErrorBody, OAuthErrorCode, Secret, TokenResponse, TokenType, printable};
pub use protocol::metadata::ServerMetadata;
pub use protocol::scope::{MAX_SCOPE_BYTES, Scope, ScopeError};

// For tests of ours that need a process or vectors of their own.
#[doc(hidden)]
pub use crypto::provider::install as install_provider;
#[doc(hidden)]
pub use jwt::verify::verify_jws;
