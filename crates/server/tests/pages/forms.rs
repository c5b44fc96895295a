//! What a form must show before it changes anything.

use ficha_store::testing::TestDatabase;
use ficha_testing::PASSWORD;
use reqwest::header::{COOKIE, HOST, ORIGIN};

use crate::support::*;

ficha_store::on_both_databases! {
    async fn a_form_from_elsewhere_or_without_its_token_changes_nothing(database: TestDatabase) {
        let app = app(&database).await;
        let laptop = app.login("alice").await;
        let chief = Visitor::signed_in(&app, "chief").await;
        let other = Visitor::signed_in(&app, "chief").await;
        let (token, others) = (chief.get("/console/sessions").await.token(), other.get("/console/sessions").await.token());
        let anonymous = Visitor::new(&app).get("/login").await.token();
        let path = format!("/console/sessions/{}/revoke", laptop.claims()["sid"].as_str().expect("a sid"));
        let own = chief.origin();
        let attempts = [
            (Some("https://evil.example"), &*token),
            (Some("null"), &*token),
            (Some("http://127.0.0.1"), &*token),
            (None, &*token),
            (Some(&*own), ""),
            (Some(&*own), "x"),
            // Of another session, even of the same user; and of a sign-in form.
            (Some(&*own), &*others),
            (Some(&*own), &*anonymous),
        ];
        for (origin, token) in attempts {
            for (path, fields) in [
                (&*path, &[("confirm", "yes")][..]),
                ("/console/sessions/revoke", &[("filter", "user=alice"), ("all", "yes"), ("expected", "9")]),
                ("/account/sessions/revoke-others", &[]),
                ("/account/password", &[("old_password", PASSWORD), ("new_password", "x"), ("repeated_password", "x")]),
                ("/preferences", &[("theme", "dark")]),
                ("/sign-out", &[]),
            ] {
                let page = chief.post_from(origin, path, token, fields).await;
                assert_eq!(page.status, 403, "{path} from {origin:?} with {token:?}: {}", page.text);
            }
        }
        assert_eq!(app.me(&laptop.access).await, 200);
        assert_eq!(other.get("/console/sessions").await.status, 200);
        // With both, it ends.
        assert_eq!(chief.post_with(&path, &token, &[("confirm", "yes")]).await.status, 200);
        assert_eq!(app.me(&laptop.access).await, 401);
    }

    async fn the_sign_in_form_belongs_to_the_browser_that_got_it(database: TestDatabase) {
        let app = app(&database).await;
        let (mine, another) = (Visitor::new(&app), Visitor::new(&app));
        let (token, foreign) = (mine.get("/login").await.token(), another.get("/login").await.token());
        let fields = [("username", "alice"), ("password", PASSWORD)];
        for (origin, token) in [(Some("https://evil.example"), &*token), (Some(&*mine.origin()), &*foreign), (Some(&*mine.origin()), "")] {
            assert_eq!(mine.post_from(origin, "/login", token, &fields).await.status, 403);
        }
        assert!(mine.cookie("ficha").is_none());
        assert_eq!(mine.post_with("/login", &token, &fields).await.status, 303);
    }

    async fn a_foreign_host_gets_no_page_and_changes_nothing(database: TestDatabase) {
        let app = app(&database).await;
        let chief = Visitor::signed_in(&app, "chief").await;
        let token = chief.get("/console/sessions").await.token();
        let cookie = format!("ficha={}", chief.cookie("ficha").expect("a cookie"));
        for path in ["/login", "/console/sessions", "/account/sessions", "/account/password?note=must-change"] {
            let request = app.http.get(app.url(path)).header(HOST, "evil.example").header(COOKIE, &cookie);
            assert_eq!(request.send().await.expect("an answer").status(), 421, "{path}");
        }
        let request = app.http.post(app.url("/sign-out")).header(HOST, "evil.example").header(COOKIE, &cookie);
        let request = request.header(ORIGIN, "http://evil.example").form(&[("csrf_token", token)]);
        assert_eq!(request.send().await.expect("an answer").status(), 421);
        assert_eq!(chief.get("/console/sessions").await.status, 200);
    }

    async fn what_was_sent_before_the_session_ended_changes_nothing_after(database: TestDatabase) {
        let app = app(&database).await;
        let laptop = app.login("alice").await;
        let chief = Visitor::signed_in(&app, "chief").await;
        let token = chief.get("/console/sessions").await.token();
        app.admin.revoke_user(&ficha_testing::tester(), "chief").await.expect("they end");
        let path = format!("/console/sessions/{}/revoke", laptop.claims()["sid"].as_str().expect("a sid"));
        let page = chief.post_with(&path, &token, &[("confirm", "yes")]).await;
        assert_eq!((page.status.as_u16(), &*page.location), (303, "/login"));
        assert_eq!(app.me(&laptop.access).await, 200);
    }
}
