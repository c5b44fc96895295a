//! Revoking a client, or a user, with more sessions than one transaction ends.

use ficha_store::testing::TestDatabase;
use ficha_store::{BulkStep, SessionFilter};

use crate::support::*;
use ficha_testing::{Tokens, error, tester};

/// More than one batch, and more than one page of the denylist.
const MANY: u32 = 5_200;

fn live(now: i64) -> SessionFilter {
    SessionFilter { client: Some("app".into()), live_at: Some(now), user: None }
}

ficha_store::on_both_databases! {
    async fn every_session_of_a_client_ends_however_many_there_are(database: TestDatabase) {
        let app = app_with_alice(&database).await;
        let other = app.another(&database).await;
        let client = jobs_client(&app, "app").await;
        let bystander = app.login("alice").await;
        let (first, own) = (app.login_as(&client, "alice").await, own_token(&app, &client).await);
        assert_eq!(database.raw().await.copy_session(sid(&first.access), MANY).await, u64::from(MANY));
        let last = app.login_as(&client, "alice").await;
        let ended = app.admin.revoke_client(&tester(), "app").await.expect("it is done");
        assert_eq!(ended, u64::from(MANY) + 3);
        for tokens in [&first, &own, &last] {
            assert_eq!(app.me(&tokens.access).await, 401);
            eventually("the other server refuses it", async || other.me(&tokens.access).await == 401).await;
        }
        for tokens in [&first, &last] {
            error(refresh_as(&other, &client, &tokens.refresh).await, 400, "invalid_grant").await;
        }
        let store = database.store().await;
        let now = number(&last.access, "iat");
        assert_eq!(store.list_sessions(&live(now), None, 10).await.expect("the database answers"), []);
        // One row for each: every number is used.
        assert_eq!(store.head().await.expect("the database answers").number, i64::from(MANY) + 3);
        assert_eq!(app.me(&bystander.access).await, 200, "another client's sessions continue");
        // The client can log in again.
        for server in [&app, &other] {
            server.authority.follow().await.expect("the database answers");
            let again = server.login_as(&client, "alice").await;
            assert_eq!(server.me(&again.access).await, 200);
            assert_eq!(server.me(&own_token(server, &client).await.access).await, 200);
        }
    }

    async fn another_server_finishes_what_a_stopped_server_left_half_done(database: TestDatabase) {
        let app = app_with_alice(&database).await;
        let client = jobs_client(&app, "app").await;
        let first = app.login_as(&client, "alice").await;
        database.raw().await.copy_session(sid(&first.access), MANY).await;
        let last = app.login_as(&client, "alice").await;
        let (remains, now) = (app.end().await, number(&last.access, "iat"));
        let store = database.store().await;
        let work = store.begin_revoking_client("app", now, &ficha_store::testing::cause()).await.expect("the database answers").expect("it is there");
        let step = store.continue_bulk_revocation(work, now, now * 1_000, 4_000).await.expect("the database answers");
        assert!(matches!(step, BulkStep::Ended(ended) if ended.sessions == 4_000));
        let next = remains.start(&database).await;
        eventually("the rest is revoked", async || {
            store.unfinished_bulk_revocations().await.expect("the database answers").is_empty()
        })
        .await;
        assert_eq!(store.list_sessions(&live(now), None, 10).await.expect("the database answers"), []);
        for tokens in [&first, &last] {
            assert_eq!(next.me(&tokens.access).await, 401);
            error(refresh_as(&next, &client, &tokens.refresh).await, 400, "invalid_grant").await;
        }
        assert_eq!(store.head().await.expect("the database answers").number, i64::from(MANY) + 2);
        next.authority.follow().await.expect("the database answers");
        assert_eq!(next.me(&next.login_as(&client, "alice").await.access).await, 200);
    }

    async fn a_client_gets_nothing_while_its_sessions_are_being_revoked(database: TestDatabase) {
        let app = app_with_alice(&database).await;
        let client = jobs_client(&app, "app").await;
        let tokens = app.login_as(&client, "alice").await;
        let raw = database.raw().await;
        // The revocation can't continue while the sessions table is gone.
        raw.take_away("sessions").await;
        assert!(app.admin.revoke_client(&tester(), "app").await.is_err());
        app.authority.follow().await.expect("the database answers");
        let forms = [
            vec![("grant_type", "client_credentials"), ("scope", "jobs:run")],
            vec![("grant_type", "password"), ("username", "alice"), ("password", ficha_testing::PASSWORD)],
            vec![("grant_type", "refresh_token"), ("refresh_token", tokens.refresh.as_str())],
        ];
        for form in &forms {
            let why = error(app.post_as(&client, "/token", form).await, 503, "temporarily_unavailable").await;
            assert!(why.contains("are being ended"), "{why}");
        }
        raw.give_back("sessions").await;
        // Then the server continues by itself, and enables the client again.
        let store = database.store().await;
        eventually("it is finished", async || {
            store.unfinished_bulk_revocations().await.expect("the database answers").is_empty()
        })
        .await;
        app.authority.follow().await.expect("the database answers");
        assert_eq!(app.me(&tokens.access).await, 401);
        error(app.post_as(&client, "/token", &forms[2]).await, 400, "invalid_grant").await;
        for form in &forms[..2] {
            assert_eq!(app.me(&Tokens::of(app.post_as(&client, "/token", form).await).await.access).await, 200);
        }
    }
}
