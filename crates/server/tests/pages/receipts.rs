//! Receipts that go on after their page was sent.

use std::time::Duration;

use ficha_store::testing::TestDatabase;
use ficha_testing::{App, tester};
use reqwest::Response;

use crate::browser::{sign_in, with_browser};
use crate::support::*;

/// A follower that names itself, and polls when it is told to.
struct SlowFollower<'a> {
    app: &'a App,
    cursor: String,
}

impl<'a> SlowFollower<'a> {
    async fn start(app: &'a App) -> Self {
        let mut follower = Self { app, cursor: String::new() };
        follower.poll("").await;
        follower
    }

    async fn poll(&mut self, after: &str) {
        let query = format!("/denylist?service=archive&instance=archive-1&lease=600&stale=refuse{after}");
        let page: serde_json::Value = self.app.get(&query).await.json().await.expect("JSON");
        self.cursor = page["cursor"].as_str().expect("a cursor").to_owned();
    }

    /// Reads what is new, and shows that it has it.
    async fn catch_up(&mut self) {
        for _ in 0..2 {
            let after = format!("&after={}", self.cursor);
            self.poll(&after).await;
        }
    }
}

/// Ends the sessions of alice in a browser with scripts, and returns the page, and where its receipt goes on.
async fn end_sessions(chief: &Visitor<'_>) -> (Page, String) {
    chief.app.login("alice").await;
    let fields = [("filter", "user=alice"), ("all", "yes")];
    let asked = chief.post("/console/sessions", "/console/sessions/revoke", &fields).await;
    let expected = asked.text.split("name=\"expected\" value=\"").nth(1).and_then(|rest| rest.split('"').next());
    let confirmed = [&fields[..], &[("expected", expected.expect("a number")), ("scripts", "yes")]].concat();
    let done = chief.post_with("/console/sessions/revoke", &asked.token(), &confirmed).await;
    let stream = done.told("/receipt/stream").expect("it goes on");
    (done, stream)
}

/// Reads until this is there, or the stream has ended.
async fn read_until(stream: &mut Response, text: &str) -> String {
    let reading = async {
        let mut read = String::new();
        while !read.contains(text)
            && let Some(chunk) = stream.chunk().await.expect("it is read")
        {
            read.push_str(std::str::from_utf8(&chunk).expect("UTF-8"));
        }
        read
    };
    tokio::time::timeout(Duration::from_secs(20), reading).await.unwrap_or_else(|_| panic!("no {text:?}"))
}

