//! Keys rotate under load.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ficha_store::testing::TestDatabase;
use ficha_token::Clock;

use crate::place::Place;
use crate::serve::{ROUTES, Service};
use crate::support::*;
use ficha_testing::{App, Tokens, claims, part, tester};

/// How many users work at once, how often keys rotate, and how many of their newest tokens users alternate between.
const USERS: usize = 3;
const ROTATIONS: usize = 3;
const IN_HAND: usize = 12;
/// How many uses of a key's tokens are enough before the next rotation.
const MANY: usize = 60;

/// The time from the publication of a key to its first use, in seconds.
const PUBLISHED_AHEAD: i64 = 330;
/// A step of time, shorter than the 2 s for which a server relies on its last read of the database.
const STEP: Duration = Duration::from_millis(1_900);

/// Shared by the users.
struct Work {
    app: App,
    service: Service,
    over: AtomicBool,
    /// How many tokens of each key the service accepted.
    taken: Mutex<HashMap<String, usize>>,
}

ficha_store::on_both_databases! {
    async fn keys_rotate_under_load_and_not_one_valid_token_is_refused(database: TestDatabase) {
        let place = Place::free();
        let app = server_at(&database, place).await;
        // Time passes a hundred times faster than polls are answered, so a lease of the usual length would run out.
        let lease = |builder: ficha_resource::BearerBuilder| builder.lease(Duration::from_secs(3_600));
        let service = Service::sharing(&place.issuer(), app.clock.clone(), lease).await;
        let old = app.login("alice").await;
        let work = Arc::new(Work { app, service, over: AtomicBool::new(false), taken: Mutex::default() });
        let (app, service) = (&work.app, &work.service);
        let users: Vec<_> = (0..USERS).map(|_| tokio::spawn(work.clone().run())).collect();
        work.is_taken(&kid(&old.access)).await;
        for _ in 0..ROTATIONS {
            let (new, from) = app.admin.rotate_key(&tester()).await.expect("a new key");
            assert_eq!(from, app.clock.unix_now() + PUBLISHED_AHEAD);
            while app.clock.unix_now() < from {
                app.advance(STEP).await;
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            work.is_taken(&new).await;
        }
        work.over.store(true, Ordering::Release);
        let mut last = Vec::new();
        for user in users {
            last.push(user.await.expect("no valid token was refused"));
        }
        assert_eq!(work.taken.lock().expect("no panic").len(), 1 + ROTATIONS);
        service.rejects(&old.access).await;

        // Now a key that signs at once, without being published ahead. For unknown keys, a service asks the server at
        // most once every 5 s.
        for _ in 0..3 {
            app.advance(STEP).await;
        }
        app.admin.purge_keys(&tester()).await.expect("a purge");
        for tokens in &last {
            service.soon_rejects(&tokens.access).await;
        }
        for _ in 0..USERS {
            service.accepts(&app.login("alice").await.access).await;
        }
    }
}

impl Work {
    /// Logs in, then refreshes and uses its tokens until the test is over.
    async fn run(self: Arc<Self>) -> Tokens {
        let (mut requests, mut in_hand) = (0, VecDeque::new());
        let mut tokens = self.app.login("alice").await;
        while !self.over.load(Ordering::Acquire) {
            in_hand.push_back(tokens.access.clone());
            if in_hand.len() > IN_HAND {
                in_hand.pop_front();
            }
            for token in &in_hand {
                requests += 1;
                self.present(token, ROUTES[requests % ROUTES.len()]).await;
            }
            tokens = match requests % 4 {
                0 => self.app.login("alice").await,
                _ => refreshed(&self.app, &tokens).await,
            };
        }
        tokens
    }

    async fn present(&self, token: &str, path: &str) {
        let answer = self.service.get(path, token).await;
        let exp = claims(token)["exp"].as_i64().expect("a whole number");
        // A token that expired during the request may be rejected for that.
        assert!(answer.status == 200 || self.app.clock.unix_now() >= exp, "{path}: {answer:?}");
        if answer.status == 200 {
            *self.taken.lock().expect("no panic").entry(kid(token)).or_default() += 1;
        }
    }

    /// Waits until the users have used many tokens of this key.
    async fn is_taken(&self, kid: &str) {
        let taken = || self.taken.lock().expect("no panic").get(kid).copied().unwrap_or_default();
        eventually("tokens of the key are in use", async || taken() >= MANY).await;
    }
}

fn kid(token: &str) -> String {
    part(token, 0)["kid"].as_str().expect("a kid").to_owned()
}
