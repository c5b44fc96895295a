//! A job across kills: no part is done twice, and none is left out.

use std::net::SocketAddr;
use std::thread;
use std::time::Duration;

use serde_json::Value;

use crate::cluster::Cluster;
use crate::server::{self, PASSWORD, Place, Server, now, say, skip};

const USERS: usize = 6_000;
/// How long it may take until a job whose server was killed is done.
const PATIENCE: Duration = Duration::from_secs(60);
/// How many kills there are, each when a quarter more is done.
const KILLS: usize = 3;

/// Kills the server that imports, on both databases.
pub fn sweep() {
    kill_repeatedly("SQLite", &Place::new());
    match Cluster::new() {
        Ok(cluster) => kill_repeatedly("PostgreSQL", &Place::new().with("FICHA__STORE__URL", &cluster.url())),
        Err(missing) => skip(missing),
    }
}

fn kill_repeatedly(kind: &str, place: &Place) {
    let scope = "ficha:users ficha:audit ficha:account";
    place.must_run(&["user", "add", "chief", "--scope", scope, "--password-stdin"], PASSWORD);
    let mut server = place.serve(&[]);
    let hash = "$2b$04$s.2BA/eSMdb2ueeNfURDYOdVyGc/JrdLBPZGNNLri05M9HwgRAX1a";
    let users: String = (0..USERS).map(|user| format!("user-{user},{hash}\n")).collect();
    let token = administer(server.address);
    let head = "Host: 127.0.0.1:8080\r\nConnection: close\r\nContent-Type: text/csv";
    let file = format!("name,password_hash\n{users}");
    let request = format!(
        "POST /api/v1/users/import HTTP/1.1\r\n{head}\r\nAuthorization: Bearer {token}\r\nContent-Length: {}\r\n\r\n{file}",
        file.len()
    );
    let (status, accepted) = server::exchange(server.address, &request).unwrap();
    assert_eq!(status, 202, "{accepted}");
    let job = format!("/api/v1/jobs/{}", accepted["job"].as_str().unwrap());
    let mut seen = Vec::new();
    for kill in 1..=KILLS {
        // By what is done, and not by time: how fast it is differs between machines.
        let wanted = i64::try_from(kill * USERS / (KILLS + 1)).unwrap();
        seen.push(done_of(&server, &job, &token, wanted));
        server.kill();
        server = place.serve(&[]);
        // The kill came in the middle: the next one comes after the job was taken over.
        done_of(&server, &job, &token, seen.last().unwrap() + 1);
    }
    let began = now();
    let done = loop {
        let done = get(server.address, &job, &token);
        if done["finished_at"].is_string() {
            break done;
        }
        assert!(began.elapsed() < PATIENCE, "{done}");
        thread::sleep(Duration::from_millis(50));
    };
    say(&format!("an import on {kind} was killed at {seen:?} of {USERS} users, and was completed"));
    let expected = i64::try_from(USERS).unwrap();
    assert_eq!(
        (&done["state"], done["done"].as_i64(), done["unchanged"].as_i64()),
        (&"done".into(), Some(expected), Some(0))
    );
    let count = get(server.address, "/api/v1/users?name=user-&count=only", &token);
    assert_eq!(count["count"], expected);
    server.stop();
    place.must_run(&["audit", "verify"], "");
    let created = place.output(&["audit", "export", "--event", "user.created"]);
    assert_eq!(created.lines().filter(|line| line.contains("\"job\"")).count(), USERS, "one event each");
}

/// Waits until so many users are imported, or all of them; returns how many.
fn done_of(server: &Server, job: &str, token: &str, wanted: i64) -> i64 {
    let began = now();
    loop {
        let job = get(server.address, job, token);
        let done = job["done"].as_i64().unwrap();
        if done >= wanted || job["finished_at"].is_string() {
            return done;
        }
        assert!(began.elapsed() < PATIENCE, "nobody goes on with it: {job}");
        thread::sleep(Duration::from_millis(5));
    }
}

fn administer(at: SocketAddr) -> String {
    let more = "&client_id=ficha-cli&scope=ficha:users+ficha:audit";
    let (status, tokens) = server::log_in(at, "chief", PASSWORD, more).unwrap();
    assert_eq!(status, 200, "{tokens}");
    tokens["access_token"].as_str().unwrap().to_owned()
}

fn get(at: SocketAddr, path: &str, token: &str) -> Value {
    let head = "Host: 127.0.0.1:8080\r\nConnection: close";
    let request = format!("GET {path} HTTP/1.1\r\n{head}\r\nAuthorization: Bearer {token}\r\n\r\n");
    let (status, answer) = server::exchange(at, &request).unwrap();
    assert_eq!(status, 200, "{answer}");
    answer
}
