//! A wall clock that is set, under the real binary: nobody is logged out, and nothing that was revoked comes back.
//!
//! The server takes its wall clock from clock_shim.c, so that it can be set while the server runs; the time that passes
//! is the real one. A new time is followed once it has lasted for a minute: what comes then is in the long form.

use std::collections::VecDeque;
use std::fs::{self, File, OpenOptions};
use std::net::SocketAddr;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

use crate::report::{is_full, is_wanted};
use crate::server::{
    Answer, PASSWORD, Place, Server, is_ready, log_in, log_out, now, post, refresh, revoke, say, skip, who_am_i,
};

const HOUR: i64 = 3_600;
const DAY: i64 = 24 * HOUR;

/// By how many seconds the clock is wrong: longer than an access token lives, and longer than a session.
const OFFSETS: [(&str, i64); 4] = [("+1 h", HOUR), ("+40 d", 40 * DAY), ("-1 h", -HOUR), ("-40 d", -40 * DAY)];

const ANY: [&str; 4] = ["+1 h", "+40 d", "-1 h", "-40 d"];
/// For another boot: there a clock that is an hour ahead looks like a server that was off for an hour.
const NOT_AN_HOUR_AHEAD: [&str; 3] = ["+40 d", "-1 h", "-40 d"];

/// Until a time that has lasted for a minute is followed, in seconds.
const FOLLOWED: u64 = 65;
/// The server compares the clocks once a second.
const NOTICED: u64 = 3;
/// Cases that run side by side: they mostly wait.
const SIDE_BY_SIDE: usize = 8;

/// The same as the place's.
const ISSUER: &str = "http://127.0.0.1:8080";
const SERVICE: &str = "service";
const USER: &str = "alice";

