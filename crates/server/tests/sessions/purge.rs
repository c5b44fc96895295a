//! After a key was leaked: every session ends at once.

use ficha_store::testing::TestDatabase;
use futures_util::future::join_all;
use tokio::join;

use crate::support::*;
use ficha_testing::{Tokens, error, part, tester};

ficha_store::on_both_databases! {
    async fn a_purge_revokes_every_token_at_once_and_new_logins_work(database: TestDatabase) {
        let app = app_with_alice(&database).await;
        let other = app.another(&database).await;
        let client = jobs_client(&app, "app").await;
        let first = app.login("alice").await;
        let second = refreshed(&app, &first.refresh).await;
        let own = own_token(&app, &client).await;
        for token in [&first.access, &second.access, &own.access] {
            assert_eq!(other.me(token).await, 200);
        }
        app.admin.purge_keys(&tester()).await.expect("a purge");
        for tokens in [&first, &second] {
            assert_dead(&app, tokens).await;
            error(other.refresh(&tokens.refresh).await, 400, "invalid_grant").await;
        }
        assert_eq!(app.me(&own.access).await, 401);
        for token in [&first.access, &second.access, &own.access] {
            eventually("the other server rejects it", async || other.me(token).await == 401).await;
        }
        for server in [&app, &other] {
            server.authority.follow().await.expect("the database answers");
            let renewed = server.login("alice").await;
            assert_ne!(part(&renewed.access, 0)["kid"], part(&first.access, 0)["kid"]);
            assert_eq!(app.me(&renewed.access).await, 200);
            assert_eq!(other.me(&refreshed(&other, &renewed.refresh).await.access).await, 200);
            assert_eq!(server.me(&own_token(server, &client).await.access).await, 200);
            assert_eq!(server.me(&first.access).await, 401);
        }
        assert_eq!(events(&database, "key.purged").await.len(), 1);
    }

    async fn purged_tokens_stay_refused_after_a_restart_until_they_have_expired(database: TestDatabase) {
        let app = app_with_alice(&database).await;
        let tokens = app.login("alice").await;
        app.admin.purge_keys(&tester()).await.expect("a purge");
        let again = app.end().await.start(&database).await;
        assert_dead(&again, &tokens).await;
        for _ in 0..4 {
            again.advance(seconds(200)).await;
            again.authority.maintain_once(&mut None).await.expect("the database answers");
            assert_dead(&again, &tokens).await;
        }
    }

    async fn a_refresh_during_a_purge_never_survives_it(database: TestDatabase) {
        let app = app_with_alice(&database).await;
        let client = jobs_client(&app, "app").await;
        for _ in 0..8 {
            let logins = join_all((0..4).map(|_| app.login_as(&client, "alice"))).await;
            // Two uses each, a rotation and a retry, all of sessions from before the purge.
            let uses = join_all(logins.iter().chain(&logins).map(|tokens| refresh_as(&app, &client, &tokens.refresh)));
            let tester = tester();
            let (answers, purged) = join!(uses, app.admin.purge_keys(&tester));
            purged.expect("a purge");
            app.authority.follow().await.expect("the database answers");
            for answer in answers {
                match answer.status().as_u16() {
                    200 => {
                        let tokens = Tokens::of(answer).await;
                        assert_eq!(app.me(&tokens.access).await, 401);
                        error(refresh_as(&app, &client, &tokens.refresh).await, 400, "invalid_grant").await;
                    }
                    _ => drop(error(answer, 400, "invalid_grant").await),
                }
            }
        }
    }
}
