//! Limits on request bodies.

use ficha_store::testing::TestDatabase;
use reqwest::Method;
use tokio::io::AsyncWriteExt;

use crate::raw;
use crate::routes;
use ficha_testing::{App, error};

/// The longest body that is accepted, in bytes.
const LIMIT: usize = 65_536;

/// A form of this many bytes, without a known parameter.
fn form(length: usize) -> String {
    let start = "grant_type=refresh_token&refresh_token=x&token=x&filler=";
    start.to_owned() + &"a".repeat(length - start.len())
}

fn head(path: &str, token: &str, framing: &str) -> String {
    format!(
        "POST {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n\
         Content-Type: application/x-www-form-urlencoded\r\n{framing}\r\n\r\n"
    )
}

ficha_store::on_both_databases! {
    async fn a_body_longer_than_64_kib_is_refused_with_413(database: TestDatabase) {
        let app = App::start(&database).await;
        app.add_user("alice", "").await;
        for route in routes::with(Method::POST) {
            let send = async |length| {
                let token = app.login("alice").await.access;
                let request = app.http.post(app.url(route.path)).bearer_auth(token).body(form(length));
                let request = request.header("content-type", "application/x-www-form-urlencoded");
                request.send().await.expect("the server answers")
            };
            error(send(LIMIT + 1).await, 413, "invalid_request").await;
            assert_ne!(send(LIMIT).await.status(), 413, "{}", route.path);
        }
    }

    async fn a_long_body_is_refused_before_all_of_it_has_arrived(database: TestDatabase) {
        let app = App::start(&database).await;
        app.add_user("alice", "").await;
        let token = app.login("alice").await.access;
        for route in routes::with(Method::POST) {
            let declared = head(route.path, &token, "Content-Length: 1000000000") + &form(LIMIT + 4096);
            let answer = raw::exchange(app.address, declared.as_bytes()).await;
            assert_eq!(answer.statuses(), [413], "{}", route.path);

            // The rest of a chunked body is discarded, and never read as another request.
            let other = "GET /health/live HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
            let chunk = form(LIMIT + 4096);
            let chunked = head(route.path, &token, "Transfer-Encoding: chunked");
            let chunked = format!("{chunked}{:x}\r\n{chunk}\r\n", chunk.len());
            let mut stream = raw::connect(app.address).await;
            stream.write_all(chunked.as_bytes()).await.expect("the server reads");
            let answer = raw::read_until(&mut stream, "}").await;
            assert!(answer.starts_with("HTTP/1.1 413 "), "{}: {answer}", route.path);
            let rest = format!("{:x}\r\n{other}\r\n0\r\n\r\n{other}", other.len());
            stream.write_all(rest.as_bytes()).await.expect("the server reads");
            let answer = raw::read_to_end(&mut stream).await;
            assert_eq!(answer.matches("HTTP/1.1 ").count(), 1, "{}: {answer}", route.path);
        }
    }

    async fn a_slow_sender_is_cut_off_after_ten_seconds(database: TestDatabase) {
        let app = App::start(&database).await;
        app.add_user("alice", "").await;
        let token = app.login("alice").await.access;
        let slow_head = raw::exchange(app.address, b"POST /token HTTP/1.1\r\nHost: x\r\nX-Slow: ");
        let declared = head("/token", &token, "Content-Length: 100") + "grant_type=";
        let slow_body = raw::exchange(app.address, declared.as_bytes());
        let declared = head("/logout", &token, "Content-Length: 100") + "a=";
        let slow_logout = raw::exchange(app.address, declared.as_bytes());
        // All at once, since the clock of a socket can't be advanced.
        let (head, body, logout) = tokio::join!(slow_head, slow_body, slow_logout);
        assert!(matches!(head.statuses()[..], [] | [408]), "{head:?}");
        assert_eq!((body.statuses(), logout.statuses()), (vec![408], vec![408]), "{body:?} {logout:?}");
        assert_eq!(app.me(&token).await, 200, "half a request ended a session");
    }

    async fn an_incomplete_body_is_not_acted_on(database: TestDatabase) {
        let app = App::start(&database).await;
        app.add_user("alice", "").await;
        let tokens = app.login("alice").await;
        let body = format!("token={}", tokens.refresh);
        let request = format!(
            "POST /revoke HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\n\
             Content-Length: {}\r\n\r\n{body}",
            body.len() + 1
        );
        let mut stream = raw::connect(app.address).await;
        stream.write_all(request.as_bytes()).await.expect("the server reads");
        stream.shutdown().await.expect("the connection can be shut down");
        let text = raw::read_to_end(&mut stream).await;
        assert!(!text.contains("HTTP/1.1 200"), "{text:?}");
        assert_eq!(app.me(&tokens.access).await, 200, "half a request revoked a session");
    }
}