/// What happens to a server and its clock, one after another.
#[derive(Clone, Copy)]
enum Step {
    Start,
    Stop,
    /// `kill -9`.
    Kill,
    /// The machine starts anew: only what is in the database tells of the time.
    Reboot,
    /// The clock is set wrong.
    Set,
    /// It is put right.
    PutRight,
    Pass(u64),
    /// Somebody logs in; a token is revoked, and a session.
    Begin,
    /// Nobody is told that they are logged out; 503 is an answer.
    Look(&'static str),
    /// Everything is as it should be.
    AllIsWell(&'static str),
}

use Step::{AllIsWell, Begin, Kill, Look, Pass, PutRight, Reboot, Set, Start, Stop};

struct Case {
    when: &'static str,
    is_long: bool,
    offsets: &'static [&'static str],
    steps: &'static [Step],
}

static CASES: [Case; 9] = [
    Case {
        when: "while serving",
        is_long: false,
        offsets: &ANY,
        steps: &[
            Start,
            Begin,
            Set,
            Look("at once"),
            Pass(NOTICED),
            Look("noticed"),
            PutRight,
            Pass(NOTICED),
            AllIsWell("right"),
            Kill,
            Start,
            AllIsWell("killed"),
        ],
    },
    Case {
        when: "at the first start",
        is_long: false,
        offsets: &ANY,
        steps: &[
            Set,
            Start,
            Begin,
            Look("at once"),
            PutRight,
            Look("put right"),
            Pass(NOTICED),
            AllIsWell("right"),
            Kill,
            Start,
            AllIsWell("killed"),
        ],
    },
    Case {
        when: "while serving, then killed",
        is_long: false,
        offsets: &ANY,
        steps: &[
            Start,
            Begin,
            Set,
            Pass(NOTICED),
            Kill,
            Start,
            Look("restarted"),
            Pass(NOTICED),
            PutRight,
            Pass(NOTICED),
            AllIsWell("right"),
            Kill,
            Start,
            AllIsWell("killed"),
        ],
    },
    Case {
        when: "between two runs",
        is_long: false,
        offsets: &ANY,
        steps: &[
            Start,
            Begin,
            Stop,
            Set,
            Start,
            Look("started"),
            Pass(NOTICED),
            Look("noticed"),
            PutRight,
            Pass(NOTICED),
            AllIsWell("right"),
            Kill,
            Start,
            AllIsWell("killed"),
        ],
    },
    Case {
        when: "at another boot, then killed",
        is_long: true,
        offsets: &NOT_AN_HOUR_AHEAD,
        steps: &[
            Start,
            Begin,
            Stop,
            Reboot,
            Set,
            Start,
            Look("started"),
            Pass(NOTICED),
            Kill,
            Start,
            Look("restarted"),
            PutRight,
            Look("put right"),
            Pass(FOLLOWED),
            AllIsWell("right"),
            Kill,
            Start,
            AllIsWell("killed"),
        ],
    },
    Case {
        when: "at the first start, put right a minute ago",
        is_long: true,
        offsets: &ANY,
        steps: &[Set, Start, Begin, PutRight, Pass(FOLLOWED), Look("followed"), Kill, Start, Look("killed")],
    },
    Case {
        when: "for a minute",
        is_long: true,
        offsets: &ANY,
        steps: &[
            Start,
            Begin,
            Set,
            Pass(FOLLOWED),
            Look("followed"),
            PutRight,
            Look("put right"),
            Pass(FOLLOWED),
            AllIsWell("right"),
            Kill,
            Start,
            AllIsWell("killed"),
        ],
    },
    Case {
        when: "for a minute, then killed",
        is_long: true,
        offsets: &ANY,
        steps: &[
            Start,
            Begin,
            Set,
            Pass(FOLLOWED),
            Kill,
            Start,
            Look("restarted"),
            PutRight,
            Look("put right"),
            Pass(FOLLOWED),
            AllIsWell("right"),
            Kill,
            Start,
            AllIsWell("killed"),
        ],
    },
    Case {
        when: "for a minute, put right between two runs",
        is_long: true,
        offsets: &ANY,
        steps: &[
            Start,
            Begin,
            Set,
            Pass(FOLLOWED),
            Look("followed"),
            Stop,
            PutRight,
            Start,
            Look("started"),
            Pass(FOLLOWED),
            AllIsWell("right"),
            Kill,
            Start,
            AllIsWell("killed"),
        ],
    },
];

/// Tries each case with each offset, and prints what was answered.
pub fn sweep() {
    let folder = tempfile::tempdir().unwrap();
    let Some(library) = compile(folder.path()) else { return skip("cc") };
    let mut waiting = VecDeque::new();
    for case in CASES.iter().filter(|case| (is_full() || !case.is_long) && is_wanted(case.when)) {
        for (name, offset) in OFFSETS.iter().filter(|(name, _)| case.offsets.contains(name)) {
            waiting.push_back((*name, *offset, case));
        }
    }
    let (waiting, rows) = (Mutex::new(waiting), Mutex::new(Vec::new()));
    thread::scope(|scope| {
        for _ in 0..SIDE_BY_SIDE {
            scope.spawn(|| {
                loop {
                    // In a statement of its own, so that nobody else waits until the case is over.
                    let next = waiting.lock().unwrap().pop_front();
                    let Some((name, offset, case)) = next else { break };
                    let row = Run::of(&library, name, offset, case);
                    rows.lock().unwrap().push(row);
                }
            });
        }
    });
    let mut rows = rows.into_inner().unwrap_or_else(PoisonError::into_inner);
    rows.sort_by_key(|row: &Row| (row.when, row.offset));
    say("\nA clock that is set:\n");
    say(
        "new: a login / its token is used / introspected. old: a token from before is used / introspected / refreshed.",
    );
    say("gone: a revoked token is used / one of an ended session / that session is refreshed.\n");
    say("| Offset | When | Answers | Wrong |");
    say("|---|---|---|---|");
    for row in &rows {
        let (when, offset, answers, wrong) = (row.when, row.offset, row.answers.join("<br>"), row.wrong.len());
        say(&format!("| {offset} | {when} | {answers} | {wrong} |"));
    }
    say("");
    let wrong: Vec<String> = rows.into_iter().flat_map(|row| row.wrong).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

struct Row {
    when: &'static str,
    offset: &'static str,
    answers: Vec<String>,
    wrong: Vec<String>,
}

/// What there was before the clock was set.
struct Before {
    access: String,
    /// Always the newest one of the session.
    refresh: String,
    /// An access token that was revoked.
    revoked: String,
    /// The tokens of a session that has ended.
    ended: Tokens,
}

struct Tokens {
    access: String,
    refresh: String,
}

/// One case with one offset.
struct Run {
    place: Place,
    clock: SetClock,
    secret: String,
    server: Option<Server>,
    before: Option<Before>,
    row: Row,
}

impl Run {
    fn of(library: &str, name: &'static str, offset: i64, case: &Case) -> Row {
        let clock = SetClock::new();
        let place = clock.place(library);
        place.must_run(&["user", "add", USER, "--password-stdin"], PASSWORD);
        let secret = add_service(&place);
        let row = Row { when: case.when, offset: name, answers: Vec::new(), wrong: Vec::new() };
        let mut run = Self { place, clock, secret, server: None, before: None, row };
        for step in case.steps {
            run.take(*step, offset);
        }
        if let Some(log) = run.server.as_ref().filter(|_| !run.row.wrong.is_empty()).map(Server::last_words) {
            run.row.wrong.push(format!("the log of the last run:\n{log}"));
        }
        run.row
    }

    fn take(&mut self, step: Step, offset: i64) {
        match step {
            Start => self.server = Some(self.place.serve(&[])),
            Stop => self.server.take().unwrap().stop(),
            Kill => self.server.take().unwrap().kill(),
            Reboot => self.clock.reboot(),
            Set => self.clock.set(offset),
            PutRight => self.clock.set(0),
            Pass(seconds) => thread::sleep(Duration::from_secs(seconds)),
            Begin => self.begin(),
            Look(stage) => self.look(stage, false),
            AllIsWell(stage) => self.look(stage, true),
        }
    }

    fn at(&self) -> SocketAddr {
        self.server.as_ref().unwrap().address
    }

    fn begin(&mut self) {
        let at = self.at();
        let enter = || tokens_of(&log_in(at, USER, PASSWORD, "")).unwrap();
        let (kept, revoked, ended) = (enter(), enter(), enter());
        assert_eq!(status(&revoke(at, &revoked.access)), 200);
        assert_eq!(status(&log_out(at, &ended.access)), 204);
        self.before = Some(Before { access: kept.access, refresh: kept.refresh, revoked: revoked.access, ended });
    }

    /// Asks for everything. Only where all is well no 503 is an answer, but for what is made now: that is always good.
    fn look(&mut self, stage: &str, all_is_well: bool) {
        let at = self.at();
        let mut before = self.before.take().unwrap();
        let entered = log_in(at, USER, PASSWORD, "");
        self.expect(stage, "a login", status(&entered), &[200]);
        let (mut used, mut seen) = (0, 0);
        if let Some(tokens) = tokens_of(&entered) {
            (used, seen) = self.good(stage, "a new token", &tokens.access, true);
            let refreshed = refresh(at, &tokens.refresh);
            self.expect(stage, "a refresh of a new session", status(&refreshed), &[200]);
        }
        let new = format!("new {}/{used}/{seen}", status(&entered));

        let (used, seen) = self.good(stage, "a token from before", &before.access, all_is_well);
        let refreshed = refresh(at, &before.refresh);
        let either: &[u16] = if all_is_well { &[200] } else { &[200, 503] };
        self.expect(stage, "a refresh of a session from before", status(&refreshed), either);
        if let Some(tokens) = tokens_of(&refreshed) {
            before.refresh = tokens.refresh;
            self.good(stage, "a token that was refreshed", &tokens.access, true);
        }
        let old = format!("old {used}/{seen}/{}", status(&refreshed));

        let revoked = self.gone(stage, "a revoked token", &before.revoked, all_is_well);
        let ended = self.gone(stage, "a token of a session that has ended", &before.ended.access, all_is_well);
        let refused: &[u16] = if all_is_well { &[400] } else { &[400, 503] };
        let late = status(&refresh(at, &before.ended.refresh));
        self.expect(stage, "a refresh of a session that has ended", late, refused);
        self.expect(stage, "being ready", if is_ready(at) { 200 } else { 503 }, &[200]);
        self.row.answers.push(format!("{stage}: {new}, {old}, gone {revoked}/{ended}/{late}"));
        self.before = Some(before);
    }

    /// What the use of a token and its introspection are answered: `active` counts as 200, not `active` as 401.
    fn ask(&self, token: &str) -> (u16, u16) {
        let form = format!("token={token}&client_id={SERVICE}&client_secret={}", self.secret);
        let seen = match post(self.at(), "/introspect", &form) {
            Some((200, body)) if body["active"] == Value::Bool(true) => 200,
            Some((200, body)) if body["active"] == Value::Bool(false) => 401,
            other => status(&other),
        };
        (status(&who_am_i(self.at(), token)), seen)
    }

    fn good(&mut self, stage: &str, what: &str, token: &str, surely: bool) -> (u16, u16) {
        let (used, seen) = self.ask(token);
        let either: &[u16] = if surely { &[200] } else { &[200, 503] };
        self.expect(stage, what, used, either);
        self.expect(stage, &format!("the introspection of {what}"), seen, either);
        (used, seen)
    }

    fn gone(&mut self, stage: &str, what: &str, token: &str, surely: bool) -> u16 {
        let (used, seen) = self.ask(token);
        let either: &[u16] = if surely { &[401] } else { &[401, 503] };
        self.expect(stage, what, used, either);
        self.expect(stage, &format!("the introspection of {what}"), seen, either);
        used
    }

    fn expect(&mut self, stage: &str, what: &str, answer: u16, right: &[u16]) {
        if !right.contains(&answer) {
            let Row { when, offset, .. } = self.row;
            let wrong = format!("{offset} {when}, {stage}: {what} was answered {answer} and not one of {right:?}");
            // At once: what comes later may take long.
            say(&wrong);
            self.row.wrong.push(wrong);
        }
    }
}

/// How failures come to be in the future.
#[derive(Debug, Clone, Copy)]
enum Ahead {
    /// As a server left them that took the time from a wrong clock.
    Written,
    /// The clock was ahead at the first start, and was put right a minute ago.
    Lived,
}

/// What moves every failure ahead. Without any it fails.
const MOVE: &str = r#"
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], timeout=5)
moved = connection.execute("UPDATE login_failures SET last_failure = last_failure + ?, touched_at = touched_at + ?",
                           (int(sys.argv[2]), int(sys.argv[2]))).rowcount
