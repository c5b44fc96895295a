//! Pages while the clock is set forward and back.

use std::time::Duration;

use ficha_store::testing::TestDatabase;
use ficha_testing::{App, PASSWORD};
use ficha_token::Clock;

use crate::support::*;

const HOURS: Duration = Duration::from_secs(3 * 3_600);

/// Sets the wall clock, while the monotonic clock continues, and waits until the server follows it.
async fn set_clock(app: &App, change: impl FnOnce(time::OffsetDateTime) -> time::OffsetDateTime) {
    app.clock.set_wall(change(app.clock.now()));
    app.authority.look_at_clock();
    app.advance(Duration::from_secs(60)).await;
    app.authority.look_at_clock();
    assert_eq!(app.authority.clock().unix_now(), app.clock.unix_now());
}

ficha_store::on_both_databases! {
    async fn a_clock_that_is_set_forward_signs_nobody_out(database: TestDatabase) {
        let app = app(&database).await;
        let laptop = app.login("alice").await;
        let chief = Visitor::signed_in(&app, "chief").await;
        let list = chief.get("/console/sessions?user=alice").await;
        set_clock(&app, |now| now + HOURS).await;
        // Longer than a session without use: whether it has ended is in doubt. The page says so, and forgets nobody.
        let page = chief.get("/console/sessions?user=alice").await;
        assert!(page.status == 503 && page.has("answer right now"), "{}", page.text);
        assert_eq!(chief.fetch("/console/events").await.status(), 503, "and not 401: the session has not ended");
        assert!(chief.cookie("ficha").is_some());
        set_clock(&app, |now| now - HOURS).await;
        let page = chief.get("/console/sessions?user=alice").await;
        assert!(page.status == 200 && page.token() == list.token(), "the same session: {}", page.text);
        // What was confirmed before the clock changed ends what it says.
        let id = laptop.claims()["sid"].as_str().expect("a sid").to_owned();
        let done = chief.post_with(&format!("/console/sessions/{id}/revoke"), &page.token(), &[("confirm", "yes")]).await;
        assert!(done.has("The session has ended."), "{}", done.text);
        assert_eq!(app.me(&laptop.access).await, 401);
    }

    async fn a_clock_that_is_set_back_asks_for_the_password_and_ends_what_it_says(database: TestDatabase) {
        let app = app(&database).await;
        let laptop = app.login("alice").await;
        let chief = Visitor::signed_in(&app, "chief").await;
        set_clock(&app, |now| now - HOURS).await;
        // Who signed in at a time that has not come yet has not shown to be there.
        let list = chief.get("/console/users?name=alice").await;
        assert_eq!(list.status, 200, "{}", list.text);
        let (_, rest) = list.text.split_once("href=\"/console/users/").expect("a user");
        let path = format!("/console/users/{}/delete", &rest[..36]);
        let fields = [("confirm", "yes")];
        let asked = chief.post_with(&path, &list.token(), &fields).await;
        assert!(asked.has("password_again"), "{}", asked.text);
        // A token of a time that has not come yet is in doubt, and not refused.
        assert_eq!(app.me(&laptop.access).await, 503);
        let fields = [("confirm", "yes"), ("password_again", PASSWORD)];
        let done = chief.post_with(&path, &asked.token(), &fields).await;
        assert!(done.status == 200 && done.has("was deleted"), "{}", done.text);
        assert_eq!(app.me(&laptop.access).await, 503);
        // What ended then has ended when the clock is right again.
        set_clock(&app, |now| now + HOURS).await;
        assert_eq!(app.me(&laptop.access).await, 401);
    }
}
