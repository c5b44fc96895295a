//! Guarding a whole scope.

use actix_web::http::StatusCode;
use actix_web::http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use actix_web::middleware::DefaultHeaders;
use actix_web::test::{TestRequest, call_service, init_service, read_body};
use actix_web::{App, web};
use ficha_resource::{Bearer, BearerGuard, RequireScopes, scopes};

use crate::support::{World, changed, claims};

scopes! { Admin = "notes:admin"; }

async fn hello() -> &'static str {
    "hello"
}

async fn who(user: Bearer) -> String {
    user.claims.sub.to_string()
}

async fn admin(_user: Bearer<Admin>) -> &'static str {
    "admin"
}

fn guard(world: &World) -> BearerGuard {
    BearerGuard::new(world.verifier.clone()).realm("notes")
}

fn token(world: &World, scope: &str) -> String {
    world.key.sign(&changed(claims(), |it| it.scope = scope.parse().unwrap())).unwrap()
}

/// Status and challenge of `GET /` behind `required`, with a token of this scope or with none.
async fn ask(world: &World, required: RequireScopes, scope: Option<&str>) -> (StatusCode, Option<String>) {
    let app = init_service(App::new().service(web::scope("").wrap(required).route("/", web::get().to(hello)))).await;
    let mut request = TestRequest::get().uri("/");
    if let Some(scope) = scope {
        request = request.insert_header((AUTHORIZATION, format!("Bearer {}", token(world, scope))));
    }
    let response = call_service(&app, request.to_request()).await;
    let challenge = response.headers().get(WWW_AUTHENTICATE).map(|value| value.to_str().unwrap().to_owned());
    (response.status(), challenge)
}

#[actix_web::test]
async fn a30_a_guarded_scope_asks_for_a_token() {
    let world = World::new();
    let (status, challenge) = ask(&world, guard(&world).require("notes:admin"), None).await;
    assert_eq!((status, challenge.as_deref()), (StatusCode::UNAUTHORIZED, Some(r#"Bearer realm="notes""#)));
}

#[actix_web::test]
async fn a33_a_guarded_scope_asks_for_its_scope() {
    let world = World::new();
    let (status, challenge) = ask(&world, guard(&world).require("notes:admin"), Some("notes:read")).await;
    assert_eq!(status, StatusCode::FORBIDDEN);
    assert!(challenge.unwrap().ends_with(r#"error="insufficient_scope", error_description="the token does not have the required scope", scope="notes:admin""#));
    let (status, _) = ask(&world, guard(&world).require("notes:admin"), Some("notes:admin notes:read")).await;
    assert_eq!(status, StatusCode::OK);
}

#[actix_web::test]
async fn all_means_each_of_them_and_any_means_one() {
    let world = World::new();
    let all = || guard(&world).require_all(["a", "b"]);
    let any = || guard(&world).require_any(["a", "b"]);
    assert_eq!(ask(&world, all(), Some("a b c")).await.0, StatusCode::OK);
    let (status, challenge) = ask(&world, all(), Some("a")).await;
    assert_eq!(status, StatusCode::FORBIDDEN);
    assert!(challenge.unwrap().ends_with(r#"scope="a b""#));
    assert_eq!(ask(&world, any(), Some("b")).await.0, StatusCode::OK);
    let (status, challenge) = ask(&world, any(), Some("c")).await;
    assert_eq!(status, StatusCode::FORBIDDEN);
    assert!(challenge.unwrap().ends_with(r#"scope="a""#));
}

#[actix_web::test]
async fn all_of_nothing_is_any_token() {
    let world = World::new();
    let none: [&str; 0] = [];
    assert_eq!(ask(&world, guard(&world).require_all(none), Some("a")).await.0, StatusCode::OK);
    assert_eq!(ask(&world, guard(&world).require_token(), Some("")).await.0, StatusCode::OK);
    assert_eq!(ask(&world, guard(&world).require_token(), None).await.0, StatusCode::UNAUTHORIZED);
}

#[actix_web::test]
async fn what_no_token_can_have_stops_the_service_when_it_starts() {
    let world = World::new();
    let guard = guard(&world);
    let panics = |make: &dyn Fn()| {
        let panic = std::panic::catch_unwind(std::panic::AssertUnwindSafe(make)).unwrap_err();
        *panic.downcast::<String>().unwrap()
    };
    for name in ["", "a b", "a\"b", "ü"] {
        assert!(panics(&|| drop(guard.require(name))).contains("no token can have the scope"), "{name:?}");
        assert!(panics(&|| drop(guard.require_role(name))).contains("no token can have the role"), "{name:?}");
    }
    let none: [&str; 0] = [];
    assert!(panics(&|| drop(guard.require_any(none))).contains("no scope is named"));
    assert!(panics(&|| drop(guard.require_any_role(none))).contains("no role is named"));
}

#[actix_web::test]
async fn extractors_behind_the_middleware_need_no_app_data_and_verify_nothing_twice() {
    let world = World::new();
    let scope = web::scope("").wrap(guard(&world).require("a")).route("/who", web::get().to(who));
    let app = init_service(App::new().service(scope.route("/admin", web::get().to(admin)))).await;
    let request = |path: &str| {
        TestRequest::get()
            .uri(path)
            .insert_header((AUTHORIZATION, format!("Bearer {}", token(&world, "a"))))
            .to_request()
    };
    let response = call_service(&app, request("/who")).await;
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(read_body(response).await.len(), 36);
    let stats = world.verifier.stats();
    assert_eq!((stats.hits, stats.misses), (0, 1));
    assert_eq!(call_service(&app, request("/admin")).await.status(), StatusCode::FORBIDDEN);
}

#[actix_web::test]
async fn an_extractor_trusts_only_its_own_guard() {
    let (outer, inner) = (World::new(), World::new());
    let scope = web::scope("").wrap(guard(&outer).require("a")).route("/who", web::get().to(who));
    let app = init_service(App::new().app_data(guard(&inner)).service(scope)).await;
    let header = (AUTHORIZATION, format!("Bearer {}", token(&outer, "a")));
    let request = TestRequest::get().uri("/who").insert_header(header).to_request();
    assert_eq!(call_service(&app, request).await.status(), StatusCode::UNAUTHORIZED);
}

#[actix_web::test]
async fn the_middleware_outside_sees_a_refusal_as_a_response() {
    let world = World::new();
    let scope = web::scope("").wrap(guard(&world).require("a")).route("/", web::get().to(hello));
    let app = init_service(App::new().wrap(DefaultHeaders::new().add(("x-outside", "1"))).service(scope)).await;
    let response = call_service(&app, TestRequest::get().uri("/").to_request()).await;
    assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
    assert!(response.headers().contains_key("x-outside"));
}