connection.commit()
connection.close()
sys.exit(0 if moved > 0 else 1)
"#;

/// Twelve failures in a row slow a source by four seconds; the rest is for a machine that builds beside us.
const ORDINARY_WAIT: Duration = Duration::from_secs(15);
const TRY_EVERY: Duration = Duration::from_millis(250);

/// Nobody is locked out until a date that a wrong clock showed, and whoever has an account let in again is in at once.
pub fn failures_from_the_future() {
    let folder = tempfile::tempdir().unwrap();
    let Some(library) = compile(folder.path()) else { return skip("cc") };
    let has_python =
        Command::new("python3").args(["-c", "import sqlite3"]).output().is_ok_and(|ran| ran.status.success());
    if has_python {
        for ahead in [HOUR, 40 * DAY] {
            fail_in_the_future(&library, Ahead::Written, ahead);
        }
    } else {
        skip("python3");
    }
    if is_full() {
        fail_in_the_future(&library, Ahead::Lived, 40 * DAY);
    }
}

#[track_caller]
fn fail_in_the_future(library: &str, how: Ahead, ahead: i64) {
    let clock = SetClock::new();
    let place = clock.place(library);
    let users = ["waits", "is-unlocked", "is-given-a-password", "is-enabled"];
    for user in users {
        place.must_run(&["user", "add", user, "--password-stdin"], PASSWORD);
    }
    if matches!(how, Ahead::Lived) {
        clock.set(ahead);
    }
    let mut server = place.serve(&[]);
    // What comes before the wait is over is refused unseen, and is no failure.
    for (failures, wait) in [(10, 1_200), (1, 2_200), (1, 0)] {
        for user in users {
            for _ in 0..failures {
                assert_eq!(status(&log_in(server.address, user, "nothing of the kind", "")), 400, "{user}");
            }
        }
        thread::sleep(Duration::from_millis(wait));
    }
    match how {
        Ahead::Written => {
            server.stop();
            let mut command = Command::new("python3");
            command.args(["-c", MOVE, "data/ficha.db", &ahead.to_string()]).current_dir(place.folder());
            assert!(command.stdin(Stdio::null()).status().unwrap().success(), "no failure was moved");
            server = place.serve(&[]);
        }
        Ahead::Lived => {
            clock.set(0);
            thread::sleep(Duration::from_secs(FOLLOWED));
        }
    }
    let at = server.address;
    let enter = |user: &str| status(&log_in(at, user, PASSWORD, ""));
    let says = format!("{how:?}, {ahead} s ahead");
    let begin = now();
    let first = enter(users[0]);
    while enter(users[0]) != 200 {
        assert!(begin.elapsed() < ORDINARY_WAIT, "{says}: still locked out:\n{}", server.last_words());
        thread::sleep(TRY_EVERY);
    }
    let waited = begin.elapsed();
    place.must_run(&["user", "unlock", users[1]], "");
    assert_eq!(enter(users[1]), 200, "{says}: after `user unlock`");
    place.must_run(&["user", "passwd", users[2], "--password-stdin"], PASSWORD);
    assert_eq!(enter(users[2]), 200, "{says}: after `user passwd`");
    place.must_run(&["user", "enable", users[3]], "");
    assert_eq!(enter(users[3]), 200, "{says}: after `user enable`");
    say(&format!("failures of the future ({says}): first {first}, and in after {} ms", waited.as_millis()));
}

