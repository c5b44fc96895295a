//! A server that is stopped (SIGSTOP) in the middle of its work, as by a suspended machine: it holds its locks and its
//! connections, and says nothing.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use crate::cluster::Cluster;
use crate::report::number;
use crate::server::{self, PASSWORD, Place, now, say, skip};

const THREADS: usize = 4;
/// How often a server is stopped in a short form, each time at another moment.
const TIMES: u64 = 3;
/// Within this time the other server revokes, and has numbered the events of it and of what came before.
const REVOKED: Duration = Duration::from_secs(1);
const NUMBERED: Duration = Duration::from_secs(3);

/// Stops one of two servers while users log in, and revokes at the other.
pub fn sweep() {
    let cluster = match Cluster::new() {
        Ok(cluster) => cluster,
        Err(missing) => return skip(missing),
    };
    let place = Place::new().with("FICHA__STORE__URL", &cluster.url());
    place.must_run(&["user", "add", "alice", "--password-stdin"], PASSWORD);
    let mut slowest = Duration::ZERO;
    for turn in 0..number("FICHA_RELIABILITY_STOPS", TIMES) {
        slowest = slowest.max(stop_one(&place, Duration::from_millis(200 + 7 * turn)));
    }
    say(&format!("a server was stopped while users logged in: the other revoked within {} ms", slowest.as_millis()));
}

fn stop_one(place: &Place, after: Duration) -> Duration {
    let (one, other) = (place.serve(&[]), place.serve(&[]));
    let is_over = AtomicBool::new(false);
    let took = thread::scope(|scope| {
        let is_over = &is_over;
        for _ in 0..THREADS {
            let at = one.address;
            scope.spawn(move || {
                while !is_over.load(Ordering::Acquire) {
                    let _ = server::log_in(at, "alice", PASSWORD, "");
                }
            });
        }
        let (status, tokens) = server::log_in(other.address, "alice", PASSWORD, "").unwrap();
        assert_eq!(status, 200);
        thread::sleep(after);
        one.signal("STOP");
        let began = now();
        let (status, _) = server::revoke(other.address, tokens["refresh_token"].as_str().unwrap()).unwrap();
        let took = began.elapsed();
        assert_eq!(status, 200);
        assert!(took < REVOKED, "the revocation took {took:?}");
        // The stopped one may be the sequencer: the other takes over.
        let sid = session_of(tokens["access_token"].as_str().unwrap());
        while !exported(place, &sid) {
            assert!(began.elapsed() < NUMBERED, "the revocation got no number within {NUMBERED:?}");
            thread::sleep(Duration::from_millis(50));
        }
        is_over.store(true, Ordering::Release);
        one.signal("CONT");
        took
    });
    one.stop();
    other.stop();
    place.must_run(&["audit", "verify"], "");
    took
}

/// Within this time a receipt is answered that asks for one second.
const RECEIPT: Duration = Duration::from_secs(4);

/// Revokes at one of two servers, with a receipt, while the other is stopped: it says that somebody does not answer, and is
/// not complete. Once the other goes on, the next one is.
pub fn receipts() {
    let cluster = match Cluster::new() {
        Ok(cluster) => cluster,
        Err(missing) => return skip(missing),
    };
    let place = Place::new().with("FICHA__STORE__URL", &cluster.url());
    place.must_run(&["user", "add", "alice", "--password-stdin"], PASSWORD);
    place.must_run(&["user", "add", "chief", "--scope", "ficha:sessions", "--password-stdin"], PASSWORD);
    let (one, other) = (place.serve(&[]), place.serve(&[]));
    let more = "&client_id=ficha-cli&scope=ficha:sessions";
    let (status, chief) = server::log_in(other.address, "chief", PASSWORD, more).unwrap();
    assert_eq!(status, 200);
    let revoke = |wait: u64| {
        let (_, tokens) = server::log_in(other.address, "alice", PASSWORD, "").unwrap();
        let sid = session_of(tokens["access_token"].as_str().unwrap());
        let request = format!(
            "DELETE /api/v1/sessions/{sid}?wait={wait} HTTP/1.1\r\nHost: 127.0.0.1:8080\r\nConnection: close\r\n\
             Authorization: Bearer {}\r\n\r\n",
            chief["access_token"].as_str().unwrap()
        );
        let began = now();
        let (status, answer) = server::exchange(other.address, &request).unwrap();
        assert_eq!((status, answer["revoked"].as_u64()), (200, Some(1)), "{answer}");
        assert_eq!(server::who_am_i(other.address, tokens["access_token"].as_str().unwrap()).unwrap().0, 401);
        (answer["receipt"].clone(), began.elapsed())
    };
    assert_eq!(revoke(10).0["complete"], true, "both servers answer, and nobody follows");
    one.signal("STOP");
    let (receipt, took) = revoke(1);
    assert_eq!((&receipt["complete"], &receipt["silent"]), (&false.into(), &1.into()), "{receipt}");
    assert!(took < RECEIPT, "the receipt took {took:?}");
    one.signal("CONT");
    // Its connections may have to be opened anew.
    let began = now();
    while revoke(2).0["complete"] != true {
        assert!(began.elapsed() < Duration::from_secs(30), "it stays incomplete");
    }
    say(&format!("a receipt while another server was stopped: incomplete, after {} ms", took.as_millis()));
    one.stop();
    other.stop();
}

/// True if the end of the session has a number.
fn exported(place: &Place, session: &str) -> bool {
    place.output(&["audit", "export", "--event", "session.revoked", "--session", session]).contains(session)
}

fn session_of(token: &str) -> String {
    use base64::Engine;
    let payload = token.split('.').nth(1).unwrap();
    let payload = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(payload).unwrap();
    let claims: serde_json::Value = serde_json::from_slice(&payload).unwrap();
    claims["sid"].as_str().unwrap().to_owned()
}
