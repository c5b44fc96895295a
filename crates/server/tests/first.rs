//! The whole way once: a first start, a login, the token used.

mod support;

use support::{App, error};

ficha_store::on_both_databases! {
    async fn the_first_start_makes_an_admin_who_can_log_in(database: TestDatabase) {
        let app = App::start(&database).await;
        let form = [("grant_type", "password"), ("username", "admin"), ("password", &app.admin_password)];
        let tokens = support::Tokens::of(app.post("/token", &form).await).await;
        assert_eq!(app.me(&tokens.access).await, 200);
        let renewed = support::Tokens::of(app.refresh(&tokens.refresh).await).await;
        assert_ne!(renewed.refresh, tokens.refresh);
        assert_eq!(app.post("/revoke", &[("token", &renewed.refresh)]).await.status(), 200);
        assert_eq!(app.me(&tokens.access).await, 401);
        assert_eq!(app.me(&renewed.access).await, 401);
        error(app.refresh(&renewed.refresh).await, 400, "invalid_grant").await;
    }
}
use ficha_store::testing::TestDatabase;