/// Compiles the library into this folder; `None` where there is no C compiler, or where its path is no text.
fn compile(folder: &Path) -> Option<String> {
    let library = folder.join("clock_shim.so");
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/reliability/clock_shim.c");
    let mut compiler = Command::new("cc");
    compiler.args(["-shared", "-fPIC", "-O1", "-o"]).arg(&library).arg(source);
    let output = compiler.output().ok()?;
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    library.to_str().map(str::to_owned)
}

/// The file that says by how much the clock is wrong, and the one that says which boot it is.
struct SetClock {
    folder: TempDir,
    file: File,
}

impl SetClock {
    /// A clock that is right.
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ahead");
        let file = OpenOptions::new().read(true).write(true).create_new(true).open(path).unwrap();
        file.set_len(4_096).unwrap();
        let clock = Self { folder, file };
        fs::write(clock.boot(), "one boot\n").unwrap();
        clock
    }

    /// A working directory in which everything goes by this clock.
    fn place(&self, library: &str) -> Place {
        Place::new()
            .with("LD_PRELOAD", library)
            .with("FICHA_CLOCK_SHIM", self.folder.path().join("ahead").to_str().unwrap())
            .with("FICHA_CLOCK_SHIM_BOOT", self.boot().to_str().unwrap())
            .with("FICHA__TOKEN__ACCESS_TTL", "10m")
    }

    /// From now on it is wrong by so many seconds.
    fn set(&self, seconds: i64) {
        self.file.write_all_at(&seconds.to_ne_bytes(), 0).unwrap();
    }

    fn reboot(&self) {
        fs::write(self.boot(), "another boot\n").unwrap();
    }

    fn boot(&self) -> PathBuf {
        self.folder.path().join("boot")
    }
}

/// Adds the client that asks about tokens; its secret is shown this once.
fn add_service(place: &Place) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ficha"));
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("FICHA_") {
            command.env_remove(name);
        }
    }
    command.args(["client", "add", SERVICE, "--serves", ISSUER, "--json"]).current_dir(place.folder());
    let output = command.env("FICHA__SERVER__ISSUER", ISSUER).stdin(Stdio::null()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let shown: Value = serde_json::from_slice(&output.stdout).unwrap();
    shown["client_secret"].as_str().unwrap().to_owned()
}

fn tokens_of(answer: &Answer) -> Option<Tokens> {
    let (200, body) = answer.as_ref()? else { return None };
    let text = |name: &str| body[name].as_str().map(str::to_owned);
    Some(Tokens { access: text("access_token")?, refresh: text("refresh_token")? })
}

/// 0: no answer.
fn status(answer: &Answer) -> u16 {
    answer.as_ref().map_or(0, |(status, _)| *status)
}
