//! The extractors, and the responses to refused requests.

use std::time::Duration;

use actix_web::body::to_bytes;
use actix_web::dev::ServiceResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::{AUTHORIZATION, CACHE_CONTROL, RETRY_AFTER, WWW_AUTHENTICATE};
use actix_web::test::{TestRequest, call_service, init_service};
use actix_web::{App, ResponseError, web};
use ficha_resource::{Bearer, BearerGuard, Malformed, MaybeBearer, Refusal, RequiredScope, Scope, scopes};
use serde_json::{Value, json};

use crate::support::{LIFE, START, World, changed, claims};

scopes! {
    NotesRead = "notes:read";
    NotesWrite = "notes:write";
}

async fn me(user: Bearer) -> String {
    user.claims.sub.to_string()
}

async fn read(user: Bearer<NotesRead>) -> String {
    user.into_inner().claims.sub.to_string()
}

async fn write(_user: Bearer<NotesWrite>) -> &'static str {
    "written"
}

async fn both(_user: Bearer<(NotesRead, NotesWrite)>) -> &'static str {
    "both"
}

async fn feed(user: MaybeBearer) -> &'static str {
    if user.0.is_some() { "yours" } else { "public" }
}

fn routes(config: &mut web::ServiceConfig) {
    config
        .route("/me", web::get().to(me))
        .route("/read", web::get().to(read))
        .route("/write", web::get().to(write))
        .route("/both", web::get().to(both))
        .route("/feed", web::get().to(feed));
}

fn guard(world: &World) -> BearerGuard {
    BearerGuard::new(world.verifier.clone()).realm("notes")
}

/// The parts of a response.
struct Answer {
    status: StatusCode,
    challenge: Option<String>,
    retry_after: Option<String>,
    cache_control: Option<String>,
    body: String,
}

