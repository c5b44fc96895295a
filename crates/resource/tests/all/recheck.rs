//! Checking a token again in what outlives its request.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use actix_web::web::{self, Bytes, Data};
use actix_web::{HttpResponse, Responder};
use ficha_resource::{Bearer, OAuth2PasswordBearer, OnStale, Refusal, TestIssuer, VerifyError};
use ficha_token::TokenError;
use reqwest::Method;
use tokio::sync::Semaphore;

use crate::service::Service;

/// Lets a test release one event at a time.
type Gate = Arc<Semaphore>;

async fn events(user: Bearer, gate: Data<Gate>) -> impl Responder {
    let events = futures_util::stream::unfold((user, gate), |(user, gate)| async move {
        gate.acquire().await.unwrap().forget();
        user.recheck().ok()?;
        Some((Ok::<_, Infallible>(Bytes::from("data: tick\n\n")), (user, gate)))
    });
    HttpResponse::Ok().content_type("text/event-stream").streaming(events)
}

/// A service, and the gate that releases its events.
fn service(oauth2: OAuth2PasswordBearer) -> (Service, Gate) {
    let gate = Gate::new(Semaphore::new(0));
    let data = Data::new(Arc::clone(&gate));
    let service = Service::start(move |config| {
        config.app_data(oauth2.clone()).app_data(data.clone()).route("/events", web::get().to(events));
    });
    (service, gate)
}

async fn open(service: &Service, token: &str) -> reqwest::Response {
    let request = service.request(Method::GET, "/events").bearer_auth(token);
    let response = request.send().await.unwrap();
    assert_eq!(response.status(), 200);
    response
}

/// The next event, or `None` if the stream has ended.
async fn next(response: &mut reqwest::Response, gate: &Gate) -> Option<String> {
    gate.add_permits(1);
    let chunk = tokio::time::timeout(Duration::from_secs(10), response.chunk()).await.expect("an event or the end");
    chunk.unwrap().map(|bytes| String::from_utf8(bytes.to_vec()).unwrap())
}

#[actix_web::test]
async fn a_stream_ends_when_its_token_is_no_longer_valid() {
    type End = fn(&TestIssuer, &str);
    let ends: [(&str, End); 6] = [
        ("revoked", |issuer, token| issuer.revoke(token)),
        ("session revoked", |issuer, token| issuer.revoke_session(token)),
        ("key purged", |issuer, _| issuer.purge_key()),
        ("key gone", |issuer, _| {
            issuer.rotate_key();
            issuer.forget_old_keys();
        }),
        ("expired", |issuer, _| issuer.advance(Duration::from_secs(600))),
        ("stale", |issuer, _| issuer.set_stale(true)),
    ];
    for (name, end) in ends {
        let issuer = TestIssuer::new();
        let (service, gate) = service(issuer.oauth2());
        let token = issuer.token().sign();
        let mut stream = open(&service, &token).await;
        for _ in 0..2 {
            assert_eq!(next(&mut stream, &gate).await.as_deref(), Some("data: tick\n\n"), "{name}");
        }
        end(&issuer, &token);
        assert_eq!(next(&mut stream, &gate).await, None, "{name}");
    }
}

async fn again(user: Bearer, issuer: Data<TestIssuer>) -> String {
    let mut said = Vec::new();
    let mut look = || said.push(user.recheck().map_err(|error| (error.refusal().clone(), error.is_temporary())));
    look();
    issuer.set_stale(true);
    look();
    issuer.set_stale(false);
    issuer.advance(Duration::from_secs(600));
    look();
    assert_eq!(said[0], Ok(()));
    assert!(matches!(said[2], Err((Refusal::Token(VerifyError::Invalid(TokenError::Expired)), false))));
    match &said[1] {
        Ok(()) => "fresh enough".to_owned(),
        Err((Refusal::Token(VerifyError::Stale { .. }), true)) => "stale".to_owned(),
        other => format!("{other:?}"),
    }
}

#[actix_web::test]
async fn recheck_marks_temporary_errors_and_keeps_to_the_routes_choice() {
    for kind in ["one", "several"] {
        for (path, expected) in [("/again", "stale"), ("/lenient/again", "fresh enough")] {
            let issuer = TestIssuer::new();
            let (oauth2, data) = (issuer.oauth2(), Data::new(issuer.clone()));
            let other = TestIssuer::named("https://other.test").oauth2();
            let service = Service::start(move |config| {
                config
                    .app_data(data.clone())
                    .route("/again", web::get().to(again))
                    .service(web::scope("/lenient").app_data(OnStale::Accept).route("/again", web::get().to(again)));
                if kind == "one" {
                    config.app_data(oauth2.clone());
                } else {
                    config.app_data(OAuth2PasswordBearer::any_of([other.clone(), oauth2.clone()]));
                }
            });
            let answer = service.get(path, &issuer.token().sign()).await;
            assert_eq!((answer.status, answer.body.as_str()), (200, expected), "{kind} {path}");
        }
    }
}
