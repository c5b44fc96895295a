//! What a Ficha token is: claims, scope, keys, signing, verifying, and the set of denied ids.
//!
//! There is no HTTP and no database in here, and nothing that only an issuer needs beyond signing, so what a resource
//! server links stays small.
//!
//! Issuing is [`SigningKey::sign`]. Verifying is [`Unverified::parse`], finding the key by its `kid`, and
//! [`Unverified::verify`]; then the ids of the claims are looked up in a [`DenySet`].

#![forbid(unsafe_code)]

pub mod algorithm;
mod base64url;
pub mod claims;
pub mod clock;
mod compact;
pub mod deny_id;
pub mod denylist;
mod der;
mod engine;
pub mod entropy;
pub mod feed;
pub mod introspection;
mod json;
pub mod jwk;
pub mod key_error;
pub mod message;
pub mod metadata;
pub mod provider;
pub mod scope;
pub mod sign;
mod token_error;
pub mod verify;

pub use algorithm::{Algorithm, UnknownAlgorithm};
pub use claims::AccessClaims;
pub use clock::{Clock, ManualClock, SystemClock};
pub use deny_id::{DENY_MARGIN_SECONDS, DenyEntry, DenyId};
pub use denylist::DenySet;
pub use entropy::{Entropy, SystemEntropy, ordered_uuid, random_uuid};
pub use feed::DenyPage;
pub use introspection::Introspection;
pub use jwk::{Jwk, JwkSet, KeyProblem, KeySetError};
pub use key_error::KeyError;
pub use message::{ErrorBody, OAuthErrorCode, Secret, TokenResponse, TokenType, printable};
pub use metadata::ServerMetadata;
pub use scope::{Scope, ScopeError};
pub use sign::{SignError, SigningKey};
pub use verify::{Expected, MAX_TOKEN_BYTES, TokenError, Unverified, VerifyingKey, check_claims, check_times};
