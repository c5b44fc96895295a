//! Rotation, replay and expiry of refresh tokens.

use std::time::Duration;

use ficha_store::testing::TestDatabase;
use futures_util::future::join_all;

use ficha_testing::{App, Tokens, error};

const DAY: Duration = Duration::from_secs(86_400);

ficha_store::on_both_databases! {
    async fn a26_a_refresh_token_rotates_on_every_use(database: TestDatabase) {
        let app = App::start(&database).await;
        app.add_user("alice", "").await;
        let first = app.login("alice").await;
        let mut seen = vec![first.refresh.clone()];
        for _ in 0..5 {
            let last = seen.last().expect("there is one");
            let next = Tokens::of(app.refresh(last).await).await;
            assert!(!seen.contains(&next.refresh));
            assert_eq!(next.claims()["sid"], first.claims()["sid"]);
            assert_eq!(next.claims()["auth_time"], first.claims()["auth_time"]);
            seen.push(next.refresh);
        }
    }

    async fn a26_a_retry_within_the_grace_gets_the_same_successor(database: TestDatabase) {
        let app = App::start(&database).await;
        app.add_user("alice", "").await;
        let first = app.login("alice").await;
        let second = Tokens::of(app.refresh(&first.refresh).await).await;
        app.advance(Duration::from_secs(29)).await;
        let retried = Tokens::of(app.refresh(&first.refresh).await).await;
        assert_eq!(retried.refresh, second.refresh);
        // It does not outlive the token whose response was lost.
        assert_eq!(retried.claims()["exp"], second.claims()["exp"]);
        assert_eq!(retried.body["expires_in"], 600 - 29);
        for access in [&second.access, &retried.access] {
            assert_eq!(app.me(access).await, 200);
        }
        assert_eq!(app.refresh(&second.refresh).await.status(), 200);
    }

    async fn a26_a_replay_past_the_grace_revokes_the_session(database: TestDatabase) {
        let app = App::start(&database).await;
        app.add_user("alice", "").await;
        let (first, other) = (app.login("alice").await, app.login("alice").await);
        let second = Tokens::of(app.refresh(&first.refresh).await).await;
        app.advance(Duration::from_secs(30)).await;
        error(app.refresh(&first.refresh).await, 400, "invalid_grant").await;
        error(app.refresh(&second.refresh).await, 400, "invalid_grant").await;
        for access in [&first.access, &second.access] {
            assert_eq!(app.me(access).await, 401);
        }
        assert_eq!(app.me(&other.access).await, 200, "another session of the same user continues");
    }

    async fn a26_a_token_two_generations_old_is_a_replay_even_within_the_grace(database: TestDatabase) {
        let app = App::start(&database).await;
        app.add_user("alice", "").await;
        let first = app.login("alice").await;
        let second = Tokens::of(app.refresh(&first.refresh).await).await;
        let third = Tokens::of(app.refresh(&second.refresh).await).await;
        error(app.refresh(&first.refresh).await, 400, "invalid_grant").await;
        error(app.refresh(&third.refresh).await, 400, "invalid_grant").await;
        assert_eq!(app.me(&third.access).await, 401);
    }

    async fn a26_without_a_grace_the_second_use_is_a_replay(database: TestDatabase) {
        let app = App::start_with(&database, |options| options.settings.token.refresh_grace = Duration::ZERO).await;
        app.add_user("alice", "").await;
        let first = app.login("alice").await;
        let second = Tokens::of(app.refresh(&first.refresh).await).await;
        error(app.refresh(&first.refresh).await, 400, "invalid_grant").await;
        error(app.refresh(&second.refresh).await, 400, "invalid_grant").await;
        assert_eq!(app.me(&second.access).await, 401);
    }

    async fn a26_a_replay_that_asks_for_too_much_scope_still_revokes(database: TestDatabase) {
        let app = App::start(&database).await;
        app.add_user("alice", "notes:read").await;
        let first = app.login("alice").await;
        let second = Tokens::of(app.refresh(&first.refresh).await).await;
        app.advance(Duration::from_secs(31)).await;
        let form = [("grant_type", "refresh_token"), ("refresh_token", &first.refresh), ("scope", "notes:write")];
        error(app.post("/token", &form).await, 400, "invalid_grant").await;
        assert_eq!(app.me(&second.access).await, 401);
    }

    async fn a26_concurrent_uses_of_one_token_all_get_the_same_successor(database: TestDatabase) {
        let app = App::start(&database).await;
        app.add_user("alice", "").await;
        for _ in 0..4 {
            let first = app.login("alice").await;
            let uses = join_all((0..12).map(|_| app.refresh(&first.refresh)));
            let answers = tokio::time::timeout(Duration::from_secs(30), uses).await.expect("no request is left waiting");
            let tokens = join_all(answers.into_iter().map(Tokens::of)).await;
            assert!(tokens.iter().all(|one| one.refresh == tokens[0].refresh));
            assert_eq!(app.refresh(&tokens[0].refresh).await.status(), 200);
        }
    }

    async fn a26_without_a_grace_one_of_many_concurrent_uses_wins_and_the_session_ends(database: TestDatabase) {
        let app = App::start_with(&database, |options| options.settings.token.refresh_grace = Duration::ZERO).await;
        app.add_user("alice", "").await;
        let first = app.login("alice").await;
        let uses = join_all((0..12).map(|_| app.refresh(&first.refresh)));
        let answers = tokio::time::timeout(Duration::from_secs(30), uses).await.expect("no request is left waiting");
        let mut won = Vec::new();
        for answer in answers {
            if answer.status() == 200 {
                won.push(Tokens::of(answer).await);
            } else {
                error(answer, 400, "invalid_grant").await;
            }
        }
        assert_eq!(won.len(), 1);
        error(app.refresh(&won[0].refresh).await, 400, "invalid_grant").await;
        assert_eq!(app.me(&won[0].access).await, 401);
    }

    async fn a27_an_unused_session_ends(database: TestDatabase) {
        let app = App::start(&database).await;
        app.add_user("alice", "").await;
        let first = app.login("alice").await;
        app.advance(14 * DAY - Duration::from_secs(1)).await;
        let second = Tokens::of(app.refresh(&first.refresh).await).await;
        assert_eq!(app.me(&second.access).await, 200);
        app.advance(14 * DAY).await;
        error(app.refresh(&second.refresh).await, 400, "invalid_grant").await;
    }

    async fn a27_a_session_ends_however_much_it_is_used(database: TestDatabase) {
        let app = App::start(&database).await;
        app.add_user("alice", "").await;
        let mut tokens = app.login("alice").await;
        for _ in 0..8 {
            app.advance(10 * DAY).await;
            tokens = Tokens::of(app.refresh(&tokens.refresh).await).await;
        }
        app.advance(10 * DAY - Duration::from_secs(100)).await;
        tokens = Tokens::of(app.refresh(&tokens.refresh).await).await;
        // No token outlives its session.
        assert_eq!(tokens.body["expires_in"], 100);
        app.advance(Duration::from_secs(99)).await;
        assert_eq!(app.me(&tokens.access).await, 200);
        tokens = Tokens::of(app.refresh(&tokens.refresh).await).await;
        assert_eq!(tokens.body["expires_in"], 1);
        app.advance(Duration::from_secs(1)).await;
        error(app.refresh(&tokens.refresh).await, 400, "invalid_grant").await;
        assert_eq!(app.me(&tokens.access).await, 401);
    }

    async fn a_forged_or_truncated_refresh_token_is_refused(database: TestDatabase) {
        let app = App::start(&database).await;
        app.add_user("alice", "").await;
        let good = app.login("alice").await.refresh;
        let swapped: String = good.chars().rev().collect();
        let padded = format!("{good}=");
        for bad in ["x", &good[1..], &good[..81], &swapped, &padded, &format!("{good}A"), &good.to_uppercase(), "é🔑\0"]
        {
            error(app.refresh(bad).await, 400, "invalid_grant").await;
        }
        assert_eq!(app.refresh(&good).await.status(), 200);
    }
}
