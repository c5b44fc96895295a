//! Users in the console.

use std::time::Duration;

use ficha_authority::ClientScopes;
use ficha_store::testing::TestDatabase;
use ficha_testing::PASSWORD;

use crate::support::*;

/// The address of a user's page.
async fn page_of(visitor: &Visitor<'_>, name: &str) -> String {
    let list = visitor.get(&format!("/console/users?name={name}")).await;
    let (_, rest) = list.text.split_once("href=\"/console/users/").expect("a user");
    format!("/console/users/{}", &rest[..36])
}

/// What is shown once.
fn secret(page: &Page) -> String {
    let (_, rest) = page.text.split_once("<code class=\"secret\">").expect("a secret");
    rest.split('<').next().expect("its text").to_owned()
}

ficha_store::on_both_databases! {
    async fn a_throttled_user_is_shown_as_such(database: TestDatabase) {
        let app = app(&database).await;
        let chief = Visitor::signed_in(&app, "chief").await;
        let path = page_of(&chief, "alice").await;
        assert!(!chief.get(&path).await.has("Failed sign-ins</dt>"));
        for _ in 0..10 {
            app.post("/token", &[("grant_type", "password"), ("username", "alice"), ("password", "wrong")]).await;
        }
        let page = chief.get(&path).await;
        assert!(page.has("in a row") && page.has("waits at the moment"), "{}", page.text);
        chief.post(&path, &format!("{path}/unlock"), &[]).await;
        assert!(!chief.get(&path).await.has("Failed sign-ins</dt>"));
    }

    async fn a_user_is_created_and_chooses_a_password(database: TestDatabase) {
        let app = app(&database).await;
        let chief = Visitor::signed_in(&app, "chief").await;
        let fields = [("name", "bob"), ("email", "bob@example.com"), ("scopes", " notes:read  ficha:account "), ("roles", "editor")];
        let created = chief.post("/console/new-user", "/console/new-user", &fields).await;
        assert_eq!(created.status, 200, "{}", created.text);
        let once = secret(&created);
        let path = page_of(&chief, "bob").await;
        ficha_testing::eventually("what happened is there", async || chief.get(&path).await.has("The account was created")).await;
        let page = chief.get(&path).await;
        assert!(page.has("bob@example.com") && page.has("<code>editor</code>"), "{}", page.text);
        assert!(!page.has(&once), "it is shown once");
        let bob = Visitor::new(&app);
        assert_eq!(bob.sign_in("bob", &once).await.location, "/account/password?note=must-change");
        // A name that is taken loses nothing of what was typed.
        let again = chief.post("/console/new-user", "/console/new-user", &fields).await;
        assert!(again.status == 409 && again.has("already exists") && again.has("bob@example.com"), "{}", again.text);
        // A form that was sent twice leads to what it has created.
        assert!(again.has("href=\"/console/users/bob\"") && chief.get("/console/users/bob").await.has("bob@example.com"));
        // In the language of the page; what exactly is wrong is said in English if only the rule knows it.
        chief.set_cookie("ficha-language", "es");
        let again = chief.post("/console/new-user", "/console/new-user", &fields).await;
        assert!(again.has("\u{2068}bob\u{2069} ya existe. Elige otro nombre.") && !again.has("already"), "{}", again.text);
        let wrong = chief.post("/console/new-user", "/console/new-user", &[("name", "bob\u{7}")]).await;
        assert_eq!(wrong.status, 400);
        assert!(wrong.has("Un nombre de usuario tiene") && wrong.has("lang=\"en\"><bdi>a user name must not contain"), "{}", wrong.text);
    }

    async fn a_file_of_users_is_imported_once(database: TestDatabase) {
        let app = app(&database).await;
        let chief = Visitor::signed_in(&app, "chief").await;
        app.advance(Duration::from_secs(11 * 60)).await;
        let hash = "$2b$04$8mMHYsKMNMhwsfKnUT5xnuwINGYhEnvmFyaBRZJzhcrTLYVOcl1cC";
        let lines = format!("name,password_hash,scopes\nbob,{hash},notes:read\ncarol,{hash},notes:read\nwrong,no-hash,\n");
        let file = ("people.csv", &*lines);
        let form = chief.get("/console/import-users").await;
        assert!(form.has("multipart/form-data") && form.has("password_again"), "{}", form.text);
        let (_, rest) = form.text.split_once("name=\"job\" value=\"").expect("a job");
        let (token, job) = (form.token(), &rest[..36]);
        let (own, path) = (chief.origin(), "/console/import-users");
        // Nothing happens without token, from elsewhere, without the password, or with another kind of file.
        for (origin, fields, file, status) in [
            (&*own, &[("job", job), ("password_again", PASSWORD)][..], file, 403),
            ("http://127.0.0.1:9", &[("csrf_token", &*token), ("password_again", PASSWORD)], file, 403),
            (&own, &[("csrf_token", &token), ("job", job)], file, 403),
            (&own, &[("csrf_token", &token), ("password_again", "wrong")], file, 403),
            (&own, &[("csrf_token", &token), ("password_again", PASSWORD)], ("people.xlsx", &lines), 400),
            (&own, &[("csrf_token", &token)], ("people.csv", "what,is\nthis,here\n"), 400),
        ] {
            let refused = chief.upload(origin, path, fields, file).await;
            assert_eq!(refused.status, status, "{fields:?}: {}", refused.text);
            assert!(chief.get("/console/jobs").await.has("There was no job yet."), "{fields:?}");
        }
        let fields = [("csrf_token", &*token), ("job", job), ("scripts", "yes")];
        for _ in 0..2 {
            let accepted = chief.upload(&own, path, &fields, file).await;
            assert_eq!((accepted.status.as_u16(), &*accepted.location), (303, &*format!("/console/jobs/{job}")), "{}", accepted.text);
        }
        ficha_testing::eventually("they are imported", async || chief.get(&format!("/console/jobs/{job}")).await.has(">Done</span>")).await;
        let report = chief.get(&format!("/console/jobs/{job}")).await;
        assert!(report.has("<li>Line 4") && chief.get("/console/users?name=bob").await.has("/console/users/"), "{}", report.text);
        assert_eq!(chief.get("/console/jobs").await.text.matches("/console/jobs/").count(), 1, "one job");
        // A job that was not written down completely is written down again.
        let (_, rest) = chief.get(path).await.text.split_once("name=\"job\" value=\"").map(|(a, b)| (a.to_owned(), b.to_owned())).expect("a job");
        let job = rest[..36].to_owned();
        let raw = database.raw().await;
        raw.take_away("job_parts").await;
        let fields = [("csrf_token", &*token), ("job", &job)];
        let more = ("more.csv", &*format!("name,password_hash\ndave,{hash}\n"));
        assert_eq!(chief.upload(&own, path, &fields, more).await.status, 503);
        raw.give_back("job_parts").await;
        assert_eq!(chief.upload(&own, path, &fields, more).await.status, 303);
        ficha_testing::eventually("it is imported", async || chief.get("/console/users?name=dave").await.has("/console/users/")).await;
        let alice = Visitor::signed_in(&app, "alice").await;
        assert_eq!(alice.get(path).await.status, 403);
    }

    async fn who_has_fewer_rights_than_a_user_is_told_so_before_anything_is_asked(database: TestDatabase) {
        let app = app(&database).await;
        app.add_user("helper", "ficha:users ficha:clients ficha:account").await;
        app.add_client("night-shift", |new| {
            new.scopes = ClientScopes::Only("ficha:sessions".parse().expect("a scope"));
            new.own_scopes = true;
        }).await;
        let helper = Visitor::signed_in(&app, "helper").await;
        // Then the password is asked for again, where it is asked at all.
        app.advance(Duration::from_secs(11 * 60)).await;
        let alice = helper.get(&page_of(&helper, "alice").await).await;
        assert!(alice.has("/disable\"") && alice.has("/edit\"") && !alice.has("rights over the server"), "{}", alice.text);
        for (path, actions) in [
            (page_of(&helper, "chief").await, &["disable", "unlock", "password", "delete", "erase", "revoke-sessions"][..]),
            ("/console/clients/night-shift".to_owned(), &["disable", "delete", "secrets"]),
        ] {
            let page = helper.get(&path).await;
            assert!(page.status == 200 && page.has("rights over the server"), "{}", page.text);
            for action in actions {
                assert!(!page.has(&format!("/{action}\"")), "{path}/{action} is offered");
                let fields = [("others", "remove")];
                let refused = helper.post_with(&format!("{path}/{action}"), &page.token(), &fields).await;
                assert!(refused.status == 403 && !refused.has("password_again"), "{path}/{action}: {}", refused.text);
            }
            assert!(!page.has("/edit\""));
            assert_eq!(helper.get(&format!("{path}/edit")).await.status, 403);
        }
    }

    async fn a_change_is_saved_only_on_what_the_form_has_shown(database: TestDatabase) {
        let app = app(&database).await;
        let chief = Visitor::signed_in(&app, "chief").await;
        let laptop = app.login("alice").await;
        let path = page_of(&chief, "alice").await;
        let edit = format!("{path}/edit");
        let form = chief.get(&edit).await;
        let version = |page: &Page| {
            let (_, rest) = page.text.split_once("name=\"version\" value=\"").expect("a version");
            rest.split('"').next().expect("a value").replace("&#34;", "\"")
        };
        let shown = version(&form);
        let other = Visitor::signed_in(&app, "chief").await;
        let base = [("email", "a@example.com"), ("scopes", "notes:read ficha:account"), ("roles", ""), ("shown_email", "")];
        let mut first = base.to_vec();
        first.push(("version", &shown));
        let saved = other.post(&edit, &edit, &first).await;
        assert_eq!((saved.status.as_u16(), saved.location.as_str()), (303, format!("{path}?note=changed").as_str()), "{}", saved.text);
        // The second form is refused, and says what is different.
        let mut second = vec![("email", "b@example.com"), ("scopes", "ficha:account"), ("roles", ""), ("shown_email", "")];
        second.push(("version", &shown));
        let refused = chief.post_with(&edit, &form.token(), &second).await;
        assert_eq!(refused.status, 409);
        assert!(refused.has("nothing was saved") && refused.has("<bdi>a@example.com</bdi>") && refused.has("b@example.com"), "{}", refused.text);
        assert_eq!(app.me(&laptop.access).await, 200);
        // Saved again on what is there now, rights are lost, and their sessions end.
        let now = version(&refused);
        let mut third = vec![("email", "b@example.com"), ("scopes", "ficha:account"), ("roles", "")];
        third.push(("version", &now));
        let done = chief.post_with(&edit, &refused.token(), &third).await;
        assert!(done.has("One session has ended."), "{}", done.text);
        assert_eq!(app.me(&laptop.access).await, 401);
    }

    async fn what_ends_something_is_asked_first_and_what_cannot_be_undone_needs_the_password(database: TestDatabase) {
        let app = app(&database).await;
        let laptop = app.login("alice").await;
        let chief = Visitor::signed_in(&app, "chief").await;
        let other = Visitor::signed_in(&app, "chief").await;
        let path = page_of(&chief, "alice").await;
        app.advance(Duration::from_secs(11 * 60)).await;
        for action in ["disable", "revoke-sessions", "password", "delete", "erase"] {
            let asked = chief.post(&path, &format!("{path}/{action}"), &[]).await;
            assert!(asked.status == 200 && asked.has("What happens"), "{action}: {}", asked.text);
        }
        for action in ["password", "delete", "erase"] {
            let asked = chief.post(&path, &format!("{path}/{action}"), &[("confirm", "yes")]).await;
            assert!(asked.status == 200 && asked.has("name=\"password_again\""), "{action}: {}", asked.text);
            let wrong = [("confirm", "yes"), ("password_again", "seven quiet others juggle")];
            let refused = chief.post(&path, &format!("{path}/{action}"), &wrong).await;
            assert!(refused.status == 403 && refused.has("The password is wrong"), "{action}: {}", refused.text);
            assert!(!refused.has("others juggle"), "a page never repeats a password");
        }
        let form = [("grant_type", "password"), ("username", "alice"), ("password", PASSWORD)];
        assert_eq!(app.post("/token", &form).await.status(), 200, "nothing has happened");
        assert_eq!(app.refresh(&laptop.refresh).await.status(), 200);
        // With the password, it happens; and for ten minutes no other is needed.
        let right = [("confirm", "yes"), ("password_again", PASSWORD)];
        let shown = chief.get(&path).await;
        let (_, rest) = shown.text.split_once("name=\"version\" value=\"").expect("a version");
        let version = rest.split('"').next().expect("a value").replace("&#34;", "\"");
        let mut form_with_version = right.to_vec();
        form_with_version.push(("version", &version));
        let done = chief.post_with(&format!("{path}/password"), &shown.token(), &form_with_version).await;
        let once = secret(&done);
        // The same form once more, as by reloading the page, makes no other.
        let again = chief.post_with(&format!("{path}/password"), &shown.token(), &form_with_version).await;
        assert!(again.status == 409 && again.has("Nothing was done"), "{}", again.text);
        assert_eq!(app.post("/token", &form).await.status(), 400);
        assert_eq!(Visitor::new(&app).sign_in("alice", &once).await.status, 303);
        let done = chief.post(&path, &format!("{path}/erase"), &[("confirm", "yes")]).await;
        assert!(done.has("The user was erased"), "{}", done.text);
        assert_eq!(chief.get(&path).await.status, 404);
        // The proof is for that session alone.
        let proof = chief.cookie("ficha-confirmed").expect("a proof");
        other.set_cookie("ficha-confirmed", &proof);
        let purge = other.post("/console/keys", "/console/keys/purge", &[("confirm", "yes")]).await;
        assert!(purge.has("name=\"password_again\""), "{}", purge.text);
    }

    async fn a_scope_that_administers_is_granted_only_by_who_is_sitting_there(database: TestDatabase) {
        let app = app(&database).await;
        app.add_user("clerk", "ficha:users ficha:account").await;
        let chief = Visitor::signed_in(&app, "chief").await;
        app.advance(Duration::from_secs(11 * 60)).await;
        let fields = [("name", "bob"), ("scopes", "ficha:sessions")];
        let asked = chief.post("/console/new-user", "/console/new-user", &fields).await;
        assert!(asked.has("name=\"password_again\"") && asked.has("name=\"scopes\" value=\"ficha:sessions\""), "{}", asked.text);
        let mut again = fields.to_vec();
        again.push(("password_again", PASSWORD));
        assert!(chief.post("/console/new-user", "/console/new-user", &again).await.has("class=\"secret\""));
        // Who lacks a scope can't give it away, and can't reach the page of who has more.
        let clerk = Visitor::signed_in(&app, "clerk").await;
        let refused = clerk.post("/console/new-user", "/console/new-user", &[("name", "eve"), ("scopes", "ficha:admin")]).await;
        assert_eq!(refused.status, 403);
        let path = page_of(&clerk, "chief").await;
        let refused = clerk.post(&path, &format!("{path}/disable"), &[("confirm", "yes")]).await;
        assert_eq!(refused.status, 403);
        assert_eq!(chief.get("/console").await.status, 200);
        for path in ["/console/clients", "/console/keys", "/console/audit", "/console/services", "/console/scopes"] {
            assert_eq!(clerk.get(path).await.status, 403, "{path}");
        }
    }

    async fn the_last_administrator_stays_and_who_ends_themselves_is_told(database: TestDatabase) {
        let app = app(&database).await;
        app.admin.delete_user(&ficha_testing::tester(), "admin").await.expect("one of two");
        let chief = Visitor::signed_in(&app, "chief").await;
        let path = page_of(&chief, "chief").await;
        let asked = chief.post(&path, &format!("{path}/disable"), &[]).await;
        assert!(asked.has("This is your own account"), "{}", asked.text);
        for action in ["disable", "delete", "erase"] {
            let page = chief.post(&path, &format!("{path}/{action}"), &[("confirm", "yes")]).await;
            assert!(page.status == 409 && page.has("Nobody would be left"), "{action}: {}", page.text);
        }
        app.add_user("deputy", "ficha:admin").await;
        let gone = chief.post(&path, &format!("{path}/disable"), &[("confirm", "yes")]).await;
        assert!(gone.status == 200 && gone.has("is disabled") && !gone.has("Sign out"), "{}", gone.text);
        assert!(chief.cookie("ficha").is_none());
    }

    async fn a_form_with_a_mistake_keeps_what_was_typed(database: TestDatabase) {
        let app = app(&database).await;
        let chief = Visitor::signed_in(&app, "chief").await;
        for (scopes, status) in [("not\"es", 400), ("notes:leér", 400)] {
            let fields = [("name", "bob"), ("scopes", scopes), ("roles", "editor")];
            let page = chief.post("/console/new-user", "/console/new-user", &fields).await;
            assert!(page.status == status && page.has("value=\"bob\"") && page.has("value=\"editor\""), "{}", page.text);
        }
        // Who may not give a scope loses nothing else either.
        app.add_user("clerk", "ficha:users").await;
        let clerk = Visitor::signed_in(&app, "clerk").await;
        let fields = [("name", "bob"), ("scopes", "ficha:clients"), ("roles", "editor")];
        let page = clerk.post("/console/new-user", "/console/new-user", &fields).await;
        assert!(page.status == 403 && page.has("value=\"editor\""), "{}", page.text);
    }

    async fn everything_about_a_user_can_be_exported(database: TestDatabase) {
        let app = app(&database).await;
        app.login("alice").await;
        let chief = Visitor::signed_in(&app, "chief").await;
        let path = page_of(&chief, "alice").await;
        let response = chief.fetch(&format!("{path}/export")).await;
        assert!(response.headers()["content-disposition"].to_str().expect("text").starts_with("attachment; filename=\"user-"));
        let all: serde_json::Value = response.json().await.expect("JSON");
        assert_eq!((&all["user"]["name"], all["sessions"].as_array().map(Vec::len)), (&"alice".into(), Some(1)));
    }
}
