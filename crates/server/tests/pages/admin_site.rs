//! The admin API and the pages at an address of their own.

use std::net::SocketAddr;

use ficha_authority::Issuer;
use ficha_server::AdminSite;
use ficha_store::testing::TestDatabase;
use ficha_testing::{App, Options, PASSWORD, Tokens};
use reqwest::header::{ACCEPT, COOKIE, HOST, ORIGIN, SET_COOKIE};

use crate::support::*;

/// A server whose issuer and other site are these.
async fn server(database: &TestDatabase, issuer: &str, site: &str) -> App {
    let app = App::start_with(database, |options: &mut Options| {
        options.settings.issuer = Issuer::parse(issuer).expect("an issuer");
        let site = Issuer::parse(site).expect("a site");
        options.server.admin = Some(AdminSite { bind: SocketAddr::from(([127, 0, 0, 1], 0)), site });
    })
    .await;
    app.add_user("alice", "notes:read ficha:account").await;
    app.add_user("chief", "ficha:admin ficha:account").await;
    app
}

ficha_store::on_both_databases! {
    async fn each_address_has_its_own_routes_alone(database: TestDatabase) {
        let app = server(&database, "http://127.0.0.1:8080/auth", "http://127.0.0.1:9200/auth").await;
        let other = app.admin_address.expect("an address of its own");
        // The path, whether it is at the first address, and whether it is at the other.
        for (path, first, second) in [
            ("/health/live", true, true), ("/health/ready", true, true), ("/auth/health/ready", true, true),
            ("/auth/metrics", true, false), ("/metrics", false, false),
            ("/auth/.well-known/jwks.json", true, false), ("/.well-known/oauth-authorization-server/auth", true, false),
            ("/auth/token", true, false), ("/auth/revoke", true, false), ("/auth/introspect", true, false), ("/auth/logout", true, false),
            ("/auth/users/me", true, false), ("/auth/denylist", true, false),
            ("/auth/openapi.json", true, true), ("/auth/docs", true, true), ("/auth/problems/forbidden", true, true),
            ("/auth/api/v1/sessions", false, true), ("/auth/api/v1/me", true, true), ("/auth/api/v1/me/sessions", true, true), ("/auth/api/v1/nothing", false, true),
            ("/auth/console", false, true), ("/auth/console/sessions", false, true), ("/auth/account/sessions", true, true),
            ("/auth/login", true, true), ("/auth/sign-out", true, true), ("/auth", true, true), ("/auth/", true, true),
            ("/console", false, false), ("/api/v1/sessions", false, false),
        ] {
            for (address, is_there) in [(app.address, first), (other, second)] {
                let request = app.http.get(format!("http://{address}{path}")).header(ACCEPT, "text/html");
                let status = request.send().await.expect("an answer").status();
                assert_eq!(status != 404, is_there, "{path} at {address}: {status}");
            }
        }
    }

    async fn each_address_describes_what_it_has(database: TestDatabase) {
        let app = server(&database, "http://127.0.0.1:8080/auth", "http://127.0.0.1:9200/auth").await;
        for (address, has, has_not) in [
            (app.address, ["/token", "/api/v1/me", "/metrics"], "/api/v1/sessions"),
            (app.admin_address.expect("an address"), ["/api/v1/sessions", "/api/v1/me", "/health/ready"], "/token"),
        ] {
            let answer = app.http.get(format!("http://{address}/auth/openapi.json")).send().await.expect("an answer");
            let description: serde_json::Value = answer.json().await.expect("JSON");
            let paths = description["paths"].as_object().expect("paths");
            assert!(has.iter().all(|path| paths.contains_key(*path)) && !paths.contains_key(has_not), "{address}: {:?}", paths.keys());
            let authorize = description["components"]["securitySchemes"].get("password").is_some();
            assert_eq!(authorize, address == app.address);
        }
    }

    async fn administrators_and_users_work_at_the_other_address(database: TestDatabase) {
        let app = server(&database, "https://auth.example.com", "http://127.0.0.1:9200").await;
        let other = app.admin_address.expect("an address of its own");
        let form = [("grant_type", "password"), ("username", "alice"), ("password", PASSWORD), ("client_id", "first-party")];
        let laptop = Tokens::of(app.post("/token", &form).await).await;
        let chief = Visitor::at(&app, other);
        let page = chief.sign_in("chief", PASSWORD).await;
        assert_eq!((page.status.as_u16(), &*page.location), (303, "/console"), "{}", page.text);
        // Its cookies are those of plain HTTP, although the issuer is HTTPS.
        assert!(chief.cookie("ficha").is_some() && chief.cookie("__Host-ficha").is_none());
        let list = chief.get("/console/sessions?user=alice").await;
        let id = laptop.claims()["sid"].as_str().expect("a sid").to_owned();
        let done = chief.post_with(&format!("/console/sessions/{id}/revoke"), &list.token(), &[("confirm", "yes")]).await;
        assert!(done.has("The session has ended."), "{}", done.text);
        assert_eq!(app.me(&laptop.access).await, 401);
        let snippets = chief.get("/console/clients/first-party").await;
        assert!(snippets.has("https://auth.example.com/token") && !snippets.has("127.0.0.1:9200/token"), "tokens come from the issuer");
    }

    async fn users_find_their_account_at_the_issuer_and_nothing_of_the_console(database: TestDatabase) {
        let app = server(&database, "http://127.0.0.1:8080", "http://127.0.0.1:9200").await;
        let laptop = app.login("alice").await;
        for user in ["alice", "chief"] {
            let visitor = Visitor::new(&app);
            let page = visitor.sign_in(user, PASSWORD).await;
            assert_eq!((page.status.as_u16(), &*page.location), (303, "/account/sessions"), "{user}");
            let page = visitor.get("/account/sessions").await;
            assert!(page.status == 200 && !page.has("href=\"/console"), "{user}: {}", page.text);
            let root = app.http.get(app.url("/")).header(ACCEPT, "text/html").send().await.expect("an answer");
            assert!(!root.text().await.expect("a page").contains("/console\""));
            // Also administrators see there what happens to themselves alone.
            let mut events = visitor.fetch("/console/events").await;
            assert_eq!(events.status(), 200, "{user}");
            app.admin.declare_scope(&ficha_testing::tester(), &format!("of:{user}"), "").await.expect("a scope");
            let login = app.login(user).await;
            let read = async {
                let mut text = String::new();
                while !text.contains("login.succeeded") {
                    text.push_str(std::str::from_utf8(&events.chunk().await.expect("it is read").expect("more")).expect("UTF-8"));
                }
                text
            };
            let text = tokio::time::timeout(std::time::Duration::from_secs(20), read).await.expect("it comes");
            assert!(!text.contains("scope.declared") && text.contains(login.claims()["sub"].as_str().expect("a sub")), "{text}");
        }
        // A user with a password for one use changes it where they sign in.
        app.admin.set_one_time_password(&ficha_testing::tester(), "alice").await.expect("one is set");
        assert_eq!(app.me(&laptop.access).await, 401);
        let alice = Visitor::new(&app);
        let (secret, _) = app.admin.set_one_time_password(&ficha_testing::tester(), "alice").await.expect("one is set");
        assert_eq!(alice.sign_in("alice", secret.expose()).await.location, "/account/password?note=must-change");
    }

    async fn only_the_other_name_is_served_there(database: TestDatabase) {
        let app = server(&database, "https://auth.example.com", "https://admin.example.com").await;
        let other = app.admin_address.expect("an address of its own");
        let form = async |host: &str| {
            let request = app.http.get(format!("http://{other}/login")).header(HOST, host);
            request.send().await.expect("an answer")
        };
        for host in ["auth.example.com", "evil.example", "admin.example.com:8443", "127.0.0.1"] {
            assert_eq!(form(host).await.status(), 421, "{host}");
        }
        let page = form("admin.example.com").await;
        assert_eq!(page.status(), 200);
        let cookie = page.headers()[SET_COOKIE].to_str().expect("text").split(';').next().expect("a pair").to_owned();
        assert!(cookie.starts_with("__Host-ficha-sign-in="), "{cookie}");
        let text = page.text().await.expect("a page");
        let token = text.split("name=\"csrf_token\" value=\"").nth(1).and_then(|rest| rest.split('"').next()).expect("a token");
        let fields = [("csrf_token", token), ("username", "chief"), ("password", PASSWORD)];
        for (origin, status) in [
            (Some("https://auth.example.com"), 403), (Some("http://admin.example.com"), 403), (Some("null"), 403), (None, 403),
            (Some("https://admin.example.com"), 303),
        ] {
            let mut request = app.http.post(format!("http://{other}/login")).header(HOST, "admin.example.com").header(COOKIE, &cookie);
            if let Some(origin) = origin {
                request = request.header(ORIGIN, origin);
            }
            assert_eq!(request.form(&fields).send().await.expect("an answer").status(), status, "{origin:?}");
        }
        // No page of another origin may read what is there, the issuer's included.
        for path in ["/api/v1/me", "/login", "/openapi.json", "/health/ready"] {
            for origin in ["https://auth.example.com", "http://127.0.0.1:8080"] {
                let request = app.http.get(format!("http://{other}{path}")).header(HOST, "admin.example.com").header(ORIGIN, origin);
                let answer = request.send().await.expect("an answer");
                assert!(!answer.headers().contains_key("access-control-allow-origin"), "{path} {origin}");
            }
        }
    }
}
