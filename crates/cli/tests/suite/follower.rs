//! The followers of docs/src/reference/denylist.md, run as shown against a real server: in Python on the page, in JavaScript
//! and Go in docs/followers.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};

use serde_json::Value;

use crate::bench::{Bench, Serving, has};

/// Asks the follower repeatedly, and prints each answer that differs from the previous one.
const DRIVER: &str = r#"
import sys
LEASE = 5
denylist = Denylist(*sys.argv[4:])
before = "nothing"
while True:
    answer = denylist.denies({"jti": sys.argv[1], "sid": sys.argv[2]}, sys.argv[3])
    if answer != before:
        print("answer", answer, flush=True)
        before = answer
    time.sleep(0.01)
"#;

/// Once the token is refused, sets the wall clock a day ahead for a few polls, and then back.
const JUMPING: &str = r#"
import sys
LEASE = 5
real, ahead = time.time, 0
time.time = lambda: real() + ahead
denylist = Denylist(sys.argv[4])
ask = lambda: denylist.denies({"jti": sys.argv[1], "sid": sys.argv[2]}, sys.argv[3])
def becomes(answer):
    while ask() != answer:
        time.sleep(0.01)
becomes(True)
ahead = 86400
becomes(False)
time.sleep(2.5)
print("answer", ask(), flush=True)
ahead = 0
seen = set()
for _ in range(300):
    seen.add(ask())
    time.sleep(0.01)
print("answer", False if False in seen else ask(), flush=True)
"#;

#[test]
fn the_documented_follower_forgets_nothing_while_the_clock_is_set_ahead_and_back() {
    if !has("python3") {
        return;
    }
    let bench = Bench::new();
    bench.add_user("alice", &["--scope", "notes:read"]);
    let server = bench.serve();
    let token = log_in(&server);
    bench.write("follower.py", &(follower() + JUMPING));
    server.post("/revoke", &format!("token={}", token["access_token"].as_str().unwrap()));
    let (claims, kid) = (part(&token, 1), part(&token, 0)["kid"].as_str().unwrap().to_owned());
    let (jti, sid) = (claims["jti"].as_str().unwrap(), claims["sid"].as_str().unwrap());
    let program = vec!["python3".into(), bench.path("follower.py")];
    let mut follower = Follower::spawn(&program, &[jti, sid, &kid, &format!("http://{}/denylist", server.address)]);
    // The follower does not deny an expired token: verification already refuses it.
    follower.answers("False");
    follower.answers("True");
}

#[test]
fn each_follower_denies_revoked_tokens_and_notices_a_lost_server() {
    for language in LANGUAGES.into_iter().filter(|language| has(language.program())) {
        denies_revoked_tokens_and_notices_a_lost_server(language);
    }
}

fn denies_revoked_tokens_and_notices_a_lost_server(language: Language) {
    let bench = Bench::new().with("FICHA__DENYLIST__ANONYMOUS", "false");
    bench.add_user("alice", &["--scope", "notes:read"]);
    let client = bench.json(&["client", "add", "notes-api", "--serves", "notes", "--json"]);
    let server = bench.serve();
    let (one, two, by_key) = (log_in(&server), log_in(&server), log_in(&server));
    let program = language.prepare(&bench);
    let follow = |token: &Value| Follower::start(&program, &server, &client, token);
    let (mut first, mut second, mut third) = (follow(&one), follow(&two), follow(&by_key));
    for follower in [&mut first, &mut second, &mut third] {
        follower.answers_in_peace("False");
    }
    // Some polls of a second each.
    std::thread::sleep(std::time::Duration::from_millis(3_500));
    // One by its jti, one by its session, and one by its key.
    server.post("/revoke", &format!("token={}", one["access_token"].as_str().unwrap()));
    first.answers_in_peace("True");
    assert_eq!(server.log_out(two["access_token"].as_str().unwrap()), 204);
    second.answers_in_peace("True");
    bench.run(&["key", "purge", "--yes"]).good();
    third.answers_in_peace("True");
    // After its lease it can't tell whether a token is valid; known entries stay denied.
    let kid = |token: &Value| part(token, 0)["kid"].clone();
    let mut fresh = log_in(&server);
    while kid(&fresh) == kid(&by_key) {
        // The server has not loaded the new key yet.
        fresh = log_in(&server);
    }
    let mut fourth = follow(&fresh);
    fourth.answers("False");
    server.kill();
    fourth.answers("None");
}

