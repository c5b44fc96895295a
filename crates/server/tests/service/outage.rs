//! The server goes away, and comes back at the same address.

use ficha_store::testing::TestDatabase;

use crate::place::Place;
use crate::serve::Service;
use crate::support::*;

ficha_store::on_both_databases! {
    async fn a_service_outlives_its_server_by_one_lease_and_serves_again_with_it(database: TestDatabase) {
        let place = Place::free();
        let app = server_at(&database, place).await;
        let service = Service::discover(&place.issuer(), &app).await;
        let (kept, revoked, unseen) = (app.login("alice").await, app.login("alice").await, app.login("alice").await);
        for tokens in [&kept, &revoked] {
            service.accepts(&tokens.access).await;
        }
        // Another server of the same issuer and database, unknown to the service.
        let other = app.another_with(&database, on_another_port(place)).await;
        let gone = app.end().await;
        service.clock.advance(LEASE - TICK);
        service.accepts(&kept.access).await;
        service.accepts(&unseen.access).await;
        revoke(&other, &revoked.refresh).await;
        // The service works to the very end of its lease, and not a moment longer.
        service.accepts(&revoked.access).await;
        service.clock.advance(TICK);
        for tokens in [&kept, &unseen, &revoked] {
            service.is_unavailable(&tokens.access).await;
        }
        service.clock.advance(seconds(200));
        service.is_unavailable(&revoked.access).await;

        let app = gone.start_with(&database, at(place)).await;
        service.soon_accepts(&kept.access).await;
        // By the time the service accepts tokens again, its list includes what was revoked meanwhile.
        service.rejects(&revoked.access).await;
        service.accepts(&unseen.access).await;
        revoke(&app, &unseen.access).await;
        service.soon_rejects(&unseen.access).await;
    }

    async fn a_server_restart_within_the_lease_goes_unnoticed(database: TestDatabase) {
        let place = Place::free();
        let mut app = server_at(&database, place).await;
        let service = Service::discover(&place.issuer(), &app).await;
        let kept = app.login("alice").await;
        let mut revoked = Vec::new();
        for _ in 0..3 {
            let before = app.login("alice").await;
            service.accepts(&before.access).await;
            let other = app.another_with(&database, on_another_port(place)).await;
            let gone = app.end().await;
            service.clock.advance(seconds(20));
            service.accepts(&kept.access).await;
            revoke(&other, &before.access).await;
            drop(other);
            app = gone.start_with(&database, at(place)).await;
            // Never 503 in between: the lease is still running.
            service.soon_rejects(&before.access).await;
            revoked.push(before);
            for tokens in &revoked {
                service.rejects(&tokens.access).await;
            }
            service.accepts(&kept.access).await;
        }
        assert_eq!(service.resets(), 0, "its cursor is valid at the next server");
    }
}
