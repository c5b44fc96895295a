//! Methods, paths, and the headers of every response.

use ficha_authority::Issuer;
use ficha_store::testing::TestDatabase;
use reqwest::{Method, Response, StatusCode};
use serde_json::Value;

use crate::raw;
use crate::routes;
use ficha_testing::{App, PASSWORD, error};

const METHODS: [&str; 9] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "BREW"];

fn header<'r>(response: &'r Response, name: &str) -> &'r str {
    response.headers().get(name).map(|value| value.to_str().expect("a header is text")).unwrap_or_default()
}

async fn send(app: &App, method: &str, path: &str) -> Response {
    let method = Method::from_bytes(method.as_bytes()).expect("a method");
    let form = [("grant_type", "password"), ("username", "alice"), ("password", PASSWORD)];
    let request = app.http.request(method.clone(), app.url(path)).header("origin", "https://elsewhere.example");
    let request = if method == Method::POST { request.form(&form) } else { request };
    request.send().await.expect("the server answers")
}

fn assert_common_headers(response: &Response, what: &str) {
    assert_eq!(header(response, "x-content-type-options"), "nosniff", "{what}");
    assert_eq!(header(response, "x-frame-options"), "DENY", "{what}");
    assert_eq!(header(response, "referrer-policy"), "no-referrer", "{what}");
    // Scripts of sites that are not allowed can't read responses, and the server software is not disclosed.
    // Metadata and keys are for everybody.
    let is_public = what.contains("/.well-known/") && !what.ends_with("/tenant");
    let allowed = response.headers().get("access-control-allow-origin");
    assert_eq!(allowed.map(|value| value.as_bytes()), is_public.then_some(&b"*"[..]), "{what}");
    let names = ["server", "x-powered-by"];
    assert!(names.iter().all(|name| !response.headers().contains_key(*name)), "{what}: {:?}", response.headers());
}

