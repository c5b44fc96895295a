//! Request smuggling (such as CVE-2026-73051): no request that two parsers could read differently is answered twice.

use ficha_store::testing::TestDatabase;

use crate::raw;
use ficha_testing::App;

/// What an attacker wants to be read as a separate request.
const SMUGGLED: &str = "GET /health/live HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";

/// A request to `/token` with these header lines and this body, followed by the smuggled request.
fn attack(lines: &str, body: &str) -> String {
    format!(
        "POST /token HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\n\
         {lines}\r\n\r\n{body}{SMUGGLED}"
    )
}

ficha_store::on_both_databases! {
    async fn two_good_requests_on_one_connection_are_answered_twice(database: TestDatabase) {
        let app = App::start(&database).await;
        for request in [
            attack("Content-Length: 3", "a=b"),
            attack("Transfer-Encoding: chunked", "3\r\na=b\r\n0\r\n\r\n"),
            attack("transfer-encoding: Chunked", "0\r\n\r\n"),
        ] {
            assert_eq!(raw::exchange(app.address, request.as_bytes()).await.statuses(), [400, 200], "{request}");
        }
    }

    async fn a_head_with_two_readings_is_refused_and_the_connection_closed(database: TestDatabase) {
        let app = App::start(&database).await;
        let chunks = "0\r\n\r\n";
        for (lines, body) in [
            ("Content-Length: 5\r\nTransfer-Encoding: chunked", chunks),
            ("Transfer-Encoding: chunked\r\nContent-Length: 5", chunks),
            ("Content-Length: 0\r\nTransfer-Encoding: chunked", chunks),
            ("Content-Length: 3\r\nContent-Length: 0", "a=b"),
            ("Content-Length: 0\r\nContent-Length: 3", "a=b"),
            ("Content-Length: 3, 0", "a=b"),
            ("Content-Length: +3", "a=b"),
            ("Content-Length: -3", "a=b"),
            ("Content-Length: 0x3", "a=b"),
            ("Content-Length: 3 0", "a=b"),
            ("Content-Length: 99999999999999999999999", "a=b"),
            ("Content-Length : 3", "a=b"),
            ("Content-Length: 3\r\nTransfer-Encoding : chunked", "a=b"),
            ("Transfer-Encoding: xchunked", chunks),
            ("Content-Length: 3\r\nTransfer-Encoding: xchunked", "a=b"),
            ("Transfer-Encoding: \"chunked\"", chunks),
            ("Transfer-Encoding: chunked, identity", chunks),
            ("Transfer-Encoding: identity, chunked", chunks),
            ("Transfer-Encoding: gzip, chunked", chunks),
            ("Transfer-Encoding: chunked\r\nTransfer-Encoding: identity", chunks),
            ("Transfer-Encoding: identity\r\nTransfer-Encoding: chunked", chunks),
            ("Content-Length: 3\r\nTransfer-Encoding: identity", "a=b"),
            ("Transfer-Encoding:\u{b}chunked", chunks),
            // Folded lines (RFC 9112 §5.2).
            ("Transfer-Encoding:\r\n chunked", chunks),
            ("Content-Length: 3\r\nX-Fold: a\r\n Transfer-Encoding: chunked", "a=b"),
            ("X-Fold: a\r\n\tb\r\nContent-Length: 3", "a=b"),
            // Line endings that only some parsers accept.
            ("X: a\rContent-Length: 30\r\nContent-Length: 3", "a=b"),
            ("X: a\0\r\nContent-Length: 3", "a=b"),
            // An ambiguous host.
            ("Host: y\r\nContent-Length: 3", "a=b"),
        ] {
            let answer = raw::exchange(app.address, attack(lines, body).as_bytes()).await;
            assert_eq!(answer.statuses(), [400], "{lines:?}: {answer:?}");
        }
    }

    async fn chunks_with_two_readings_are_refused_and_the_connection_closed(database: TestDatabase) {
        let app = App::start(&database).await;
        for body in [
            "x\r\na=b\r\n0\r\n\r\n",
            "+3\r\na=b\r\n0\r\n\r\n",
            "-3\r\na=b\r\n0\r\n\r\n",
            "0x3\r\na=b\r\n0\r\n\r\n",
            "\r\na=b\r\n0\r\n\r\n",
            "3\r\na=bc\r\n0\r\n\r\n",
            "2\r\na=b\r\n0\r\n\r\n",
            "3\na=b\n0\n\n",
            "10000000000000003\r\na=b\r\n0\r\n\r\n",
        ] {
            let request = attack("Transfer-Encoding: chunked", body);
            let answer = raw::exchange(app.address, request.as_bytes()).await;
            assert!(matches!(answer.statuses()[..], [] | [400]), "{body:?}: {answer:?}");
        }
    }

    async fn a_request_line_with_two_readings_is_refused(database: TestDatabase) {
        let app = App::start(&database).await;
        for request in [
            format!("POST /token HTTP/1.0\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n{SMUGGLED}"),
            format!("POST /token HTTP/1.1\r\nContent-Length: 3\r\n\r\na=b{SMUGGLED}"),
            format!("POST /token HTTP/9.9\r\nHost: x\r\n\r\n{SMUGGLED}"),
            format!("POST /token\r\n\r\n{SMUGGLED}"),
            format!("POST /token HTTP/1.1 HTTP/1.1\r\nHost: x\r\n\r\n{SMUGGLED}"),
            format!(" POST /token HTTP/1.1\r\nHost: x\r\n\r\n{SMUGGLED}"),
            format!("PO\0ST /token HTTP/1.1\r\nHost: x\r\n\r\n{SMUGGLED}"),
        ] {
            let answer = raw::exchange(app.address, request.as_bytes()).await;
            assert!(matches!(answer.statuses()[..], [] | [400]), "{request:?}: {answer:?}");
        }
    }

    async fn a_head_without_end_is_cut_off(database: TestDatabase) {
        let app = App::start(&database).await;
        let endless = format!("GET /health/live HTTP/1.1\r\nHost: x\r\nX: {}", "a".repeat(1_000_000));
        let answer = raw::exchange(app.address, endless.as_bytes()).await;
        assert!(matches!(answer.statuses()[..], [] | [400 | 431]), "{answer:?}");
        let many = format!("GET /health/live HTTP/1.1\r\nHost: x\r\n{}\r\n", "X: a\r\n".repeat(5_000));
        let answer = raw::exchange(app.address, many.as_bytes()).await;
        assert!(matches!(answer.statuses()[..], [] | [400 | 431]), "{answer:?}");
        assert_eq!(app.get("/health/live").await.status(), 200);
    }
}
