//! The server answers, but has no database.

use ficha_store::testing::TestDatabase;

use crate::place::Place;
use crate::serve::Service;
use crate::support::*;
use ficha_testing::wire::Wire;
use ficha_testing::{App, Tokens};

ficha_store::on_both_databases! {
    async fn a_server_without_its_database_renews_no_lease(database: TestDatabase) {
        let place = Place::free();
        let app = server_at(&database, place).await;
        let service = Service::discover(&place.issuer(), &app).await;
        let kept = app.login("alice").await;
        service.accepts(&kept.access).await;
        let raw = database.raw().await;
        raw.take_away("denylist_head").await;
        runs_out(&app, &service, &kept).await;
        raw.give_back("denylist_head").await;
        service.soon_accepts(&kept.access).await;
        revoke(&app, &kept.access).await;
        service.soon_rejects(&kept.access).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_whose_database_has_gone_silent_renews_no_lease() {
    let Some(database) = TestDatabase::postgres().await else { return };
    let place = Place::free();
    let other = server_at(&database, place).await;
    let wire = Wire::to(&database).await;
    let direct = other.another_with(&database, on_another_port(place)).await;
    let app = other.end().await.start_with(&database, |options| {
        at(place)(options);
        options.store_url = Some(wire.url());
    });
    let app = app.await;
    let service = Service::discover(&place.issuer(), &app).await;
    let (kept, revoked) = (app.login("alice").await, app.login("alice").await);
    for tokens in [&kept, &revoked] {
        service.accepts(&tokens.access).await;
    }
    wire.silence();
    // The server that the service follows can't learn of this.
    revoke(&direct, &revoked.access).await;
    runs_out(&app, &service, &kept).await;
    service.is_unavailable(&revoked.access).await;
    wire.resume();
    service.soon_accepts(&kept.access).await;
    service.rejects(&revoked.access).await;
}

/// Runs out the lease of the service while its server, which has just lost its database, vouches for nothing.
async fn runs_out(app: &App, service: &Service, kept: &Tokens) {
    let failed = service.polls_failed();
    app.clock.advance(seconds(3));
    service.fails_to_poll(failed, 2).await;
    service.clock.advance(LEASE - TICK);
    service.accepts(&kept.access).await;
    service.clock.advance(TICK);
    service.is_unavailable(&kept.access).await;
    service.fails_to_poll(service.polls_failed(), 1).await;
    service.is_unavailable(&kept.access).await;
}
