//! Keys rotate while everybody works.

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use ficha_store::testing::TestDatabase;
use ficha_token::Clock;

use crate::place::Place;
use crate::serve::{ROUTES, Service};
use crate::support::{App, Tokens, part};
use crate::world::*;

/// How many users work at once, how often keys rotate, and how many of its newest tokens each user uses in turn.
const USERS: usize = 3;
const ROTATIONS: usize = 3;
const IN_HAND: usize = 12;

/// From the publication of a key to its first use.
const PUBLISHED_AHEAD: u64 = 330;
/// A step of time, shorter than the 2 s for which a server relies on its last look at the database.
const STEP: Duration = Duration::from_millis(1_900);

/// What a user has seen.
#[derive(Default)]
struct Seen {
    kids: HashSet<String>,
    requests: usize,
    last: Option<Tokens>,
}

ficha_store::on_both_databases! {
    async fn keys_rotate_under_load_and_not_one_valid_token_is_refused(database: TestDatabase) {
        let place = Place::free();
        let app = Arc::new(server_at(&database, place).await);
        // Time passes a hundred times as fast as polls are answered: a lease of the usual length would run out.
        let lease = |builder: ficha_resource::Builder| builder.lease(Duration::from_secs(3_600));
        let service = Arc::new(Service::sharing(&place.issuer(), app.clock.clone(), lease).await);
        let working = Arc::new(AtomicBool::new(true));
        let users: Vec<_> = (0..USERS)
            .map(|_| tokio::spawn(work(app.clone(), service.clone(), working.clone())))
            .collect();
        let old = app.login("alice").await;
        for _ in 0..ROTATIONS {
            let (kid, from) = app.admin.rotate_key("test").await.expect("a new key");
            assert_eq!(from, app.clock.unix_now() + PUBLISHED_AHEAD as i64);
            while app.clock.unix_now() < from {
                app.advance(STEP).await;
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            let fresh = app.login("alice").await;
            assert_eq!(part(&fresh.access, 0)["kid"], kid.as_str());
            service.takes(&fresh.access).await;
        }
        working.store(false, Ordering::Release);
        let mut last = Vec::new();
        for user in users {
            let seen = user.await.expect("no valid token was refused");
            assert!(seen.kids.len() > ROTATIONS, "{:?}", seen.kids);
            assert!(seen.requests > 100, "{}", seen.requests);
            last.extend(seen.last);
        }
        assert_eq!(last.len(), USERS);
        service.refuses(&old.access).await;

        // And at once, without a word ahead. Unknown keys make a service ask no more than once in 5 s.
        for _ in 0..3 {
            app.advance(STEP).await;
        }
        app.admin.purge_keys("test").await.expect("a purge");
        for tokens in &last {
            service.comes_to_refuse(&tokens.access).await;
        }
        for _ in 0..USERS {
            service.takes(&app.login("alice").await.access).await;
        }
    }
}

/// Logs in, and then refreshes and uses what tokens it has, until it is told to stop.
async fn work(app: Arc<App>, service: Arc<Service>, working: Arc<AtomicBool>) -> Seen {
    let mut seen = Seen::default();
    let mut in_hand = VecDeque::new();
    let mut tokens = app.login("alice").await;
    while working.load(Ordering::Acquire) {
        seen.kids.insert(part(&tokens.access, 0)["kid"].as_str().expect("a kid").to_owned());
        in_hand.push_back(tokens.access.clone());
        if in_hand.len() > IN_HAND {
            in_hand.pop_front();
        }
        for token in &in_hand {
            let path = ROUTES[seen.requests % ROUTES.len()];
            let answer = service.get(path, token).await;
            seen.requests += 1;
            // A token that expired on the way may have been refused for that.
            let exp = crate::support::claims(token)["exp"].as_i64().expect("a whole number");
            assert!(answer.status == 200 || app.clock.unix_now() >= exp, "{path}: {answer:?}");
        }
        tokens = match seen.requests % 4 {
            0 => app.login("alice").await,
            _ => refreshed(&app, &tokens).await,
        };
    }
    seen.last = Some(tokens);
    seen
}
