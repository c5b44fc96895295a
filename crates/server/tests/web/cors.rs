//! Web pages of other origins: Swagger UI of a service that uses the library, or a browser app.

use ficha_authority::Issuer;
use ficha_store::testing::TestDatabase;
use reqwest::{Method, Response};

use ficha_testing::{App, PASSWORD};

const PAGE: &str = "http://localhost:8081";
const NAMED: &str = "https://notes.example.com";
const FOREIGN: &str = "https://evil.example";

async fn preflight(app: &App, origin: &str) -> Response {
    let request = app.http.request(Method::OPTIONS, app.url("/token")).header("origin", origin);
    let request = request.header("access-control-request-method", "POST");
    request.header("access-control-request-headers", "authorization,x-requested-with").send().await.expect("an answer")
}

async fn login(app: &App, origin: &str) -> Response {
    let form =
        [("grant_type", "password"), ("username", "alice"), ("password", PASSWORD), ("client_id", "first-party")];
    app.http.post(app.url("/token")).header("origin", origin).form(&form).send().await.expect("an answer")
}

fn reader(response: &Response) -> Option<&str> {
    response.headers().get("access-control-allow-origin").map(|origin| origin.to_str().expect("text"))
}

ficha_store::on_both_databases! {
    async fn a_local_page_may_log_in_if_the_issuer_is_a_loopback_address(database: TestDatabase) {
        let app = App::start(&database).await;
        app.add_user("alice", "").await;
        let answer = preflight(&app, PAGE).await;
        assert_eq!(answer.status(), 200);
        assert_eq!(reader(&answer), Some(PAGE));
        let headers = answer.headers()["access-control-allow-headers"].to_str().expect("text").to_lowercase();
        assert!(headers.contains("authorization") && headers.contains("x-requested-with"), "{headers}");
        assert!(!answer.headers().contains_key("access-control-allow-credentials"));
        let answer = login(&app, PAGE).await;
        assert_eq!(answer.status(), 200);
        assert_eq!(reader(&answer), Some(PAGE));
        assert_eq!(answer.headers()["access-control-expose-headers"], "retry-after, www-authenticate, x-request-id");
        // A page that is not allowed gets the same response, which its browser keeps from it.
        for answer in [preflight(&app, FOREIGN).await, login(&app, FOREIGN).await] {
            assert_eq!(reader(&answer), None);
        }
    }

    async fn elsewhere_only_the_configured_origins_may(database: TestDatabase) {
        let app = App::start_with(&database, |options| {
            options.settings.issuer = Issuer::parse("https://auth.example.com").expect("an issuer");
            options.server.allowed_origins = vec![NAMED.parse().expect("an origin")];
        })
        .await;
        app.add_user("alice", "").await;
        assert_eq!(reader(&login(&app, NAMED).await), Some(NAMED));
        assert_eq!(reader(&preflight(&app, NAMED).await), Some(NAMED));
        for origin in [PAGE, FOREIGN, "null"] {
            assert_eq!(reader(&login(&app, origin).await), None, "{origin}");
        }
    }
}