impl Answer {
    async fn of(response: ServiceResponse) -> Self {
        let header = |name| response.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
        let (challenge, retry_after, cache_control) =
            (header(WWW_AUTHENTICATE), header(RETRY_AFTER), header(CACHE_CONTROL));
        let status = response.status();
        let body = String::from_utf8(to_bytes(response.into_body()).await.unwrap().to_vec()).unwrap();
        Self { status, challenge, retry_after, cache_control, body }
    }

    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }

    fn assert_error(&self, status: StatusCode, code: &str) {
        assert_eq!(self.status, status);
        assert_eq!(self.json()["error"], code);
        assert!(self.json()["error_description"].is_string());
        assert_eq!(self.cache_control.as_deref(), Some("no-store"));
        let challenge = self.challenge.as_deref().unwrap();
        assert!(challenge.starts_with(&format!(r#"Bearer realm="notes", error="{code}", error_description=""#)));
    }

    fn assert_bare(&self) {
        assert_eq!(self.status, StatusCode::UNAUTHORIZED);
        assert_eq!(self.challenge.as_deref(), Some(r#"Bearer realm="notes""#));
        assert_eq!(self.cache_control.as_deref(), Some("no-store"));
        // RFC 6750 §3.1 keeps the code out of the challenge; a body is the service's own.
        assert_eq!(
            self.json(),
            json!({"error": "invalid_request", "error_description": "the request has no bearer token"})
        );
    }
}

async fn ask(world: &World, request: TestRequest) -> Answer {
    let app = init_service(App::new().app_data(guard(world)).configure(routes)).await;
    Answer::of(call_service(&app, request.to_request()).await).await
}

async fn get(world: &World, path: &str, authorization: &str) -> Answer {
    ask(world, TestRequest::get().uri(path).insert_header((AUTHORIZATION, authorization))).await
}

#[actix_web::test]
async fn a_valid_token_reaches_the_handler() {
    let world = World::new();
    let claims = claims();
    let token = world.key.sign(&claims).unwrap();
    for path in ["/me", "/read"] {
        let answer = get(&world, path, &format!("Bearer {token}")).await;
        assert_eq!((answer.status, answer.body), (StatusCode::OK, claims.sub.to_string()));
    }
}

#[actix_web::test]
async fn a30_no_token_gets_a_challenge_with_no_error_code() {
    let world = World::new();
    ask(&world, TestRequest::get().uri("/me")).await.assert_bare();
    for other in ["Basic YTpi", "DPoP abc", "Negotiate", ""] {
        get(&world, "/me", other).await.assert_bare();
    }
}

#[actix_web::test]
async fn a31_a_malformed_header_is_an_invalid_request() {
    let world = World::new();
    for header in ["Bearer", "Bearer a b", "Bearer a,b", "Bearer:abc"] {
        get(&world, "/me", header).await.assert_error(StatusCode::BAD_REQUEST, "invalid_request");
    }
    let good = format!("Bearer {}", world.token());
    let twice = TestRequest::get()
        .uri("/me")
        .append_header((AUTHORIZATION, good.as_str()))
        .append_header((AUTHORIZATION, good.as_str()));
    ask(&world, twice).await.assert_error(StatusCode::BAD_REQUEST, "invalid_request");
}

#[actix_web::test]
async fn a31_a_token_in_the_header_and_in_a_form_is_an_invalid_request() {
    let world = World::new();
    let guard = guard(&world);
    let good = format!("Bearer {}", world.token());
    let request = || TestRequest::post().insert_header((AUTHORIZATION, good.as_str()));
    let form = "application/x-www-form-urlencoded";
    let twice = request().insert_header(("content-type", form)).to_http_request();
    let error = guard.refuse_form_token(&twice, b"access_token=x").unwrap_err();
    assert_eq!(error.refusal(), &Refusal::Malformed(Malformed::SentTwice));
    assert_eq!(error.status_code(), StatusCode::BAD_REQUEST);
    assert!(guard.refuse_form_token(&twice, b"all=true").is_ok());
    let other = request().insert_header(("content-type", "text/plain")).to_http_request();
    assert!(guard.refuse_form_token(&other, b"access_token=x").is_ok());
    let alone = TestRequest::post().insert_header(("content-type", form)).to_http_request();
    assert!(
        guard.refuse_form_token(&alone, b"access_token=x").is_ok(),
        "a token in the body alone does not count, so there are not two"
    );
}

#[actix_web::test]
async fn a32_bad_expired_and_revoked_tokens_are_invalid() {
    let world = World::new();
    let claims = claims();
    let token = format!("Bearer {}", world.key.sign(&claims).unwrap());
    for bad in ["Bearer abc", "Bearer a.b.c", &format!("{token}A"), &format!("{token}==")] {
        get(&world, "/me", bad).await.assert_error(StatusCode::UNAUTHORIZED, "invalid_token");
    }
    assert_eq!(get(&world, "/me", &token).await.status, StatusCode::OK);
    world.denied.deny(claims.jti, START + LIFE + 120);
    get(&world, "/me", &token).await.assert_error(StatusCode::UNAUTHORIZED, "invalid_token");
    let other = format!("Bearer {}", world.token());
    world.advance(LIFE);
    get(&world, "/me", &other).await.assert_error(StatusCode::UNAUTHORIZED, "invalid_token");
}

#[actix_web::test]
async fn a33_insufficient_scope_names_the_required_one() {
    let world = World::new();
    let answer = get(&world, "/write", &format!("Bearer {}", world.token())).await;
    answer.assert_error(StatusCode::FORBIDDEN, "insufficient_scope");
    assert!(answer.challenge.unwrap().ends_with(r#", scope="notes:write""#));
    let answer = get(&world, "/both", &format!("Bearer {}", world.token())).await;
    answer.assert_error(StatusCode::FORBIDDEN, "insufficient_scope");
    assert!(answer.challenge.unwrap().ends_with(r#", scope="notes:read notes:write""#));
    let claims = changed(claims(), |it| it.scope = "notes:read notes:write".parse().unwrap());
    let token = world.key.sign(&claims).unwrap();
    assert_eq!(get(&world, "/both", &format!("Bearer {token}")).await.body, "both");
}

#[test]
fn a_type_need_not_be_debug_or_clone_to_be_a_scope() {
    struct Plain;

    impl RequiredScope for Plain {
        fn names() -> Vec<&'static str> {
            vec!["plain"]
        }

        fn allows(_granted: &Scope) -> bool {
            true
        }
    }

    let nobody = MaybeBearer::<Plain>(None);
    assert_eq!(format!("{:?}", nobody.clone()), "MaybeBearer(None)");
}

#[actix_web::test]
async fn a34_a_token_in_the_query_is_ignored() {
    let world = World::new();
    let token = world.token();
    let path = format!("/me?access_token={token}");
    ask(&world, TestRequest::get().uri(&path)).await.assert_bare();
    assert_eq!(get(&world, &path, &format!("Bearer {token}")).await.status, StatusCode::OK);
    get(&world, &path, "Bearer abc").await.assert_error(StatusCode::UNAUTHORIZED, "invalid_token");
}

#[actix_web::test]
async fn a35_the_scheme_is_matched_without_regard_to_case() {
    let world = World::new();
    for scheme in ["Bearer", "bearer", "BEARER", "beArer"] {
        assert_eq!(get(&world, "/me", &format!("{scheme} {}", world.token())).await.status, StatusCode::OK);
    }
}

#[actix_web::test]
async fn a36_each_challenge_parameter_appears_once() {
    let world = World::new();
    let answer = get(&world, "/write", &format!("Bearer {}", world.token())).await;
    let challenge = answer.challenge.unwrap();
    let parameters: Vec<_> =
        challenge.strip_prefix("Bearer ").unwrap().split(", ").map(|part| part.split_once('=').unwrap().0).collect();
    assert_eq!(parameters, ["realm", "error", "error_description", "scope"]);
}

#[actix_web::test]
async fn a_token_that_cannot_be_checked_gets_a_503_with_retry_after() {
    let world = World::new();
    let token = format!("Bearer {}", world.token());
    let assert_later = |answer: &Answer, after: &str| {
        assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(answer.retry_after.as_deref(), Some(after));
        assert_eq!(answer.challenge, None);
        assert_eq!(answer.json()["error"], "temporarily_unavailable");
        assert_eq!(answer.cache_control.as_deref(), Some("no-store"));
    };
    world.denied.set_stale(Some(Duration::from_millis(2_100)));
    for path in ["/me", "/feed"] {
        assert_later(&get(&world, path, &token).await, "3");
    }
    world.denied.set_stale(None);
    world.keys.set_unavailable(Some(Duration::ZERO));
    assert_later(&get(&world, "/me", &format!("Bearer {}", world.token())).await, "1");
}

#[actix_web::test]
async fn optional_means_missing_and_never_invalid() {
    let world = World::new();
    assert_eq!(ask(&world, TestRequest::get().uri("/feed")).await.body, "public");
    assert_eq!(get(&world, "/feed", "Basic YTpi").await.body, "public");
    assert_eq!(get(&world, "/feed", &format!("Bearer {}", world.token())).await.body, "yours");
    get(&world, "/feed", "Bearer abc").await.assert_error(StatusCode::UNAUTHORIZED, "invalid_token");
    get(&world, "/feed", "Bearer").await.assert_error(StatusCode::BAD_REQUEST, "invalid_request");
    let claims = claims();
    world.denied.deny(claims.sid, START + LIFE + 120);
    let revoked = format!("Bearer {}", world.key.sign(&claims).unwrap());
    get(&world, "/feed", &revoked).await.assert_error(StatusCode::UNAUTHORIZED, "invalid_token");
}

#[actix_web::test]
async fn without_a_guard_every_request_is_refused() {
    let world = World::new();
    let app = init_service(App::new().configure(routes)).await;
    for path in ["/me", "/feed"] {
        let good = (AUTHORIZATION, format!("Bearer {}", world.token()));
        let request = TestRequest::get().uri(path).insert_header(good).to_request();
        let answer = Answer::of(call_service(&app, request).await).await;
        assert_eq!(answer.status, StatusCode::INTERNAL_SERVER_ERROR);
        assert_eq!(answer.json()["error"], "server_error");
    }
}

#[actix_web::test]
async fn no_answer_repeats_the_token() {
    let world = World::new();
    let long = changed(claims(), |it| it.roles = vec!["needle".to_owned()]);
    let token = world.key.sign(&long).unwrap();
    world.denied.deny(long.jti, START + LIFE + 120);
    for header in [format!("Bearer {token}"), format!("Bearer {token} needle"), "Bearer needle".to_owned()] {
        let answer = get(&world, "/me", &header).await;
        let said = format!("{}{}", answer.body, answer.challenge.unwrap());
        assert!(!said.contains("needle") && !said.contains(&token[..20]), "{said}");
    }
}
