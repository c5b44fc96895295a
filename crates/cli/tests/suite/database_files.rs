//! SQLite's files moved, replaced, removed, damaged or restored: a running server notices, and a start is refused.

use std::fs::{self, File};
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::{Duration, UNIX_EPOCH};

use crate::bench::{Bench, PASSWORD, Serving, has, until};

const DATABASE: &str = "data/ficha.db";
const LOG: &str = "data/ficha.db-wal";
const INDEX: &str = "data/ficha.db-shm";
const KEY: &str = "data/master.key";

/// A write-ahead log's header, and that of each of its frames.
const HEADER: usize = 32;
const FRAME_HEADER: usize = 24;

/// A later start uses another port. The issuer must not change with it, or the tokens would be invalid.
fn with_alice() -> Bench {
    let bench = Bench::new().with("FICHA__SERVER__ISSUER", "http://127.0.0.1:8080");
    bench.add_user("alice", &[]);
    bench
}

fn log_in(server: &Serving) -> String {
    let (status, answer) = server.log_in("alice", "");
    assert_eq!(status, 200, "{answer}");
    answer["access_token"].as_str().unwrap().to_owned()
}

fn revoke(server: &Serving, token: &str) -> u16 {
    server.post("/revoke", &format!("token={token}")).0
}

/// A token whose revocation was acknowledged.
fn revoked(server: &Serving) -> String {
    let token = log_in(server);
    assert_eq!(revoke(server, &token), 200);
    token
}

fn me(server: &Serving, token: &str) -> u16 {
    server.get("/users/me", token).0
}

fn ready(server: &Serving) -> u16 {
    server.get("/health/ready", "").0
}

/// Waits until the condition is true, for at most that many seconds plus the time that checking takes.
#[track_caller]
fn within(seconds: u64, what: &str, mut condition: impl FnMut() -> bool) {
    const STEP: Duration = Duration::from_millis(20);
    let in_time = (0..seconds * 50).any(|_| {
        condition() || {
            thread::sleep(STEP);
            false
        }
    });
    assert!(in_time, "not within {seconds} s: {what}");
}

/// The server is not ready and answers every request with 503; a valid token is never called invalid.
#[track_caller]
fn is_noticed(server: &Serving, good: &str) {
    within(2, "it is not ready", || ready(server) == 503);
    within(2, "it accepts no token", || {
        let status = me(server, good);
        assert!(status == 200 || status == 503, "{status}");
        status == 503
    });
    assert_eq!(server.log_in("alice", "").0, 503);
    assert_eq!(revoke(server, good), 503);
}

fn remove(bench: &Bench, name: &str) {
    let path = bench.path(name);
    if path.exists() {
        fs::remove_file(path).unwrap();
    }
}

#[test]
fn a_database_that_is_moved_away_is_noticed_and_serves_again_when_it_is_back() {
    let bench = with_alice();
    let server = bench.serve();
    let good = log_in(&server);
    fs::rename(bench.path(DATABASE), bench.path("away.db")).unwrap();
    is_noticed(&server, &good);
    server.logged(&["ERROR", DATABASE, "moved"]);
    // No other file was created in its place.
    assert!(!bench.path(DATABASE).exists());
    fs::rename(bench.path("away.db"), bench.path(DATABASE)).unwrap();
    within(3, "it is ready again", || ready(&server) == 200);
    assert_eq!(me(&server, &good), 200);
    let bad = revoked(&server);
    assert_eq!(me(&server, &bad), 401);
    server.kill();
    let server = bench.serve();
    assert_eq!((me(&server, &good), me(&server, &bad)), (200, 401));
}

