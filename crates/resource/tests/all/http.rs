//! RFC 6750 over real HTTP: through extractors and middleware, with each type of value that an application can hold.

use actix_web::web::{self, Bytes};
use actix_web::{HttpRequest, HttpResponse};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use ficha_resource::{
    AnyScope, Bearer, BearerError, BearerGuard, ErrorBody, HasRole, MaybeBearer, OAuth2PasswordBearer, TestIssuer,
    roles, scopes,
};
use ficha_token::{Algorithm, Clock, SigningKey};
use reqwest::Method;
use reqwest::header::AUTHORIZATION;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::service::{Answer, Service};
use crate::support::encode;

scopes! {
    NotesRead = "notes:read";
    NotesWrite = "notes:write";
}

roles! {
    Editor = "editor";
}

#[derive(Deserialize)]
struct Extra {
    team: String,
}

#[derive(Deserialize)]
struct Badge {
    badge: u32,
}

async fn read(user: Bearer<NotesRead>) -> String {
    user.claims.sub.to_string()
}

async fn write(_user: Bearer<NotesWrite>) -> &'static str {
    "written"
}

async fn feed(user: MaybeBearer) -> &'static str {
    if user.0.is_some() { "yours" } else { "public" }
}

async fn team(user: Bearer<NotesRead, Extra>) -> String {
    user.custom.team.clone()
}

async fn badge(user: Bearer) -> Result<String, BearerError> {
    Ok(user.extra::<Badge>()?.badge.to_string())
}

/// A claim that has a name of its own in `AccessClaims`.
#[derive(Deserialize)]
struct WithRoles {
    roles: Vec<String>,
}

async fn list_roles(user: Bearer<AnyScope, WithRoles>) -> String {
    user.custom.roles.join(", ")
}

async fn edit(editor: HasRole<Editor>) -> String {
    editor.bearer.claims.sub.to_string()
}

async fn form(user: Bearer, request: HttpRequest, body: Bytes) -> Result<&'static str, BearerError> {
    user.refuse_form_token(&request, &body)?;
    Ok("taken")
}

async fn hello() -> &'static str {
    "hello"
}

fn handlers(config: &mut web::ServiceConfig) {
    config
        .route("/read", web::get().to(read))
        .route("/write", web::get().to(write))
        .route("/feed", web::get().to(feed))
        .route("/team", web::get().to(team))
        .route("/badge", web::get().to(badge))
        .route("/roles", web::get().to(list_roles))
        .route("/edit", web::get().to(edit))
        .route("/form", web::post().to(form));
}

/// The same application with each type of value. Behind the middleware, no handler looks at the token.
fn services(issuer: &TestIssuer) -> Vec<(&'static str, Service)> {
    macro_rules! service {
        ($value:expr) => {{
            let value = $value;
            Service::start(move |config| {
                let guarded = |path: &str| web::scope(path).route("", web::get().to(hello));
                config
                    .app_data(value.clone())
                    .configure(handlers)
                    .service(guarded("/guarded/read").wrap(value.require("notes:read")))
                    .service(guarded("/guarded/write").wrap(value.require("notes:write")))
                    .service(guarded("/guarded/both").wrap(value.require_all(["notes:read", "notes:write"])))
                    .service(guarded("/guarded/either").wrap(value.require_any(["notes:write", "notes:read"])))
                    .service(guarded("/guarded/editor").wrap(value.require_role("editor")))
                    .service(guarded("/guarded/staff").wrap(value.require_any_role(["owner", "editor"])))
                    .service(guarded("/guarded/token").wrap(value.require_token()));
            })
        }};
    }
    let other = TestIssuer::named("https://other.test");
    vec![
        ("OAuth2PasswordBearer", service!(issuer.oauth2())),
        ("HttpBearer", service!(issuer.http_bearer())),
        ("Issuers", service!(OAuth2PasswordBearer::any_of([issuer.oauth2(), other.oauth2()]))),
        ("BearerGuard", service!(BearerGuard::from(&issuer.oauth2()))),
    ]
}

/// Both ways to a handler that requires `notes:read`.
const READ: [&str; 2] = ["/read", "/guarded/read"];

