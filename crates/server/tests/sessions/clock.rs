//! Clocks that are set forward and back.

use std::time::Duration;

use ficha_store::testing::TestDatabase;
use ficha_token::Clock;

use crate::support::*;
use ficha_testing::{App, Tokens};

/// Sets the wall clock back; the monotonic clock continues.
fn set_back(app: &App, by: Duration) {
    app.clock.set_wall(app.clock.now() - by);
}

fn set_forward(app: &App, by: Duration) {
    app.clock.set_wall(app.clock.now() + by);
}

/// Expects that these tokens work, and that they can be refreshed.
async fn assert_works(app: &App, tokens: &Tokens, when: &str) -> Tokens {
    assert_eq!(app.me(&tokens.access).await, 200, "{when}");
    let renewed = refreshed(app, &tokens.refresh).await;
    assert_eq!(app.me(&renewed.access).await, 200, "{when}");
    renewed
}

/// Waits, at the changed time, until the server trusts it.
async fn wait_until_trusted(app: &App) {
    app.authority.look_at_clock();
    assert!(app.authority.doubts_clock());
    app.advance(seconds(60)).await;
    app.authority.look_at_clock();
    assert_eq!(app.authority.clock().unix_now(), app.clock.unix_now());
}

ficha_store::on_both_databases! {
    async fn a_revoked_token_stays_refused_when_the_clock_is_set_forward_and_back(database: TestDatabase) {
        let app = app_with_alice(&database).await;
        let (token, session) = (app.login("alice").await, app.login("alice").await);
        app.post("/revoke", &[("token", &token.access)]).await;
        app.post("/revoke", &[("token", &session.refresh)]).await;
        // More than a thousand entries follow, so that their numbers do not protect them from removal.
        let raw = database.raw().await;
        raw.fill_denylist(1_100, app.clock.unix_now() + 600).await;
        app.authority.follow().await.expect("the database answers");
        // So far that all of them expire.
        set_forward(&app, seconds(3 * 3_600));
        for _ in 0..3 {
            app.authority.maintain_once(&mut None).await.expect("the database answers");
        }
        assert_eq!(app.me(&token.access).await, 401);
        set_back(&app, seconds(3 * 3_600));
        // A server that has them in memory, and a server that loads them.
        let other = app.another(&database).await;
        for _ in 0..3 {
            for server in [&app, &other] {
                assert_eq!(server.me(&token.access).await, 401);
                assert_eq!(server.me(&session.access).await, 401);
            }
            advance_all(&[&app, &other], seconds(60)).await;
        }
        assert_eq!(raw.number("SELECT COUNT(*) FROM denylist").await, 1_102);
        assert_eq!(app.authority.denylist().len(), 1_102);
    }

    // The row covers the token with the latest expiry, even if another was issued last.
    async fn a_revocation_covers_a_token_from_before_the_clock_was_set_back(database: TestDatabase) {
        let app = app_with_alice(&database).await;
        let first = app.login("alice").await;
        let exp = number(&first.access, "exp");
        set_back(&app, seconds(300));
        wait_until_trusted(&app).await;
        let second = refreshed(&app, &first.refresh).await;
        assert!(number(&second.access, "exp") < exp);
        assert_eq!(row(&database, sid(&first.access)).await.access_exp, exp);
        assert_eq!(app.post("/revoke", &[("token", &second.refresh)]).await.status(), 200);
        // By the clock, 560 s after the login: an entry that covered only the second token would have expired.
        app.advance(seconds(800)).await;
        app.authority.maintain_once(&mut None).await.expect("the database answers");
        assert!(number(&first.access, "exp") > app.clock.unix_now());
        assert_eq!(app.me(&first.access).await, 401);
    }

    async fn logged_in_users_stay_logged_in_when_the_clock_is_set_back(database: TestDatabase) {
        let app = app_with_alice(&database).await;
        let tokens = app.login("alice").await;
        assert_eq!(app.me(&tokens.access).await, 200);
        set_back(&app, seconds(240));
        assert_eq!(app.me(&tokens.access).await, 200);
        let renewed = refreshed(&app, &tokens.refresh).await;
        assert_eq!(app.me(&renewed.access).await, 200);
        assert_eq!(app.me(&app.login("alice").await.access).await, 200);
    }

    // An issuer judges its own tokens by its own time. If its clock is set forward or back by more than the lifetime of
    // a token, no token looks expired.
    async fn a_clock_change_while_serving_logs_nobody_out(database: TestDatabase) {
        let app = app_with_alice(&database).await;
        for by in [86_400, 400 * 86_400] {
            for forward in [false, true] {
                let before = app.login("alice").await;
                if forward {
                    set_forward(&app, seconds(by));
                } else {
                    set_back(&app, seconds(by));
                }
                let before = assert_works(&app, &before, "at once").await;
                let doubted = app.login("alice").await;
                wait_until_trusted(&app).await;
                // A token that looks expired or not yet valid at the new time is not rejected for that.
                for token in [&before, &doubted] {
                    let status = app.me(&token.access).await;
                    assert!(status == 200 || status == 503, "{status} {by} {forward}");
                }
                let renewed = app.refresh(&before.refresh).await.status();
                assert!(renewed == 200 || renewed == 503, "{renewed} {by} {forward}");
                assert_works(&app, &app.login("alice").await, "followed").await;
                if forward {
                    set_back(&app, seconds(by));
                } else {
                    set_forward(&app, seconds(by));
                }
                wait_until_trusted(&app).await;
                assert_works(&app, &app.login("alice").await, "right again").await;
                refreshed(&app, &doubted.refresh).await;
                assert_eq!(app.get("/health/ready").await.status(), 200);
            }
        }
    }

    // A server that starts while the clock is wrong learns from the heartbeats that the time is in doubt. Otherwise it
    // would skip denylist entries as expired, and those tokens would be valid again once the clock is right.
    async fn revoked_tokens_stay_revoked_through_a_restart_while_the_clock_is_wrong(database: TestDatabase) {
        let app = app_with_alice(&database).await;
        let (live, revoked) = (app.login("alice").await, app.login("alice").await);
        app.post("/revoke", &[("token", &revoked.access)]).await;
        app.post("/revoke", &[("token", &revoked.refresh)]).await;
        set_forward(&app, days(40));
        wait_until_trusted(&app).await;
        // The heartbeat records the time, and whether it is in doubt.
        let store = database.store().await;
        eventually("a heartbeat is written", async || {
            let last = store.last_beat(None).await.expect("the database answers").any.expect("there is one");
            last.at >= app.clock.unix_now() - 1 && last.expiry < last.at - 86_400
        })
        .await;
        let second = app.another(&database).await;
        for _ in 0..3 {
            second.authority.maintain_once(&mut None).await.expect("the database answers");
        }
        assert_eq!(second.me(&live.access).await, 503);
        assert_eq!(second.refresh(&live.refresh).await.status(), 503);
        set_back(&app, days(40));
        second.authority.look_at_clock();
        second.advance(seconds(60)).await;
        second.authority.look_at_clock();
        let answer = second.get_with("/users/me", &revoked.access).await;
        assert_eq!(answer.status(), 401, "{:?}", answer.text().await);
        assert_eq!(second.me(&live.access).await, 200);
        refreshed(&second, &live.refresh).await;
        // The next server may start from a heartbeat that was written while the clock was wrong.
        let third = app.another(&database).await;
        assert_ne!(third.me(&revoked.access).await, 200);
        third.authority.look_at_clock();
        third.advance(seconds(60)).await;
        third.authority.look_at_clock();
        assert_eq!(third.me(&revoked.access).await, 401);
    }

    // Vouching uses the monotonic clock, which no administrator can set.
    async fn a_step_of_the_wall_clock_neither_ends_nor_prolongs_vouching(database: TestDatabase) {
        let app = app_with_alice(&database).await;
        let raw = database.raw().await;
        raw.take_away("denylist_head").await;
        set_forward(&app, seconds(60));
        assert_eq!(app.get("/health/ready").await.status(), 200);
        app.clock.advance(seconds(3));
        set_back(&app, seconds(120));
        assert_unavailable(&app.get("/health/ready").await);
        raw.give_back("denylist_head").await;
        eventually("the server is back", async || app.get("/health/ready").await.status() == 200).await;
    }
}
