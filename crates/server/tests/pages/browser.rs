//! The pages in a real browser: with scripts and without.

use std::io::Write;
use std::panic::AssertUnwindSafe;
use std::path::Path;

use actix_web::{HttpServer, web};
use ficha_resource::{Bearer, OAuth2PasswordBearer};
use ficha_store::testing::TestDatabase;
use ficha_testing::webdriver::{Browser, Programs};
use ficha_testing::{App, PASSWORD, Tokens};
use futures_util::FutureExt;

use crate::support::*;

pub async fn with_browser(steps: impl AsyncFnOnce(&Browser)) {
    let Some(programs) = Programs::find() else {
        let required = std::env::var("FICHA_TEST_REQUIRE").is_ok_and(|what| what == "all");
        assert!(!required, "FICHA_TEST_REQUIRE=all, but Chromium or ChromeDriver is missing");
        // Directly to the stream, since the test harness hides what passing tests print.
        let _ = writeln!(std::io::stderr(), "Chromium or ChromeDriver is missing: the browser test is skipped");
        return;
    };
    let browser = Browser::start(&programs).await;
    // Caught, so that the browser is stopped in any case.
    let ended = AssertUnwindSafe(steps(&browser)).catch_unwind().await;
    browser.end().await;
    if let Err(failed) = ended {
        std::panic::resume_unwind(failed);
    }
}

const FIREFOX: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0";

/// Signs in, on the way to a page.
pub async fn sign_in(app: &App, browser: &Browser, path: &str) {
    browser.open(&app.url(path)).await;
    browser.type_into("//input[@id='username']", "chief").await;
    browser.type_into("//input[@id='password']", PASSWORD).await;
    browser.click("//main//form//button").await;
    // The click does not wait for the answer, and what is opened before that is opened without the cookie.
    browser.text_with("//header//form", "").await;
}

