//! Pages while the database fails: nothing is said to be done that is not, and nobody is signed out by it.

use std::time::Duration;

use ficha_store::DatabaseKind;
use ficha_store::testing::TestDatabase;
use ficha_testing::{PASSWORD, eventually};

use crate::support::*;

ficha_store::on_both_databases! {
    async fn without_the_database_a_page_is_503_and_the_session_goes_on_after(database: TestDatabase) {
        let app = app(&database).await;
        let chief = Visitor::signed_in(&app, "chief").await;
        let raw = database.raw().await;
        raw.take_away("denylist_head").await;
        app.clock.advance(Duration::from_secs(3));
        for path in ["/console", "/console/sessions", "/account/sessions", "/login"] {
            let page = chief.get(path).await;
            assert!(page.status == 503 && page.has("answer right now"), "{path}: {}", page.text);
        }
        assert_eq!(chief.fetch("/console/events").await.status(), 503, "and not 401: the session has not ended");
        assert!(chief.cookie("ficha").is_some(), "nobody is signed out by it");
        raw.give_back("denylist_head").await;
        eventually("the server is back", async || chief.get("/console").await.status == 200).await;
    }

    async fn a_session_that_could_not_be_ended_is_not_said_to_have_ended(database: TestDatabase) {
        let app = app(&database).await;
        let laptop = app.login("alice").await;
        let chief = Visitor::signed_in(&app, "chief").await;
        let token = chief.get("/console/sessions").await.token();
        let sid = laptop.claims()["sid"].as_str().expect("a sid").to_owned();
        let (one, many) = (format!("/console/sessions/{sid}/revoke"), "/console/sessions/revoke");
        let raw = database.raw().await;
        raw.take_away("denylist").await;
        let all = [("filter", "user=alice"), ("all", "yes"), ("expected", "1")];
        for (path, fields) in [(&*one, &[("confirm", "yes")][..]), (many, &all), ("/sign-out", &[])] {
            let page = chief.post_with(path, &token, fields).await;
            assert_eq!(page.status, 503, "{path}: {}", page.text);
            assert!(page.has("it may or may not have happened"), "{path}: {}", page.text);
        }
        assert!(chief.cookie("ficha").is_some(), "the sign-out can be repeated");
        raw.give_back("denylist").await;
        assert_eq!(app.me(&laptop.access).await, 200);
        let ended = chief.post_with(&one, &token, &[("confirm", "yes")]).await;
        assert!(ended.has("The session has ended."), "{}", ended.text);
        assert_eq!(app.me(&laptop.access).await, 401);
        assert_eq!(chief.post_with("/sign-out", &token, &[]).await.status, 303);
    }

    async fn a_sign_in_that_storage_fails_gives_no_cookie_and_keeps_the_form(database: TestDatabase) {
        let app = app(&database).await;
        let visitor = Visitor::new(&app);
        let token = visitor.get("/login").await.token();
        let raw = database.raw().await;
        raw.take_away("sessions").await;
        let fields = [("username", "alice"), ("password", PASSWORD)];
        assert_eq!(visitor.post_with("/login", &token, &fields).await.status, 503);
        assert!(visitor.cookie("ficha").is_none());
        raw.give_back("sessions").await;
        assert_eq!(visitor.post_with("/login", &token, &fields).await.status, 303);
    }

    // As with a full disk.
    async fn a_database_that_takes_no_changes_is_still_shown(database: TestDatabase) {
        let app = app(&database).await;
        let laptop = app.login("alice").await;
        let chief = Visitor::signed_in(&app, "chief").await;
        let token = chief.get("/console/sessions").await.token();
        let raw = database.raw().await;
        match database.kind() {
            DatabaseKind::Sqlite => {
                let refuse = "CREATE TRIGGER refuse BEFORE UPDATE ON sessions BEGIN SELECT RAISE(ABORT, 'full'); END";
                raw.execute(refuse).await;
            }
            DatabaseKind::Postgres => {
                let refuse = "CREATE FUNCTION refuse() RETURNS trigger AS $$ BEGIN RAISE EXCEPTION 'full'; END $$ \
                              LANGUAGE plpgsql; \
                              CREATE TRIGGER refuse BEFORE UPDATE ON sessions FOR EACH ROW EXECUTE FUNCTION refuse()";
                raw.execute(refuse).await;
            }
        }
        // Its use would have to be noted by now.
        app.advance(Duration::from_secs(120)).await;
        assert_eq!(chief.get("/console").await.status, 200);
        let path = format!("/console/sessions/{}/revoke", laptop.claims()["sid"].as_str().expect("a sid"));
        assert_eq!(chief.post_with(&path, &token, &[("confirm", "yes")]).await.status, 503);
        assert_eq!(app.me(&laptop.access).await, 200);
        // What was not noted extends nothing.
        app.advance(Duration::from_secs(14 * 60)).await;
        assert_eq!(chief.get("/console").await.status, 303);
    }
}
