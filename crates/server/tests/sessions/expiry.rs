//! Sessions that expire.

use ficha_store::testing::TestDatabase;

use crate::support::*;
use ficha_testing::error;

ficha_store::on_both_databases! {
    async fn a27_an_unused_session_ends_after_its_idle_time(database: TestDatabase) {
        let app = app_with_alice(&database).await;
        let (used, idle) = (app.login("alice").await, app.login("alice").await);
        app.advance(days(14) - seconds(1)).await;
        let renewed = refreshed(&app, &used.refresh).await;
        app.advance(seconds(1)).await;
        error(app.refresh(&idle.refresh).await, 400, "invalid_grant").await;
        // The idle time restarts with each use.
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
        // 540 s of 90 days are left: no token may outlive its session.
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