#[test]
fn a_revocation_on_the_command_line_says_that_the_documented_follower_refuses_the_token() {
    if !has("python3") {
        return;
    }
    let bench = Bench::new();
    bench.add_user("alice", &["--scope", "notes:read"]);
    let client = bench.json(&["client", "add", "notes-api", "--serves", "notes", "--json"]);
    let server = bench.serve();
    let (one, two) = (log_in(&server), log_in(&server));
    let program = Language::Python.prepare(&bench);
    let mut follower = Follower::start(&program, &server, &client, &one);
    follower.answers("False");
    let sid = |token: &Value| part(token, 1)["sid"].as_str().unwrap().to_owned();
    let done = bench.json(&["session", "revoke", &sid(&one), "--wait", "20", "--json"]);
    assert_eq!((&done["revoked"], &done["receipt"]["complete"]), (&1.into(), &true.into()), "{done}");
    let service = &done["receipt"]["services"][0];
    assert_eq!((service["service"].as_str(), service["state"].as_str()), (Some("python"), Some("applied")), "{done}");
    follower.answers("True");
    // Nobody has to answer a question of a command that has ended.
    let count = "import sqlite3, sys; print(sqlite3.connect(sys.argv[1]).execute('SELECT count(*) FROM follower_questions').fetchone()[0])";
    let counted = Command::new("python3").args(["-c", count]).arg(bench.path("data/ficha.db")).output().unwrap();
    assert_eq!(String::from_utf8(counted.stdout).unwrap(), "0\n");
    let shown = bench.run(&["session", "revoke", &sid(&two), "--wait", "20"]).good().stdout;
    assert!(shown.starts_with("1 session ended\nSERVICE") && shown.contains("refuses"), "{shown}");
    assert_eq!(bench.run(&["session", "revoke", &sid(&two), "--wait", "0"]).good().stdout, "no sessions ended\n");
}

#[test]
fn each_follower_drops_a_replayed_page() {
    for language in LANGUAGES.into_iter().filter(|language| has(language.program())) {
        drops_a_replayed_page(language);
    }
}

fn drops_a_replayed_page(language: Language) {
    let bench = Bench::new();
    // Every request gets the same page.
    let proxy = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = proxy.local_addr().unwrap();
    std::thread::spawn(move || {
        let body = r#"{"nonce":"old","cursor":"0.0","reset":false,"entries":[]}"#;
        for stream in proxy.incoming().map_while(Result::ok) {
            let mut lines = BufReader::new(&stream).lines().map_while(Result::ok);
            while lines.next().is_some_and(|line| !line.is_empty()) {}
            let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
            // The follower may be gone.
            let _ = (&stream).write_all((head + body).as_bytes());
        }
    });
    let program = language.prepare(&bench);
    let mut follower = Follower::spawn(&program, &["jti", "sid", "kid", &format!("http://{address}/denylist")]);
    follower.answers("None");
    assert!(follower.line().contains("old page"));
}

/// Computes the ids of keys as the follower does: it denies what is in its set.
const VECTORS: &str = r#"
import sys
denylist = Denylist.__new__(Denylist)
denylist.lease = 0, 0
for vector in json.load(open(sys.argv[1], encoding="utf-8")):
    denylist.until = {vector["id"]: 2**40}
    assert denylist.denies({"jti": "", "sid": ""}, vector["kid"]), vector
print("vectors ok")
"#;

#[test]
fn every_follower_and_the_library_name_a_key_alike() {
    let path = followers().join("vectors.json");
    let vectors: Vec<Value> = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    assert!(vectors.len() >= 6);
    for vector in &vectors {
        let id = ficha_token::DenyId::of_key(vector["kid"].as_str().unwrap());
        assert_eq!(id.to_uuid().to_string(), vector["id"]);
    }
    let bench = Bench::new();
    for language in LANGUAGES.into_iter().filter(|language| has(language.program())) {
        let mut program = language.prepare(&bench);
        if language == Language::Python {
            bench.write("vectors.py", &(follower() + VECTORS));
            program = vec!["python3".into(), bench.path("vectors.py")];
        } else {
            program.push("vectors".into());
        }
        let ran = Command::new(&program[0]).args(&program[1..]).arg(&path).output().unwrap();
        let told = String::from_utf8_lossy(&ran.stdout);
        assert_eq!(told, "vectors ok\n", "{language:?}: {}", String::from_utf8_lossy(&ran.stderr));
    }
}

