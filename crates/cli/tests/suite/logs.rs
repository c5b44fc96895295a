//! A log that can't be written must fail, block and stop nothing; garbage from clients and outages must not fill a log.

use std::fs;
use std::io::{Read, Write, pipe};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use serde_json::Value;

use crate::bench::{Bench, PASSWORD, Serving, exchange, has, until};

/// The number of lost log lines.
const LOST: &str = "ficha_log_lines_lost_total";

fn with_alice(level: &str) -> Bench {
    let bench = Bench::new().with("FICHA__LOG__LEVEL", level);
    bench.add_user("alice", &[]);
    bench
}

/// A full disk.
#[cfg(target_os = "linux")]
fn full_disk() -> fs::File {
    fs::File::options().write(true).open("/dev/full").unwrap()
}

fn text<'a>(answer: &'a Value, name: &str) -> &'a str {
    answer[name].as_str().unwrap_or_else(|| panic!("no {name} in {answer}"))
}

#[track_caller]
fn log_in(server: &Serving) -> Value {
    let (status, answer) = server.log_in("alice", "");
    assert_eq!(status, 200, "the login: {answer}");
    answer
}

/// Each of these requests logs something after its work is done.
#[track_caller]
fn does_all_its_work(server: &Serving) {
    let first = log_in(server);
    let refresh = format!("grant_type=refresh_token&refresh_token={}", text(&first, "refresh_token"));
    let (status, second) = server.post("/token", &refresh);
    assert_eq!(status, 200, "the refresh: {second}");
    let (status, retried) = server.post("/token", &refresh);
    assert_eq!(status, 200, "the refresh, retried: {retried}");
    assert_eq!(retried["refresh_token"], second["refresh_token"], "a retry gets the same successor");

    let access = text(&retried, "access_token");
    let (status, answer) = server.post("/revoke", &format!("token={access}"));
    assert_eq!(status, 200, "the revocation: {answer}");
    let (status, answer) = server.get("/users/me", access);
    assert_eq!(status, 401, "a token that was revoked: {answer}");

    let other = log_in(server);
    let (access, refresh) = (text(&other, "access_token"), text(&other, "refresh_token"));
    assert_eq!(server.log_out(access), 204, "the logout");
    let (status, answer) = server.get("/users/me", access);
    assert_eq!(status, 401, "a token of a session that was logged out: {answer}");
    let (status, answer) = server.post("/token", &format!("grant_type=refresh_token&refresh_token={refresh}"));
    assert_eq!(status, 400, "the refresh of a session that was logged out: {answer}");
    assert_eq!(server.get("/health/ready", "").0, 200, "it is still ready");
}

/// SIGTERM stops the server in time, and it has printed the text of a first start and nothing after it.
#[track_caller]
fn ends_well(server: Serving) {
    let (code, printed) = server.stop();
    assert_eq!(code, Some(0), "{printed}");
    let last = printed.trim_end().lines().last().unwrap_or_default();
    assert!(last.trim_start().starts_with("curl "), "something was printed after the welcome: {printed}");
}

#[cfg(target_os = "linux")]
#[test]
fn a_log_on_a_full_disk_fails_blocks_and_ends_nothing() {
    let bench = with_alice("info");
    let server = bench.serve_into(Stdio::piped(), full_disk());
    does_all_its_work(&server);
    until("the lost lines are counted", || server.metric(LOST) > 0);
    ends_well(server);
}

#[test]
fn a_log_whose_reader_is_gone_fails_blocks_and_ends_nothing() {
    let bench = with_alice("info");
    let (reader, writer) = pipe().unwrap();
    let server = bench.serve_into(Stdio::piped(), writer);
    drop(reader);
    does_all_its_work(&server);
    until("the lost lines are counted", || server.metric(LOST) > 0);
    ends_well(server);
}

/// Makes the server log until the unread pipe and the queue before it are full.
#[track_caller]
fn fill_its_log(server: &Serving) {
    for _ in 0..200 {
        if server.metric(LOST) > 0 {
            return;
        }
        for _ in 0..100 {
            let (status, answer) = server.post("/revoke", "token=nonsense");
            assert_eq!(status, 200, "while its log is filled: {answer}");
        }
    }
    panic!("20,000 requests at the level trace have not filled the log");
}

#[test]
fn a_log_whose_reader_has_stopped_fails_blocks_and_ends_nothing() {
    let bench = with_alice("trace");
    let (reader, writer) = pipe().unwrap();
    let server = bench.serve_into(Stdio::piped(), writer);
    fill_its_log(&server);
    let lost = server.metric(LOST);
    does_all_its_work(&server);
    assert!(server.metric(LOST) > lost, "what came after {lost} lost lines is not counted");
    ends_well(server);
    drop(reader);
}

