//! Extractors and middleware with keys and denylist from the network.

use actix_web::test::{TestRequest, call_service, init_service};
use actix_web::{App, web};
use ficha_resource::{Bearer, BearerGuard, OAuth2PasswordBearer, OnStale};

use crate::server::key_set;
use crate::support::{FAR, UNKNOWN_KEY, World, eventually, is_denied, new_key};

async fn me(_user: Bearer) -> &'static str {
    "you"
}

async fn hello() -> &'static str {
    "hello"
}

fn routes(config: &mut web::ServiceConfig, oauth2: &OAuth2PasswordBearer) {
    let several = OAuth2PasswordBearer::any_of([oauth2.clone()]);
    config
        .route("/extractor", web::get().to(me))
        .service(web::scope("/lenient").app_data(OnStale::Accept).route("", web::get().to(me)))
        .service(web::scope("/middleware").wrap(oauth2.require("notes:read")).route("", web::get().to(hello)))
        .service(web::scope("/several").wrap(several.require("notes:read")).route("", web::get().to(hello)));
}

async fn status(oauth2: &OAuth2PasswordBearer, path: &str, token: &str) -> u16 {
    let app = App::new().app_data(oauth2.clone()).configure(|config| routes(config, oauth2));
    let app = init_service(app).await;
    let request = TestRequest::get().uri(path).insert_header(("authorization", format!("Bearer {token}")));
    call_service(&app, request.to_request()).await.status().as_u16()
}

#[actix_web::test]
async fn the_first_request_with_a_new_key_waits_for_it_and_passes() {
    for path in ["/extractor", "/lenient", "/middleware", "/several"] {
        let world = World::new().await;
        let oauth2 = world.service().build().await.unwrap();
        let new = new_key();
        world.server.change(|state| state.jwks = key_set(&[&world.key, &new]));
        world.advance(6);
        let token = new.sign(&world.claims()).unwrap();
        assert_eq!(status(&oauth2, path, &token).await, 200, "{path}");
        world.advance(6);
        let made_up = new_key().sign(&world.claims()).unwrap();
        assert_eq!(status(&oauth2, path, &made_up).await, 401, "{path}");
    }
}

#[actix_web::test]
async fn revocations_in_the_feed_are_enforced_by_extractors_and_middleware() {
    let world = World::new().await;
    let oauth2 = world.service().build().await.unwrap();
    let claims = world.claims();
    let token = world.key.sign(&claims).unwrap();
    let paths = ["/extractor", "/lenient", "/middleware", "/several"];
    for path in paths {
        assert_eq!(status(&oauth2, path, &token).await, 200, "{path}");
    }
    world.server.deny(claims.jti, FAR);
    eventually("the token is on the list", || is_denied(&oauth2, &token)).await;
    for path in paths {
        assert_eq!(status(&oauth2, path, &token).await, 401, "{path}");
    }
}

#[actix_web::test]
async fn a_guard_of_ones_own_waits_for_a_new_key_unless_it_must_not() {
    let world = World::new().await;
    let oauth2 = world.service().build().await.unwrap();
    let new = new_key();
    world.server.change(|state| state.jwks = key_set(&[&world.key, &new]));
    let token = new.sign(&world.claims()).unwrap();
    let guard = BearerGuard::from(&oauth2);
    assert_eq!(guard.verify_now(&token).map(|_| ()), Err(UNKNOWN_KEY));
    let request = TestRequest::get().insert_header(("authorization", format!("Bearer {token}"))).to_http_request();
    assert!(guard.verify_headers(request.headers()).await.unwrap().is_some());
    let nothing = TestRequest::get().to_http_request();
    assert!(guard.verify_headers(nothing.headers()).await.unwrap().is_none());
    let verified = guard.verify(&token).await.unwrap();
    assert_eq!(guard.recheck(&verified), Ok(()));
    world.server.deny(verified.claims.jti, FAR);
    eventually("the token is on the list", || guard.recheck(&verified).is_err()).await;
}
