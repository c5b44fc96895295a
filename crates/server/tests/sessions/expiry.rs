//! Sessions end by themselves.

use ficha_store::testing::TestDatabase;

use crate::world::*;
use ficha_testing::error;

ficha_store::on_both_databases! {
    async fn a27_a_session_that_is_not_used_ends_by_idleness(database: TestDatabase) {
        let app = app_with_alice(&database).await;
        let (used, idle) = (app.login("alice").await, app.login("alice").await);
        app.advance(days(14) - seconds(1)).await;
        let renewed = refreshed(&app, &used.refresh).await;
        app.advance(seconds(1)).await;
        error(app.refresh(&idle.refresh).await, 400, "invalid_grant").await;
        // Each use counts from itself.
        app.advance(days(14) - seconds(2)).await;
        refreshed(&app, &renewed.refresh).await;
    }

    async fn a27_a_session_ends_for_good_however_often_it_is_used(database: TestDatabase) {
        let app = app_with_alice(&database).await;
        let mut tokens = app.login("alice").await;
        for _ in 0..9 {
            app.advance(days(10) - seconds(60)).await;
            tokens = refreshed(&app, &tokens.refresh).await;
        }
        // 540 of 90 days' seconds are left: no token may outlive its session.
        assert_eq!(tokens.body["expires_in"], 540);
        assert_eq!(number(&tokens.access, "exp"), row(&database, sid(&tokens.access)).await.expires_at);
        app.advance(seconds(539)).await;
        assert_eq!(app.me(&tokens.access).await, 200);
        let last = refreshed(&app, &tokens.refresh).await;
        assert_eq!(last.body["expires_in"], 1);
        app.advance(seconds(1)).await;
        assert_dead(&app, &last).await;
        error(app.refresh(&tokens.refresh).await, 400, "invalid_grant").await;
    }

    async fn a27_an_ended_session_is_inactive_to_introspection(database: TestDatabase) {
        let app = app_with_alice(&database).await;
        let client = jobs_client(&app, "app").await;
        let tokens = app.login_as(&client, "alice").await;
        assert_eq!(introspect(&app, &client, &tokens.refresh).await["active"], true);
        app.advance(days(14)).await;
        assert_eq!(introspect(&app, &client, &tokens.refresh).await, serde_json::json!({ "active": false }));
    }
}