#[test]
fn a_database_that_is_replaced_by_a_copy_of_itself_is_noticed_and_serves_after_a_restart() {
    let bench = with_alice();
    let server = bench.serve();
    let (good, bad) = (log_in(&server), revoked(&server));
    fs::copy(bench.path(DATABASE), bench.path("copy.db")).unwrap();
    fs::rename(bench.path("copy.db"), bench.path(DATABASE)).unwrap();
    is_noticed(&server, &good);
    server.logged(&["ERROR", DATABASE, "it was replaced by another file"]);
    assert_eq!(server.stop().0, Some(0));
    let server = bench.serve();
    assert_eq!(ready(&server), 200);
    assert_eq!((me(&server, &good), me(&server, &bad)), (200, 401));
}

#[test]
fn a_removed_database_is_noticed_and_not_created_again() {
    let bench = with_alice();
    let server = bench.serve();
    let good = log_in(&server);
    fs::remove_file(bench.path(DATABASE)).unwrap();
    is_noticed(&server, &good);
    server.logged(&["ERROR", DATABASE, "removed"]);
    server.kill();
    bench.run(&["serve"]).refused(&[DATABASE, LOG, "--first-start"]);
}

#[test]
fn a_log_that_is_removed_is_noticed_and_no_revocation_is_lost_with_it() {
    let bench = with_alice();
    let server = bench.serve();
    let good = log_in(&server);
    let bad: Vec<String> = (0..5).map(|_| revoked(&server)).collect();
    fs::remove_file(bench.path(LOG)).unwrap();
    is_noticed(&server, &good);
    // The heartbeat logs this once it has moved the log's content into the database.
    server.logged(&["WARN", "removed", "its content was saved to the database"]);
    server.kill();
    let server = bench.serve();
    for token in &bad {
        assert_eq!(me(&server, token), 401);
    }
    assert_eq!((ready(&server), me(&server, &good)), (200, 200));
}

/// The files of a server that was killed, as by a power cut.
struct Wreck {
    bench: Bench,
    database: Vec<u8>,
    log: Vec<u8>,
    /// Revoked, in this order, each in a transaction of its own.
    revoked: Vec<String>,
}

impl Wreck {
    fn new() -> Self {
        let bench = with_alice();
        let server = bench.serve();
        let revoked = (0..5).map(|_| revoked(&server)).collect();
        server.kill();
        let read = |name| fs::read(bench.path(name)).unwrap();
        Self { database: read(DATABASE), log: read(LOG), revoked, bench }
    }

    /// The offsets of the log's frames; the log's header contains the page size and the salts.
    fn frames(&self) -> Vec<usize> {
        let page = u32::from_be_bytes(self.log[8..12].try_into().unwrap()) as usize;
        let frames = (HEADER..self.log.len()).step_by(FRAME_HEADER + page);
        // Frames with older salts may follow.
        let frames: Vec<usize> =
            frames.take_while(|at| self.log.get(at + 8..at + 16) == Some(&self.log[16..24])).collect();
        assert!(frames.len() > 20, "{}", frames.len());
        frames
    }

    /// Restores the files, with this log.
    fn restore(&self, log: &[u8]) {
        fs::write(self.bench.path(DATABASE), &self.database).unwrap();
        fs::write(self.bench.path(LOG), log).unwrap();
        remove(&self.bench, INDEX);
    }

    /// Restores the files without the database, which is empty or missing.
    fn restore_without_database(&self, is_empty: bool) {
        self.restore(&self.log);
        match is_empty {
            true => fs::write(self.bench.path(DATABASE), "").unwrap(),
            false => remove(&self.bench, DATABASE),
        }
    }

    /// The log with a few bytes of a frame's page changed.
    fn damaged_in(&self, frame: usize) -> Vec<u8> {
        let mut log = self.log.clone();
        let page = frame + FRAME_HEADER;
        log[page + 100..page + 108].iter_mut().for_each(|byte| *byte ^= 0xff);
        log
    }
}

