//! The guarantees of the crate, tested through its public API only.

#[cfg(feature = "actix")]
#[cfg(test)]
mod bearer;
#[cfg(test)]
mod cache;
#[cfg(feature = "actix")]
#[cfg(test)]
mod http;
#[cfg(test)]
mod issuers;
#[cfg(feature = "actix")]
#[cfg(test)]
mod middleware;
#[cfg(feature = "openapi")]
#[cfg(test)]
mod openapi;
#[cfg(feature = "actix")]
#[cfg(test)]
mod recheck;
#[cfg(test)]
mod refusal;
#[cfg(feature = "actix")]
#[cfg(test)]
mod service;
#[cfg(feature = "actix")]
#[cfg(test)]
mod stale;
#[cfg(test)]
mod support;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod verifier;
