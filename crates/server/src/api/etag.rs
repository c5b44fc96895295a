//! Versions of what is changed, as entity tags (RFC 9110 §8.8.3).

use actix_web::HttpRequest;
use actix_web::http::header::IF_MATCH;
use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;

use super::problem::Problem;

/// The version of something: it changes with everything that is shown, and with a number that counts its changes.
pub fn of(shown: &impl Serialize, changes: i64) -> String {
    let text = serde_json::to_vec(shown).unwrap_or_default();
    let digest = digest(&SHA256, &[text, changes.to_be_bytes().to_vec()].concat());
    format!("\"{}\"", URL_SAFE_NO_PAD.encode(&digest.as_ref()[..16]))
}

/// Refuses a request whose `If-Match` names only other versions than the current one.
pub fn require_match(request: &HttpRequest, current: &str) -> Result<(), Problem> {
    let Some(wanted) = request.headers().get(IF_MATCH) else { return Ok(()) };
    let names = wanted.to_str().unwrap_or_default();
    let fits = names.split(',').any(|name| name.trim() == "*" || name.trim() == current);
    if fits { Ok(()) } else { Err(Problem::precondition_failed()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_changes_with_what_is_shown_and_with_the_number_of_changes() {
        assert_eq!(of(&"a", 1), of(&"a", 1));
        assert_ne!(of(&"a", 1), of(&"b", 1));
        assert_ne!(of(&"a", 1), of(&"a", 2));
    }
}
