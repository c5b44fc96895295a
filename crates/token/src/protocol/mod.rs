//! What OAuth2 endpoints say: scope, token and error answers, introspection (RFC 7662), metadata (RFC 8414).

pub mod grant;
pub mod introspection;
pub mod message;
pub mod metadata;
pub mod scope;
