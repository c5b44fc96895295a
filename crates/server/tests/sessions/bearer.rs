//! The server's own bearer endpoints (RFC 6750).

use ficha_store::testing::TestDatabase;
use reqwest::{Method, RequestBuilder, Response};

use crate::support::*;
use ficha_testing::{App, ISSUER};

const ENDPOINTS: [(Method, &str); 2] = [(Method::GET, "/users/me"), (Method::POST, "/logout")];

fn ask(app: &App, method: &Method, path: &str) -> RequestBuilder {
    app.http.request(method.clone(), app.url(path))
}

async fn send(request: RequestBuilder) -> Response {
    request.send().await.expect("the server answers")
}

/// The parameters of the only challenge, in order.
fn challenge(response: &Response) -> Vec<(String, String)> {
    let mut values = response.headers().get_all("www-authenticate").iter();
    let text = values.next().expect("a challenge").to_str().expect("ASCII");
    assert!(values.next().is_none(), "one challenge");
    let parameters = text.strip_prefix("Bearer ").unwrap_or_else(|| panic!("{text}"));
    // Each is `name="…"`, separated by a comma and a space; no value here contains a quote.
    let inner = parameters.strip_suffix('"').unwrap_or_else(|| panic!("{text}"));
    let pair = |part: &str| {
        let (name, value) = part.split_once("=\"").unwrap_or_else(|| panic!("{text}"));
        assert!(name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'), "{text}");
        assert!(!value.contains('"'), "{text}");
        (name.to_owned(), value.to_owned())
    };
    inner.split("\", ").map(pair).collect()
}

fn parameter(response: &Response, name: &str) -> Option<String> {
    challenge(response).into_iter().find(|(key, _)| key == name).map(|(_, value)| value)
}

fn assert_refused(response: &Response, status: u16, code: &str) {
    assert_eq!(response.status(), status);
    assert_eq!(parameter(response, "error").as_deref(), Some(code));
}

/// The claims of one token under the signature of another.
fn forged(token: &str, signature_of: &str) -> String {
    let (signed, _) = token.rsplit_once('.').expect("three parts");
    let (_, signature) = signature_of.rsplit_once('.').expect("three parts");
    format!("{signed}.{signature}")
}

ficha_store::on_both_databases! {
    async fn a30_no_token_gets_a_challenge_without_an_error(database: TestDatabase) {
        let app = app_with_alice(&database).await;
        for (method, path) in &ENDPOINTS {
            let basic = ask(&app, method, path).basic_auth("first-party", Some("x"));
            for request in [ask(&app, method, path), basic] {
                let response = send(request).await;
                assert_eq!(response.status(), 401);
                let metadata = format!("{ISSUER}/.well-known/oauth-protected-resource");
                let expected = [("realm", "ficha"), ("resource_metadata", &metadata)];
                assert_eq!(challenge(&response), expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
                let body: serde_json::Value = response.json().await.expect("JSON");
                assert_eq!(body["error"], "invalid_request");
            }
        }
    }

    async fn a31_a_malformed_header_is_an_invalid_request(database: TestDatabase) {
        let app = app_with_alice(&database).await;
        let tokens = app.login("alice").await;
        for (method, path) in &ENDPOINTS {
            for value in ["Bearer", "Bearer a b", "Bearer \u{fc}", "Bearer a,b"] {
                let response = send(ask(&app, method, path).header("authorization", value)).await;
                assert_refused(&response, 400, "invalid_request");
            }
            let twice = ask(&app, method, path).bearer_auth(&tokens.access).bearer_auth(&tokens.access);
            assert_refused(&send(twice).await, 400, "invalid_request");
        }
        assert_eq!(app.me(&tokens.access).await, 200, "none of that logged alice out");
    }

    async fn a31_a_token_in_the_header_and_in_the_form_is_an_invalid_request(database: TestDatabase) {
        let app = app_with_alice(&database).await;
        let (mine, yours) = (app.login("alice").await, app.login("alice").await);
        for body in [&mine.access, &yours.access] {
            let form = [("access_token", body.as_str())];
            let request = ask(&app, &Method::POST, "/logout").bearer_auth(&mine.access).form(&form);
            assert_refused(&send(request).await, 400, "invalid_request");
        }
        // A token in the form alone is ignored: that method is not supported.
        let form = ask(&app, &Method::POST, "/logout").form(&[("access_token", mine.access.as_str())]);
        let response = send(form).await;
        assert_eq!((response.status().as_u16(), parameter(&response, "error")), (401, None));
        assert_eq!(app.me(&mine.access).await, 200);
        assert_eq!(app.me(&yours.access).await, 200);
    }

    async fn a32_bad_and_expired_and_revoked_tokens_are_invalid(database: TestDatabase) {
        let app = app_with_alice(&database).await;
        let tokens = app.login("alice").await;
        let (expiring, revoked) = (app.login("alice").await, app.login("alice").await);
        assert_eq!(app.me(&revoked.access).await, 200);
        app.post("/revoke", &[("token", &revoked.access)]).await;
        let mut cut = tokens.access.clone();
        cut.pop();
        let forged = forged(&tokens.access, &expiring.access);
        let bad = ["garbage", "a.b.c", &cut, &forged, &tokens.refresh, &revoked.access];
        for (method, path) in &ENDPOINTS {
            for token in bad {
                let response = send(ask(&app, method, path).bearer_auth(token)).await;
                assert_refused(&response, 401, "invalid_token");
                let text = response.text().await.expect("a text");
                assert!(!text.contains(token), "no response repeats the token");
            }
        }
        app.advance(seconds(599)).await;
        assert_eq!(app.me(&expiring.access).await, 200);
        app.advance(seconds(1)).await;
        for (method, path) in &ENDPOINTS {
            let response = send(ask(&app, method, path).bearer_auth(&expiring.access)).await;
            assert_refused(&response, 401, "invalid_token");
        }
    }

    async fn a34_a_token_in_the_query_is_ignored(database: TestDatabase) {
        let app = app_with_alice(&database).await;
        let tokens = app.login("alice").await;
        let (good, bad) = (format!("?access_token={}", tokens.access), "?access_token=garbage".to_owned());
        for (method, path) in &ENDPOINTS {
            let response = send(ask(&app, method, &format!("{path}{good}"))).await;
            assert_eq!((response.status().as_u16(), parameter(&response, "error")), (401, None));
        }
        for query in [good, bad] {
            assert_eq!(app.get_with(&format!("/users/me{query}"), &tokens.access).await.status(), 200);
        }
        let logout = ask(&app, &Method::POST, "/logout?access_token=garbage").bearer_auth(&tokens.access);
        assert_eq!(send(logout).await.status(), 204);
    }

    async fn a35_the_scheme_is_matched_without_regard_to_case(database: TestDatabase) {
        let app = app_with_alice(&database).await;
        let tokens = app.login("alice").await;
        for scheme in ["bearer", "BEARER", "bEaReR", "Bearer "] {
            let header = format!("{scheme} {}", tokens.access);
            let response = send(ask(&app, &Method::GET, "/users/me").header("authorization", header)).await;
            assert_eq!(response.status(), 200, "{scheme}");
        }
    }

    async fn a36_each_challenge_parameter_appears_once_separated_by_commas(database: TestDatabase) {
        let app = app_with_alice(&database).await;
        for value in ["Bearer garbage", "Bearer", "Basic YTpi", "Bearer a b"] {
            let response = send(ask(&app, &Method::GET, "/users/me").header("authorization", value)).await;
            let mut names: Vec<_> = challenge(&response).into_iter().map(|(name, _)| name).collect();
            let count = names.len();
            names.sort_unstable();
            names.dedup();
            assert_eq!(names.len(), count, "{value}");
            assert!(names.iter().all(|name| ["error", "error_description", "realm", "resource_metadata"].contains(&name.as_str())), "{value}");
        }
    }

    async fn users_me_describes_the_owner_of_a_token(database: TestDatabase) {
        let app = app_with_alice(&database).await;
        let client = jobs_client(&app, "app").await;
        let (tokens, own) = (app.login_as(&client, "alice").await, own_token(&app, &client).await);
        let me: serde_json::Value = app.get_with("/users/me", &tokens.access).await.json().await.expect("JSON");
        assert_eq!((&me["username"], &me["client_id"], &me["scope"]), (&"alice".into(), &"app".into(), &SCOPES.into()));
        assert_eq!(me["sub"], tokens.claims()["sub"]);
        let me: serde_json::Value = app.get_with("/users/me", &own.access).await.json().await.expect("JSON");
        assert_eq!((me.get("username"), &me["sub"]), (None, &own.claims()["sub"]));
    }
}
