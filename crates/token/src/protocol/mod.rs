//! OAuth2 messages: scope, token and error responses, introspection (RFC 7662), metadata (RFC 8414).

pub mod grant;
pub mod introspection;
pub mod message;
pub mod metadata;
pub mod scope;