/// Signs in, finds alice's session, ends it, and sees that it is refused.
async fn find_and_end(app: &App, browser: &Browser, laptop: &Tokens, pictures: &str) {
    let picture = |name: &str| Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{pictures}-{name}.png"));
    browser.open(&app.url("/login")).await;
    browser.text_with("//h1", "Sign in").await;
    browser.screenshot(&picture("sign-in")).await;
    sign_in(app, browser, "/console/sessions?user=alice").await;
    browser.text_with("//tbody", "Firefox, Linux").await;
    browser.screenshot(&picture("sessions")).await;
    if browser.is_there("//html[@data-scripts]").await {
        // The results follow what is typed, and what is typed stays.
        browser.type_into("//input[@id='user']", "x").await;
        browser.text_with("//div[@id='results']", "No session matches").await;
        browser.type_into("//input[@id='user']", "\u{e003}").await;
        browser.text_with("//tbody", "Firefox, Linux").await;
        assert_eq!(browser.property("//input[@id='user']", "value").await, "alice");
    }
    browser.click("//tbody/tr[1]//a").await;
    browser.text_with("//h1", "Session of \u{2068}alice\u{2069}").await;
    browser.screenshot(&picture("session")).await;
    browser.click("//main//button[contains(@class, 'danger')]").await;
    browser.text_with("//h1", "End the session of \u{2068}alice\u{2069}?").await;
    browser.screenshot(&picture("confirm")).await;
    browser.click("//button[@name='confirm']").await;
    browser.text_with("//section[contains(@class, 'receipt')]", "refuses them, seen after").await;
    browser.screenshot(&picture("receipt")).await;
    assert_eq!(app.me(&laptop.access).await, 401);
    browser.click("//header//a[text()='My account']").await;
    browser.text_with("//h1", "Where you are signed in").await;
    browser.screenshot(&picture("account")).await;
    browser.click("//footer//button[@value='dark']").await;
    browser.text_with("//html[@data-theme='dark']//h1", "Where you are signed in").await;
    browser.click("//footer//button[@value='es']").await;
    browser.text_with("//h1", "Dónde has iniciado sesión").await;
    browser.screenshot(&picture("account-es-dark")).await;
    browser.click("//header//form//button").await;
    browser.text_with("//h1", "Iniciar sesión").await;
    let mut log = browser.log().await;
    // That the cache is emptied at the sign-out is told as well.
    log.retain(|(level, _)| level != "INFO");
    assert_eq!(log, [], "nothing failed, and nothing violated the policy");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_administrator_finds_a_session_ends_it_and_sees_it_refused() {
    with_browser(async |browser| {
        let database = TestDatabase::sqlite().await;
        let app = app(&database).await;
        let form = [("grant_type", "password"), ("username", "alice"), ("password", PASSWORD)];
        let request = app.http.post(app.url("/token")).header("user-agent", FIREFOX).form(&form);
        let laptop = Tokens::of(request.send().await.expect("an answer")).await;
        let cursor = async |query: String| {
            let page: serde_json::Value = app.get(&query).await.json().await.expect("JSON");
            page["cursor"].as_str().expect("a cursor").to_owned()
        };
        let named = "/denylist?service=notes&instance=notes-1&lease=30&stale=refuse";
        let follow = async {
            let mut at = cursor(named.to_owned()).await;
            loop {
                at = cursor(format!("{named}&after={at}&wait=30")).await;
            }
        };
        tokio::select! {
            () = find_and_end(&app, browser, &laptop, "console") => {}
            () = follow => unreachable!("it follows without end"),
        }
        // A page that stays open says so when its session has ended.
        sign_in(&app, browser, "/console").await;
        browser.text_with("//h1", "Resumen").await;
        browser.screenshot(&Path::new(env!("CARGO_TARGET_TMPDIR")).join("console-overview.png")).await;
        assert!(!browser.is_there("//p[@id='session-ended' and not(@hidden)]").await);
        // Its numbers follow what happens.
        let before = browser.text_with("//a[@id='number-live']", "").await;
        let changed = format!("//a[@id='number-live' and . != '{before}']");
        ficha_testing::eventually("the number changes", async || {
            // The live sessions are counted again after ten seconds.
            app.advance(std::time::Duration::from_secs(11)).await;
            app.login("alice").await;
            tokio::time::sleep(std::time::Duration::from_millis(500)).await;
            browser.is_there(&changed).await
        })
        .await;
        app.admin.revoke_user(&ficha_testing::tester(), "chief").await.expect("they end");
        browser.text_with("//p[@id='session-ended' and not(@hidden)]", "Tu sesión ha terminado").await;
        // Everything works without scripts, too.
        browser.allow_scripts(false).await;
        // The newest session is the first in the list.
        app.advance(std::time::Duration::from_secs(1)).await;
        let form = [("grant_type", "password"), ("username", "alice"), ("password", PASSWORD)];
        let request = app.http.post(app.url("/token")).header("user-agent", FIREFOX).form(&form);
        let laptop = Tokens::of(request.send().await.expect("an answer")).await;
        browser.open(&app.url("/login")).await;
        browser.click("//footer//button[@value='en']").await;
        browser.text_with("//h1", "Sign in").await;
        let named = "/denylist?service=notes&instance=notes-2&lease=30&stale=refuse";
        let follow = async {
            let mut at = cursor(named.to_owned()).await;
            loop {
                at = cursor(format!("{named}&after={at}&wait=30")).await;
            }
        };
        tokio::select! {
            () = find_and_end(&app, browser, &laptop, "without-scripts") => {}
            () = follow => unreachable!("it follows without end"),
        }
    })
    .await;
}

/// A notes API that checks tokens by itself.
async fn notes_api(issuer: &str) -> std::net::SocketAddr {
    let oauth2 = OAuth2PasswordBearer::discover(issuer).audience("notes").build().await.expect("it follows");
    let whose = async |user: Bearer| user.claims.sub.to_string();
    let app = move || actix_web::App::new().app_data(oauth2.clone()).route("/notes", web::get().to(whose));
    let server = HttpServer::new(app).workers(1).bind(("127.0.0.1", 0)).expect("a port");
    let address = server.addrs()[0];
    tokio::spawn(server.run());
    address
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_running_service_is_seen_to_refuse_the_token() {
    with_browser(async |browser| {
        let database = TestDatabase::sqlite().await;
        // Where services look for it.
        let free = std::net::TcpListener::bind(("127.0.0.1", 0)).and_then(|free| free.local_addr()).expect("a port");
        let issuer = format!("http://{free}");
        let app = App::start_with(&database, |options| {
            options.settings.issuer = ficha_authority::Issuer::parse(&issuer).expect("an issuer");
            options.settings.token.audience = Some("notes".into());
            options.server.bind = free;
        })
        .await;
        app.add_user("alice", "notes:read").await;
        app.add_user("chief", "ficha:admin ficha:account").await;
        let form = [("grant_type", "password"), ("username", "alice"), ("password", PASSWORD)];
        let request = app.http.post(app.url("/token")).header("user-agent", FIREFOX).form(&form);
        let laptop = Tokens::of(request.send().await.expect("an answer")).await;
        let notes = notes_api(&issuer).await;
        let read = async || {
            let request = app.http.get(format!("http://{notes}/notes")).bearer_auth(&laptop.access);
            request.send().await.expect("an answer").status().as_u16()
        };
        assert_eq!(read().await, 200);
        find_and_end(&app, browser, &laptop, "running").await;
        assert_eq!(read().await, 401);
    })
    .await;
}
