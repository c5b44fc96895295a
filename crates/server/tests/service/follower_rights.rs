//! The service follows as a client, and that client is disabled.

use ficha_store::testing::TestDatabase;
use ficha_testing::tester;
use ficha_token::{Clock, ManualClock};

use crate::place::Place;
use crate::serve::Service;
use crate::support::*;

ficha_store::on_both_databases! {
    async fn a_service_that_may_no_longer_follow_vouches_for_nothing_after_its_lease(database: TestDatabase) {
        let place = Place::free();
        let app = server_with(&database, place, |options| options.settings.denylist.anonymous = Some(false)).await;
        let client = app.add_client("notes-api", |new| new.serves = vec![AUDIENCE.to_owned()]).await;
        let clock = ManualClock::new(app.clock.now());
        let service =
            Service::with_clock(&place.issuer(), clock, |builder| builder.credentials(&client.id, &client.secret)).await;
        let (kept, revoked) = (app.login("alice").await, app.login("alice").await);
        for tokens in [&kept, &revoked] {
            service.accepts(&tokens.access).await;
        }
        app.admin.set_client_enabled(&tester(), &client.id, false).await.expect("the client is there");
        // This wakes its poll, which no longer learns why.
        revoke(&app, &revoked.access).await;
        service.fails_to_poll(0, 1).await;
        service.clock.advance(LEASE - TICK);
        service.accepts(&kept.access).await;
        service.clock.advance(TICK);
        for tokens in [&kept, &revoked] {
            service.is_unavailable(&tokens.access).await;
        }
    }
}
