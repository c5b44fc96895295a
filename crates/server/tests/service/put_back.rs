//! The server's database is put back from an older copy. The service follows on, and forgets nothing.

use ficha_store::testing::TestDatabase;

use crate::copy::copy_of;
use crate::place::Place;
use crate::serve::Service;
use crate::world::*;
use ficha_testing::{App, Tokens};

/// A server on the copy of its database, and a service that has followed it all along.
struct PutBack {
    place: Place,
    app: App,
    service: Service,
    /// Revoked before the copy was made, and after.
    early: Tokens,
    lost: Vec<Tokens>,
    /// Revoked on the copy, before the service heard of that.
    meanwhile: Vec<Tokens>,
    /// Not revoked.
    others: Vec<Tokens>,
    // Dropped last.
    _copy: TestDatabase,
}

/// With `ahead`, the database comes to new rows before the service hears of it again.
async fn put_back(database: &TestDatabase, ahead: bool) -> PutBack {
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
        service.takes(&tokens.access).await;
    }
    revoke(&app, &early.refresh).await;
    service.comes_to_refuse(&early.access).await;

    let store = app.store.clone();
    let stopped = app.end().await;
    store.close().await;
    let copy = copy_of(database).await;
    let app = stopped.start_with(database, at(place)).await;
    for tokens in &lost {
        revoke(&app, &tokens.access).await;
        service.comes_to_refuse(&tokens.access).await;
    }
    let mut stopped = app.end().await;
    if ahead {
        // As many rows as were lost, and one more: the service's own place is passed by another history.
        let elsewhere = stopped.start_with(&copy, beside(place)).await;
        for _ in 0..=lost.len() {
            meanwhile.push(elsewhere.login("alice").await);
        }
        for tokens in &meanwhile {
            service.takes(&tokens.access).await;
            revoke(&elsewhere, &tokens.access).await;
        }
        stopped = elsewhere.end().await;
    }
    let app = stopped.start_with(&copy, at(place)).await;
    PutBack { place, app, service, early, lost, meanwhile, others, _copy: copy }
}

impl PutBack {
    /// Nothing that was ever revoked is taken, what is revoked from now on is refused, and nobody else is.
    async fn holds(&self) {
        let service = &self.service;
        eventually("the service notices", async || service.resets() > 0).await;
        let revoked: Vec<_> = self.lost.iter().chain(&self.meanwhile).chain([&self.early]).collect();
        for tokens in &revoked {
            service.refuses(&tokens.access).await;
        }
        for tokens in &self.others {
            service.takes(&tokens.access).await;
            revoke(&self.app, &tokens.access).await;
            service.comes_to_refuse(&tokens.access).await;
        }
        // Past every lease, too.
        service.clock.advance(LEASE);
        service.comes_to_take(&self.app.login("alice").await.access).await;
        for tokens in revoked.into_iter().chain(&self.others) {
            service.refuses(&tokens.access).await;
        }
        assert_eq!(service.resets(), 1);
    }

    /// What the database lost nobody can tell a service that was not there. `ficha recover` is for that.
    async fn starts_anew_after_a_purge(self) {
        let new = Service::discover(&self.place.issuer(), &self.app).await;
        for tokens in self.others.iter().chain([&self.early]) {
            new.refuses(&tokens.access).await;
        }
        let kept = self.app.login("alice").await;
        for tokens in [&kept, &self.lost[0]] {
            new.takes(&tokens.access).await;
        }
        self.app.admin.purge_keys("test").await.expect("a purge");
        for service in [&new, &self.service] {
            service.comes_to_refuse(&kept.access).await;
            for tokens in &self.lost {
                service.refuses(&tokens.access).await;
            }
            service.takes(&self.app.login("alice").await.access).await;
        }
    }
}

ficha_store::on_both_databases! {
    async fn a_database_that_was_put_back_takes_no_revocation_back_and_loses_no_later_one(database: TestDatabase) {
        let state = put_back(&database, false).await;
        state.holds().await;
        state.starts_anew_after_a_purge().await;
    }

    async fn a_database_that_was_put_back_and_went_on_takes_no_revocation_back_and_loses_no_later_one(database: TestDatabase) {
        put_back(&database, true).await.holds().await;
    }
}
