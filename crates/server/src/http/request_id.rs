//! A name for each request: in the answer's header, and in the events that the request causes.

use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue};

/// The header, in requests from a trusted proxy and in every answer.
pub static X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The longest id that is taken from a proxy, in bytes.
const LONGEST: usize = 64;

/// The id of a request, among its extensions.
#[derive(Debug, Clone)]
pub struct RequestId(pub Arc<str>);

/// Makes ids: a keyed hash of a number. The number itself would tell everybody how much the server has to do.
#[derive(Debug, Clone, Default)]
pub struct RequestIds {
    key: RandomState,
    next: Arc<AtomicU64>,
}

impl RequestIds {
    /// The id that a trusted proxy sent, or a new one.
    pub fn of(&self, headers: &HeaderMap, from_trusted_proxy: bool) -> RequestId {
        let given = from_trusted_proxy.then(|| headers.get(&X_REQUEST_ID)).flatten();
        match given.and_then(|given| given.to_str().ok()).filter(|given| is_usable(given)) {
            Some(given) => RequestId(given.into()),
            None => self.next(),
        }
    }

    fn next(&self) -> RequestId {
        let id = self.key.hash_one(self.next.fetch_add(1, Ordering::Relaxed));
        RequestId(format!("{id:016x}").into())
    }
}

impl RequestId {
    /// The value for the answer's header.
    pub fn value(&self) -> Option<HeaderValue> {
        HeaderValue::from_str(&self.0).ok()
    }
}

/// An id ends up in logs and in the database, so it must not contain anything that means something there.
fn is_usable(id: &str) -> bool {
    let usual = |byte: u8| byte.is_ascii_alphanumeric() || b"._:-".contains(&byte);
    (1..=LONGEST).contains(&id.len()) && id.bytes().all(usual)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_trusted_proxy_names_a_request_and_only_plainly() {
        let ids = RequestIds::default();
        let of = |id: &str, trusted| {
            let mut headers = HeaderMap::new();
            headers.insert(X_REQUEST_ID.clone(), HeaderValue::from_bytes(id.as_bytes()).unwrap());
            ids.of(&headers, trusted).0.to_string()
        };
        assert_eq!(of("7f3a.B:1-2", true), "7f3a.B:1-2");
        assert_ne!(of("7f3a", false), "7f3a");
        for bad in
            ["", "two words", "a\"b", "ä", "0123456789012345678901234567890123456789012345678901234567890123456789"]
        {
            assert_ne!(of(bad, true), bad);
        }
        assert_ne!(of("", true), of("", true));
    }
}
