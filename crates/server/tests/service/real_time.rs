//! The machine's own clocks; the other tests move theirs by hand.

use std::sync::Arc;
use std::time::Duration;

use ficha_authority::Cost;
use ficha_store::testing::TestDatabase;
use ficha_token::{Clock, ManualClock, SystemClock};
use futures_util::future::join_all;
use tokio::time::Instant;

use crate::place::Place;
use crate::serve::{ROUTES, Service};
use crate::support::*;
use ficha_testing::App;

/// The shortest possible lease.
const LEASE: Duration = Duration::from_secs(5);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_the_real_clock_a_lease_ends_without_a_server_but_not_with_a_busy_one() {
    tokio::join!(busy(), gone());
}

async fn server_and_service() -> (TestDatabase, App, Service) {
    let database = TestDatabase::sqlite().await;
    let place = Place::free();
    let expensive = Cost::try_from(9).expect("9 is a valid cost");
    let app = server_with(&database, place, |options| options.settings.password.bcrypt_cost = expensive).await;
    let unused = ManualClock::new(app.clock.now());
    let real = |builder: ficha_resource::BearerBuilder| builder.clock(Arc::new(SystemClock)).lease(LEASE);
    let service = Service::with_clock(&place.issuer(), unused, real).await;
    (database, app, service)
}

/// With every thread hashing passwords, the lease does not end.
async fn busy() {
    let (_database, app, service) = server_and_service().await;
    let kept = app.login("alice").await;
    let end = Instant::now() + LEASE + Duration::from_secs(1);
    let logins = join_all((0..8).map(|_| async {
        while Instant::now() < end {
            app.login("alice").await;
        }
    }));
    let requests = async {
        while Instant::now() < end {
            assert_eq!(service.get(ROUTES[0], &kept.access).await.status, 200);
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::join!(logins, requests);
}

async fn gone() {
    let (_database, app, service) = server_and_service().await;
    let kept = app.login("alice").await;
    service.accepts(&kept.access).await;
    app.end().await;
    let ended = Instant::now();
    eventually("the lease ends", async || service.get(ROUTES[0], &kept.access).await.status == 503).await;
    // One second of tolerance for a busy machine.
    assert!(ended.elapsed() < LEASE + Duration::from_secs(1), "{:?}", ended.elapsed());
    service.is_unavailable(&kept.access).await;
}
