//! The responses to refused requests, without a web framework and with actix-web.

use std::time::Duration;

use ficha_resource::{Malformed, Presented, Refusal, TokenError, VerifyError};

fn refusals() -> Vec<(Refusal, u16, bool, &'static str)> {
    let retry_after = Duration::from_secs(1);
    vec![
        (Refusal::Missing, 401, true, "invalid_request"),
        (Malformed::NoScheme.into(), 400, true, "invalid_request"),
        (VerifyError::Invalid(TokenError::Expired).into(), 401, true, "invalid_token"),
        (VerifyError::Denied.into(), 401, true, "invalid_token"),
        (Refusal::CustomClaims, 403, true, "insufficient_scope"),
        (Refusal::MissingRole { required: "editor".into() }, 403, true, "insufficient_scope"),
        (VerifyError::Stale { retry_after }.into(), 503, false, "temporarily_unavailable"),
        (VerifyError::KeysUnavailable { retry_after }.into(), 503, false, "temporarily_unavailable"),
        (VerifyError::Stopped.into(), 503, false, "temporarily_unavailable"),
        (Refusal::InsufficientScope { required: String::new() }, 403, true, "insufficient_scope"),
        (Refusal::NotConfigured, 500, false, "server_error"),
    ]
}

#[test]
fn every_refusal_has_its_status_headers_and_body() {
    for (refusal, status, challenged, code) in refusals() {
        let response = refusal.response("notes");
        assert_eq!((response.status(), response.code().as_str()), (status, code), "{refusal:?}");
        assert_eq!(response.is_temporary(), status == 503, "{refusal:?}");
        let value = |name: &str| response.headers().find(|header| header.0 == name).map(|header| header.1);
        assert_eq!(value("cache-control").as_deref(), Some("no-store"));
        assert_eq!(value("content-type").as_deref(), Some("application/json"));
        let challenge = value("www-authenticate");
        assert_eq!(challenge.is_some(), challenged, "{refusal:?}");
        assert!(challenge.is_none_or(|challenge| challenge.starts_with(r#"Bearer realm="notes""#)));
        assert_eq!(value("retry-after").is_some(), status == 503, "{refusal:?}");
        let body: serde_json::Value = serde_json::from_str(&response.body()).unwrap();
        assert_eq!((body["error"].as_str(), body["error_description"].is_string()), (Some(code), true));
    }
}

#[test]
fn retry_after_is_in_whole_seconds_rounded_up() {
    for (milliseconds, expected) in [(0, "1"), (1_000, "1"), (2_100, "3")] {
        let retry_after = Duration::from_millis(milliseconds);
        let response = Refusal::from(VerifyError::Stale { retry_after }).response("notes");
        let seconds = response.headers().find(|header| header.0 == "retry-after").unwrap().1;
        assert_eq!(seconds, expected);
    }
}

#[test]
fn header_values_may_be_text_or_bytes() {
    let token = |presented: Result<Option<Presented<'_>>, Malformed>| presented.unwrap().unwrap().token.to_owned();
    assert_eq!(token(Presented::from_authorization(["Bearer a.b"])), "a.b");
    assert_eq!(token(Presented::from_authorization([&b"bearer a.b"[..]])), "a.b");
    let values = vec!["Bearer a.b".to_owned()];
    assert_eq!(token(Presented::from_authorization(&values)), "a.b");
}

#[cfg(feature = "actix")]
#[test]
fn actix_web_sends_the_same() {
    use actix_web::ResponseError as _;
    use ficha_resource::BearerError;

    for (refusal, status, _, code) in refusals() {
        let plain = refusal.response("notes");
        let error = BearerError::new("notes", refusal);
        let response = error.error_response();
        assert_eq!((response.status().as_u16(), error.status().as_u16()), (status, status), "{error:?}");
        assert_eq!((error.code().as_str(), error.is_temporary()), (code, plain.is_temporary()), "{error:?}");
        for (name, value) in plain.headers() {
            assert_eq!(response.headers().get(name).unwrap(), value.as_str(), "{error:?}");
        }
        assert_eq!(response.headers().len(), plain.headers().count(), "{error:?}");
    }
}
