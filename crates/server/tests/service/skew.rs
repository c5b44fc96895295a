//! The clocks of the service and the server differ.

use std::time::Duration;

use ficha_store::testing::TestDatabase;
use ficha_token::{Clock, ManualClock};

use crate::place::Place;
use crate::serve::Service;
use crate::support::*;
use ficha_testing::{App, Tokens};

/// A service whose clock is this many seconds ahead of the server's.
async fn service_ahead(place: Place, app: &App, ahead: i64, leeway: u64) -> Service {
    let clock = ManualClock::new(app.clock.now() + time::Duration::seconds(ahead));
    Service::with_clock(&place.issuer(), clock, |builder| builder.leeway(seconds(leeway))).await
}

/// Advances the clock of the service, and waits until it is current again.
async fn advance_to(service: &Service, moment: i64, kept: &Tokens) {
    let by = u64::try_from(moment - service.clock.unix_now()).expect("time goes forward");
    service.clock.advance(Duration::from_secs(by));
    service.soon_accepts(&kept.access).await;
}

fn exp(tokens: &Tokens) -> i64 {
    tokens.claims()["exp"].as_i64().expect("a whole number")
}

async fn server() -> (TestDatabase, Place, App) {
    let database = TestDatabase::sqlite().await;
    let place = Place::free();
    let app = server_at(&database, place).await;
    (database, place, app)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_clock_twenty_seconds_off_is_within_the_leeway() {
    let (_database, place, app) = server().await;
    for ahead in [-20, 20] {
        let service = service_ahead(place, &app, ahead, 30).await;
        let tokens = app.login("alice").await;
        service.accepts(&tokens.access).await;
        // The token's last second by the server's clock.
        advance_to(&service, exp(&tokens) - 1 + ahead, &tokens).await;
        // The last second of the leeway, by the service's own clock.
        advance_to(&service, exp(&tokens) + 29, &tokens).await;
        service.clock.advance(seconds(1));
        service.rejects(&tokens.access).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_leeway_a_clock_that_is_ahead_costs_tokens_their_last_seconds() {
    let (_database, place, app) = server().await;
    let service = service_ahead(place, &app, 20, 0).await;
    let tokens = app.login("alice").await;
    service.accepts(&tokens.access).await;
    advance_to(&service, exp(&tokens) - 1, &tokens).await;
    service.clock.advance(seconds(1));
    service.rejects(&tokens.access).await;
    app.advance(Duration::from_secs(u64::try_from(exp(&tokens) - 20 - app.clock.unix_now()).expect("it is ahead")))
        .await;
    assert_eq!(app.me(&tokens.access).await, 200, "the server still takes it, for 20 s");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_from_too_far_in_the_future_is_refused() {
    let (_database, place, app) = server().await;
    let tokens = app.login("alice").await;
    // `iat` may be 60 s ahead, plus the leeway.
    for (leeway, most) in [(0, 60), (30, 90)] {
        service_ahead(place, &app, -most, leeway).await.accepts(&tokens.access).await;
        service_ahead(place, &app, -most - 1, leeway).await.rejects(&tokens.access).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_revoked_token_is_refused_whatever_the_clocks_say() {
    for (ahead, leeway) in [(-59, 60), (-20, 30), (20, 30), (59, 60)] {
        let (_database, place, app) = server().await;
        let (kept, revoked) = (app.login("alice").await, app.login("alice").await);
        let service = service_ahead(place, &app, ahead, leeway).await;
        service.accepts(&revoked.access).await;
        revoke(&app, &revoked.access).await;
        service.soon_rejects(&revoked.access).await;
        let (exp, mut taken_late) = (exp(&kept), 0);
        // By the server's clock. Entries leave the list 120 s after the last token that they cover has expired.
        for moment in [exp - 300, exp - 1, exp, exp + 30, exp + 59, exp + 118, exp + 119, exp + 120, exp + 150] {
            let by = Duration::from_secs(u64::try_from(moment - app.clock.unix_now()).expect("time goes forward"));
            app.advance(by).await;
            // Another row, so that earlier responses are outdated and the old row is no longer kept as the newest.
            revoke(&app, &app.login("alice").await.access).await;
            app.store.prune_denylist(app.clock.unix_now(), 100).await.expect("the database answers");
            service.clock.advance(by);
            // A service that was running at the time, and a service that starts now and reads the current list.
            let new = service_ahead(place, &app, ahead, leeway).await;
            for service in [&service, &new] {
                service.rejects(&revoked.access).await;
            }
            let now = new.clock.unix_now();
            if now < exp + leeway as i64 {
                new.accepts(&kept.access).await;
                taken_late += i64::from(now >= exp);
            } else {
                new.rejects(&kept.access).await;
            }
        }
        assert!(taken_late > 0, "some of it happened while only the list could refuse the token");
    }
}
