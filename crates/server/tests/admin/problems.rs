//! What surrounds every request of the admin API.

use ficha_authority::{Secret, SigningSettings};
use ficha_store::testing::TestDatabase;
use ficha_testing::App;
use reqwest::Method;

use crate::support::*;

ficha_store::on_both_databases! {
    async fn each_problem_has_a_page(database: TestDatabase) {
        let app = app(&database).await;
        let body = problem(send(&app, Method::GET, "/sessions", "x").await, 401, "unauthorized").await;
        let kind = body["type"].as_str().expect("a URL").rsplit('/').next().expect("a name").to_owned();
        let page = app.get(&format!("/problems/{kind}")).await;
        assert_eq!(page.status(), 200);
        assert!(page.text().await.expect("a page").contains("<h1>The request has no valid token</h1>"));
        assert_eq!(app.get("/problems/nothing").await.status(), 404);
    }

    async fn no_page_may_read_it_and_no_other_host_reaches_it(database: TestDatabase) {
        let app = app(&database).await;
        let chief = token(&app, "chief", "ficha:admin").await.access;
        let url = app.url("/api/v1/sessions");
        // The issuer is a loopback address, so pages of this machine may read everything else.
        let page = app.http.get(&url).bearer_auth(&chief).header("origin", "http://localhost:3000");
        let page = page.send().await.expect("an answer");
        assert!(!page.headers().contains_key("access-control-allow-origin"), "{:?}", page.headers());
        let metadata = app.http.get(app.url("/.well-known/jwks.json")).header("origin", "http://localhost:3000");
        assert!(metadata.send().await.expect("an answer").headers().contains_key("access-control-allow-origin"));
        let preflight = app.http.request(Method::OPTIONS, &url).header("origin", "http://localhost:3000");
        let preflight = preflight.header("access-control-request-method", "DELETE").send().await.expect("an answer");
        assert!(!preflight.headers().contains_key("access-control-allow-origin"));
        let foreign = app.http.get(&url).bearer_auth(&chief).header("host", "evil.example").send().await;
        problem(foreign.expect("an answer"), 421, "misdirected").await;
        let health = app.http.get(app.url("/health/live")).header("host", "evil.example").send().await;
        assert_eq!(health.expect("an answer").status(), 200);
    }

    /// Every service can make tokens then, also an administrator's.
    async fn with_a_shared_secret_there_is_no_admin_api(database: TestDatabase) {
        let app = App::start_with(&database, |options| {
            options.settings.signing = SigningSettings::SharedSecret(Secret::new("0123456789abcdef0123456789abcdef"));
        })
        .await;
        app.add_user("chief", "ficha:admin").await;
        let chief = token(&app, "chief", "ficha:admin").await.access;
        for path in ["/sessions", "/nothing"] {
            problem(send(&app, Method::GET, path, &chief).await, 404, "not-available").await;
        }
    }
}
