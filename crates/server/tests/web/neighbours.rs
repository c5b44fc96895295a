//! What clients expect that were written for other servers.

use ficha_store::testing::TestDatabase;
use ficha_testing::{App, PASSWORD, Tokens};
use reqwest::header::{ACCESS_CONTROL_ALLOW_ORIGIN, AUTHORIZATION, CONTENT_ENCODING, CONTENT_TYPE, ORIGIN};
use serde_json::Value;

const WELL_KNOWN: [&str; 4] = [
    "/.well-known/oauth-authorization-server",
    "/.well-known/openid-configuration",
    "/.well-known/oauth-protected-resource",
    "/.well-known/jwks.json",
];

async fn error(response: reqwest::Response) -> (u16, String, String) {
    let status = response.status().as_u16();
    let body: Value = response.json().await.expect("JSON");
    let text = |name: &str| body[name].as_str().unwrap_or_default().to_owned();
    // The admin API has problems (RFC 9457).
    (status, text("error"), text("error_description") + &text("detail"))
}

/// A login of alice with more fields.
async fn login(app: &App, more: &[(&str, &str)]) -> reqwest::Response {
    let form = [&[("grant_type", "password"), ("username", "alice"), ("password", PASSWORD)], more].concat();
    app.post("/token", &form).await
}