#[test]
fn a_log_that_is_damaged_before_its_end_stops_every_command() {
    let wreck = Wreck::new();
    let frames = wreck.frames();
    for frame in [frames[0], frames[frames.len() / 2]] {
        let damaged = wreck.damaged_in(frame);
        wreck.restore(&damaged);
        for command in [&["serve"][..], &["serve", "--first-start"], &["user", "list"], &["migrate"]] {
            wreck.bench.run(command).refused(&[LOG, "damaged", "ficha recover"]);
        }
        // Neither file was changed.
        assert_eq!(fs::read(wreck.bench.path(LOG)).unwrap(), damaged);
        assert_eq!(fs::read(wreck.bench.path(DATABASE)).unwrap(), wreck.database);
    }
    wreck.restore(&wreck.log);
    let server = wreck.bench.serve();
    for token in &wreck.revoked {
        assert_eq!(me(&server, token), 401);
    }
}

#[test]
fn a_log_with_a_torn_end_is_read_up_to_it() {
    let wreck = Wreck::new();
    let frames = wreck.frames();
    let last = *frames.last().unwrap();
    let cut_in_the_page = wreck.log[..last + 1000].to_vec();
    let cut_in_the_header = wreck.log[..last + 10].to_vec();
    for log in [cut_in_the_page, cut_in_the_header, wreck.damaged_in(last)] {
        wreck.restore(&log);
        let server = wreck.bench.serve();
        assert_eq!(ready(&server), 200);
        // The last transaction is lost, as after a power cut before its commit was acknowledged. It may be the fifth.
        for token in &wreck.revoked[..4] {
            assert_eq!(me(&server, token), 401);
        }
        server.kill();
    }
}

#[test]
fn a_log_without_its_database_prevents_a_first_start_unless_requested() {
    let wreck = Wreck::new();
    let bench = &wreck.bench;
    for is_empty in [true, false] {
        wreck.restore_without_database(is_empty);
        let add = ["user", "add", "bob", "--password-stdin"];
        for ran in [bench.run(&["serve"]), bench.run(&["migrate"]), bench.run_with_input(&add, PASSWORD)] {
            ran.refused(&[DATABASE, LOG, "--first-start"]);
        }
        assert_eq!(bench.path(DATABASE).exists(), is_empty);
        assert_eq!(fs::read(bench.path(LOG)).unwrap(), wreck.log);
        // With the database restored, nothing is missing.
        wreck.restore(&wreck.log);
        let server = bench.serve();
        assert_eq!(me(&server, &wreck.revoked[4]), 401);
        server.kill();
        wreck.restore_without_database(is_empty);
        let server = bench.serve_with(&["--first-start"]);
        assert_eq!(ready(&server), 200);
        assert_eq!(server.first_password().len(), 24);
        assert_eq!(server.log_in("alice", "").0, 400, "it is another database");
        assert_eq!(server.stop().0, Some(0));
    }
}

#[test]
fn a_master_key_without_its_database_prevents_a_first_start_unless_requested() {
    let bench = Bench::new();
    assert_eq!(bench.serve().stop().0, Some(0));
    let key = fs::read(bench.path(KEY)).unwrap();
    for name in [DATABASE, LOG, INDEX] {
        remove(&bench, name);
    }
    // Twice: the first attempt must not leave anything that lets the second one pass.
    for _ in 0..2 {
        bench.run(&["serve"]).refused(&[DATABASE, KEY, "--first-start"]);
        bench.run(&["user", "list"]).refused(&[DATABASE, "is empty or missing"]);
    }
    let server = bench.serve_with(&["--first-start"]);
    assert_eq!(ready(&server), 200);
    assert_eq!(server.first_password().len(), 24);
    assert_eq!(server.stop().0, Some(0));
    assert_eq!(fs::read(bench.path(KEY)).unwrap(), key);
    // From then on, starts are normal.
    assert_eq!(bench.serve().stop(), (Some(0), String::new()));
}

