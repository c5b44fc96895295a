//! Access tokens and their keys: claims (RFC 9068), signing, verifying (RFC 8725), JWK sets (RFC 7517).

pub(crate) mod base64url;
pub mod claims;
pub(crate) mod compact;
pub(crate) mod json;
pub mod jwk;
pub mod jwk_set;
pub mod sign;
pub(crate) mod token_error;
pub mod verify;
