//! Custom claims, in a type of the service's.

use std::any::{TypeId, type_name};

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::refusal::Refusal;
use crate::seldom::Seldom;
use crate::verified::Verified;

/// No custom claims are required; a token may have any.
///
/// ```
/// # #[cfg(feature = "actix")]
/// # mod service {
/// use ficha_resource::{AnyScope, Bearer, NoExtra};
///
/// /// The same type as `Bearer`, written out.
/// async fn me(user: Bearer<AnyScope, NoExtra>) -> String {
///     user.claims.sub.to_string()
/// }
/// # }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
pub struct NoExtra {}

/// The response does not say what does not fit: the error of serde may quote the claims.
pub(crate) fn custom_claims<T: DeserializeOwned + 'static>(verified: &Verified) -> Result<T, Refusal> {
    let read = if TypeId::of::<T>() == TypeId::of::<NoExtra>() {
        // Nothing is read, so the claims need not be converted.
        T::deserialize(Value::Object(Map::new()))
    } else {
        verified.claims.custom()
    };
    read.map_err(|error| {
        CLAIMS_LOG.warn(|| {
            tracing::warn!(%error, wanted = type_name::<T>(), "a token's claims do not fit the handler's type");
        });
        Refusal::CustomClaims
    })
}

/// A client may send such a token again and again.
static CLAIMS_LOG: Seldom = Seldom::new();
