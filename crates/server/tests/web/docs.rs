//! `/docs`: Swagger UI, its files, and the page in a real browser.

use std::io::Write;
use std::panic::AssertUnwindSafe;
use std::path::Path;

use ficha_store::testing::TestDatabase;
use futures_util::FutureExt;

use ficha_testing::webdriver::{Browser, Programs};
use ficha_testing::{App, PASSWORD, tester};

ficha_store::on_both_databases! {
    async fn the_page_has_a_policy_that_forbids_foreign_content(database: TestDatabase) {
        let app = App::start(&database).await;
        for (file, kind) in [
            ("", "text/html"), ("index.html", "text/html"), ("index.css", "text/css"), ("swagger-ui.css", "text/css"),
            ("swagger-ui-bundle.js", "text/javascript"), ("swagger-ui-standalone-preset.js", "text/javascript"),
            ("swagger-initializer.js", "text/javascript"), ("favicon-32x32.png", "image/png"),
        ] {
            let response = app.get(&format!("/docs/{file}")).await;
            assert_eq!(response.status(), 200, "{file}");
            let header = |name: &str| response.headers()[name].to_str().expect("a header is text").to_owned();
            assert!(header("content-type").starts_with(kind), "{file} is {}", header("content-type"));
            assert_eq!(header("cache-control"), "no-cache", "{file}");
            let policy = header("content-security-policy");
            for directive in ["default-src 'none'", "script-src 'self';", "connect-src 'self'", "frame-ancestors 'none'",
                              "base-uri 'none'", "form-action 'none'"] {
                assert!(policy.contains(directive), "{directive} is not in {policy}");
            }
            let scripts = policy.split(';').find(|part| part.trim().starts_with("script-src")).expect("scripts");
            assert!(!scripts.contains("unsafe") && !policy.contains("http") && !policy.contains('*'), "{policy}");
        }
        let page = app.get("/docs/").await.text().await.expect("a page");
        assert!(!page.contains("http://") && !page.contains("https://"), "everything is local: {page}");
        let script = app.get("/docs/swagger-initializer.js").await.text().await.expect("a script");
        assert!(!script.contains("petstore") && !script.contains("{{"), "{script}");
        for setting in [r#""/openapi.json""#, r#""validatorUrl": "none""#, r#""clientId": "first-party""#,
                        r#""persistAuthorization": false"#] {
            assert!(script.contains(setting), "{setting} is not in {script}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_authorize_button_signs_in_and_the_page_shows_who_that_is() {
    let Some(programs) = Programs::find() else {
        let required = std::env::var("FICHA_TEST_REQUIRE").is_ok_and(|what| what == "all");
        assert!(!required, "FICHA_TEST_REQUIRE=all, but Chromium or ChromeDriver is missing");
        // Directly to the stream, since the test harness hides what passing tests print.
        let _ =
            writeln!(std::io::stderr(), "Chromium or ChromeDriver is missing: the browser test of /docs is skipped");
        return;
    };
    let database = TestDatabase::sqlite().await;
    let app = App::start(&database).await;
    app.add_user("alice", "notes:read notes:write").await;
    app.admin.declare_scope(&tester(), "notes:read", "Read your notes").await.expect("a scope");
    let browser = Browser::start(&programs).await;
    // Caught, so that the browser is stopped in any case.
    let ended = AssertUnwindSafe(sign_in_and_look(&browser, &app.url("/docs"))).catch_unwind().await;
    browser.end().await;
    if let Err(failed) = ended {
        std::panic::resume_unwind(failed);
    }
}

async fn sign_in_and_look(browser: &Browser, url: &str) {
    let pictures = Path::new(env!("CARGO_TARGET_TMPDIR"));
    browser.open(url).await;
    browser.click("//div[contains(@class, 'auth-wrapper')]/button[contains(@class, 'authorize')]").await;
    let client = browser.property("//input[@id='client_id_password']", "value").await;
    assert_eq!(client, "first-party", "the client id is preset");
    browser.type_into("//input[@id='oauth_username']", "alice").await;
    browser.type_into("//input[@id='oauth_password']", PASSWORD).await;
    for scope in ["notes:read", "notes:write"] {
        let scope = format!("//input[@id='{scope}-password-checkbox-password']");
        assert_eq!(browser.property(&scope, "type").await, "checkbox");
        assert_eq!(browser.property(&scope, "checked").await, false);
    }
    browser.click("//label[@for='notes:read-password-checkbox-password']").await;
    assert_eq!(browser.property("//input[@id='notes:read-password-checkbox-password']", "checked").await, true);
    browser.screenshot(&pictures.join("docs-authorize.png")).await;
    let form = "//input[@id='oauth_username']/ancestor::div[contains(@class, 'auth-container')]";
    browser.click(&format!("{form}//button[contains(@class, 'authorize')]")).await;
    browser.text_with("//div[contains(@class, 'modal-ux')]//button[text()='Logout']", "Logout").await;
    browser.screenshot(&pictures.join("docs-authorized.png")).await;
    browser.click("//button[contains(@class, 'btn-done')]").await;
    assert!(!browser.is_there("//div[contains(@class, 'modal-ux')]").await, "the dialog is closed");

    let operation = "//div[@id='operations-Session-me']";
    browser.click(&format!("{operation}//button[contains(@class, 'opblock-summary-control')]")).await;
    // It is on already if the page is configured that way.
    let try_it = format!("{operation}//button[contains(@class, 'try-out__btn') and not(contains(@class, 'cancel'))]");
    if browser.is_there(&try_it).await {
        browser.click(&try_it).await;
    }
    browser.click(&format!("{operation}//button[contains(@class, 'execute')]")).await;
    let answer = format!("{operation}//table[contains(@class, 'live-responses-table')]//tr[@class='response']");
    browser.text_with(&format!("{answer}/td[contains(@class, 'response-col_status')]"), "200").await;
    let body = browser.text_with(&format!("{answer}/td[contains(@class, 'response-col_description')]"), "alice").await;
    assert!(body.contains("\"username\": \"alice\"") && body.contains("\"scope\": \"notes:read\""), "{body}");
    browser.screenshot(&pictures.join("docs-users-me.png")).await;

    let log = browser.log().await;
    let severe: Vec<_> = log.iter().filter(|(level, _)| level == "SEVERE").collect();
    assert!(severe.is_empty(), "{severe:#?}");
}
