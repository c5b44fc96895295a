//! The server's database is restored from an older copy. The service keeps following, and forgets nothing.

use ficha_store::testing::TestDatabase;

use crate::copy::copy_of;
use crate::place::Place;
use crate::serve::Service;
use crate::support::*;
use ficha_testing::{App, Tokens, tester};

/// A server on the restored copy of its database, and a service that has followed it throughout.
struct Restored {
    place: Place,
    app: App,
    service: Service,
    /// Revoked before the copy was made.
    early: Tokens,
    /// Revoked after the copy was made, so the database lost it.
    lost: Vec<Tokens>,
    /// Revoked on the copy before the service connected to it.
    meanwhile: Vec<Tokens>,
    /// Not revoked.
    others: Vec<Tokens>,
    // Dropped last.
    _copy: TestDatabase,
}

/// With `ahead`, the copy gets new rows before the service connects to it.
async fn restore(database: &TestDatabase, ahead: bool) -> Restored {
    let place = Place::free();
    let app = server_at(database, place).await;
    let service = Service::discover(&place.issuer(), &app).await;
    let (mut lost, mut meanwhile, mut others) = (Vec::new(), Vec::new(), Vec::new());
    let early = app.login("alice").await;
    for _ in 0..3 {
        lost.push(app.login("alice").await);
        others.push(app.login("alice").await);
    }
    for tokens in lost.iter().chain(&others).chain([&early]) {
        service.accepts(&tokens.access).await;
    }
    revoke(&app, &early.refresh).await;
    service.soon_rejects(&early.access).await;

    let store = app.store.clone();
    let stopped = app.end().await;
    store.close().await;
    let copy = copy_of(database).await;
    let app = stopped.start_with(database, at(place)).await;
    for tokens in &lost {
        revoke(&app, &tokens.access).await;
        service.soon_rejects(&tokens.access).await;
    }
    let mut stopped = app.end().await;
    if ahead {
        // One row more than were lost: the new history passes the number of the service's cursor.
        let elsewhere = stopped.start_with(&copy, on_another_port(place)).await;
        for _ in 0..=lost.len() {
            meanwhile.push(elsewhere.login("alice").await);
        }
        for tokens in &meanwhile {
            service.accepts(&tokens.access).await;
            revoke(&elsewhere, &tokens.access).await;
        }
        stopped = elsewhere.end().await;
    }
    let app = stopped.start_with(&copy, at(place)).await;
    Restored { place, app, service, early, lost, meanwhile, others, _copy: copy }
}

impl Restored {
    /// Tokens revoked at any time stay rejected, new revocations take effect, and all other tokens are accepted.
    async fn assert_revocations_hold(&self) {
        let service = &self.service;
        eventually("the service notices", async || service.resets() > 0).await;
        let revoked: Vec<_> = self.lost.iter().chain(&self.meanwhile).chain([&self.early]).collect();
        for tokens in &revoked {
            service.rejects(&tokens.access).await;
        }
        for tokens in &self.others {
            service.accepts(&tokens.access).await;
            revoke(&self.app, &tokens.access).await;
            service.soon_rejects(&tokens.access).await;
        }
        // The same after every lease has run out.
        service.clock.advance(LEASE);
        service.soon_accepts(&self.app.login("alice").await.access).await;
        for tokens in revoked.into_iter().chain(&self.others) {
            service.rejects(&tokens.access).await;
        }
        assert_eq!(service.resets(), 1);
    }

    /// A new service can't know the revocations that the database lost. `ficha recover` is for that.
    async fn new_service_needs_a_purge(self) {
        let new = Service::discover(&self.place.issuer(), &self.app).await;
        for tokens in self.others.iter().chain([&self.early]) {
            new.rejects(&tokens.access).await;
        }
        let kept = self.app.login("alice").await;
        for tokens in [&kept, &self.lost[0]] {
            new.accepts(&tokens.access).await;
        }
        self.app.admin.purge_keys(&tester()).await.expect("a purge");
        for service in [&new, &self.service] {
            service.soon_rejects(&kept.access).await;
            for tokens in &self.lost {
                service.rejects(&tokens.access).await;
            }
            service.accepts(&self.app.login("alice").await.access).await;
        }
    }
}

ficha_store::on_both_databases! {
    async fn a_restored_database_undoes_no_revocation_and_loses_no_later_one(database: TestDatabase) {
        let state = restore(&database, false).await;
        state.assert_revocations_hold().await;
        state.new_service_needs_a_purge().await;
    }

    async fn a_restored_database_that_went_on_undoes_no_revocation_and_loses_no_later_one(database: TestDatabase) {
        restore(&database, true).await.assert_revocations_hold().await;
    }
}
