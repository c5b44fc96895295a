//! A follower that keeps polling ends up with exactly what was revoked.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};

use ficha_store::testing::TestDatabase;
use futures_util::future::join_all;

use crate::support::*;
use ficha_testing::App;

/// Polls, some of the time with a wait, until `done`, and then to the end of the list.
async fn follow(app: &App, done: &AtomicBool, wait: u32) -> Follower {
    let mut follower = Follower::default();
    while !done.load(Ordering::SeqCst) {
        follower.poll(app, wait).await;
    }
    follower.catch_up(app).await;
    follower
}

ficha_store::on_both_databases! {
    async fn a_follower_misses_and_invents_nothing_while_many_revoke_at_two_servers(database: TestDatabase) {
        let app = app_with_alice(&database).await;
        let other = app.another(&database).await;
        let mut logins = Vec::new();
        for _ in 0..12 {
            // As many as can be hashed at once.
            logins.extend(join_all((0..10).map(|_| app.login("alice"))).await);
        }
        let done = AtomicBool::new(false);
        let revoking = async {
            join_all(logins.chunks(10).enumerate().map(async |(writer, logins)| {
                for (at, tokens) in logins.iter().enumerate() {
                    let server = if (writer + at) % 2 == 0 { &app } else { &other };
                    // Every third one ends its session, which denies the id of the session instead.
                    let token = if at % 3 == 0 { &tokens.refresh } else { &tokens.access };
                    revoke(server, token).await;
                }
            }))
            .await;
            let last = revoked_token(&app).await;
            done.store(true, Ordering::SeqCst);
            last
        };
        let (last, here, there, quick) =
            tokio::join!(revoking, follow(&app, &done, 1), follow(&other, &done, 1), follow(&other, &done, 0));
        let expected: BTreeSet<_> = logins
            .chunks(10)
            .flat_map(|logins| logins.iter().enumerate())
            .map(|(at, tokens)| if at % 3 == 0 { sid(tokens) } else { jti(tokens) })
            .chain([last])
            .collect();
        for follower in [here, there, quick] {
            let got: BTreeSet<_> = follower.denied.keys().copied().collect();
            let (missed, made_up) = (expected.difference(&got).count(), got.difference(&expected).count());
            assert_eq!((missed, made_up, follower.resets), (0, 0, 0), "after {} polls", follower.polls);
            assert!(follower.polls > 2, "it polled while they revoked: {}", follower.polls);
        }
    }
}