/// The languages of the followers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Language {
    Python,
    JavaScript,
    Go,
}

const LANGUAGES: [Language; 3] = [Language::Python, Language::JavaScript, Language::Go];

impl Language {
    fn program(self) -> &'static str {
        match self {
            Self::Python => "python3",
            Self::JavaScript => "node",
            Self::Go => "go",
        }
    }

    /// A program and its first arguments, for [`Follower`].
    fn prepare(self, bench: &Bench) -> Vec<PathBuf> {
        match self {
            Self::Python => {
                bench.write("follower.py", &(follower() + DRIVER));
                vec!["python3".into(), bench.path("follower.py")]
            }
            Self::JavaScript => vec!["node".into(), followers().join("follower_test.mjs")],
            Self::Go => {
                let program = bench.path("follow");
                let mut build = Command::new("go");
                build.args(["build", "-buildvcs=false", "-o"]).arg(&program).arg("./cmd/follow");
                build.current_dir(followers()).envs([("GO111MODULE", "on"), ("GOFLAGS", ""), ("GOPROXY", "off")]);
                assert!(build.status().unwrap().success(), "the Go follower builds");
                vec![program]
            }
        }
    }
}

fn followers() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/followers")
}

/// The program on the page.
fn follower() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/src/reference/denylist.md");
    let page = std::fs::read_to_string(path).unwrap();
    let program = page.split("```python\n").nth(1).unwrap().split("```").next().unwrap();
    assert_eq!(page.matches("```python").count(), 1);
    program.to_owned()
}

fn log_in(server: &Serving) -> Value {
    let (status, answer) = server.log_in("alice", "");
    assert_eq!(status, 200, "{answer}");
    answer
}

/// A part of a token.
fn part(token: &Value, index: usize) -> Value {
    use base64::Engine;
    let text = token["access_token"].as_str().unwrap().split('.').nth(index).unwrap();
    serde_json::from_slice(&base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(text).unwrap()).unwrap()
}

/// The running program; dropping it stops the process.
struct Follower {
    child: Child,
    output: BufReader<ChildStdout>,
}

impl Follower {
    fn start(program: &[PathBuf], server: &Serving, client: &Value, token: &Value) -> Self {
        let (claims, kid) = (part(token, 1), part(token, 0)["kid"].as_str().unwrap().to_owned());
        let url = format!("http://{}/denylist", server.address);
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let arguments = [
            text(&claims["jti"]),
            text(&claims["sid"]),
            kid,
            url,
            text(&client["client_id"]),
            text(&client["client_secret"]),
        ];
        Self::spawn(program, &arguments.each_ref().map(String::as_str))
    }

    /// The settings are arguments for Python, and variables for the others, which run as long as their input is open.
    fn spawn(program: &[PathBuf], arguments: &[&str]) -> Self {
        const NAMES: [&str; 6] = ["JTI", "SID", "KID", "DENYLIST_URL", "CLIENT_ID", "CLIENT_SECRET"];
        let mut command = Command::new("sh");
        command.args(["-c", "exec \"$@\" 2>&1", "sh"]).args(program).envs(NAMES.into_iter().zip(arguments));
        if program[0].as_os_str() == "python3" {
            command.args(arguments);
        }
        command.env("LEASE", "5").stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.env("PYTHONUNBUFFERED", "1").spawn().unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        Self { child, output }
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        assert_ne!(self.output.read_line(&mut line).unwrap(), 0, "the follower exited");
        line
    }

    /// The same, while the server can be reached: every poll succeeds.
    fn answers_in_peace(&mut self, expected: &str) {
        self.read_until(expected, |line| assert!(!line.contains("could not be read"), "{line}"));
    }

    /// Reads until the follower gives this answer. Before that it may not know one yet.
    fn answers(&mut self, expected: &str) {
        self.read_until(expected, |_| ());
    }

    fn read_until(&mut self, expected: &str, check: impl Fn(&str)) {
        loop {
            let line = self.line();
            check(&line);
            let answer = match line.trim() {
                "unknown" => "None",
                "allowed" => "False",
                "denied" => "True",
                other => other.strip_prefix("answer ").unwrap_or_default(),
            };
            match answer {
                answer if answer == expected => return,
                "None" | "" => {}
                other => panic!("it answered {other}, not {expected}"),
            }
        }
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        // It may have exited already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
