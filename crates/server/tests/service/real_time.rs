//! The machine's own clocks, which the other tests put in a test's hands.

use std::sync::Arc;
use std::time::Duration;

use ficha_authority::Cost;
use ficha_store::testing::TestDatabase;
use ficha_token::{Clock, ManualClock, SystemClock};
use futures_util::future::join_all;
use tokio::time::Instant;

use crate::place::Place;
use crate::serve::{ROUTES, Service};
use crate::world::*;

/// The shortest that there is.
const LEASE: Duration = Duration::from_secs(5);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_shortest_lease_does_not_end_at_a_busy_server_and_ends_in_time_without_one() {
    let database = TestDatabase::sqlite().await;
    let place = Place::free();
    let app = server_with(&database, place, |options| {
        options.settings.password.bcrypt_cost = Cost::try_from(9).expect("9 is a cost");
    })
    .await;
    let clock = ManualClock::new(app.clock.now());
    let real = |builder: ficha_resource::Builder| builder.clock(Arc::new(SystemClock)).lease(LEASE);
    let service = Service::with_clock(&place.issuer(), clock, real).await;
    let kept = app.login("alice").await;

    let busy_until = Instant::now() + LEASE + Duration::from_secs(1);
    let logins = join_all((0..8).map(|_| async {
        while Instant::now() < busy_until {
            app.login("alice").await;
        }
    }));
    let requests = async {
        while Instant::now() < busy_until {
            assert_eq!(service.get(ROUTES[0], &kept.access).await.status, 200);
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::join!(logins, requests);
    assert_eq!(service.polls_failed(), 0);

    app.end().await;
    let ended = Instant::now();
    eventually("the lease ends", async || service.get(ROUTES[0], &kept.access).await.status == 503).await;
    // A second of grace for a machine that has much to do.
    assert!(ended.elapsed() < LEASE + Duration::from_secs(1), "{:?}", ended.elapsed());
}
