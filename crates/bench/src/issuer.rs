//! The issuer of every benchmark.

/// The issuer that the tokens name. The server listens on another port.
pub const ISSUER: &str = "http://127.0.0.1:8080";
