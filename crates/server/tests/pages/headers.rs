//! What is true of every page: its headers, its cookies, its language.

use ficha_store::testing::TestDatabase;
use ficha_testing::{App, Options, PASSWORD};
use reqwest::header::{ACCEPT_LANGUAGE, COOKIE, ORIGIN, SET_COOKIE};

use crate::support::*;

const PAGES: [&str; 19] = [
    "/console",
    "/console/users",
    "/console/new-user",
    "/console/import-users",
    "/console/clients",
    "/console/clients/first-party",
    "/console/new-client",
    "/console/scopes",
    "/console/keys",
    "/console/services",
    "/console/audit",
    "/console/jobs",
    "/login",
    "/account/password?note=must-change",
    "/console/sessions",
    "/console/sessions?address=wrong",
    "/console/nothing",
    "/account/sessions",
    "/account/password",
];

ficha_store::on_both_databases! {
    async fn a85_every_page_forbids_foreign_content_and_frames_and_is_never_kept(database: TestDatabase) {
        let app = app(&database).await;
        let chief = Visitor::signed_in(&app, "chief").await;
        let anonymous = Visitor::new(&app);
        for path in PAGES {
            for visitor in [&chief, &anonymous] {
                let response = visitor.fetch(path).await;
                let header = |name: &str| response.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
                assert!(header("cache-control") == "no-store", "{path}");
                assert_eq!(header("access-control-allow-origin"), "", "{path}");
                if response.status() == 303 {
                    continue;
                }
                let policy = header("content-security-policy");
                for directive in ["default-src 'none'", "script-src 'self';", "style-src 'self';", "form-action 'self'",
                                  "frame-ancestors 'none'", "base-uri 'none'", "require-trusted-types-for 'script'"] {
                    assert!(policy.contains(directive), "{path}: {directive} is not in {policy}");
                }
                assert!(!policy.contains("unsafe") && !policy.contains("http") && !policy.contains('*'), "{policy}");
                for (name, value) in [
                    ("x-content-type-options", "nosniff"), ("x-frame-options", "DENY"), ("referrer-policy", "same-origin"),
                    ("cross-origin-opener-policy", "same-origin"), ("cross-origin-resource-policy", "same-origin"),
                    ("content-type", "text/html; charset=utf-8"),
                ] {
                    assert_eq!(header(name), value, "{path}: {name}");
                }
                let text = response.text().await.expect("a page");
                assert_eq!(text.matches("<h1").count(), 1, "{path}");
                assert!(text.contains("<html lang=\"en\"") && text.contains("· Ficha</title>"), "{path}");
                assert!(!text.contains("style=") && !text.contains("<style") && !text.contains(" onclick"), "{path}");
            }
        }
    }

    async fn no_page_of_another_origin_may_read_a_page(database: TestDatabase) {
        let app = app(&database).await;
        let chief = Visitor::signed_in(&app, "chief").await;
        let cookie = format!("ficha={}", chief.cookie("ficha").expect("a cookie"));
        for path in PAGES.into_iter().chain(["/", "/sign-out", "/preferences", "/assets/none.css"]) {
            let request = app.http.get(app.url(path)).header(ORIGIN, "http://127.0.0.1:9").header(COOKIE, &cookie);
            let response = request.send().await.expect("an answer");
            assert!(!response.headers().contains_key("access-control-allow-origin"), "{path}");
        }
    }

    async fn cookies_are_for_this_host_and_site_and_not_for_scripts(database: TestDatabase) {
        let settings = |options: &mut Options| {
            options.settings.issuer = ficha_authority::Issuer::parse("https://auth.example.com").expect("an issuer");
        };
        let app = App::start_with(&database, settings).await;
        app.add_user("alice", "ficha:account").await;
        let own = |request: reqwest::RequestBuilder| request.header("host", "auth.example.com");
        let form = own(app.http.get(app.url("/login"))).send().await.expect("an answer");
        let cookie = form.headers()[SET_COOKIE].to_str().expect("text").to_owned();
        assert!(cookie.starts_with("__Host-ficha-sign-in=") && cookie.ends_with("; HttpOnly; SameSite=Strict; Secure; Path=/"), "{cookie}");
        let text = form.text().await.expect("a page");
        let token = text.split("name=\"csrf_token\" value=\"").nth(1).and_then(|rest| rest.split('"').next()).expect("a token");
        let fields = [("csrf_token", token), ("username", "alice"), ("password", PASSWORD)];
        let request = own(app.http.post(app.url("/login"))).header(COOKIE, cookie.split(';').next().expect("a pair"));
        let response = request.header(ORIGIN, "https://auth.example.com").form(&fields).send().await.expect("an answer");
        assert_eq!(response.status(), 303);
        let set: Vec<_> = response.headers().get_all(SET_COOKIE).iter().map(|cookie| cookie.to_str().expect("text")).collect();
        assert!(set.iter().any(|cookie| cookie.starts_with("__Host-ficha=") && cookie.ends_with("; HttpOnly; SameSite=Strict; Secure; Path=/")), "{set:?}");
        assert!(response.headers().contains_key("strict-transport-security"));
    }

    async fn language_and_theme_follow_the_browser_and_then_the_choice(database: TestDatabase) {
        let app = app(&database).await;
        let spanish = app.http.get(app.url("/login")).header(ACCEPT_LANGUAGE, "es-MX,es;q=0.9,en;q=0.5").send().await.expect("an answer");
        let text = spanish.text().await.expect("a page");
        assert!(text.contains("<html lang=\"es\"") && text.contains("Iniciar sesión"), "{text}");
        let alice = Visitor::signed_in(&app, "alice").await;
        let back = alice.post("/account/sessions", "/preferences", &[("language", "es"), ("next", "/account/password")]).await;
        assert_eq!((back.status.as_u16(), &*back.location), (303, "/account/password"));
        alice.post("/account/sessions", "/preferences", &[("theme", "dark")]).await;
        let page = alice.get("/account/sessions").await;
        assert!(page.has("<html lang=\"es\" data-theme=\"dark\">") && page.has("Dónde has iniciado sesión"), "{}", page.text);
        alice.post("/account/sessions", "/preferences", &[("theme", "system")]).await;
        assert!(alice.get("/account/sessions").await.has("<html lang=\"es\">"));
        // Nobody is led away, and an unknown value is not kept.
        let away = alice.post("/account/sessions", "/preferences", &[("theme", "\"><b>"), ("next", "//evil.example")]).await;
        assert_eq!(away.location, "/login");
        assert!(alice.get("/account/sessions").await.has("<html lang=\"es\">"));
    }

    async fn files_are_kept_for_ever_under_a_name_with_their_hash(database: TestDatabase) {
        let app = app(&database).await;
        let page = Visitor::new(&app).get("/login").await;
        let files: Vec<_> = page.text.split('"').filter(|text| text.starts_with("/assets/")).collect();
        assert!(files.len() >= 3, "{files:?}");
        let mut bytes = page.text.len();
        for file in files {
            let response = app.get(file).await;
            assert_eq!(response.status(), 200, "{file}");
            assert_eq!(response.headers()["cache-control"], "public, max-age=31536000, immutable");
            let etag = response.headers()["etag"].to_str().expect("text").to_owned();
            bytes += response.bytes().await.expect("a file").len();
            let known = app.http.get(app.url(file)).header("if-none-match", etag).send().await.expect("an answer");
            assert_eq!(known.status(), 304);
        }
        assert!(bytes < 100_000, "the first page takes {bytes} bytes");
        assert_eq!(app.get("/assets/style.css").await.status(), 404, "only under that name");
        assert_eq!(app.get("/assets/style-0000000000000000.css").await.status(), 404);
    }
}
