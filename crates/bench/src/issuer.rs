//! The issuer of every benchmark.

/// The issuer in the tokens. The server listens on a different port.
pub const ISSUER: &str = "http://127.0.0.1:8080";
