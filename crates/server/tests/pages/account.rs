//! Users look after themselves.

use ficha_store::testing::TestDatabase;
use ficha_testing::PASSWORD;

use crate::support::*;

ficha_store::on_both_databases! {
    async fn users_see_where_they_are_signed_in_and_end_it(database: TestDatabase) {
        let app = app(&database).await;
        let (laptop, phone) = (app.login("alice").await, app.login("alice").await);
        let chiefs = Visitor::signed_in(&app, "chief").await;
        let alice = Visitor::signed_in(&app, "alice").await;
        let page = alice.get("/account/sessions").await;
        assert_eq!(page.text.matches("/revoke\"").count(), 3, "two devices and this one: {}", page.text);
        let id = laptop.claims()["sid"].as_str().expect("a sid").to_owned();
        let ended = alice.post_with(&format!("/account/sessions/{id}/revoke"), &page.token(), &[]).await;
        assert!(ended.has("The session has ended."), "{}", ended.text);
        assert_eq!((app.me(&laptop.access).await.as_u16(), app.me(&phone.access).await.as_u16()), (401, 200));
        // Another's is not there for them.
        let list = chiefs.get("/account/sessions").await;
        let (_, rest) = list.text.split_once("/account/sessions/").expect("their own");
        let theirs = format!("/account/sessions/{}/revoke", rest.split("/account/sessions/").nth(1).map_or(&rest[..36], |rest| &rest[..36]));
        assert_eq!(alice.post("/account/sessions", &theirs, &[]).await.status, 404);
        let others = alice.post("/account/sessions", "/account/sessions/revoke-others", &[]).await;
        assert!(others.has("One session has ended."), "{}", others.text);
        assert_eq!(app.me(&phone.access).await, 401);
        assert_eq!(alice.get("/account/sessions").await.status, 200);
        assert_eq!(chiefs.get("/account/sessions").await.status, 200);
    }

    async fn ending_ones_own_session_is_signing_out(database: TestDatabase) {
        let app = app(&database).await;
        let alice = Visitor::signed_in(&app, "alice").await;
        let page = alice.get("/account/sessions").await;
        let (_, rest) = page.text.split_once("action=\"/account/sessions/").expect("a form");
        let out = alice.post_with(&format!("/account/sessions/{}/revoke", &rest[..36]), &page.token(), &[]).await;
        assert_eq!((out.status.as_u16(), &*out.location), (303, "/login?note=signed-out"));
        assert!(alice.cookie("ficha").is_none());
    }

    async fn a_password_is_changed_and_every_session_ends(database: TestDatabase) {
        let app = app(&database).await;
        let (laptop, alice) = (app.login("alice").await, Visitor::signed_in(&app, "alice").await);
        let new = "nine slow herons whistle";
        let change = async |old: &str, new: &str, repeated: &str| {
            let fields = [("old_password", old), ("new_password", new), ("repeated_password", repeated)];
            alice.post("/account/password", "/account/password", &fields).await
        };
        for (old, new, repeated, why) in [
            ("wrong", new, new, "current password is wrong"),
            (PASSWORD, new, "another one, a longer one", "differ"),
            (PASSWORD, "short", "short", "at least 15 characters"),
            (PASSWORD, PASSWORD, PASSWORD, "the same as the current one"),
            (PASSWORD, "alice alice alice alice", "alice alice alice alice", "must"),
        ] {
            let page = change(old, new, repeated).await;
            assert_eq!(page.status, 400, "{why}");
            assert!(page.has(why) || why == "must", "{why}: {}", page.text);
            assert!(!page.has(new), "a page never repeats a password");
        }
        assert_eq!(app.me(&laptop.access).await, 200);
        let changed = change(PASSWORD, new, new).await;
        assert_eq!((changed.status.as_u16(), &*changed.location), (303, "/login?note=password-changed"));
        assert_eq!(app.me(&laptop.access).await, 401);
        assert_eq!(alice.get("/account/sessions").await.status, 303);
        assert_eq!(alice.sign_in("alice", PASSWORD).await.status, 403);
        assert_eq!(alice.sign_in("alice", new).await.status, 303);
    }
}
