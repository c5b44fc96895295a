//! The real binary with a wall clock that is set: no user is logged out, and revoked tokens stay revoked.
//!
//! The server gets its wall clock from clock_shim.c, so that it can be set while the server runs; elapsed time is real.
//! A new time is followed once it has lasted for a minute: what happens then is tested in the long form.

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

/// By how many seconds the clock is wrong: longer than the lifetime of an access token, and of a session.
const OFFSETS: [(&str, i64); 4] = [("+1 h", HOUR), ("+40 d", 40 * DAY), ("-1 h", -HOUR), ("-40 d", -40 * DAY)];

const ANY: [&str; 4] = ["+1 h", "+40 d", "-1 h", "-40 d"];
/// After a reboot, a clock that is an hour ahead looks like a server that was off for an hour.
const NOT_AN_HOUR_AHEAD: [&str; 3] = ["+40 d", "-1 h", "-40 d"];

/// Seconds until a new time is followed, which takes a minute.
const FOLLOWED: u64 = 65;
/// Seconds until a new time is noticed: the server compares the clocks once a second.
const NOTICED: u64 = 3;
/// Cases that run in parallel: they mostly wait.
const PARALLEL: usize = 8;

/// The same as in [`Place::new`].
const ISSUER: &str = "http://127.0.0.1:8080";
const SERVICE: &str = "service";
const USER: &str = "alice";

