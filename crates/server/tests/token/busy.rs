//! More concurrent logins than the hashing threads can take.

use std::num::NonZeroUsize;

use ficha_authority::Cost;
use ficha_store::testing::TestDatabase;
use futures_util::future::join_all;

use crate::raw::{self, Answer, encode};
use ficha_testing::{App, Options, PASSWORD, claims};

fn login() -> String {
    encode(&[("grant_type", "password"), ("username", "alice"), ("password", PASSWORD)])
}

/// One slow thread with a short queue.
fn slow(queue: usize, per_source: usize) -> impl FnOnce(&mut Options) {
    move |options| {
        let password = &mut options.settings.password;
        password.bcrypt_cost = Cost::try_from(10).expect("10 is a valid cost");
        password.threads = NonZeroUsize::new(1);
        password.max_queue = queue;
        password.max_queue_per_source = per_source;
        options.server.trusted_proxies = vec![ficha_server::parse_network("127.0.0.1").expect("a network")];
    }
}

fn assert_rejected_as_busy(answer: &Answer) {
    assert_eq!((answer.status, answer.error().as_str()), (503, "temporarily_unavailable"), "{answer:?}");
    let seconds: u64 = answer.all("retry-after")[0].parse().expect("whole seconds");
    assert!((1..=30).contains(&seconds), "{seconds}");
    assert_eq!(answer.all("cache-control"), ["no-store"]);
}

ficha_store::on_both_databases! {
    async fn logins_beyond_the_queue_get_503_with_retry_after(database: TestDatabase) {
        let app = App::start_with(&database, slow(1, 1)).await;
        app.add_user("alice", "").await;
        let body = login();
        let answers = join_all((0..24).map(|_| raw::post(&app, "", &body))).await;
        let (good, refused): (Vec<_>, Vec<_>) = answers.iter().partition(|answer| answer.status == 200);
        assert!(!good.is_empty());
        // Four are hashed and one waits, so most of 24 concurrent logins are too many.
        assert!(!refused.is_empty());
        refused.into_iter().for_each(assert_rejected_as_busy);
        // Afterwards logins work as before; a rejection for load does not count as a failed login.
        assert_eq!(raw::post(&app, "", &body).await.status, 200);
    }

    async fn a_full_queue_stops_neither_a_refresh_nor_a_clients_own_token(database: TestDatabase) {
        let app = App::start(&database).await;
        app.add_user("alice", "").await;
        let client = app.add_client("shop", |_| ()).await;
        let full = app.another_with(&database, |options| options.settings.password.max_queue = 0).await;
        let tokens = app.login("alice").await;
        for body in [login(), login().replace("otters", "others"), login().replace("alice", "nobody")] {
            assert_rejected_as_busy(&raw::post(&full, "", &body).await);
        }
        assert_eq!(full.refresh(&tokens.refresh).await.status(), 200);
        let header = raw::basic(&client.id, &client.secret);
        assert_eq!(raw::post(&full, &header, "grant_type=client_credentials").await.status, 200);
    }

    async fn one_source_can_fill_only_its_share_of_the_queue(database: TestDatabase) {
        let app = App::start_with(&database, slow(8, 2)).await;
        app.add_user("alice", "").await;
        let body = login();
        let from = |address: &str| format!("X-Forwarded-For: {address}\r\n");
        let (flood, other) = (from("203.0.113.1"), from("198.51.100.7"));
        let refused = app.authority.hashing().stats().refused;
        let storm = join_all((0..24).map(|_| raw::post(&app, &flood, &body)));
        let victim = async {
            while app.authority.hashing().stats().refused == refused {
                tokio::task::yield_now().await;
            }
            raw::post(&app, &other, &body).await
        };
        let (storm, victim) = futures_util::future::join(storm, victim).await;
        assert_eq!(victim.status, 200, "{victim:?}");
        storm.iter().filter(|answer| answer.status != 200).for_each(assert_rejected_as_busy);
    }

    async fn concurrent_valid_logins_of_one_user_all_succeed(database: TestDatabase) {
        let app = App::start(&database).await;
        app.add_user("alice", "").await;
        let (good, bad) = (login(), login().replace("otters", "others"));
        // Just below the limit for a source: counting attempts in progress as failures would exceed it.
        for _ in 0..9 {
            assert_eq!(raw::post(&app, "", &bad).await.status, 400);
        }
        let answers = join_all((0..32).map(|_| raw::post(&app, "", &good))).await;
        let mut sessions = std::collections::HashSet::new();
        for answer in answers {
            assert_eq!(answer.status, 200, "{answer:?}");
            let token = answer.json()["access_token"].as_str().expect("a token").to_owned();
            assert!(sessions.insert(claims(&token)["sid"].to_string()), "each login gets its own session");
        }
    }
}