ficha_store::on_both_databases! {
    // simple-oauth2 parses every answer as JSON: an empty one made its log-out fail before the refresh token was revoked.
    async fn a_revocation_answers_json_also_for_what_can_t_be_a_token(database: TestDatabase) {
        let app = App::start(&database).await;
        app.add_user("alice", "notes:read").await;
        let tokens = app.login("alice").await;
        let broken = [format!("{}\n", tokens.access), format!("Bearer {}", tokens.access)];
        for token in [&*broken[0], &broken[1], "garbage", &tokens.access, &tokens.refresh] {
            let answer = app.post("/revoke", &[("token", token)]).await;
            assert_eq!(answer.status(), 200, "{token:?}");
            assert_eq!(answer.headers()[CONTENT_TYPE], "application/json");
            assert_eq!(answer.headers()["cache-control"], "no-store");
            assert_eq!(answer.text().await.expect("a text"), "{}");
            let counted = app.get("/metrics").await.text().await.expect("a text");
            let malformed = if token == broken[0] { 1 } else { 2 };
            assert!(counted.contains(&format!("ficha_revocations_malformed_total {malformed}\n")), "{token:?}: {counted}");
            // What was meant is still valid, until it is sent as it is.
            let is_valid = token != tokens.access && token != tokens.refresh;
            assert_eq!(app.me(&tokens.access).await == 200, is_valid, "{token:?}");
        }
    }

    // openid-client, oauth4webapi and go-oidc look at the path of OpenID Connect alone.
    async fn metadata_is_where_openid_clients_look_and_every_page_may_read_it(database: TestDatabase) {
        let settings = |options: &mut ficha_testing::Options| {
            options.settings.issuer = ficha_authority::Issuer::parse("https://auth.example.com/id").expect("an issuer");
            options.server.allowed_origins = vec!["https://app.example.com".parse().expect("an origin")];
        };
        let app = App::start_with(&database, settings).await;
        let answer: Value = app.get("/id/.well-known/oauth-authorization-server").await.json().await.expect("JSON");
        for path in ["/id/.well-known/openid-configuration", "/.well-known/openid-configuration/id"] {
            let same: Value = app.get(path).await.json().await.expect("JSON");
            assert_eq!((same, &answer["issuer"]), (answer.clone(), &"https://auth.example.com/id".into()), "{path}");
        }
        // A client that knows only the API: from the refusal to the issuer (RFC 9728).
        let refused = app.get("/id/users/me").await;
        let url = "https://auth.example.com/.well-known/oauth-protected-resource/id";
        let challenge = refused.headers()["www-authenticate"].to_str().expect("a text");
        assert_eq!(challenge, format!("Bearer realm=\"ficha\", resource_metadata=\"{url}\""));
        let resource: Value = app.get("/.well-known/oauth-protected-resource/id").await.json().await.expect("JSON");
        assert_eq!(resource["resource"], "https://auth.example.com/id");
        assert_eq!(resource["authorization_servers"], serde_json::json!(["https://auth.example.com/id"]));
        for path in WELL_KNOWN {
            for origin in ["https://app.example.com", "https://anybody.example", "null"] {
                let request = app.http.get(app.url(&format!("/id{path}"))).header(ORIGIN, origin);
                let response = request.send().await.expect("an answer");
                assert_eq!(response.headers()[ACCESS_CONTROL_ALLOW_ORIGIN], "*", "{path} {origin}");
                assert!(!response.headers().contains_key("access-control-allow-credentials"));
                // Also a page that adds headers of its own, which asks first.
                let asked = app.http.request(reqwest::Method::OPTIONS, app.url(&format!("/id{path}"))).header(ORIGIN, origin);
                let asked = asked.header("access-control-request-method", "GET").header("access-control-request-headers", "x-mine");
                let asked = asked.send().await.expect("an answer");
                assert_eq!((asked.status().as_u16(), &asked.headers()[ACCESS_CONTROL_ALLOW_ORIGIN]), (200, &"*".parse().expect("a value")));
            }
        }
        let request = app.http.post(app.url("/id/token")).header(ORIGIN, "https://anybody.example");
        let tokens = request.form(&[("grant_type", "password")]).send().await.expect("an answer");
        assert!(!tokens.headers().contains_key(ACCESS_CONTROL_ALLOW_ORIGIN), "tokens are for the origins that are named");
    }

    async fn the_scope_openid_is_left_out_and_widens_nothing(database: TestDatabase) {
        let app = App::start(&database).await;
        app.add_user("alice", "notes:read notes:write").await;
        for (asked, granted) in [("openid notes:read", "notes:read"), ("openid", ""), ("notes:read", "notes:read")] {
            let answer: Value = login(&app, &[("scope", asked)]).await.json().await.expect("JSON");
            assert_eq!(answer["scope"], granted, "{asked}");
            let refresh = answer["refresh_token"].as_str().expect("a refresh token");
            let form = [("grant_type", "refresh_token"), ("refresh_token", refresh), ("scope", asked)];
            let renewed = Tokens::of(app.post("/token", &form).await).await;
            assert_eq!(renewed.claims()["scope"], granted, "{asked}");
        }
        for more in ["openid profile", "openid notes:other"] {
            assert_eq!(error(login(&app, &[("scope", more)]).await).await.1, "invalid_scope", "{more}");
        }
        // Where it is a scope like any other, it is granted like any other.
        app.add_user("bob", "openid").await;
        let form = [("grant_type", "password"), ("username", "bob"), ("password", PASSWORD), ("scope", "openid")];
        assert_eq!(Tokens::of(app.post("/token", &form).await).await.claims()["scope"], "openid");
    }

    async fn a_resource_is_honoured_or_refused_and_never_ignored(database: TestDatabase) {
        let audience = |options: &mut ficha_testing::Options| options.settings.token.audience = Some("https://api.example.com".into());
        let app = App::start_with(&database, audience).await;
        app.add_user("alice", "notes:read").await;
        app.add_client("plain", |new| (new.public, new.audience) = (true, Some("notes".into()))).await;
        let tokens = Tokens::of(login(&app, &[("resource", "https://api.example.com")]).await).await;
        assert!(tokens.claims()["aud"].to_string().contains("https://api.example.com"));
        let wrong = [
            &[("resource", "https://other.example.com")][..], &[("resource", "notes")], &[("resource", "https://api.example.com#x")],
            // Not an absolute URI, though it is this client's audience.
            &[("resource", "notes"), ("client_id", "plain")],
        ];
        for more in wrong {
            let (status, code, _) = error(login(&app, more).await).await;
            assert_eq!((status, &*code), (400, "invalid_target"), "{more:?}");
        }
        let refresh = async |token: &str, resource: &str| {
            app.post("/token", &[("grant_type", "refresh_token"), ("refresh_token", token), ("resource", resource)]).await
        };
        assert_eq!(error(refresh(&tokens.refresh, "https://other.example.com").await).await.1, "invalid_target");
        // What counts at a refresh is the audience of the session: with a scope of the server's own, the issuer.
        app.add_user("chief", "ficha:admin").await;
        let form = [("grant_type", "password"), ("username", "chief"), ("password", PASSWORD), ("client_id", "ficha-cli"), ("scope", "ficha:admin")];
        let chief = Tokens::of(app.post("/token", &form).await).await;
        for (resource, status) in [("https://api.example.com", 400), (ficha_testing::ISSUER, 200)] {
            let form = [("grant_type", "refresh_token"), ("refresh_token", &*chief.refresh), ("client_id", "ficha-cli"), ("resource", resource)];
            assert_eq!(app.post("/token", &form).await.status(), status, "{resource}");
        }
        assert_eq!(app.refresh(&tokens.refresh).await.status(), 200, "the refusal has used nothing up");
    }

    async fn what_is_wrong_with_a_header_or_an_encoding_is_told(database: TestDatabase) {
        let app = App::start(&database).await;
        app.add_user("alice", "notes:read").await;
        let form = [("grant_type", "password"), ("username", "alice"), ("password", PASSWORD)];
        for (header, told) in [
            ("Bearer abc", "has a bearer token"), ("Digest x", "another scheme than Basic"), ("Basic !", "not a well-formed Basic header"),
        ] {
            let request = app.http.post(app.url("/token")).header(AUTHORIZATION, header).form(&form);
            let (status, code, why) = error(request.send().await.expect("an answer")).await;
            assert!(status == 401 && code == "invalid_client" && why.contains(told), "{header}: {why}");
        }
        for path in ["/token", "/revoke", "/introspect", "/api/v1/sessions/revoke"] {
            let request = app.http.post(app.url(path)).header(CONTENT_ENCODING, "gzip").body("x");
            let (status, _, why) = error(request.send().await.expect("an answer")).await;
            assert!(status == 415 && why.contains("Content-Encoding"), "{path}: {why}");
        }
        let plain = app.http.post(app.url("/token")).header(CONTENT_ENCODING, "identity").form(&form);
        assert_eq!(plain.send().await.expect("an answer").status(), 200);
    }

    // Browsers ask for a password in a dialog of their own, if a request with their credentials gets a challenge.
    async fn swagger_ui_sends_no_credentials_of_the_browser(database: TestDatabase) {
        let app = App::start(&database).await;
        let script = app.get("/docs/swagger-initializer.js").await.text().await.expect("a text");
        assert!(script.contains("credentials: \"omit\""), "{script}");
    }
}
