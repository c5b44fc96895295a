//! Polls that are held, and what wakes them.

use std::time::Duration;

use ficha_authority::{Secret, SigningSettings};
use ficha_store::testing::TestDatabase;
use ficha_token::DenyId;

use crate::support::*;
use ficha_testing::{App, part, tester};

ficha_store::on_both_databases! {
    async fn every_kind_of_revocation_wakes_a_held_poll(database: TestDatabase) {
        let app = app_with_alice(&database).await;
        let client = app.add_client("app", |_| ()).await;
        let mut follower = Follower::default();
        follower.catch_up(&app).await;
        for what in ["token", "session", "logout", "user", "client", "key"] {
            let tokens = app.login_as(&client, "alice").await;
            let after = follower.cursor.clone().expect("a cursor");
            let held = held(&app, &format!("after={after}&{LONG}")).await;
            let expected = match what {
                "token" => {
                    app.post_as(&client, "/revoke", &[("token", &tokens.access)]).await;
                    jti(&tokens)
                }
                "session" => {
                    app.post_as(&client, "/revoke", &[("token", &tokens.refresh)]).await;
                    sid(&tokens)
                }
                "logout" => {
                    let response = app.http.post(app.url("/logout")).bearer_auth(&tokens.access).send().await;
                    assert_eq!(response.expect("an answer").status(), 204);
                    sid(&tokens)
                }
                "user" => {
                    app.admin.revoke_user(&tester(), "alice").await.expect("she is there");
                    sid(&tokens)
                }
                "client" => {
                    app.admin.revoke_client(&tester(), "app").await.expect("it is there");
                    sid(&tokens)
                }
                _ => {
                    app.admin.purge_keys(&tester()).await.expect("the database answers");
                    DenyId::of_key(part(&tokens.access, 0)["kid"].as_str().expect("a kid")).to_uuid()
                }
            };
            let woken = read_page(answered(held).await).await;
            assert!(ids(&woken).contains(&expected), "{what}: {woken:?}");
            assert!(!woken.reset && !woken.more, "{what}");
            follower.catch_up(&app).await;
            assert!(follower.denied.contains_key(&expected), "{what}");
        }
        assert_eq!((follower.resets, app.authority.followers_waiting()), (0, 0));
    }

    async fn a_wait_ends_with_an_empty_answer_and_the_same_cursor(database: TestDatabase) {
        let app = app_with_alice(&database).await;
        revoked_token(&app).await;
        let cursor = cursor(&app).await;
        let held = held(&app, &format!("after={cursor}&wait=1&nonce=N")).await;
        let page = read_page(answered(held).await).await;
        assert_eq!((page.cursor, page.nonce.as_deref(), page.entries.len()), (cursor.clone(), Some("N"), 0));
        for at_once in ["", "&wait=0", "&wait="] {
            let query = format!("after={cursor}{at_once}");
            let response = tokio::time::timeout(Duration::from_secs(10), poll(&app, &query));
            assert_eq!(read_page(response.await.expect("no wait")).await.cursor, cursor);
        }
        assert_eq!(app.authority.followers_waiting(), 0);
    }

    async fn a_change_outside_the_list_wakes_no_poll(database: TestDatabase) {
        let app = app_with_alice(&database).await;
        let held = held(&app, &format!("after={}&wait=2", cursor(&app).await)).await;
        app.admin.declare_scope(&tester(), "notes:write", "").await.expect("a scope");
        app.login("alice").await;
        stays("it waits", Duration::from_millis(300), async || !held.is_finished()).await;
        assert_eq!(ids(&read_page(answered(held).await).await), NOTHING);
    }

    async fn a_change_by_another_process_wakes_a_poll_too(database: TestDatabase) {
        let app = app_with_alice(&database).await;
        let held = held(&app, &format!("after={}&{LONG}", cursor(&app).await)).await;
        let raw = database.raw().await;
        raw.fill_denylist(3, later(&app)).await;
        assert_eq!(read_page(answered(held).await).await.entries.len(), 3);
    }

    async fn with_a_shared_secret_the_feed_is_the_same(database: TestDatabase) {
        let app = App::start_with(&database, |options| {
            options.settings.signing = SigningSettings::SharedSecret(Secret::new("0123456789abcdef0123456789abcdef"));
        })
        .await;
        app.add_user("alice", "notes:read").await;
        let held = held(&app, &format!("after={}&{LONG}", cursor(&app).await)).await;
        let id = revoked_token(&app).await;
        assert_eq!(ids(&read_page(answered(held).await).await), [id]);
    }
}
