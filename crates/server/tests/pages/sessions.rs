//! Sessions in the console.

use ficha_store::testing::TestDatabase;
use ficha_testing::{PASSWORD, Tokens, tester};

use crate::support::*;

fn sid(tokens: &Tokens) -> String {
    tokens.claims()["sid"].as_str().expect("a sid").to_owned()
}

ficha_store::on_both_databases! {
    async fn a_lost_laptops_session_is_found_ended_and_seen_to_be_refused(database: TestDatabase) {
        let app = app(&database).await;
        let (laptop, phone) = (app.login("alice").await, app.login("alice").await);
        let chief = Visitor::signed_in(&app, "chief").await;
        let list = chief.get("/console/sessions?user=alice&client=&address=&state=live").await;
        assert!(list.has(&sid(&laptop)) && list.has(&sid(&phone)) && list.has("2 sessions."), "{}", list.text);
        let path = format!("/console/sessions/{}", sid(&laptop));
        let shown = chief.get(&path).await;
        assert!(shown.has("Session of \u{2068}alice\u{2069}") && shown.has("first-party") && shown.has("notes:read"), "{}", shown.text);
        // First it says what will happen, and nothing has.
        let asked = chief.post_with(&format!("{path}/revoke"), &shown.token(), &[]).await;
        assert!(asked.status == 200 && asked.has("End the session of \u{2068}alice\u{2069}?"), "{}", asked.text);
        assert_eq!(app.me(&laptop.access).await, 200);
        let ended = chief.post_with(&format!("{path}/revoke"), &asked.token(), &[("confirm", "yes")]).await;
        assert!(ended.has("The session has ended.") && ended.has("No service follows"), "{}", ended.text);
        assert_eq!((app.me(&laptop.access).await, app.me(&phone.access).await), (401.try_into().expect("a status"), 200.try_into().expect("a status")));
        let shown = chief.get(&path).await;
        assert!(shown.has("Ended by an administrator · <bdi>chief</bdi>"), "{}", shown.text);
        let again = chief.post_with(&format!("{path}/revoke"), &shown.token(), &[("confirm", "yes")]).await;
        assert!(again.has("had already ended"));
    }

    async fn selected_sessions_end_and_no_other(database: TestDatabase) {
        let app = app(&database).await;
        let (first, second, third) = (app.login("alice").await, app.login("alice").await, app.login("alice").await);
        let chief = Visitor::signed_in(&app, "chief").await;
        let (one, two) = (format!("session-{}", sid(&first)), format!("session-{}", sid(&second)));
        let selected = [("filter", "user=alice"), (&*one, "yes"), (&*two, "yes")];
        let asked = chief.post("/console/sessions", "/console/sessions/revoke", &selected).await;
        assert!(asked.has("2 selected sessions will end."), "{}", asked.text);
        let confirmed = [("filter", "user=alice"), (&*one, "yes"), (&*two, "yes"), ("expected", "2"), ("reason", "lost bag")];
        let done = chief.post_with("/console/sessions/revoke", &asked.token(), &confirmed).await;
        assert!(done.has("2 sessions have ended."), "{}", done.text);
        for (tokens, expected) in [(&first, 401), (&second, 401), (&third, 200)] {
            assert_eq!(app.me(&tokens.access).await, expected);
        }
        let events = database.store().await.all_events().await;
        let event = events.iter().find(|event| event.event == "sessions.revoked").expect("an event");
        assert!(event.detail.as_ref().is_some_and(|detail| detail.to_string().contains("lost bag")));
    }

    async fn all_that_match_end_if_they_are_no_more_than_were_shown(database: TestDatabase) {
        let app = app(&database).await;
        let mut all = vec![app.login("alice").await, app.login("alice").await];
        let chief = Visitor::signed_in(&app, "chief").await;
        let asked = chief.post("/console/sessions", "/console/sessions/revoke", &[("filter", "user=alice"), ("all", "yes")]).await;
        assert!(asked.has("2 sessions match. 2 of them have not been ended, and will end."), "{}", asked.text);
        all.push(app.login("alice").await);
        let confirmed = [("filter", "user=alice"), ("all", "yes"), ("expected", "2")];
        let page = chief.post_with("/console/sessions/revoke", &asked.token(), &confirmed).await;
        assert_eq!(page.status, 409);
        assert!(page.has("more sessions match by now") && page.has("name=\"expected\" value=\"3\""), "{}", page.text);
        for tokens in &all {
            assert_eq!(app.me(&tokens.access).await, 200);
        }
        let confirmed = [("filter", "user=alice"), ("all", "yes"), ("expected", "3")];
        assert!(chief.post_with("/console/sessions/revoke", &page.token(), &confirmed).await.has("3 sessions have ended."));
        for tokens in &all {
            assert_eq!(app.me(&tokens.access).await, 401);
        }
        assert_eq!(chief.get("/console/sessions").await.status, 200, "who asks is spared");
    }

    async fn a_page_says_whose_sessions_will_end(database: TestDatabase) {
        let app = app(&database).await;
        for number in 0..12 {
            let name = format!("user-{number:02}");
            app.add_user(&name, "notes:read").await;
            app.login(&name).await;
        }
        app.login("alice").await;
        app.login("alice").await;
        let ended = app.login("user-00").await;
        app.admin.revoke_session(&tester(), sid(&ended).parse().expect("an id")).await.expect("it ends");
        let chief = Visitor::signed_in(&app, "chief").await;
        let all = [("filter", "client=first-party&state=live"), ("all", "yes")];
        let asked = chief.post("/console/sessions", "/console/sessions/revoke", &all).await;
        assert!(asked.has("14 sessions match.") && asked.has("<bdi class=\"name\">alice</bdi> · 2 sessions"), "{}", asked.text);
        assert_eq!(asked.text.matches("· 1 session<").count(), 9, "{}", asked.text);
        assert!(asked.has("<li>3 other users</li>"), "{}", asked.text);
        let one = format!("session-{}", sid(&ended));
        let asked = chief.post("/console/sessions", "/console/sessions/revoke", &[("filter", ""), (&*one, "yes")]).await;
        assert!(asked.has("None of the selected sessions is left to end.") && !asked.has("Whose they are"), "{}", asked.text);
    }

    async fn a_filter_that_is_wrong_or_too_wide_ends_nothing_and_says_why(database: TestDatabase) {
        let app = app(&database).await;
        let laptop = app.login("alice").await;
        let chief = Visitor::signed_in(&app, "chief").await;
        let wrong = chief.get("/console/sessions?address=nowhere&colour=red").await;
        assert_eq!(wrong.status, 400);
        assert!(wrong.has("Address: type an address or a network") && wrong.has("\u{2068}colour\u{2069}: there is no such filter"), "{}", wrong.text);
        for fields in [
            &[("filter", ""), ("all", "yes")][..],
            &[("filter", "state=live"), ("all", "yes"), ("expected", "99")],
            &[("filter", "user=alice&colour=red"), ("all", "yes"), ("expected", "99")],
            &[("filter", "user=alice"), ("expected", "99")],
            &[("filter", "user=alice"), ("all", "yes"), ("expected", "-1")],
        ] {
            let page = chief.post("/console/sessions", "/console/sessions/revoke", fields).await;
            assert_eq!(page.status, 400, "{fields:?}: {}", page.text);
        }
        assert_eq!(app.me(&laptop.access).await, 200);
    }

    async fn pages_show_what_the_scopes_allow_and_no_more(database: TestDatabase) {
        let app = app(&database).await;
        app.add_user("reader", "ficha:admin:read ficha:account").await;
        let laptop = app.login("alice").await;
        let path = format!("/console/sessions/{}", sid(&laptop));
        // Who may only see gets no button, and can't do it without one.
        let reader = Visitor::signed_in(&app, "reader").await;
        let list = reader.get("/console/sessions").await;
        assert!(list.has(&sid(&laptop)) && !list.has("type=\"checkbox\"") && !list.has("End the selected"), "{}", list.text);
        assert_eq!(reader.post("/console/sessions", &format!("{path}/revoke"), &[("confirm", "yes")]).await.status, 403);
        let fields = [("filter", "user=alice"), ("all", "yes"), ("expected", "9")];
        assert_eq!(reader.post("/console/sessions", "/console/sessions/revoke", &fields).await.status, 403);
        // A user sees their own alone, and is not told whether another's is there.
        let alice = Visitor::signed_in(&app, "alice").await;
        for path in ["/console/sessions", &path, "/console/sessions/0198c0de-0000-7000-8000-000000000000"] {
            assert_eq!(alice.get(path).await.status, 403, "{path}");
        }
        assert!(!alice.get("/account/sessions").await.has("/console/sessions\""));
        assert_eq!(app.me(&laptop.access).await, 200);
        assert_eq!(reader.get("/console/sessions/0198c0de-0000-7000-8000-000000000000").await.status, 404);
        assert_eq!(reader.get("/console/nothing").await.status, 404);
        assert_eq!(Visitor::new(&app).get("/console/nothing").await.status, 303, "before anything else");
    }

    async fn what_others_have_written_is_shown_and_never_run(database: TestDatabase) {
        let app = app(&database).await;
        let name = "<img src=x onerror=alert(1)>\"'";
        app.add_user(name, "notes:read").await;
        let form = [("grant_type", "password"), ("username", name), ("password", PASSWORD)];
        let request = app.http.post(app.url("/token")).header("user-agent", "<script>alert(2)</script>").form(&form);
        let tokens = Tokens::of(request.send().await.expect("an answer")).await;
        let chief = Visitor::signed_in(&app, "chief").await;
        let filter = "/console/sessions?user_agent=%22%3E%3Cscript%3Ealert(3)%3C%2Fscript%3E&user=x%27%22%3E";
        let paths = ["/console/sessions".to_owned(), format!("/console/sessions/{}", sid(&tokens)), filter.to_owned()];
        for path in &paths {
            let page = chief.get(path).await;
            for raw in ["<img", "<script>alert", "onerror=alert(1)>\"'"] {
                let is_ours = raw == "<img" && page.text.matches("<img").count() == 1;
                assert!(is_ours || !page.has(raw), "{path}: {}", page.text);
            }
        }
        assert!(chief.get(&paths[1]).await.has("&#60;script&#62;alert(2)"));
    }

    async fn services_tick_off_as_they_refuse(database: TestDatabase) {
        let app = app(&database).await;
        let laptop = app.login("alice").await;
        let chief = Visitor::signed_in(&app, "chief").await;
        let named = |instance: &str| format!("/denylist?service=notes&instance={instance}&lease=30&stale=refuse");
        // One follows, and one has stopped.
        let cursor = async |path: &str| {
            let page: serde_json::Value = app.get(path).await.json().await.expect("JSON");
            page["cursor"].as_str().expect("a cursor").to_owned()
        };
        cursor(&named("stopped")).await;
        let path = format!("/console/sessions/{}/revoke", sid(&laptop));
        let follow = async {
            let mut at = cursor(&named("follows")).await;
            loop {
                at = cursor(&format!("{}&after={at}&wait=30", named("follows"))).await;
            }
        };
        let ended = async {
            ficha_testing::eventually("the poll is held", async || app.authority.followers_waiting() > 0).await;
            chief.post("/console/sessions", &path, &[("confirm", "yes")]).await
        };
        let page = tokio::select! {
            page = ended => page,
            () = follow => unreachable!("it follows without end"),
        };
        assert!(page.has("Not every service has confirmed yet."), "{}", page.text);
        assert!(page.has("<li class=\"applied\">") && page.has("refuses them, seen after"), "{}", page.text);
        assert!(page.has("<li class=\"behind\">") && page.has("It refuses every token at the latest:"), "{}", page.text);
    }

    async fn what_is_read_is_an_event_if_that_is_set(database: TestDatabase) {
        let app = ficha_testing::App::start_with(&database, |options| options.settings.admin.record_reads = true).await;
        app.add_user("chief", "ficha:admin").await;
        let chief = Visitor::signed_in(&app, "chief").await;
        assert_eq!(chief.get("/console/sessions?user=nobody").await.status, 200);
        assert_eq!(chief.get("/console/nothing").await.status, 404);
        let events = database.store().await.all_events().await;
        let read: Vec<_> = events.iter().filter(|event| event.event == "admin.read").collect();
        let detail = read.last().and_then(|event| event.detail.as_ref()).expect("what was read").to_string();
        assert!(detail.contains("/console/sessions") && !detail.contains("nobody"), "{detail}");
    }

    async fn pages_lead_forth_and_back(database: TestDatabase) {
        let app = app(&database).await;
        let laptop = app.login("alice").await;
        let id = sid(&laptop).parse().expect("an id");
        copy_session(&database, id, 120).await;
        let chief = Visitor::signed_in(&app, "chief").await;
        let (mut path, mut seen) = ("/console/sessions?user=alice".to_owned(), std::collections::BTreeSet::new());
        let link = |page: &Page, rel: &str| {
            let (before, _) = page.text.split_once(&format!("rel=\"{rel}\" href=\""))?;
            let rest = &page.text[before.len() + rel.len() + "rel=\"\" href=\"".len()..];
            Some(rest.split('"').next()?.replace("&#38;", "&"))
        };
        let mut last = None;
        for _ in 0..9 {
            let page = chief.get(&path).await;
            assert_eq!(page.status, 200, "{path}");
            seen.extend(page.text.split("href=\"/console/sessions/").skip(1).map(|rest| rest[..36].to_owned()));
            match link(&page, "next") {
                Some(next) => path = next,
                None => {
                    last = Some(page);
                    break;
                }
            }
        }
        assert_eq!(seen.len(), 121);
        let back = chief.get(&link(&last.expect("an end"), "prev").expect("a way back")).await;
        assert_eq!(back.text.matches("href=\"/console/sessions/").count(), 50);
    }
}
