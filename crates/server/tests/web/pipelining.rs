//! Requests that are sent before the answers to earlier ones, and clients that shut down their side.

use std::time::Duration;

use ficha_store::testing::TestDatabase;
use tokio::io::AsyncWriteExt;

use crate::raw;
use ficha_testing::{App, PASSWORD};

const LIVE: &str = "GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n";

fn login() -> String {
    let form = format!("grant_type=password&username=alice&password={}", PASSWORD.replace(' ', "+"));
    let length = form.len();
    let kind = "application/x-www-form-urlencoded";
    format!("POST /token HTTP/1.1\r\nHost: x\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\n\r\n{form}")
}

ficha_store::on_both_databases! {
    async fn garbage_after_pipelined_requests_discards_no_response(database: TestDatabase) {
        let app = App::start(&database).await;
        app.add_user("alice", "").await;
        for garbage in [
            "garbage\r\n\r\n",
            "\u{0}\u{1}\u{2}\u{3}\r\n\r\n",
            "GET / HTTP/9.9\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: x\r\nContent-Length: many\r\n\r\n",
        ] {
            for (first, status) in [(LIVE, 200), (login().as_str(), 200), ("GET /users/me HTTP/1.1\r\nHost: x\r\n\r\n", 401)] {
                let answer = raw::exchange(app.address, format!("{first}{LIVE}{garbage}").as_bytes()).await;
                assert_eq!(answer.statuses(), [status, 200, 400], "{first}{garbage}: {answer:?}");
            }
        }
    }

    async fn a_client_that_shuts_down_its_side_gets_its_answer(database: TestDatabase) {
        let app = App::start(&database).await;
        app.add_user("alice", "").await;
        let first = raw::exchange(app.address, b"GET /denylist HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await;
        let page: serde_json::Value = serde_json::from_str(first.body()).expect("a page");
        let cursor = page["cursor"].as_str().expect("a cursor");
        let poll = format!("GET /denylist?after={cursor}&wait=30 HTTP/1.1\r\nHost: x\r\n\r\n");
        for request in [LIVE, login().as_str(), poll.as_str()] {
            let mut stream = raw::connect(app.address).await;
            stream.write_all(request.as_bytes()).await.expect("it reads");
            tokio::time::sleep(Duration::from_millis(100)).await;
            stream.shutdown().await.expect("it is connected");
            let text = raw::read_to_end(&mut stream).await;
            assert!(text.starts_with("HTTP/1.1 200 OK\r\n"), "{request}: {text}");
        }
    }

    async fn a_host_header_that_is_none_is_refused(database: TestDatabase) {
        let app = App::start(&database).await;
        for (host, status) in [("a/b@c d", 400), ("a b", 400), ("user@x", 400), ("x:99999999", 400), ("x:8080", 200)] {
            let request = format!("GET /health/live HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
            let answer = raw::exchange(app.address, request.as_bytes()).await;
            assert_eq!(answer.statuses(), [status], "{host}");
            assert_eq!(status == 400, answer.text.contains("Host header"), "{answer:?}");
            assert!(answer.head().contains("x-content-type-options"), "{answer:?}");
        }
    }
}