#[actix_web::test]
async fn a_valid_token_passes_with_each_type_of_app_data() {
    let issuer = TestIssuer::new();
    let token = issuer.token().scope("notes:read").sign();
    for (kind, service) in services(&issuer) {
        for path in ["/read", "/feed", "/guarded/read", "/guarded/either", "/guarded/token"] {
            let answer = service.get(path, &token).await;
            assert_eq!(answer.status, 200, "{kind} {path} {answer:?}");
        }
        assert_eq!(service.get("/feed", &token).await.body, "yours");
    }
}

#[actix_web::test]
async fn a30_no_token_gets_a_challenge_without_a_code() {
    let issuer = TestIssuer::new();
    for (_, service) in services(&issuer) {
        for path in READ {
            service.get_with(path, &[]).await.assert_asks_for_a_token();
            for other in ["Basic YTpi", "DPoP abc"] {
                service.get_with(path, &[other]).await.assert_asks_for_a_token();
            }
        }
    }
}

#[actix_web::test]
async fn a31_a_malformed_header_is_an_invalid_request() {
    let issuer = TestIssuer::new();
    let good = format!("Bearer {}", issuer.token().scope("notes:read").sign());
    for (_, service) in services(&issuer) {
        for path in READ {
            for header in ["Bearer", "Bearer a b", "Bearer a,b", "Bearer:abc"] {
                service.get_with(path, &[header]).await.assert_error(400, "invalid_request");
            }
            service.get_with(path, &[&good, &good]).await.assert_error(400, "invalid_request");
        }
        service.get_with("/feed", &["Bearer"]).await.assert_error(400, "invalid_request");
    }
}

#[actix_web::test]
async fn a31_a_token_in_the_header_and_in_a_form_is_an_invalid_request() {
    let issuer = TestIssuer::new();
    let token = issuer.token().sign();
    let post = |service: &Service, fields: &[(&str, &str)], header: bool| {
        let mut request = service.request(Method::POST, "/form").form(fields);
        if header {
            request = request.header(AUTHORIZATION, format!("Bearer {token}"));
        }
        async move { Answer::of(request.send().await.unwrap()).await }
    };
    for (_, service) in services(&issuer) {
        post(&service, &[("text", "a"), ("access_token", &token)], true).await.assert_error(400, "invalid_request");
        post(&service, &[("access_token", "")], true).await.assert_error(400, "invalid_request");
        post(&service, &[("text", "access_token=b")], true).await.assert_ok();
        // RFC 6750 §2.2 is not supported, so such a token does not count.
        post(&service, &[("access_token", &token)], false).await.assert_asks_for_a_token();
    }
}

#[actix_web::test]
async fn a32_bad_expired_and_revoked_tokens_are_invalid() {
    let issuer = TestIssuer::new();
    let services = services(&issuer);
    let mint = || issuer.token().scope("notes:read").sign();
    let (revoked, ended, late, good) = (mint(), mint(), issuer.token().scope("notes:read"), mint());
    let short = late.expires_in(std::time::Duration::from_secs(5)).sign();
    for (_, service) in &services {
        for token in [&revoked, &ended, &short, &good] {
            service.get("/read", token).await.assert_ok();
        }
    }
    issuer.revoke(&revoked);
    issuer.revoke_session(&ended);
    issuer.advance(std::time::Duration::from_secs(5));
    let stranger = TestIssuer::new().token().scope("notes:read").sign();
    let elsewhere = issuer.token().scope("notes:read").audience("mail").sign();
    for (kind, service) in &services {
        for path in ["/read", "/guarded/read", "/feed"] {
            for token in [&revoked, &ended, &short, &stranger, &elsewhere, "abc", "a.b.c"] {
                service.get(path, token).await.assert_error(401, "invalid_token");
            }
            assert_eq!(service.get(path, &good).await.status, 200, "{kind} {path}");
        }
    }
    issuer.purge_key();
    for (_, service) in &services {
        service.get("/read", &good).await.assert_error(401, "invalid_token");
        service.get("/read", &mint()).await.assert_ok();
    }
}