/// One step of a case.
#[derive(Clone, Copy)]
enum Step {
    Start,
    Stop,
    /// `kill -9`.
    Kill,
    /// The machine reboots: only the database still knows the time.
    Reboot,
    /// The clock is set wrong.
    Set,
    /// The clock is corrected.
    Correct,
    Pass(u64),
    /// Users log in; a token and a session are revoked.
    Begin,
    /// No valid token may be refused as invalid; 503 is allowed.
    Look(&'static str),
    /// Every answer must be right.
    AllIsWell(&'static str),
}

use Step::{AllIsWell, Begin, Correct, Kill, Look, Pass, Reboot, Set, Start, Stop};

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
            Correct,
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
            Correct,
            Look("corrected"),
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
            Correct,
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
            Correct,
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
            Correct,
            Look("corrected"),
            Pass(FOLLOWED),
            AllIsWell("right"),
            Kill,
            Start,
            AllIsWell("killed"),
        ],
    },
    Case {
        when: "at the first start, corrected a minute ago",
        is_long: true,
        offsets: &ANY,
        steps: &[Set, Start, Begin, Correct, Pass(FOLLOWED), Look("followed"), Kill, Start, Look("killed")],
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
            Correct,
            Look("corrected"),
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
            Correct,
            Look("corrected"),
            Pass(FOLLOWED),
            AllIsWell("right"),
            Kill,
            Start,
            AllIsWell("killed"),
        ],
    },
    Case {
        when: "for a minute, corrected between two runs",
        is_long: true,
        offsets: &ANY,
        steps: &[
            Start,
            Begin,
            Set,
            Pass(FOLLOWED),
            Look("followed"),
            Stop,
            Correct,
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

/// Runs each case with each offset, and prints the answers.
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
        for _ in 0..PARALLEL {
            scope.spawn(|| {
                loop {
                    // In a separate statement, so that the lock is not held while the case runs.
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
    say("new: a login / its token is used / introspected. old: an earlier token is used / introspected / refreshed.");
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

/// Tokens from before the clock was set.
struct Before {
    access: String,
    /// The newest one of the session.
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
        if let Some(log) = run.server.as_ref().filter(|_| !run.row.wrong.is_empty()).map(Server::end_of_log) {
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
            Correct => self.clock.set(0),
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

    /// Makes every request. Unless `all_is_well`, 503 is allowed, except for tokens that are issued now: they must
    /// always work.
    fn look(&mut self, stage: &str, all_is_well: bool) {
        let at = self.at();
        let mut before = self.before.take().unwrap();
        let entered = log_in(at, USER, PASSWORD, "");
        self.expect(stage, "a login", status(&entered), &[200]);
        let (mut used, mut seen) = (0, 0);
        if let Some(tokens) = tokens_of(&entered) {
            (used, seen) = self.valid(stage, "a new token", &tokens.access, true);
            let refreshed = refresh(at, &tokens.refresh);
            self.expect(stage, "a refresh of a new session", status(&refreshed), &[200]);
        }
        let new = format!("new {}/{used}/{seen}", status(&entered));

        let (used, seen) = self.valid(stage, "an earlier token", &before.access, all_is_well);
        let refreshed = refresh(at, &before.refresh);
        let either: &[u16] = if all_is_well { &[200] } else { &[200, 503] };
        self.expect(stage, "a refresh of an earlier session", status(&refreshed), either);
        if let Some(tokens) = tokens_of(&refreshed) {
            before.refresh = tokens.refresh;
            self.valid(stage, "a refreshed token", &tokens.access, true);
        }
        let old = format!("old {used}/{seen}/{}", status(&refreshed));

        let revoked = self.invalid(stage, "a revoked token", &before.revoked, all_is_well);
        let ended = self.invalid(stage, "a token of a session that has ended", &before.ended.access, all_is_well);
        let refused: &[u16] = if all_is_well { &[400] } else { &[400, 503] };
        let late = status(&refresh(at, &before.ended.refresh));
        self.expect(stage, "a refresh of a session that has ended", late, refused);
        self.expect(stage, "being ready", if is_ready(at) { 200 } else { 503 }, &[200]);
        self.row.answers.push(format!("{stage}: {new}, {old}, gone {revoked}/{ended}/{late}"));
        self.before = Some(before);
    }

    /// The statuses of a request with a token and of its introspection, where active counts as 200 and inactive as 401.
    fn ask(&self, token: &str) -> (u16, u16) {
        let form = format!("token={token}&client_id={SERVICE}&client_secret={}", self.secret);
        let seen = match post(self.at(), "/introspect", &form) {
            Some((200, body)) if body["active"] == Value::Bool(true) => 200,
            Some((200, body)) if body["active"] == Value::Bool(false) => 401,
            other => status(&other),
        };
        (status(&who_am_i(self.at(), token)), seen)
    }

    fn valid(&mut self, stage: &str, what: &str, token: &str, surely: bool) -> (u16, u16) {
        let (used, seen) = self.ask(token);
        let either: &[u16] = if surely { &[200] } else { &[200, 503] };
        self.expect(stage, what, used, either);
        self.expect(stage, &format!("the introspection of {what}"), seen, either);
        (used, seen)
    }

    fn invalid(&mut self, stage: &str, what: &str, token: &str, surely: bool) -> u16 {
        let (used, seen) = self.ask(token);
        let either: &[u16] = if surely { &[401] } else { &[401, 503] };
        self.expect(stage, what, used, either);
        self.expect(stage, &format!("the introspection of {what}"), seen, either);
        used
    }

    fn expect(&mut self, stage: &str, what: &str, answer: u16, right: &[u16]) {
        if !right.contains(&answer) {
            let Row { when, offset, .. } = self.row;
            let wrong = format!("{offset} {when}, {stage}: {what} got {answer} instead of one of {right:?}");
            // Print at once: the rest may take a long time.
            say(&wrong);
            self.row.wrong.push(wrong);
        }
    }
}

/// How failures get into the future.
#[derive(Debug, Clone, Copy)]
enum Ahead {
    /// Written with the time of a wrong clock.
    Written,
    /// The clock was ahead at the first start, and was corrected a minute ago.
    Lived,
}

/// Moves every failure ahead, and fails if there is none.
const MOVE: &str = r#"
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], timeout=5)
moved = connection.execute("UPDATE login_failures SET last_failure = last_failure + ?, touched_at = touched_at + ?",
                           (int(sys.argv[2]), int(sys.argv[2]))).rowcount
connection.commit()
connection.close()
sys.exit(0 if moved > 0 else 1)
"#;

/// Twelve failures in a row delay a source by four seconds; the rest is for machines that are busy building.
const ORDINARY_WAIT: Duration = Duration::from_secs(15);
const TRY_EVERY: Duration = Duration::from_millis(250);

/// No user is locked out until a date that a wrong clock showed, and unlocking a user works at once.
pub fn failures_in_the_future() {
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
    // A login before the wait is over is refused without checking the password, and does not count as a failure.
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
        assert!(begin.elapsed() < ORDINARY_WAIT, "{says}: still locked out:\n{}", server.end_of_log());
        thread::sleep(TRY_EVERY);
    }
    let waited = begin.elapsed();
    place.must_run(&["user", "unlock", users[1]], "");
    assert_eq!(enter(users[1]), 200, "{says}: after `user unlock`");
    place.must_run(&["user", "set-password", users[2], "--password-stdin"], PASSWORD);
    assert_eq!(enter(users[2]), 200, "{says}: after `user set-password`");
    place.must_run(&["user", "enable", users[3]], "");
    assert_eq!(enter(users[3]), 200, "{says}: after `user enable`");
    say(&format!("failures in the future ({says}): first {first}, logged in after {} ms", waited.as_millis()));
}

/// Compiles the library into this folder. `None` if there is no C compiler, or if its path is not UTF-8.
fn compile(folder: &Path) -> Option<String> {
    let library = folder.join("clock_shim.so");
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/reliability/clock_shim.c");
    let mut compiler = Command::new("cc");
    compiler.args(["-shared", "-fPIC", "-O1", "-o"]).arg(&library).arg(source);
    let output = compiler.output().ok()?;
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    library.to_str().map(str::to_owned)
}

/// The file with the clock's offset, and the file with the boot id.
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

    /// A working directory in which all programs use this clock.
    fn place(&self, library: &str) -> Place {
        Place::new()
            .with("LD_PRELOAD", library)
            .with("FICHA_CLOCK_SHIM", self.folder.path().join("ahead").to_str().unwrap())
            .with("FICHA_CLOCK_SHIM_BOOT", self.boot().to_str().unwrap())
            .with("FICHA__TOKEN__ACCESS_TTL", "10m")
    }

    /// Makes the clock wrong by this many seconds.
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

/// Adds the client that introspects tokens, and returns its secret.
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

/// The status; 0 without an answer.
fn status(answer: &Answer) -> u16 {
    answer.as_ref().map_or(0, |(status, _)| *status)
}
