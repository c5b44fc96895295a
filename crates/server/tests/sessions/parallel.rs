//! Race conditions.

use ficha_store::testing::TestDatabase;
use futures_util::future::join_all;
use tokio::join;

use crate::support::*;
use ficha_testing::{Tokens, error};

ficha_store::on_both_databases! {
    // In CVE-2026-1035, several uses succeeded.
    async fn of_32_parallel_uses_of_a_refresh_token_one_rotates_it_and_all_get_its_successor(database: TestDatabase) {
        let app = app_with_alice(&database).await;
        let first = app.login("alice").await;
        let answers = join_all((0..32).map(|_| refreshed(&app, &first.refresh))).await;
        let session = row(&database, sid(&first.access)).await;
        assert_eq!(session.generation, 1);
        for tokens in &answers {
            assert_eq!(tokens.refresh, answers[0].refresh, "nothing forks");
            assert!(number(&tokens.access, "exp") <= session.access_exp);
        }
        assert_eq!(metric(&app, "ficha_refreshes_total").await, 1);
        assert_eq!(metric(&app, "ficha_refresh_retries_total").await, 31);
        assert_eq!(metric(&app, "ficha_refresh_replays_total").await, 0);
        refreshed(&app, &answers[7].refresh).await;
    }

    async fn parallel_uses_at_two_servers_rotate_it_once_too(database: TestDatabase) {
        let app = app_with_alice(&database).await;
        let other = app.another(&database).await;
        let mut tokens = app.login("alice").await;
        for generation in 1..=10 {
            let servers = [&app, &other];
            let answers = join_all((0..8).map(|at| refreshed(servers[at % 2], &tokens.refresh))).await;
            assert!(answers.iter().all(|answer| answer.refresh == answers[0].refresh), "nothing forks");
            assert_eq!(row(&database, sid(&tokens.access)).await.generation, generation);
            tokens = answers.into_iter().next().expect("there are eight");
        }
        let rotations = metric(&app, "ficha_refreshes_total").await + metric(&other, "ficha_refreshes_total").await;
        assert_eq!(rotations, 10);
    }

    async fn many_sessions_refreshed_at_once_all_get_their_own(database: TestDatabase) {
        let app = app_with_alice(&database).await;
        let logins = join_all((0..24).map(|_| app.login("alice"))).await;
        // Each twice, so that batches contain several sessions, but none twice.
        let uses = logins.iter().chain(&logins).map(|tokens| refreshed(&app, &tokens.refresh));
        let answers = join_all(uses).await;
        for (before, after) in logins.iter().chain(&logins).zip(&answers) {
            assert_eq!(sid(&before.access), sid(&after.access));
        }
        assert_eq!(metric(&app, "ficha_refreshes_total").await, 24);
        assert_eq!(metric(&app, "ficha_refresh_retries_total").await, 24);
    }

    // keycloak#51312.
    async fn a_refresh_during_a_revocation_never_survives_it(database: TestDatabase) {
        let app = app_with_alice(&database).await;
        let other = app.another(&database).await;
        for round in 0..30 {
            let login = app.login("alice").await;
            let revoke = [("token", login.refresh.as_str())];
            // At the same server or another, with the refresh first or last.
            let refreshing = if round % 4 < 2 { &app } else { &other };
            let (renewed, revoked) = match round % 2 {
                0 => join!(refreshing.refresh(&login.refresh), app.post("/revoke", &revoke)),
                _ => {
                    let (revoked, renewed) = join!(app.post("/revoke", &revoke), refreshing.refresh(&login.refresh));
                    (renewed, revoked)
                }
            };
            assert_eq!(revoked.status(), 200);
            let mut issued = vec![login];
            match renewed.status().as_u16() {
                200 => issued.push(Tokens::of(renewed).await),
                _ => drop(error(renewed, 400, "invalid_grant").await),
            }
            for tokens in &issued {
                // At once where it was revoked, and a moment later at the other server.
                assert_dead(&app, tokens).await;
                error(other.refresh(&tokens.refresh).await, 400, "invalid_grant").await;
                eventually("the other server rejects it", async || other.me(&tokens.access).await == 401).await;
            }
        }
    }

    async fn a_logout_during_refreshes_ends_all_that_they_issue(database: TestDatabase) {
        let app = app_with_alice(&database).await;
        for _ in 0..15 {
            let login = app.login("alice").await;
            let logout = app.http.post(app.url("/logout")).bearer_auth(&login.access).send();
            let refreshes = join_all((0..4).map(|_| app.refresh(&login.refresh)));
            let (logout, refreshes) = join!(logout, refreshes);
            assert_eq!(logout.expect("an answer").status(), 204);
            assert_dead(&app, &login).await;
            for answer in refreshes {
                match answer.status().as_u16() {
                    200 => assert_dead(&app, &Tokens::of(answer).await).await,
                    _ => drop(error(answer, 400, "invalid_grant").await),
                }
            }
        }
    }

    async fn many_concurrent_revocations_are_all_in_force_when_they_are_answered(database: TestDatabase) {
        let app = app_with_alice(&database).await;
        let logins = join_all((0..24).map(|_| app.login("alice"))).await;
        join_all(logins.iter().enumerate().map(async |(at, tokens)| {
            let token = if at % 2 == 0 { &tokens.access } else { &tokens.refresh };
            assert_eq!(app.post("/revoke", &[("token", token)]).await.status(), 200);
            assert_eq!(app.me(&tokens.access).await, 401);
        }))
        .await;
        // Every number of the denylist is used, one for each id.
        assert_eq!(database.store().await.head().await.expect("the database answers").number, 24);
    }

    async fn a_disconnected_callers_rotation_is_finished_and_its_retry_gets_the_successor(database: TestDatabase) {
        let app = app_with_alice(&database).await;
        let first = app.login("alice").await;
        let session = sid(&first.access);
        let raw = database.raw().await;
        raw.hold_session(session).await;
        // The rotation waits for the row; its caller gives up sooner.
        let disconnected = tokio::time::timeout(seconds(2), app.refresh(&first.refresh)).await;
        assert!(disconnected.is_err(), "the session is locked");
        raw.execute("ROLLBACK").await;
        eventually("the rotation is committed", async || row(&database, session).await.generation == 1).await;
        let second = refreshed(&app, &first.refresh).await;
        assert_eq!(row(&database, session).await.generation, 1, "that was a retry");
        assert_eq!(app.me(&second.access).await, 200);
        refreshed(&app, &second.refresh).await;
    }
}
