//! Scopes, keys, services, the event log and jobs in the console; and one's own events.

use ficha_store::testing::TestDatabase;

use crate::support::*;

ficha_store::on_both_databases! {
    async fn a_scope_is_declared_described_and_removed(database: TestDatabase) {
        let app = app(&database).await;
        let chief = Visitor::signed_in(&app, "chief").await;
        let fields = [("name", "notes:print"), ("description", "Print <your> notes")];
        let saved = chief.post("/console/scopes", "/console/scopes", &fields).await;
        assert_eq!((saved.status.as_u16(), &*saved.location), (303, "/console/scopes?note=changed"));
        let list = chief.get("/console/scopes").await;
        assert!(list.has("notes:print") && list.has("Print &#60;your&#62; notes"), "{}", list.text);
        for (name, description) in [("two words", "x"), ("notes:print", ""), ("\"", "x")] {
            let page = chief.post("/console/scopes", "/console/scopes", &[("name", name), ("description", description)]).await;
            assert!(page.status == 400 && page.has("role=\"alert\""), "{name:?}: {}", page.text);
        }
        let asked = chief.post("/console/scopes", "/console/scopes/remove", &[("name", "notes:print")]).await;
        assert!(asked.has("What happens"), "{}", asked.text);
        let removed = chief.post("/console/scopes", "/console/scopes/remove", &[("name", "notes:print"), ("confirm", "yes")]).await;
        assert_eq!(removed.location, "/console/scopes?note=removed");
        assert!(!chief.get("/console/scopes").await.has("notes:print"));
    }

    async fn keys_are_rotated_and_purged(database: TestDatabase) {
        let app = app(&database).await;
        let laptop = app.login("alice").await;
        let chief = Visitor::signed_in(&app, "chief").await;
        assert!(chief.get("/console/keys").await.has("In use"));
        assert_eq!(chief.post("/console/keys", "/console/keys/rotate", &[]).await.location, "/console/keys?note=rotated");
        assert!(chief.get("/console/keys").await.has("Published, signs soon"));
        assert_eq!(app.me(&laptop.access).await, 200);
        let asked = chief.post("/console/keys", "/console/keys/purge", &[]).await;
        assert!(asked.has("Purge all keys?"), "{}", asked.text);
        let done = chief.post("/console/keys", "/console/keys/purge", &[("confirm", "yes")]).await;
        assert!(done.status == 200 && done.has("All keys were purged"), "{}", done.text);
        assert!(chief.cookie("ficha").is_none());
        assert_eq!(app.me(&laptop.access).await, 401);
        assert_eq!(chief.get("/console/keys").await.status, 303);
    }

    async fn services_and_the_event_log_are_shown(database: TestDatabase) {
        let app = app(&database).await;
        assert_eq!(app.get("/denylist?service=notes&instance=web-1&lease=30&stale=refuse&version=9.1").await.status(), 200);
        let chief = Visitor::signed_in(&app, "chief").await;
        let services = chief.get("/console/services").await;
        assert!(services.has("web-1") && services.has("9.1") && services.has("30 s"), "{}", services.text);
        let again = chief.get("/console/receipt").await;
        assert!(again.status == 200 && again.has("web-1"), "{}", again.text);
        app.post("/token", &[("grant_type", "password"), ("username", "alice"), ("password", "wrong")]).await;
        ficha_testing::eventually("the event is numbered", async || {
            chief.get("/console/audit?event=login.failed").await.has("Sign-in failed")
        })
        .await;
        let log = chief.get("/console/audit?event=login.succeeded&actor=chief").await;
        assert!(log.has("Signed in") && !log.has("Sign-in failed"), "{}", log.text);
        let wrong = chief.get("/console/audit?session=x&colour=red").await;
        assert!(wrong.status == 400 && wrong.has("\u{2068}colour\u{2069}: there is no such filter") && wrong.has("Session id: type the id"), "{}", wrong.text);
        assert!(chief.get("/console/jobs").await.has("There was no job yet."));
        assert_eq!(chief.get("/console/jobs/x").await.status, 404);
    }

    async fn users_see_what_happened_to_them_and_not_who_administers(database: TestDatabase) {
        let app = app(&database).await;
        let alice = Visitor::signed_in(&app, "alice").await;
        app.post("/token", &[("grant_type", "password"), ("username", "alice"), ("password", "wrong")]).await;
        let seen = ficha_testing::eventually("the events are numbered", async || {
            let page = alice.get("/account/events").await;
            page.has("Sign-in failed") && page.has("Signed in") && page.has("The account was created")
        });
        seen.await;
        let page = alice.get("/account/events").await;
        assert!(!page.has("tester") && !page.has("chief"), "{}", page.text);
    }

    async fn a_revocation_of_very_many_sessions_is_a_job_that_is_shown(database: TestDatabase) {
        let app = app(&database).await;
        let laptop = app.login("alice").await;
        let id = laptop.claims()["sid"].as_str().and_then(|text| text.parse().ok()).expect("a sid");
        copy_session(&database, id, 10_100).await;
        let chief = Visitor::signed_in(&app, "chief").await;
        let all = [("filter", "user=alice"), ("all", "yes")];
        let asked = chief.post("/console/sessions", "/console/sessions/revoke", &all).await;
        assert!(asked.has("10,101 sessions match."), "{}", asked.text);
        let mut confirmed = all.to_vec();
        confirmed.push(("expected", "10101"));
        let done = chief.post_with("/console/sessions/revoke", &asked.token(), &confirmed).await;
        assert!(done.has("A job is ending them"), "{}", done.text);
        ficha_testing::eventually("the job is done", async || {
            let list = chief.get("/console/jobs").await;
            let (_, rest) = list.text.split_once("href=\"/console/jobs/").expect("a job");
            chief.get(&format!("/console/jobs/{}", &rest[..36])).await.has("Done</span>")
        })
        .await;
        assert_eq!(app.me(&laptop.access).await, 401);
    }

    async fn the_first_steps_are_ticked_off_as_they_happen(database: TestDatabase) {
        let app = ficha_testing::App::start(&database).await;
        let admin = Visitor::new(&app);
        assert_eq!(admin.sign_in("admin", &app.admin_password).await.location, "/console");
        let done = async || admin.get("/console").await.text.matches("<li class=\"done\">").count();
        assert_eq!(done().await, 0);
        app.add_user("alice", "notes:read").await;
        assert_eq!(done().await, 1);
        app.add_client("shop", |_| ()).await;
        assert_eq!(done().await, 2);
        app.get("/denylist?service=notes&instance=web-1&lease=30&stale=refuse").await;
        assert!(!admin.get("/console").await.has("id=\"steps\""), "all is done");
    }
}
