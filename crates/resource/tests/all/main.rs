//! What a resource server may rely on, through the public API only.

#[cfg(feature = "actix")]
#[cfg(test)]
mod bearer;
#[cfg(test)]
mod cache;
#[cfg(feature = "actix")]
#[cfg(test)]
mod middleware;
#[cfg(test)]
mod support;
#[cfg(test)]
mod verifier;
