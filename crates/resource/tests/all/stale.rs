//! How a service, or a part of it, treats a stale denylist.

use actix_web::web;
use ficha_resource::{Bearer, BearerGuard, ErrorBody, MaybeBearer, OAuth2PasswordBearer, OnStale, TestIssuer};
use serde_json::json;

use crate::service::Service;

async fn me(user: Bearer) -> String {
    user.claims.sub.to_string()
}

async fn feed(_user: MaybeBearer) -> &'static str {
    "feed"
}

async fn hello() -> &'static str {
    "hello"
}

fn service(issuer: &TestIssuer) -> Service {
    let oauth2 = issuer.oauth2();
    Service::start(move |config| {
        let me = || web::get().to(me);
        let lenient = || oauth2.require_token().on_stale(OnStale::Accept);
        config
            .app_data(oauth2.clone())
            .route("/me", me())
            .route("/feed", web::get().to(feed))
            .service(web::scope("/guarded").wrap(oauth2.require_token()).route("", web::get().to(hello)))
            // Four ways to accept a stale list in one part of an application.
            .service(web::scope("/data").app_data(OnStale::Accept).route("", me()))
            .service(
                web::scope("/both")
                    .app_data(OnStale::Accept)
                    .wrap(oauth2.require_token())
                    .route("", web::get().to(hello)),
            )
            .service(web::scope("/middleware").wrap(lenient()).route("", me()))
            .service(
                web::scope("/guard").app_data(BearerGuard::from(&oauth2).on_stale(OnStale::Accept)).route("", me()),
            )
            // The handler is stricter than the middleware in front of it.
            .service(
                web::scope("/stricter")
                    .wrap(lenient())
                    .service(web::scope("/within").app_data(OnStale::Refuse).route("", me())),
            );
    })
}

const ACCEPTING: [&str; 4] = ["/data", "/both", "/middleware", "/guard"];
const REFUSING: [&str; 4] = ["/me", "/feed", "/guarded", "/stricter/within"];

#[actix_web::test]
async fn with_a_stale_list_requests_get_a_503_with_retry_after() {
    let issuer = TestIssuer::new();
    let service = service(&issuer);
    let seen = issuer.token().sign();
    service.get("/me", &seen).await.assert_ok();
    issuer.set_stale(true);
    for path in REFUSING {
        service.get(path, &seen).await.assert_try_later();
        service.get(path, &issuer.token().sign()).await.assert_try_later();
    }
    // An invalid token is still invalid.
    service.get("/me", "abc").await.assert_error(401, "invalid_token");
    issuer.set_stale(false);
    for path in REFUSING {
        service.get(path, &seen).await.assert_ok();
    }
}

#[actix_web::test]
async fn routes_that_accept_a_stale_list_still_refuse_known_revocations() {
    let issuer = TestIssuer::new();
    let service = service(&issuer);
    let (good, revoked) = (issuer.token().sign(), issuer.token().sign());
    issuer.revoke(&revoked);
    for stale in [false, true] {
        issuer.set_stale(stale);
        for path in ACCEPTING {
            service.get(path, &good).await.assert_ok();
            service.get(path, &revoked).await.assert_error(401, "invalid_token");
        }
    }
}

#[actix_web::test]
async fn each_of_several_issuers_is_stale_on_its_own() {
    let (one, two) = (TestIssuer::new(), TestIssuer::named("https://two.test"));
    let both = OAuth2PasswordBearer::any_of([one.oauth2(), two.oauth2()]);
    let service = Service::start(move |config| {
        config
            .app_data(both.clone())
            .route("/me", web::get().to(me))
            .service(web::scope("/data").app_data(OnStale::Accept).route("", web::get().to(me)));
    });
    one.set_stale(true);
    service.get("/me", &one.token().sign()).await.assert_try_later();
    service.get("/me", &two.token().sign()).await.assert_ok();
    service.get("/data", &one.token().sign()).await.assert_ok();
}

#[actix_web::test]
async fn a_custom_error_body_keeps_retry_after() {
    let issuer = TestIssuer::new();
    let oauth2 = issuer.oauth2();
    let service = Service::start(move |config| {
        let body = ErrorBody::new(|error, mut response| response.json(json!({"again": error.is_temporary()})));
        config.app_data(oauth2.error_body(body)).route("/me", web::get().to(me));
    });
    issuer.set_stale(true);
    let answer = service.get("/me", &issuer.token().sign()).await;
    assert_eq!((answer.status, answer.retry_after.as_deref()), (503, Some("1")));
    assert_eq!(answer.json(), json!({"again": true}));
}
