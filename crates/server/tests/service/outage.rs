//! The server is gone, and comes back where it was.

use ficha_store::testing::TestDatabase;

use crate::place::Place;
use crate::serve::Service;
use crate::world::*;

ficha_store::on_both_databases! {
    async fn a_service_outlives_its_server_by_one_lease_and_serves_again_with_it(database: TestDatabase) {
        let place = Place::free();
        let app = server_at(&database, place).await;
        let service = Service::discover(&place.issuer(), &app).await;
        let (kept, revoked, unseen) = (app.login("alice").await, app.login("alice").await, app.login("alice").await);
        for tokens in [&kept, &revoked] {
            service.takes(&tokens.access).await;
        }
        // Of the same issuer, on the same database; the service knows nothing of it.
        let other = app.another_with(&database, beside(place)).await;
        let gone = app.end().await;
        service.clock.advance(LEASE - TICK);
        service.takes(&kept.access).await;
        service.takes(&unseen.access).await;
        revoke(&other, &revoked.refresh).await;
        // The last of the lease: this much is promised, and not a moment more.
        service.takes(&revoked.access).await;
        service.clock.advance(TICK);
        for tokens in [&kept, &unseen, &revoked] {
            service.vouches_for_nothing(&tokens.access).await;
        }
        service.clock.advance(seconds(200));
        service.vouches_for_nothing(&revoked.access).await;

        let app = gone.start_with(&database, at(place)).await;
        service.comes_to_take(&kept.access).await;
        // Whoever is served again is served by a list that has what came meanwhile.
        service.refuses(&revoked.access).await;
        service.takes(&unseen.access).await;
        revoke(&app, &unseen.access).await;
        service.comes_to_refuse(&unseen.access).await;
    }

    async fn a_server_that_is_started_again_within_the_lease_is_not_missed(database: TestDatabase) {
        let place = Place::free();
        let mut app = server_at(&database, place).await;
        let service = Service::discover(&place.issuer(), &app).await;
        let kept = app.login("alice").await;
        let mut revoked = Vec::new();
        for _ in 0..3 {
            let before = app.login("alice").await;
            service.takes(&before.access).await;
            let other = app.another_with(&database, beside(place)).await;
            let gone = app.end().await;
            service.clock.advance(seconds(20));
            service.takes(&kept.access).await;
            revoke(&other, &before.access).await;
            drop(other);
            app = gone.start_with(&database, at(place)).await;
            // Never 503 on the way: the lease still runs.
            service.comes_to_refuse(&before.access).await;
            revoked.push(before);
            for tokens in &revoked {
                service.refuses(&tokens.access).await;
            }
            service.takes(&kept.access).await;
        }
        assert_eq!(service.resets(), 0, "its cursor is as good at the next server");
    }
}
