//! Algorithms, random bytes, and the provider under the JWT library.

pub mod algorithm;
pub(crate) mod der;
pub(crate) mod engine;
pub mod entropy;
pub mod key_error;
pub mod provider;
