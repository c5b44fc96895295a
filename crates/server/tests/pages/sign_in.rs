//! Signing in and out with a browser.

use std::time::Duration;

use ficha_store::testing::TestDatabase;
use ficha_testing::{App, PASSWORD, tester};
use reqwest::header::COOKIE;

use crate::support::*;

ficha_store::on_both_databases! {
    async fn a_browser_signs_in_sees_its_session_and_signs_out(database: TestDatabase) {
        let app = app(&database).await;
        let visitor = Visitor::new(&app);
        let first = visitor.get("/console/sessions?user=alice").await;
        assert_eq!((first.status.as_u16(), &*first.location), (303, "/login?next=%2Fconsole%2Fsessions%3Fuser%3Dalice"));
        let form = visitor.get(&first.location).await;
        let fields = [("username", "chief"), ("password", PASSWORD), ("next", "/console/sessions?user=alice")];
        let signed_in = visitor.post_with("/login", &form.token(), &fields).await;
        assert_eq!((signed_in.status.as_u16(), &*signed_in.location), (303, "/console/sessions?user=alice"));
        assert!(visitor.cookie("ficha-sign-in").is_none(), "the form's cookie is of no more use");
        let list = visitor.get("/console/sessions").await;
        assert_eq!(list.status, 200);
        assert!(list.has("This session") && list.has("ficha-console"), "{}", list.text);
        assert_eq!(visitor.get("/login").await.location, "/console", "who is signed in needs no form");
        let kept = visitor.cookie("ficha").expect("a cookie");
        let out = visitor.post("/console/sessions", "/sign-out", &[]).await;
        assert_eq!((out.status.as_u16(), &*out.location), (303, "/login?note=signed-out"));
        assert!(visitor.cookie("ficha").is_none());
        // A copy of the cookie is of no use either.
        visitor.set_cookie("ficha", &kept);
        assert_eq!(visitor.get("/console/sessions").await.status, 303);
        let events = database.store().await.all_events().await;
        assert!(events.iter().any(|event| event.event == "session.logged_out"));
    }

    async fn a_session_that_is_revoked_in_any_way_is_refused_with_its_next_request(database: TestDatabase) {
        let app = app(&database).await;
        // By an administrator.
        let visitor = Visitor::signed_in(&app, "alice").await;
        assert_eq!(visitor.get("/account/sessions").await.status, 200);
        app.admin.revoke_user(&tester(), "alice").await.expect("they end");
        let next = visitor.get("/account/sessions").await;
        assert_eq!((next.status.as_u16(), &*next.location), (303, "/login?next=%2Faccount%2Fsessions"));
        // By a change of the password, of what the user may do, and by everything.
        let visitor = Visitor::signed_in(&app, "alice").await;
        app.admin.set_user_enabled(&tester(), "alice", false).await.expect("they end");
        assert_eq!(visitor.get("/account/sessions").await.status, 303);
        app.admin.set_user_enabled(&tester(), "alice", true).await.expect("they are back");
        let visitor = Visitor::signed_in(&app, "alice").await;
        let (other, form) = (Visitor::new(&app), visitor.get("/account/sessions").await);
        let outdated = other.get("/login").await.token();
        app.admin.purge_keys(&tester()).await.expect("everything ends");
        app.advance(Duration::ZERO).await;
        assert_eq!(visitor.get("/account/sessions").await.status, 303);
        assert!(visitor.cookie("ficha").is_none(), "a cookie of no use is removed");
        assert_eq!(visitor.post_with("/sign-out", &form.token(), &[]).await.status, 303);
        // Who was about to sign in gets the form once more.
        let fields = [("username", "alice"), ("password", PASSWORD)];
        let again = other.post_with("/login", &outdated, &fields).await;
        assert!(again.status == 403 && again.has("out of date"), "{}", again.text);
        assert_eq!(other.post_with("/login", &again.token(), &fields).await.status, 303);
        assert_eq!(Visitor::signed_in(&app, "alice").await.get("/account/sessions").await.status, 200);
    }

    async fn a_session_ends_when_it_is_not_used_and_is_kept_by_being_used(database: TestDatabase) {
        let app = app(&database).await;
        let (used, idle) = (Visitor::signed_in(&app, "alice").await, Visitor::signed_in(&app, "alice").await);
        for _ in 0..3 {
            app.advance(Duration::from_secs(8 * 60)).await;
            assert_eq!(used.get("/account/sessions").await.status, 200);
        }
        assert_eq!(idle.get("/account/sessions").await.status, 303, "after 15 minutes");
        // In any case after 8 hours.
        for _ in 0..60 {
            app.advance(Duration::from_secs(8 * 60)).await;
            used.get("/account/sessions").await;
        }
        assert_eq!(used.get("/account/sessions").await.status, 303);
    }

    async fn two_tabs_that_are_used_at_the_same_moment_keep_the_session(database: TestDatabase) {
        let app = app(&database).await;
        let visitor = Visitor::signed_in(&app, "alice").await;
        app.advance(Duration::from_secs(120)).await;
        let tabs = (0..8).map(|_| visitor.get("/account/sessions"));
        for page in futures_util::future::join_all(tabs).await {
            assert_eq!(page.status, 200);
        }
    }

    async fn a_wrong_password_an_unknown_user_and_a_disabled_one_are_not_told_apart(database: TestDatabase) {
        let app = app(&database).await;
        app.add_user("gone", "ficha:account").await;
        app.admin.set_user_enabled(&tester(), "gone", false).await.expect("disabled");
        let visitor = Visitor::new(&app);
        let mut seen = Vec::new();
        for (user, password) in [("alice", "seven quiet others juggle"), ("nobody", PASSWORD), ("gone", PASSWORD)] {
            let page = visitor.sign_in(user, password).await;
            assert_eq!(page.status, 403);
            assert!(!page.has(password), "a page never repeats a password");
            seen.push(page.text.replace(&page.token(), "").replace(user, ""));
        }
        assert!(seen.windows(2).all(|two| two[0] == two[1]));
        assert!(visitor.cookie("ficha").is_none());
    }

    async fn guesses_are_throttled_as_those_of_the_password_grant(database: TestDatabase) {
        let app = app(&database).await;
        let visitor = Visitor::new(&app);
        for _ in 0..12 {
            assert_eq!(visitor.sign_in("alice", "wrong").await.status, 403);
        }
        assert_eq!(visitor.sign_in("alice", PASSWORD).await.status, 403, "ten failures slow this source");
        let form = [("grant_type", "password"), ("username", "alice"), ("password", PASSWORD)];
        assert_eq!(app.post("/token", &form).await.status(), 400, "and it is the same count");
    }

    async fn a_user_without_any_of_the_servers_own_scopes_is_told_so_after_the_right_password_only(database: TestDatabase) {
        let app = app(&database).await;
        app.add_user("guest", "notes:read").await;
        let scopes = "notes:read".parse().expect("a scope");
        app.admin.set_user_rights(&tester(), "guest", &scopes, &[]).await.expect("changed");
        let visitor = Visitor::new(&app);
        assert!(!visitor.sign_in("guest", "wrong").await.has("ficha:account"));
        let page = visitor.sign_in("guest", PASSWORD).await;
        assert_eq!(page.status, 403);
        assert!(page.has("ficha:account"), "{}", page.text);
    }

    async fn a_cookie_of_another_session_or_kind_is_not_taken(database: TestDatabase) {
        let app = app(&database).await;
        let visitor = Visitor::signed_in(&app, "alice").await;
        let (cookie, form) = (visitor.cookie("ficha").expect("a cookie"), visitor.get("/account/sessions").await.token());
        assert_ne!(cookie, form);
        for forged in [form.as_str(), &cookie[1..], &format!("{cookie}A"), &cookie.replace('A', "B"), "", "x", &app.login("alice").await.refresh] {
            if forged == cookie {
                continue;
            }
            let value = format!("ficha={forged}");
            let sent = app.http.get(app.url("/account/sessions")).header(COOKIE, value).send().await.expect("an answer");
            assert_eq!(sent.status(), 303, "{forged}");
        }
        // Nor is a page's cookie a refresh token.
        assert_eq!(app.refresh(&cookie).await.status(), 400);
    }

    async fn nobody_else_leads_a_browser_away_after_the_sign_in(database: TestDatabase) {
        let app = app(&database).await;
        for next in ["https://evil.example", "//evil.example", "/\\evil.example", "/token", "javascript:alert(1)"] {
            let visitor = Visitor::new(&app);
            let token = visitor.get("/login").await.token();
            let fields = [("username", "alice"), ("password", PASSWORD), ("next", next)];
            assert_eq!(visitor.post_with("/login", &token, &fields).await.location, "/account/sessions", "{next}");
        }
    }

    async fn a_password_for_one_use_leads_to_the_form_that_changes_it(database: TestDatabase) {
        let app = app(&database).await;
        let new = ficha_authority::NewUser {
            name: "newcomer".into(),
            email: None,
            password: ficha_authority::NewPassword::Plain(ficha_authority::Password::new(PASSWORD)),
            scopes: "notes:read".parse().expect("a scope"),
            roles: Vec::new(),
            must_change: true,
        };
        app.admin.add_user(&tester(), new).await.expect("added");
        let visitor = Visitor::new(&app);
        let page = visitor.sign_in("newcomer", PASSWORD).await;
        assert_eq!((page.status.as_u16(), &*page.location), (303, "/account/password?note=must-change"));
        let changed = "nine slow herons whistle";
        let fields = [("username", "newcomer"), ("old_password", PASSWORD), ("new_password", changed), ("repeated_password", changed)];
        let page = visitor.post(&page.location, "/account/password", &fields).await;
        assert_eq!((page.status.as_u16(), &*page.location), (303, "/login?note=password-changed"));
        assert_eq!(visitor.sign_in("newcomer", changed).await.status, 303);
    }

    async fn the_stream_of_a_page_ends_with_its_session(database: TestDatabase) {
        let app = app(&database).await;
        for (end, is_denied) in [("revoked", true), ("revoked after ten minutes without use", false), ("purged", true)] {
            let visitor = Visitor::signed_in(&app, "alice").await;
            if !is_denied {
                app.advance(Duration::from_secs(13 * 60)).await;
            }
            let mut stream = visitor.fetch("/console/events").await;
            assert_eq!(stream.status(), 200, "{end}");
            assert_eq!(stream.headers()["content-type"], "text/event-stream");
            stream.chunk().await.expect("it begins").expect("a beginning");
            match end {
                "purged" => drop(app.admin.purge_keys(&tester()).await.expect("everything ends")),
                _ => drop(app.admin.revoke_user(&tester(), "alice").await.expect("they end")),
            }
            let rest = async { while stream.chunk().await.expect("it is read").is_some() {} };
            tokio::time::timeout(Duration::from_secs(10), rest).await.unwrap_or_else(|_| panic!("{end}: it goes on"));
            assert_eq!(visitor.fetch("/console/events").await.status(), 401, "{end}");
        }
    }

    async fn the_first_page_says_what_this_server_is(database: TestDatabase) {
        let app = app(&database).await;
        let ask = async |accept: &str| {
            let response = app.http.get(app.url("/")).header("accept", accept).send().await.expect("an answer");
            (response.status().as_u16(), response.text().await.expect("a text"))
        };
        let (status, page) = ask("text/html,application/xhtml+xml,*/*;q=0.8").await;
        assert!(status == 200 && page.contains("Authorization server") && page.contains("/console\""), "{page}");
        let (status, answer) = ask("*/*").await;
        assert!(status == 404 && answer.starts_with('{'), "{answer}");
        let chief = Visitor::signed_in(&app, "chief").await;
        let overview = chief.get("/console").await;
        assert!(overview.has("What needs attention") && overview.has("<svg"), "{}", overview.text);
        for range in ["hour", "day", "week", "year"] {
            assert_eq!(chief.get(&format!("/console?range={range}")).await.status, 200);
        }
        assert_eq!(Visitor::signed_in(&app, "alice").await.get("/console").await.location, "/account/sessions");
    }

    async fn a_cookie_whose_session_has_ended_is_in_nobodys_way(database: TestDatabase) {
        let app = app(&database).await;
        let visitor = Visitor::signed_in(&app, "alice").await;
        let dead = visitor.cookie("ficha").expect("a cookie");
        let (secret, _) = app.admin.set_one_time_password(&tester(), "alice").await.expect("a password");
        let page = visitor.sign_in("alice", secret.expose()).await;
        assert_eq!(page.location, "/account/password?note=must-change");
        // Even if the browser keeps it.
        visitor.set_cookie("ficha", &dead);
        let back = visitor.post("/login", "/preferences", &[("language", "es"), ("next", "/login")]).await;
        assert_eq!((back.status.as_u16(), &*back.location), (303, "/login"));
        visitor.set_cookie("ficha", &dead);
        let new = "nine slow herons whistle";
        let fields = [("username", "alice"), ("old_password", secret.expose()), ("new_password", new), ("repeated_password", new)];
        let page = visitor.post("/account/password?note=must-change", "/account/password", &fields).await;
        assert_eq!((page.status.as_u16(), &*page.location), (303, "/login?note=password-changed"), "{}", page.text);
    }

    async fn signing_in_again_ends_the_former_session_of_the_browser(database: TestDatabase) {
        let app = app(&database).await;
        let visitor = Visitor::new(&app);
        let token = visitor.get("/login").await.token();
        let (sign_in, fields) = (visitor.cookie("ficha-sign-in").expect("a cookie"), [("username", "alice"), ("password", PASSWORD)]);
        assert_eq!(visitor.post_with("/login", &token, &fields).await.status, 303);
        let first = visitor.cookie("ficha").expect("a cookie");
        // The form of another tab.
        visitor.set_cookie("ficha-sign-in", &sign_in);
        assert_eq!(visitor.post_with("/login", &token, &fields).await.status, 303);
        assert_eq!(visitor.get("/account/sessions").await.status, 200);
        visitor.set_cookie("ficha", &first);
        assert_eq!(visitor.get("/account/sessions").await.status, 303);
    }

    async fn what_only_a_form_is_sent_to_leads_to_its_page(database: TestDatabase) {
        let app = app(&database).await;
        let visitor = Visitor::signed_in(&app, "chief").await;
        for (path, page) in [
            ("/console/sessions/revoke", "/console/sessions"),
            ("/console/sessions/0198c0de-0000-7000-8000-000000000000/revoke", "/console/sessions/0198c0de-0000-7000-8000-000000000000"),
            ("/console/clients/shop/secrets", "/console/clients/shop"),
            ("/account/sessions/0198c0de-0000-7000-8000-000000000000/revoke", "/account/sessions"),
            ("/sign-out", "/"),
            ("/console/", "/console"),
        ] {
            let got = visitor.get(path).await;
            assert_eq!((got.status.as_u16(), &*got.location), (303, page), "{path}");
        }
    }

    async fn a_tab_of_a_former_session_is_told_that_it_is_over(database: TestDatabase) {
        let app = app(&database).await;
        let visitor = Visitor::signed_in(&app, "alice").await;
        let stream = |page: &Page| page.told("/console/events").expect("a stream");
        let former = stream(&visitor.get("/account/sessions").await);
        let ask = async |path: &str| {
            let cookie = format!("ficha={}", visitor.cookie("ficha").expect("a cookie"));
            let response = app.http.head(app.url(path)).header(COOKIE, cookie).send().await.expect("an answer");
            response.headers()["x-session"].to_str().expect("text").to_owned()
        };
        assert_eq!(ask(&former).await, "live");
        visitor.post("/account/sessions", "/sign-out", &[]).await;
        visitor.sign_in("chief", PASSWORD).await;
        assert_eq!(ask(&former).await, "ended");
        assert_eq!(ask(&stream(&visitor.get("/account/sessions").await)).await, "live");
    }

    async fn a_visit_from_another_site_opens_after_one_bounce(database: TestDatabase) {
        let app = app(&database).await;
        let visit = async |site: &str, mode: &str, cookie: Option<&str>| {
            let request = app.http.get(app.url("/account/sessions?x=%3Cb%3E")).header("sec-fetch-site", site);
            let request = request.header("sec-fetch-mode", mode);
            let request = match cookie {
                Some(cookie) => request.header(COOKIE, format!("ficha={cookie}")),
                None => request,
            };
            let response = request.send().await.expect("an answer");
            let status = response.status().as_u16();
            (status, response.text().await.expect("a text"))
        };
        let (status, page) = visit("cross-site", "navigate", None).await;
        assert_eq!(status, 200);
        assert!(page.contains("http-equiv=\"refresh\"") && page.contains("/account/sessions?x=%3Cb%3E"), "{page}");
        assert_eq!(visit("same-origin", "navigate", None).await.0, 303, "once");
        assert_eq!(visit("cross-site", "cors", None).await.0, 303);
        assert_eq!(visit("cross-site", "navigate", Some("x")).await.0, 303);
    }

    async fn a_console_whose_client_is_disabled_says_so(database: TestDatabase) {
        let app = app(&database).await;
        let visitor = Visitor::signed_in(&app, "alice").await;
        app.admin.set_client_enabled(&tester(), "ficha-console", false).await.expect("disabled");
        app.advance(Duration::ZERO).await;
        assert_eq!(visitor.get("/account/sessions").await.status, 303);
        let page = visitor.sign_in("alice", PASSWORD).await;
        assert!(page.status == 403 && page.has("ficha client enable ficha-console"), "{}", page.text);
    }

    async fn there_are_no_pages_where_they_would_not_be_safe(database: TestDatabase) {
        let first = App::start(&database).await;
        let without = async |change: &dyn Fn(&mut ficha_testing::Options)| {
            let app = first.another_with(&database, |options| change(options)).await;
            for path in ["/login", "/console", "/account", "/assets/style.css"] {
                assert_eq!(app.get(path).await.status(), 404, "{path}");
            }
        };
        without(&|options| options.server.console = false).await;
        without(&|options| {
            options.settings.issuer = ficha_authority::Issuer::parse("http://auth.example.com").expect("an issuer");
        })
        .await;
    }
}