ficha_store::on_both_databases! {
    async fn a_receipt_goes_on_until_the_last_service_has_answered(database: TestDatabase) {
        let app = app(&database).await;
        let chief = Visitor::signed_in(&app, "chief").await;
        let mut follower = SlowFollower::start(&app).await;
        let (page, path) = end_sessions(&chief).await;
        assert!(page.has("have ended.") || page.has("has ended."), "{}", page.text);
        assert!(page.has("<li class=\"behind\">") && page.has("Ask again"), "{}", page.text);
        let mut stream = chief.fetch(&path).await;
        assert_eq!((stream.status().as_u16(), &stream.headers()["content-type"]), (200, &"text/event-stream".parse().expect("a value")));
        let first = read_until(&mut stream, "</ul>").await;
        assert!(first.starts_with("event: receipt\ndata: ") && first.contains("class=\"behind\""), "{first}");
        // What is revoked later is not what this receipt is about.
        follower.catch_up().await;
        let (_, other) = end_sessions(&chief).await;
        let rest = read_until(&mut stream, "event: end\n").await;
        assert!(rest.contains("class=\"applied\"") && rest.contains("refuses them, seen after") && rest.contains("event: end\n"), "{rest}");
        assert_eq!(stream.chunk().await.expect("it is read"), None);
        // What is asked about stays the same for a page that comes back.
        let again = read_until(&mut chief.fetch(&path).await, "event: end\n").await;
        assert!(again.contains("class=\"applied\"") && !again.contains("class=\"behind\""), "{again}");
        let first = read_until(&mut chief.fetch(&other).await, "</ul>").await;
        assert!(first.contains("class=\"behind\""), "{first}");
    }

    async fn a_receipt_is_for_the_session_that_asked_and_ends_with_it(database: TestDatabase) {
        let app = app(&database).await;
        let _follower = SlowFollower::start(&app).await;
        let chief = Visitor::signed_in(&app, "chief").await;
        let (_, path) = end_sessions(&chief).await;
        let mut stream = chief.fetch(&path).await;
        read_until(&mut stream, "</ul>").await;
        assert_eq!(Visitor::new(&app).fetch(&path).await.status(), 401, "nobody");
        assert_eq!(Visitor::signed_in(&app, "alice").await.fetch(&path).await.status(), 401, "another session");
        for wrong in ["", "&about=x", "&about=1.1&began=x", "&began=99999999999999999999", "&began=-1", "&began=-9223372036854775808"] {
            let session = path.split(['?', '&']).find(|part| part.starts_with("session=")).expect("a session");
            let mut stream = chief.fetch(&format!("/console/receipt/stream?{session}{wrong}")).await;
            assert!(read_until(&mut stream, "</ul>").await.contains("class=\"behind\""), "{wrong}: about everything until now");
        }
        app.admin.revoke_user(&tester(), "chief").await.expect("they end");
        let rest = read_until(&mut stream, "event: end").await;
        assert!(!rest.contains("event: end"), "{rest}");
        assert_eq!(chief.fetch(&path).await.status(), 401);
    }

    async fn a_page_that_goes_away_leaves_its_place_to_others(database: TestDatabase) {
        let app = app(&database).await;
        let _follower = SlowFollower::start(&app).await;
        let chief = Visitor::signed_in(&app, "chief").await;
        let (_, path) = end_sessions(&chief).await;
        let mut open = Vec::new();
        for _ in 0..5 {
            let mut stream = chief.fetch(&path).await;
            read_until(&mut stream, "</ul>").await;
            open.push(stream);
        }
        assert_eq!(chief.fetch(&path).await.status(), 503, "one user has five at most");
        assert_eq!(chief.fetch("/console/events").await.status(), 200, "events have places of their own");
        drop(open);
        ficha_testing::eventually("there is room again", async || chief.fetch(&path).await.status() == 200).await;
    }

    async fn what_apps_get_by_themselves_is_not_said_to_be_over(database: TestDatabase) {
        let app = app(&database).await;
        let night = app.add_client("night-shift", |new| new.grants = vec![ficha_authority::Grant::ClientCredentials]).await;
        assert_eq!(app.post_as(&night, "/token", &[("grant_type", "client_credentials")]).await.status(), 200);
        let chief = Visitor::signed_in(&app, "chief").await;
        let fields = [("filter", "client=night-shift"), ("all", "yes")];
        let asked = chief.post("/console/sessions", "/console/sessions/revoke", &fields).await;
        assert!(asked.has("gets a new token at once") && !asked.has("the user must sign in again"), "{}", asked.text);
        assert!(asked.has("One session of an app"), "{}", asked.text);
    }

    async fn who_has_ended_their_own_session_gets_the_receipt_at_once(database: TestDatabase) {
        let app = app(&database).await;
        let chief = Visitor::signed_in(&app, "chief").await;
        let _follower = SlowFollower::start(&app).await;
        let fields = [("confirm", "yes"), ("scripts", "yes")];
        let list = chief.get("/console/sessions?user=chief").await;
        let id = list.text.split("/console/sessions/").find_map(|part| part.get(..36).filter(|id| uuid::Uuid::parse_str(id).is_ok()));
        let path = format!("/console/sessions/{}/revoke", id.expect("a session"));
        let done = chief.post_with(&path, &list.token(), &fields).await;
        assert!(done.has("<li class=\"behind\">") && !done.has("/receipt/stream"), "{}", done.text);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_service_is_ticked_off_in_the_open_page() {
    with_browser(async |browser| {
        let database = TestDatabase::sqlite().await;
        let app = app(&database).await;
        let mut follower = SlowFollower::start(&app).await;
        app.login("alice").await;
        sign_in(&app, browser, "/console/sessions?user=alice").await;
        browser.click("//tbody/tr[1]//a").await;
        browser.click("//main//button[contains(@class, 'danger')]").await;
        browser.click("//button[@name='confirm']").await;
        browser.text_with("//li[@class='behind']", "archive").await;
        assert!(
            browser.is_there("//section[contains(@class, 'receipt')]//a[contains(@href, '/console/receipt')]").await
        );
        follower.catch_up().await;
        browser.text_with("//li[@class='applied']", "refuses them, seen after").await;
        browser.text_with("//p[@role='status' and contains(@class, 'good')]", "").await;
        assert!(!browser.is_there("//a[contains(@href, '/console/receipt')]").await);
        let mut log = browser.log().await;
        log.retain(|(level, _)| level != "INFO");
        assert_eq!(log, [], "nothing failed, and nothing violated the policy");
    })
    .await;
}