#[test]
fn a_master_key_elsewhere_does_not_prevent_a_first_start() {
    let bench = Bench::new().with("FICHA__KEYS__MASTER_KEY_FILE", "elsewhere.key");
    assert_eq!(bench.serve().stop().0, Some(0));
    assert!(bench.path("elsewhere.key").exists() && !bench.path(KEY).exists());
    for name in [DATABASE, LOG, INDEX] {
        remove(&bench, name);
    }
    let server = bench.serve();
    assert_eq!(ready(&server), 200);
    assert_eq!(server.first_password().len(), 24);
}

/// Does what `.backup` in the sqlite3 shell does, through the same SQLite interface.
const BACK_UP: &str = "
import sqlite3, sys
source, target = (sqlite3.connect(name) for name in sys.argv[1:])
source.backup(target)
target.close()
source.close()
";

const CHECK: &str = "
import sqlite3, sys
database = sqlite3.connect(sys.argv[1])
print(database.execute('PRAGMA integrity_check').fetchone()[0])
database.close()
";

fn python(script: &str, files: &[&Path]) -> String {
    let output = Command::new("python3").args(["-c", script]).args(files).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

#[test]
fn a_backup_of_a_running_server_is_complete_and_serves_once_it_is_restored() {
    if !has("python3") {
        return;
    }
    let bench = with_alice();
    let server = bench.serve();
    let (before, revoked_before) = (log_in(&server), revoked(&server));
    let backup = bench.path("backup.db");
    python(BACK_UP, &[&bench.path(DATABASE), &backup]);
    assert_eq!(revoke(&server, &before), 200);
    let after = revoked(&server);
    assert_eq!(ready(&server), 200);
    server.kill();

    // Copied over the database, with the old log still next to it: refused, or intact.
    fs::copy(&backup, bench.path(DATABASE)).unwrap();
    let ran = bench.run(&["user", "list"]);
    if ran.code == Some(0) {
        bench.serve().stop();
        assert_eq!(python(CHECK, &[&bench.path(DATABASE)]), "ok");
    } else {
        ran.refused(&["-wal"]);
    }

    // As the documentation says.
    fs::copy(&backup, bench.path(DATABASE)).unwrap();
    remove(&bench, LOG);
    remove(&bench, INDEX);
    let server = bench.serve();
    assert_eq!((ready(&server), me(&server, &revoked_before)), (200, 401));
    // Revocations after the backup are lost, which is why `ficha recover` is needed.
    assert_eq!((me(&server, &before), me(&server, &after)), (200, 200));
    assert_eq!(server.stop().0, Some(0));
    assert_eq!(python(CHECK, &[&bench.path(DATABASE)]), "ok");
    bench.run(&["recover", "--yes"]).good();
    let server = bench.serve();
    for token in [&before, &after, &revoked_before] {
        assert_eq!(me(&server, token), 401);
    }
    log_in(&server);
}

#[test]
fn a_database_next_to_the_log_of_another_one_is_refused() {
    let wreck = Wreck::new();
    let other = with_alice();
    for number in 0..80 {
        other.add_user(&format!("user-{number}-with-a-name-that-takes-some-room-in-the-database"), &[]);
    }
    other.serve().stop();
    wreck.restore(&wreck.log);
    fs::copy(other.path(DATABASE), wreck.bench.path(DATABASE)).unwrap();
    fs::copy(other.path(KEY), wreck.bench.path(KEY)).unwrap();
    // The log was written long before the other database was copied there.
    let log = File::options().append(true).open(wreck.bench.path(LOG)).unwrap();
    log.set_modified(UNIX_EPOCH + Duration::from_secs(1_000_000_000)).unwrap();
    drop(log);
    wreck.bench.run(&["user", "list"]).refused(&[DATABASE]);
    // Without that log it opens.
    fs::copy(other.path(DATABASE), wreck.bench.path(DATABASE)).unwrap();
    remove(&wreck.bench, LOG);
    remove(&wreck.bench, INDEX);
    let users = wreck.bench.json(&["user", "list", "--json"]);
    assert_eq!(users.as_array().unwrap().len(), 82);
}

#[test]
fn a_migrated_or_first_started_database_does_not_depend_on_the_log() {
    let alone = |bench: &Bench, names: &[&str]| {
        let copy = Bench::new();
        fs::create_dir(copy.path("data")).unwrap();
        for name in names {
            fs::copy(bench.path(name), copy.path(name)).unwrap();
        }
        copy
    };
    let bench = Bench::new();
    bench.run(&["migrate"]).good();
    let copy = alone(&bench, &[DATABASE]);
    assert_eq!(copy.json(&["user", "list", "--json"]).as_array().unwrap().len(), 0);

    let bench = Bench::new();
    let server = bench.serve();
    let copy = alone(&bench, &[DATABASE, KEY]);
    assert_eq!(copy.json(&["user", "list", "--json"])[0]["name"], "admin");
    // The keys are there, too: this is not a first start.
    let second = copy.serve();
    assert_eq!(ready(&second), 200);
    assert_eq!(second.stop(), (Some(0), String::new()));
    until("the first one is still ready", || ready(&server) == 200);
}

#[test]
fn a_removed_index_is_noticed() {
    let bench = with_alice();
    let server = bench.serve();
    let good = log_in(&server);
    fs::remove_file(bench.path(INDEX)).unwrap();
    is_noticed(&server, &good);
    server.logged(&["ERROR", INDEX, "removed"]);
    server.kill();
    let server = bench.serve();
    assert_eq!((ready(&server), me(&server, &good)), (200, 200));
}

/// A command creates its own files if the server's are gone: a revocation that it reports must not be lost with them.
#[test]
fn a_revocation_that_a_command_reports_is_not_lost_with_removed_files() {
    for removed in [&[INDEX][..], &[LOG, INDEX]] {
        let bench = with_alice();
        let server = bench.serve();
        let bad = log_in(&server);
        for name in removed {
            fs::remove_file(bench.path(name)).unwrap();
        }
        let ran = bench.run(&["session", "revoke", "--user", "alice"]);
        server.kill();
        let server = bench.serve();
        // Without the log it may not know the session, and then it says so.
        let claimed = ran.code == Some(0) && !ran.stdout.contains("no sessions ended");
        assert!(!claimed || me(&server, &bad) == 401, "{removed:?}: {ran:?}");
    }
}

#[test]
fn a_revocation_is_not_lost_if_a_command_replaces_a_removed_log() {
    let bench = with_alice();
    let server = bench.serve();
    let (good, bad) = (log_in(&server), revoked(&server));
    fs::remove_file(bench.path(LOG)).unwrap();
    // The command opens a new, empty log, or refuses to.
    bench.run(&["user", "list"]);
    is_noticed(&server, &good);
    server.logged(&["WARN", "its content was saved to the database"]);
    server.kill();
    let server = bench.serve();
    assert_eq!(me(&server, &bad), 401);
}

#[test]
fn a_database_behind_a_symbolic_link_is_opened_and_watched() {
    let bench = with_alice();
    fs::rename(bench.path("data"), bench.path("real")).unwrap();
    fs::create_dir(bench.path("data")).unwrap();
    std::os::unix::fs::symlink(bench.path("real/ficha.db"), bench.path(DATABASE)).unwrap();
    let server = bench.serve();
    let good = log_in(&server);
    fs::rename(bench.path("real/ficha.db"), bench.path("away.db")).unwrap();
    is_noticed(&server, &good);
}

#[test]
fn a_log_with_a_damaged_header_stops_every_command() {
    let wreck = Wreck::new();
    // Magic number, page size, both salts, checksum.
    for at in [0, 8, 16, 20, 24] {
        let mut log = wreck.log.clone();
        log[at] ^= 0xff;
        wreck.restore(&log);
        wreck.bench.run(&["user", "list"]).refused(&[LOG, "damaged"]);
    }
}
