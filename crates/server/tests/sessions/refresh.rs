//! Refresh token rotation (RFC 6749 §6, RFC 9700 §4.14.2).

use ficha_authority::RevokeReason;
use ficha_store::testing::TestDatabase;

use crate::support::*;
use ficha_testing::{App, Tokens, error};

ficha_store::on_both_databases! {
    async fn a26_a_refresh_token_rotates_with_every_use(database: TestDatabase) {
        let app = app_with_alice(&database).await;
        let mut seen = vec![app.login("alice").await];
        for _ in 0..4 {
            let last = seen.last().expect("there is one");
            let next = refreshed(&app, &last.refresh).await;
            assert!(seen.iter().all(|before| before.refresh != next.refresh && before.access != next.access));
            assert_eq!(sid(&next.access), sid(&last.access), "one login is one session");
            assert_eq!(next.body["expires_in"], 600);
            app.advance(seconds(60)).await;
            seen.push(next);
        }
        assert_eq!(row(&database, sid(&seen[0].access)).await.generation, 4);
        assert_eq!(metric(&app, "ficha_refreshes_total").await, 4);
    }

    async fn a26_a_replay_past_the_grace_revokes_the_session_and_its_access_tokens(database: TestDatabase) {
        let app = app_with_alice(&database).await;
        let bystander = app.login("alice").await;
        let first = app.login("alice").await;
        let second = refreshed(&app, &first.refresh).await;
        assert_eq!(app.me(&first.access).await, 200);
        app.advance(seconds(30)).await;
        error(app.refresh(&first.refresh).await, 400, "invalid_grant").await;
        assert_eq!(app.me(&first.access).await, 401);
        assert_dead(&app, &second).await;
        assert_eq!(app.me(&bystander.access).await, 200, "only that session has ended");
        let session = row(&database, sid(&first.access)).await;
        assert_eq!(session.revoked.map(|(_, reason)| reason), Some(RevokeReason::Replay));
        let events = events(&database, "refresh.replayed").await;
        assert_eq!(events.len(), 1);
        assert_eq!(events[0].user_id, Some(subject(&first.access)));
        assert_eq!(events[0].session_id, Some(session.id));
        assert_eq!(events[0].client_id.as_deref(), Some("first-party"));
        assert_eq!(events[0].address.as_deref(), Some("127.0.0.1"));
        assert_eq!(metric(&app, "ficha_refresh_replays_total").await, 1);
    }

    async fn a_retry_within_the_grace_gets_the_same_successor(database: TestDatabase) {
        let app = app_with_alice(&database).await;
        let first = app.login("alice").await;
        let second = refreshed(&app, &first.refresh).await;
        app.advance(seconds(29)).await;
        let again = refreshed(&app, &first.refresh).await;
        assert_eq!(again.refresh, second.refresh, "nothing forks");
        assert_ne!(again.access, second.access);
        let session = row(&database, sid(&first.access)).await;
        assert_eq!(session.generation, 1);
        // It does not outlive what the row covers, so that revoking the session covers it too.
        assert_eq!(number(&again.access, "exp"), session.access_exp);
        assert_eq!(again.body["expires_in"], 600 - 29);
        // The client whose response was lost can continue with either.
        let third = refreshed(&app, &again.refresh).await;
        assert_eq!(app.me(&third.access).await, 200);
        let events = events(&database, "refresh.retried").await;
        assert_eq!(events.len(), 1);
        assert_eq!(events[0].user_id, Some(subject(&first.access)));
        assert_eq!(events[0].session_id, Some(session.id));
        assert_eq!(events[0].address.as_deref(), Some("127.0.0.1"));
        assert_eq!(metric(&app, "ficha_refresh_retries_total").await, 1);
    }

    async fn the_grace_counts_from_the_rotation_and_a_retry_does_not_prolong_it(database: TestDatabase) {
        let app = app_with_alice(&database).await;
        let first = app.login("alice").await;
        refreshed(&app, &first.refresh).await;
        for _ in 0..2 {
            app.advance(seconds(14)).await;
            refreshed(&app, &first.refresh).await;
        }
        app.advance(seconds(2)).await;
        error(app.refresh(&first.refresh).await, 400, "invalid_grant").await;
        assert_eq!(app.me(&first.access).await, 401);
    }

    async fn without_a_grace_every_second_use_is_a_replay(database: TestDatabase) {
        let app = App::start_with(&database, |options| options.settings.token.refresh_grace = seconds(0)).await;
        app.add_user("alice", SCOPES).await;
        let first = app.login("alice").await;
        let second = refreshed(&app, &first.refresh).await;
        error(app.refresh(&first.refresh).await, 400, "invalid_grant").await;
        assert_dead(&app, &second).await;
    }

    // django-oauth-toolkit#1617: the grace covers only the previous generation, not every recently rotated one.
    async fn a_token_several_generations_old_is_a_replay_within_the_grace_too(database: TestDatabase) {
        let app = app_with_alice(&database).await;
        let first = app.login("alice").await;
        let second = refreshed(&app, &first.refresh).await;
        let third = refreshed(&app, &second.refresh).await;
        error(app.refresh(&first.refresh).await, 400, "invalid_grant").await;
        assert_dead(&app, &second).await;
        assert_dead(&app, &third).await;
        assert_eq!(metric(&app, "ficha_refresh_retries_total").await, 0);
    }

    // keycloak#50999: the order of uses counts, not the second in which they happened.
    async fn two_rotations_within_one_second_leave_the_oldest_token_dead(database: TestDatabase) {
        let app = app_with_alice(&database).await;
        let first = app.login("alice").await;
        let second = refreshed(&app, &first.refresh).await;
        let third = refreshed(&app, &second.refresh).await;
        assert_eq!(refreshed(&app, &second.refresh).await.refresh, third.refresh);
        assert_eq!(row(&database, sid(&first.access)).await.generation, 2);
        error(app.refresh(&first.refresh).await, 400, "invalid_grant").await;
        assert_dead(&app, &third).await;
    }

    async fn a_retry_may_narrow_the_scope_and_keeps_the_whole_for_later(database: TestDatabase) {
        let app = app_with_alice(&database).await;
        let narrow = |token: String| {
            let app = &app;
            async move {
                let form = [("grant_type", "refresh_token"), ("refresh_token", &token), ("scope", "notes:read")];
                Tokens::of(app.post("/token", &form).await).await
            }
        };
        let first = app.login("alice").await;
        let second = refreshed(&app, &first.refresh).await;
        let again = narrow(first.refresh.clone()).await;
        assert_eq!(again.refresh, second.refresh);
        assert_eq!(again.body["scope"], "notes:read");
        assert_eq!(again.claims()["scope"], "notes:read");
        assert_eq!(refreshed(&app, &again.refresh).await.claims()["scope"], SCOPES);
    }

    async fn a24_asking_for_more_is_refused_and_uses_nothing_up(database: TestDatabase) {
        let app = app_with_alice(&database).await;
        let form = [("grant_type", "password"), ("username", "alice"), ("password", ficha_testing::PASSWORD)];
        let asked = [form.as_slice(), &[("scope", "notes:read")]].concat();
        let first = Tokens::of(app.post("/token", &asked).await).await;
        for more in ["notes:read notes:write", "notes:write", "ficha:admin"] {
            let form = [("grant_type", "refresh_token"), ("refresh_token", &first.refresh), ("scope", more)];
            error(app.post("/token", &form).await, 400, "invalid_scope").await;
        }
        assert_eq!(row(&database, sid(&first.access)).await.generation, 0);
        let second = refreshed(&app, &first.refresh).await;
        assert_eq!(second.claims()["scope"], "notes:read");
    }

    async fn a25_another_clients_use_is_refused_and_changes_nothing(database: TestDatabase) {
        let app = app_with_alice(&database).await;
        let (owner, thief) = (jobs_client(&app, "owner").await, jobs_client(&app, "thief").await);
        let first = app.login_as(&owner, "alice").await;
        let before = row(&database, sid(&first.access)).await;
        let stolen = error(refresh_as(&app, &thief, &first.refresh).await, 400, "invalid_grant").await;
        let garbage = error(refresh_as(&app, &thief, "garbage").await, 400, "invalid_grant").await;
        assert_eq!(stolen, garbage, "the thief learns nothing");
        // Nor can the public default client use it, nor does asking for another scope help.
        error(app.refresh(&first.refresh).await, 400, "invalid_grant").await;
        let form = [("grant_type", "refresh_token"), ("refresh_token", &first.refresh), ("scope", "ficha:admin")];
        error(app.post_as(&thief, "/token", &form).await, 400, "invalid_grant").await;
        assert_eq!(row(&database, before.id).await, before);
        let second = Tokens::of(refresh_as(&app, &owner, &first.refresh).await).await;
        // A use that would be a retry, and later a replay, by the owner is neither when it comes from another client.
        error(refresh_as(&app, &thief, &first.refresh).await, 400, "invalid_grant").await;
        app.advance(seconds(60)).await;
        error(refresh_as(&app, &thief, &first.refresh).await, 400, "invalid_grant").await;
        assert_eq!(app.me(&second.access).await, 200);
        Tokens::of(refresh_as(&app, &owner, &second.refresh).await).await;
    }

    async fn a_refresh_token_with_one_character_changed_is_refused_and_harms_nobody(database: TestDatabase) {
        let app = app_with_alice(&database).await;
        let first = app.login("alice").await;
        for place in [0, 3, 10, 30, 50, 70, 81] {
            let mut bytes = first.refresh.clone().into_bytes();
            bytes[place] = if bytes[place] == b'A' { b'B' } else { b'A' };
            let forged = String::from_utf8(bytes).expect("ASCII");
            error(app.refresh(&forged).await, 400, "invalid_grant").await;
        }
        for other in ["x", &format!("{}=", first.refresh), &first.access] {
            error(app.refresh(other).await, 400, "invalid_grant").await;
        }
        assert_eq!(app.me(&refreshed(&app, &first.refresh).await.access).await, 200);
    }
}