#[cfg(target_os = "linux")]
#[test]
fn neither_a_stopped_log_reader_nor_a_full_disk_for_output_delays_the_shutdown() {
    let bench = with_alice("trace");
    let (reader, writer) = pipe().unwrap();
    let server = bench.serve_into(full_disk(), writer);
    fill_its_log(&server);
    does_all_its_work(&server);
    assert_eq!(server.stop().0, Some(0));
    drop(reader);
}

/// The shell command must end with this exit code.
#[track_caller]
fn exits(bench: &Bench, line: &str, code: i32) {
    let ran = bench.shell(line);
    assert_eq!(ran.code, Some(code), "{line}: {ran:?}");
}

#[cfg(target_os = "linux")]
#[test]
fn a_command_whose_errors_can_t_be_written_still_ends_with_its_exit_code() {
    let add = r#"echo "a quiet harbour at dusk" | "$0" user add alice --password-stdin"#;
    for redirection in ["2>/dev/full", "2>&-"] {
        let bench = Bench::new().with("FICHA__LOG__LEVEL", "info");
        for (line, code) in [
            // There is no database yet.
            (r#""$0" user list"#, 1),
            (r#"FICHA__STORE__URL=nonsense "$0" serve"#, 1),
            (r#"FICHA__STORE__URL=postgres://x@127.0.0.1:1/x "$0" user list"#, 1),
            (add, 0),
            // She exists already.
            (add, 1),
            (r#""$0" user list"#, 0),
            (r#""$0" user show bob"#, 1),
            (r#""$0" user add bob"#, 1),
            (r#""$0" recover"#, 1),
            (r#""$0" config"#, 0),
            (r#""$0" --help"#, 0),
            // The exit code of the argument parser.
            (r#""$0" no-such-command"#, 2),
        ] {
            exits(&bench, &format!("{line} {redirection}"), code);
        }
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_command_whose_output_can_t_be_written_fails_with_one_error_line() {
    let bench = Bench::new();
    bench.add_user("alice", &[]);
    let commands = [
        "user list",
        "user list --json",
        "user show alice",
        "session list",
        "key list",
        "config",
        "user disable alice",
    ];
    for command in commands {
        let line = format!(r#""$0" {command} >/dev/full"#);
        bench.shell(&line).refused(&["the output could not be written"]);
        exits(&bench, &format!("{line} 2>/dev/full"), 1);
        exits(&bench, &format!("{line} 2>&-"), 1);
    }
}

/// Requests that no client sends.
fn garbage() -> Vec<Vec<u8>> {
    let noise = |length: u32| -> Vec<u8> { (0..length).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect() };
    let head =
        "POST /token HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/x-www-form-urlencoded\r\n";
    let mut all = vec![
        noise(1),
        noise(4_000),
        vec![0; 500],
        vec![0xff; 500],
        // TLS, and HTTP/2 with prior knowledge.
        [&b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"[..], &noise(505)[..]].concat(),
        [&b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"[..], &noise(400)[..]].concat(),
        // Heads that are too long.
        format!("GET /{} HTTP/1.1\r\n\r\n", "a".repeat(300_000)).into_bytes(),
        format!("GET / HTTP/1.1\r\nHost: x\r\nX: {}\r\n\r\n", "a".repeat(300_000)).into_bytes(),
        format!("GET / HTTP/1.1\r\n{}\r\n", "X: y\r\n".repeat(2_000)).into_bytes(),
        // Not text.
        b"GET /users/me HTTP/1.1\r\nHost: \xff\xfe\r\nAuthorization: Bearer \xff\xff\r\n\r\n".to_vec(),
    ];
    let lines = [
        "GET /us",
        "GET /users/me HTT",
        "POST /token HTTP/1.1\r\nHost",
        // HTTP/0.9, and versions that do not exist.
        "GET /\r\n",
        "GET / HTTP/0.9\r\n\r\n",
        "GET / HTTP/9.9\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: x\r\nno colon\r\n\r\n",
        "GET http://[::1 HTTP/1.1\r\nHost: x\r\n\r\n",
        "GET /%ff%00/../..//etc HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
        "CONNECT x:1 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
        "OPTIONS * HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: x\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n",
        "GET /users/me HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Basic !!!!\r\n\r\n",
        "GET /denylist?after=%00&wait=-1 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
    ];
    all.extend(lines.map(|line| line.as_bytes().to_vec()));
    let bodies = [
        // The wrong length.
        "Content-Length: 500\r\n\r\nshort".to_owned(),
        "Content-Length: -5\r\n\r\n".to_owned(),
        "Content-Length: 99999999999999999999999\r\n\r\n".to_owned(),
        "Content-Length: 3\r\nContent-Length: 5\r\n\r\nabcde".to_owned(),
        format!("Content-Length: 70000\r\n\r\n{}", "a".repeat(70_000)),
        // Invalid chunks.
        "Transfer-Encoding: chunked\r\n\r\nzz\r\nabc\r\n0\r\n\r\n".to_owned(),
        "Transfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\nabc".to_owned(),
        "Transfer-Encoding: chunked\r\n\r\n5\r\nabc".to_owned(),
        "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n5\r\nabcde\r\n0\r\n\r\n".to_owned(),
        "Transfer-Encoding: nonsense\r\n\r\nabc".to_owned(),
    ];
    all.extend(bodies.map(|body| format!("{head}{body}").into_bytes()));
    let forms = [
        "grant_type=password&username=%00&password=%00",
        "grant_type=password&username=%ff%fe&password=x",
        "grant_type=refresh_token&refresh_token=%00%ff",
        "grant_type=client_credentials&client_id=%00&client_secret=%00",
        "token=%00",
        "&&&&===%%%",
    ];
    for path in ["/token", "/revoke", "/introspect", "/logout"] {
        let head = head.replace("/token", path);
        all.extend(forms.map(|form| format!("{head}Content-Length: {}\r\n\r\n{form}", form.len()).into_bytes()));
    }
    all
}

fn throw(address: SocketAddr, garbage: &[u8]) -> TcpStream {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(15))).unwrap();
    // The server may have closed the connection already, here and below.
    let _ = stream.write_all(garbage);
    stream
}

/// Sends each request three times: closing at once, closing after the last byte, and waiting until the server closes.
fn throw_garbage(address: SocketAddr) {
    thread::scope(|scope| {
        for garbage in garbage() {
            scope.spawn(move || {
                drop(throw(address, &garbage));
                let mut half = throw(address, &garbage);
                let _ = half.shutdown(Shutdown::Write);
                let _ = half.read_to_end(&mut Vec::new());
                let mut whole = throw(address, &garbage);
                let _ = whole.read_to_end(&mut Vec::new());
            });
        }
    });
}

fn entry(line: &str) -> Value {
    serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))
}

/// The lines of that level.
fn of_level<'a>(level: &str, log: &'a [String]) -> Vec<&'a String> {
    log.iter().filter(|line| entry(line)["level"] == level).collect()
}

#[track_caller]
fn has_no_error_lines(log: &[String]) {
    let errors = of_level("ERROR", log);
    assert!(errors.is_empty(), "{errors:#?}");
    let last = log.last().map(|line| entry(line));
    assert_eq!(last.as_ref().map(|last| &last["message"]), Some(&Value::from("ficha has stopped")), "{log:#?}");
}

#[test]
fn garbage_from_clients_logs_no_errors() {
    let bench = with_alice("info");
    let server = bench.serve();
    throw_garbage(server.address);
    assert_eq!(server.get("/health/ready", "").0, 200, "it is still ready");
    log_in(&server);
    has_no_error_lines(&server.stop_and_read_log());
}

#[test]
fn garbage_from_clients_logs_no_errors_over_https() {
    let made = rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned()]).unwrap();
    let bench = Bench::new()
        .with("FICHA__SERVER__TLS__CERTIFICATE", "certificate.pem")
        .with("FICHA__SERVER__TLS__KEY", "key.pem");
    bench.write("certificate.pem", &made.cert.pem());
    bench.write("key.pem", &made.signing_key.serialize_pem());
    let server = bench.serve();
    throw_garbage(server.address);
    has_no_error_lines(&server.stop_and_read_log());
}

/// Runs `act` on several threads at once.
fn at_once<T: Send>(threads: usize, act: impl Fn(usize) -> T + Sync) -> Vec<T> {
    let act = &act;
    thread::scope(|scope| {
        let running: Vec<_> = (0..threads).map(|number| scope.spawn(move || act(number))).collect();
        running.into_iter().map(|thread| thread.join().unwrap()).collect()
    })
}

fn log_in_at(address: SocketAddr, name: &str) -> (u16, Value) {
    let form = format!("grant_type=password&username={name}&password={}", PASSWORD.replace(' ', "+"));
    let head = "POST /token HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\
                Content-Type: application/x-www-form-urlencoded";
    exchange(address, &format!("{head}\r\nContent-Length: {}\r\n\r\n{form}", form.len()))
}

#[test]
fn guessing_more_passwords_than_can_be_checked_logs_no_errors() {
    let bench = Bench::new()
        .with("FICHA__PASSWORD__BCRYPT_COST", "10")
        .with("FICHA__PASSWORD__THREADS", "1")
        .with("FICHA__PASSWORD__MAX_QUEUE", "1");
    let server = bench.serve();
    let address = server.address;
    let turned_away = at_once(60, |number| {
        let (status, answer) = log_in_at(address, &format!("stranger-{number}"));
        assert!(status == 400 || status == 503, "a guess: {status} {answer}");
        status == 503
    });
    assert!(turned_away.contains(&true), "the queue was never full");
    has_no_error_lines(&server.stop_and_read_log());
}

/// The log contains only the lines of the outage, however many calls failed during it.
#[track_caller]
fn has_only_the_outage_s_lines(log: &[String]) {
    let outages = of_level("ERROR", log);
    assert!(matches!(outages.len(), 1 | 2), "one line for reading and one for writing at most: {log:#?}");
    assert!(outages.iter().all(|line| line.contains("the database ")), "only of the outage: {outages:#?}");
    let ended = of_level("WARN", log);
    assert_eq!(ended.len(), outages.len(), "one line for the end of each: {log:#?}");
    for line in ended {
        let entry = entry(line);
        assert_eq!(entry["message"], "the database works again", "{log:#?}");
        assert!(entry["failed_calls"].as_u64().is_some_and(|calls| calls > 0), "{line}");
    }
    assert!(log.len() < 20, "that is more than the outage's lines: {log:#?}");
}

#[test]
fn an_outage_is_one_line_when_it_begins_and_one_when_it_ends() {
    const DATABASE: &str = "data/ficha.db";
    let bench = with_alice("info");
    let server = bench.serve();
    let answer = log_in(&server);
    let (access, refresh) = (text(&answer, "access_token"), text(&answer, "refresh_token"));

    fs::rename(bench.path(DATABASE), bench.path("away.db")).unwrap();
    until("it is not ready", || server.get("/health/ready", "").0 == 503);
    for number in 0..50 {
        let (what, status) = match number % 5 {
            0 => ("login", server.log_in("alice", "").0),
            1 => ("refresh", server.post("/token", &format!("grant_type=refresh_token&refresh_token={refresh}")).0),
            2 => ("revocation", server.post("/revoke", &format!("token={access}")).0),
            3 => ("logout", server.log_out(access)),
            _ => ("look", server.get("/users/me", access).0),
        };
        assert_eq!(status, 503, "the {what} during the outage");
    }
    fs::rename(bench.path("away.db"), bench.path(DATABASE)).unwrap();
    until("it is ready again", || server.get("/health/ready", "").0 == 200);
    let (status, answer) = server.get("/users/me", access);
    assert_eq!(status, 200, "what was answered 503 was not done: {answer}");
    log_in(&server);

    has_only_the_outage_s_lines(&server.stop_and_read_log());
}

/// Takes SQLite's write lock, and releases it at the end of its input.
const LOCK: &str = "
import sqlite3, sys
database = sqlite3.connect(sys.argv[1], isolation_level=None)
database.execute('BEGIN IMMEDIATE')
sys.stdin.read()
database.execute('ROLLBACK')
";

#[test]
fn an_outage_of_changes_alone_is_one_line_when_it_begins_and_one_when_it_ends() {
    if !has("python3") {
        return;
    }
    let bench = with_alice("info");
    let server = bench.serve();
    let mut lock = Command::new("python3")
        .args(["-c", LOCK])
        .arg(bench.path("data/ficha.db"))
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    until("it is not ready", || server.get("/health/ready", "").0 == 503);
    let address = server.address;
    for (status, answer) in at_once(12, |_| log_in_at(address, "alice")) {
        assert_eq!(status, 503, "a login during the outage: {answer}");
    }
    drop(lock.stdin.take());
    assert!(lock.wait().unwrap().success());
    until("it is ready again", || server.get("/health/ready", "").0 == 200);
    log_in(&server);
    // One or two more heartbeats, which must not log anything.
    thread::sleep(Duration::from_secs(2));
    has_only_the_outage_s_lines(&server.stop_and_read_log());
}