#[actix_web::test]
async fn a33_insufficient_scope_names_the_required_one() {
    let issuer = TestIssuer::new();
    let token = issuer.token().scope("notes:read").sign();
    for (_, service) in services(&issuer) {
        let cases =
            [("/write", "notes:write"), ("/guarded/write", "notes:write"), ("/guarded/both", "notes:read notes:write")];
        for (path, enough) in cases {
            let answer = service.get(path, &token).await;
            answer.assert_error(403, "insufficient_scope");
            assert!(answer.challenge.unwrap().ends_with(&format!(r#", scope="{enough}""#)));
        }
    }
}

#[actix_web::test]
async fn a34_a_token_in_the_query_is_ignored() {
    let issuer = TestIssuer::new();
    let token = issuer.token().scope("notes:read").sign();
    for (_, service) in services(&issuer) {
        for path in READ {
            let path = format!("{path}?access_token={token}");
            service.get_with(&path, &[]).await.assert_asks_for_a_token();
            service.get(&path, &token).await.assert_ok();
            service.get(&path, "abc").await.assert_error(401, "invalid_token");
        }
        let path = format!("/feed?access_token={token}");
        assert_eq!(service.get_with(&path, &[]).await.body, "public");
    }
}

#[actix_web::test]
async fn a35_the_scheme_is_matched_without_regard_to_case() {
    let issuer = TestIssuer::new();
    let token = issuer.token().scope("notes:read").sign();
    for (_, service) in services(&issuer) {
        for path in READ {
            for scheme in ["Bearer", "bearer", "BEARER", "beArer"] {
                service.get_with(path, &[&format!("{scheme} {token}")]).await.assert_ok();
            }
        }
    }
}

#[actix_web::test]
async fn a36_each_challenge_parameter_appears_once() {
    let issuer = TestIssuer::new();
    let token = issuer.token().scope("notes:read").sign();
    for (_, service) in services(&issuer) {
        for path in ["/write", "/guarded/write"] {
            let challenge = service.get(path, &token).await.challenge.unwrap();
            let parameters = challenge.strip_prefix("Bearer ").unwrap().split(", ");
            let names: Vec<_> = parameters.map(|part| part.split_once('=').unwrap().0).collect();
            assert_eq!(names, ["realm", "error", "error_description", "scope"]);
        }
    }
}

#[actix_web::test]
async fn optional_means_missing_and_never_invalid() {
    let issuer = TestIssuer::new();
    let revoked = issuer.token().sign();
    issuer.revoke(&revoked);
    for (_, service) in services(&issuer) {
        assert_eq!(service.get_with("/feed", &[]).await.body, "public");
        assert_eq!(service.get_with("/feed", &["Basic YTpi"]).await.body, "public");
        service.get("/feed", &revoked).await.assert_error(401, "invalid_token");
        service.get("/feed", "abc").await.assert_error(401, "invalid_token");
    }
}

#[actix_web::test]
async fn claims_that_do_not_fit_are_refused_and_log_nobody_out() {
    let issuer = TestIssuer::new();
    let mint = |name: &str, value: Value| issuer.token().scope("notes:read").claim(name, value).sign();
    for (_, service) in services(&issuer) {
        assert_eq!(service.get("/team", &mint("team", json!("blue"))).await.body, "blue");
        assert_eq!(service.get("/badge", &mint("badge", json!(7))).await.body, "7");
        for token in [mint("team", json!(7)), mint("crew", json!("blue"))] {
            let answer = service.get("/team", &token).await;
            answer.assert_error(403, "insufficient_scope");
            assert!(!answer.body.contains("blue"), "nothing from the token is repeated");
        }
        service.get("/badge", &mint("badge", json!("seven"))).await.assert_error(403, "insufficient_scope");
        let editor = issuer.token().roles(["editor", "reader"]).sign();
        assert_eq!(service.get("/roles", &editor).await.body, "editor, reader");
        assert_eq!(service.get("/roles", &issuer.token().sign()).await.body, "");
        let little = issuer.token().claim("team", json!(7)).sign();
        service.get("/team", &little).await.assert_error(403, "insufficient_scope");
    }
}

#[test]
fn an_http_client_of_somebody_else_works_beside_this_crate() {
    // Cargo unifies the features of reqwest: without a TLS provider, this would panic in the service's own code.
    drop(reqwest::Client::new());
}

#[actix_web::test]
async fn a_role_is_required_like_a_scope() {
    let issuer = TestIssuer::new();
    let with = |roles: &[&str]| issuer.token().roles(roles.iter().copied()).sign();
    let (editor, owner, nobody) = (with(&["reader", "editor"]), with(&["owner"]), with(&[]));
    for (_, service) in services(&issuer) {
        for (path, may) in
            [("/edit", vec![&editor]), ("/guarded/editor", vec![&editor]), ("/guarded/staff", vec![&editor, &owner])]
        {
            service.get_with(path, &[]).await.assert_asks_for_a_token();
            for token in [&editor, &owner, &nobody] {
                let answer = service.get(path, token).await;
                if may.contains(&token) {
                    answer.assert_ok();
                } else {
                    answer.assert_error(403, "insufficient_scope");
                    assert!(answer.body.contains("role"), "{answer:?}");
                }
            }
        }
    }
}

#[actix_web::test]
async fn custom_error_bodies_keep_the_status_and_the_required_headers() {
    let issuer = TestIssuer::new();
    let oauth2 = issuer.oauth2();
    let service = Service::start(move |config| {
        let own = ErrorBody::new(|error, mut response| {
            response.insert_header(("x-own", "1")).json(json!({"detail": error.to_string()}))
        });
        // Ignores the response that it is given.
        let rude = ErrorBody::new(|_, _| {
            HttpResponse::Ok()
                .insert_header(("www-authenticate", "Basic"))
                .insert_header(("retry-after", "9"))
                .body("no")
        });
        config
            .app_data(oauth2.clone())
            .app_data(own)
            .configure(handlers)
            .service(web::scope("/guarded").wrap(oauth2.require("notes:read")).route("", web::get().to(hello)))
            .service(web::scope("/rude").app_data(rude.clone()).route("", web::get().to(read)))
            .service(web::scope("/rudely").wrap(oauth2.require("a").error_body(rude)).route("", web::get().to(hello)));
    });
    for path in ["/read", "/guarded"] {
        let answer = service.get_with(path, &[]).await;
        assert_eq!(answer.json(), json!({"detail": "the request has no bearer token"}), "{path}");
        assert_eq!((answer.status, answer.challenge.as_deref()), (401, Some(r#"Bearer realm="test""#)));
    }
    for path in ["/rude", "/rudely"] {
        let answer = service.get_with(path, &[]).await;
        assert_eq!((answer.status, answer.body.as_str(), answer.retry_after), (401, "no", None));
        assert_eq!(answer.challenge.as_deref(), Some(r#"Bearer realm="test""#));
        assert_eq!(answer.cache_control.as_deref(), Some("no-store"));
    }
    issuer.set_stale(true);
    let answer = service.get("/rude", &issuer.token().sign()).await;
    assert_eq!((answer.status, answer.retry_after.as_deref(), answer.challenge), (503, Some("1"), None));
}

#[actix_web::test]
async fn a_scope_within_a_scope_has_its_own_guard() {
    let (outer, inner) = (TestIssuer::new(), TestIssuer::named("https://inner.test"));
    let (outside, inside) = (outer.oauth2(), inner.oauth2());
    let service = Service::start(move |config| {
        config.app_data(outside.clone()).configure(handlers).service(
            web::scope("/inner")
                .app_data(inside.clone())
                .configure(handlers)
                .service(web::scope("/guarded").wrap(inside.require("notes:read")).route("", web::get().to(hello))),
        );
    });
    let mint = |issuer: &TestIssuer| issuer.token().scope("notes:read").sign();
    service.get("/read", &mint(&outer)).await.assert_ok();
    service.get("/read", &mint(&inner)).await.assert_error(401, "invalid_token");
    for path in ["/inner/read", "/inner/guarded"] {
        service.get(path, &mint(&inner)).await.assert_ok();
        service.get(path, &mint(&outer)).await.assert_error(401, "invalid_token");
    }
}

#[actix_web::test]
async fn two_types_of_app_data_for_different_issuers_refuse_every_request() {
    let (outer, inner) = (TestIssuer::new(), TestIssuer::named("https://inner.test"));
    let (outside, inside, same) = (outer.oauth2(), inner.http_bearer(), outer.http_bearer());
    let service = Service::start(move |config| {
        config
            .app_data(outside.clone())
            .service(web::scope("/other").app_data(inside.clone()).configure(handlers))
            .service(web::scope("/same").app_data(same.clone()).configure(handlers));
    });
    for issuer in [&outer, &inner] {
        let answer = service.get("/other/read", &issuer.token().scope("notes:read").sign()).await;
        assert_eq!((answer.status, answer.json()["error"].as_str()), (500, Some("server_error")));
    }
    service.get("/same/read", &outer.token().scope("notes:read").sign()).await.assert_ok();
}

/// The verifier's own tests of A67 and A69 to A76 have many more cases; these check that none is lost over HTTP.
#[actix_web::test]
async fn a67_to_a76_no_check_is_lost_on_the_way_through_http() {
    let key = SigningKey::generate(Algorithm::ES256).unwrap();
    let (kid, document) = (key.kid().to_owned(), key.to_pkcs8().unwrap().to_vec());
    let issuer = TestIssuer::with_key(TestIssuer::ISSUER, key);
    let sign = |header: &Value, claims: &str| {
        let signed = format!("{}.{}", encode(header.to_string()), encode(claims));
        let key = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &document).unwrap();
        format!("{signed}.{}", encode(key.sign(&SystemRandom::new(), signed.as_bytes()).unwrap()))
    };
    let header = json!({"typ": "at+jwt", "alg": "ES256", "kid": kid});
    let now = issuer.clock().unix_now();
    let claims = json!({
        "iss": issuer.issuer(), "sub": "0198b1f0-0000-7000-8000-000000000001", "aud": TestIssuer::AUDIENCE,
        "exp": now + 600, "iat": now, "jti": "0198b1f0-0000-7000-8000-000000000002", "client_id": "test",
        "scope": "notes:read", "sid": "0198b1f0-0000-7000-8000-000000000003", "auth_time": now,
    });
    let with_header = |name: &str, value: Value| {
        let mut header = header.clone();
        header[name] = value;
        sign(&header, &claims.to_string())
    };
    let with_claim = |name: &str, value: Value| {
        let mut claims = claims.clone();
        claims[name] = value;
        sign(&header, &claims.to_string())
    };
    let without = |name: &str| {
        let mut claims = claims.clone();
        claims.as_object_mut().unwrap().remove(name);
        sign(&header, &claims.to_string())
    };
    let good = sign(&header, &claims.to_string());
    let bad = [
        ("a67 typ", with_header("typ", json!("JWT"))),
        ("a67 iss", with_claim("iss", json!("https://evil.test"))),
        ("a67 aud", with_claim("aud", json!("mail"))),
        ("a69 alg", with_header("alg", json!("EdDSA"))),
        ("a70 none", with_header("alg", json!("nOnE"))),
        ("a70 unsigned", format!("{}.", good.rsplit_once('.').unwrap().0)),
        ("a71 crit", with_header("crit", json!(["exp"]))),
        ("a71 b64", with_header("b64", json!(true))),
        ("a72 padding", format!("{good}==")),
        ("a73 no aud", without("aud")),
        ("a74 exp as text", with_claim("exp", json!("1900000000"))),
        ("a74 negative iat", with_claim("iat", json!(-1))),
        ("a74 huge nbf", with_claim("nbf", json!(1e300))),
        ("a75 twice", sign(&header, &claims.to_string().replacen('{', r#"{"scope":"notes:write","#, 1))),
        ("a76 five parts", "a.b.c.d.e".to_owned()),
    ];
    for (kind, service) in services(&issuer) {
        for path in READ {
            service.get(path, &good).await.assert_ok();
            for (name, token) in &bad {
                let answer = service.get(path, token).await;
                assert_eq!(answer.status, 401, "{kind} {path} {name}: {answer:?}");
                answer.assert_error(401, "invalid_token");
            }
        }
    }
}