ficha_store::on_both_databases! {
    async fn every_route_refuses_other_methods_and_says_which_it_takes(database: TestDatabase) {
        let app = App::start(&database).await;
        for route in routes::all() {
            let path = route.example();
            for method in METHODS.into_iter().filter(|method| !route.allow().split(", ").any(|taken| taken == *method)) {
                let response = send(&app, method, &path).await;
                let what = format!("{method} {path}");
                assert_eq!(header(&response, "allow"), route.allow(), "{what}");
                assert_eq!(header(&response, "cache-control"), "no-store", "{what}");
                assert_common_headers(&response, &what);
                if method == "HEAD" {
                    assert_eq!(response.status(), 405, "{what}");
                } else {
                    error(response, 405, "invalid_request").await;
                }
            }
        }
    }

    async fn head_answers_like_get_without_the_body(database: TestDatabase) {
        let app = App::start(&database).await;
        app.add_user("alice", "").await;
        let token = app.login("alice").await.access;
        for route in routes::with(Method::GET).filter(|route| route.allow().contains("HEAD")) {
            let path = route.example();
            let got = app.get_with(&path, &token).await;
            let lines = format!("Host: x\r\nAuthorization: Bearer {token}\r\nConnection: close");
            let request = format!("HEAD {path} HTTP/1.1\r\n{lines}\r\n\r\n");
            let answer = raw::exchange(app.address, request.as_bytes()).await;
            assert_eq!(answer.statuses(), [got.status().as_u16()], "{path}");
            assert_eq!(answer.body(), "", "{path}");
            let head = answer.head().to_lowercase();
            for name in ["content-type", "cache-control", "location"] {
                let line = format!("{name}: {}", header(&got, name).to_lowercase());
                assert!(header(&got, name).is_empty() || head.contains(&line), "{path}: {line:?} is not in {head:?}");
            }
        }
        let response = app.http.head(app.url("/users/me")).send().await.expect("the server answers");
        assert_eq!(response.status(), 401);
    }

    async fn a83_no_response_redirects_with_307_and_a_post_is_not_redirected_at_all(database: TestDatabase) {
        let app = App::start(&database).await;
        app.add_user("alice", "").await;
        let mut redirects = Vec::new();
        let mut paths: Vec<String> = routes::all().iter().map(routes::Route::example).collect();
        paths.extend(paths.clone().iter().map(|path| format!("{path}/")));
        paths.extend(paths.clone().iter().map(|path| format!("/{path}")));
        paths.push("/".into());
        for path in paths {
            for method in METHODS {
                let response = send(&app, method, &path).await;
                if response.status().is_redirection() || response.headers().contains_key("location") {
                    redirects.push((method, path.clone(), response.status(), header(&response, "location").to_owned()));
                }
            }
        }
        let see_other = |method| (method, "/docs".to_owned(), StatusCode::SEE_OTHER, "/docs/".to_owned());
        assert_eq!(redirects, [see_other("GET"), see_other("HEAD")]);
        assert_eq!(app.get("/docs/").await.status(), 200);
    }

    async fn an_unknown_path_is_a_404_in_json(database: TestDatabase) {
        let app = App::start(&database).await;
        let mut paths = vec![
            "/", "/nothing", "/token/", "//token", "/TOKEN", "/users", "/users/me/", "/docs/nothing.js",
            "/.well-known/oauth-authorization-server/tenant", "/authorize",
            "/api", "/api/v2/users", "/consoles",
        ];
        // No path reads a file from disk.
        paths.extend(["/docs/%2e%2e%2fCargo.toml", "/docs/..%5cCargo.toml", "/docs/%00", "/docs/%ff"]);
        for path in paths {
            for method in ["GET", "POST", "DELETE"] {
                let response = send(&app, method, path).await;
                assert_common_headers(&response, path);
                let docs = path.starts_with("/docs/") && method != "GET";
                let (status, code) = if docs { (405, "invalid_request") } else { (404, "invalid_request") };
                let words = error(response, status, code).await;
                assert!(!words.contains("Cargo"), "{words}");
            }
        }
    }

    async fn every_response_carries_the_common_headers(database: TestDatabase) {
        let app = App::start(&database).await;
        app.add_user("alice", "").await;
        for route in routes::all() {
            let path = route.example();
            let response = send(&app, route.method.as_str(), &path).await;
            assert!(!response.status().is_server_error(), "{path}");
            assert_common_headers(&response, &path);
        }
        assert_common_headers(&app.get("/docs").await, "a redirect");
        assert_common_headers(&app.get_with("/users/me", "x").await, "a rejected token");
        assert_common_headers(&app.get_with("/users/me", &app.login("alice").await.access).await, "a valid token");
    }

    async fn personal_responses_may_not_be_stored(database: TestDatabase) {
        let app = App::start(&database).await;
        app.add_user("alice", "").await;
        let tokens = app.login("alice").await;
        let client = app.add_client("notes", |_| ()).await;
        let form = [("token", tokens.access.as_str())];
        for (what, response) in [
            ("me", app.get_with("/users/me", &tokens.access).await),
            ("introspect", app.post_as(&client, "/introspect", &form).await),
            ("refresh", app.refresh(&tokens.refresh).await),
            ("revoke", app.post("/revoke", &form).await),
            ("refused", app.get_with("/users/me", &tokens.access).await),
            ("ready", app.get("/health/ready").await),
        ] {
            assert_eq!(header(&response, "cache-control"), "no-store", "{what}");
        }
    }

    async fn a_host_header_changes_no_response(database: TestDatabase) {
        let app = App::start(&database).await;
        for path in ["/docs", "/openapi.json", "/.well-known/oauth-authorization-server", "/docs/swagger-initializer.js"] {
            let request = format!(
                "GET {path} HTTP/1.1\r\nHost: evil.example\r\nX-Forwarded-Host: evil.example\r\nConnection: close\r\n\r\n"
            );
            let answer = raw::exchange(app.address, request.as_bytes()).await;
            assert!(matches!(answer.statuses()[..], [200 | 303]), "{answer:?}");
            assert!(!answer.text.contains("evil.example"), "{answer:?}");
        }
    }

    async fn json_responses_have_the_json_content_type(database: TestDatabase) {
        let app = App::start(&database).await;
        for path in ["/openapi.json", "/.well-known/jwks.json", "/health/live", "/nothing"] {
            let response = app.get(path).await;
            assert_eq!(header(&response, "content-type"), "application/json", "{path}");
            response.json::<Value>().await.expect("it is JSON");
        }
    }

    async fn an_https_issuer_sends_hsts_in_every_response_and_a_plain_one_never(database: TestDatabase) {
        const NAME: &str = "strict-transport-security";
        let plain = App::start(&database).await;
        // A proxy terminates TLS here: what counts is the issuer.
        let https = plain
            .another_with(&database, |options| {
                options.settings.issuer = Issuer::parse("https://auth.example.com").expect("an issuer");
            })
            .await;
        let paths = routes::all().into_iter().map(|route| (route.method.clone(), route.example()));
        for (method, path) in paths.chain([(Method::GET, "/nothing/here".to_owned())]) {
            let answer = send(&https, method.as_str(), &path).await;
            assert_eq!(header(&answer, NAME), "max-age=31536000", "{path}: {}", answer.status());
            assert!(!send(&plain, method.as_str(), &path).await.headers().contains_key(NAME), "{path}");
        }
    }
}
