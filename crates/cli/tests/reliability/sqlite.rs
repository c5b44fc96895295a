//! Faults below SQLite: a full disk, a write that fails or is cut short, a lock that can't be taken.

use std::io::Write;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use tempfile::TempDir;

use crate::report::{Point, Report, is_full, is_wanted, points};
use crate::script::{Actors, check, play};
use crate::server::{Place, say, skip};
use crate::shim::{Class, Control, Mode, Plan, compile};

const EIO: u32 = 5;
const ENOSPC: u32 = 28;
const ENOLCK: u32 = 37;

/// Until the fault is disarmed.
const PERSISTING: u64 = u64::MAX;

/// Another process, which waits for a line and then holds the write lock for a second.
const HOLDER: &str = r#"
import sqlite3, sys, time
connection = sqlite3.connect(sys.argv[1], timeout=5, isolation_level=None)
if sys.stdin.readline():
    connection.execute("BEGIN IMMEDIATE")
    time.sleep(1)
    connection.execute("ROLLBACK")
connection.close()
"#;

/// A kind of fault.
struct Fault {
    name: &'static str,
    classes: &'static [Class],
    mode: Mode,
    error: u32,
    how_many: u64,
    /// One more fault so many operations later; 0 for none.
    again_after: u64,
    /// Whether another process takes the lock after the fault.
    then_busy: bool,
    /// Milliseconds.
    delay: u32,
    /// The points of the short form, in hundredths of all operations.
    hundredths: &'static [u64],
}

impl Fault {
    const fn new(name: &'static str, classes: &'static [Class], error: u32, hundredths: &'static [u64]) -> Self {
        Self {
            name,
            classes,
            mode: Mode::Fail,
            error,
            how_many: 1,
            again_after: 0,
            then_busy: false,
            delay: 0,
            hundredths,
        }
    }

    fn plan(&self, first: u64) -> Plan<'_> {
        Plan {
            classes: self.classes,
            mode: self.mode,
            error: self.error,
            first,
            how_many: self.how_many,
            again: if self.again_after == 0 { 0 } else { first + self.again_after },
            delay: self.delay,
        }
    }
}

const SPACE: &[Class] = &[Class::Write, Class::Truncate];
const WRITE: &[Class] = &[Class::Write];
const SYNC: &[Class] = &[Class::Sync];
const TRUNCATE: &[Class] = &[Class::Truncate];
const LOCK: &[Class] = &[Class::Lock];
const READ: &[Class] = &[Class::Read];
const ALL: &[Class] = &[Class::Write, Class::Sync, Class::Truncate, Class::Lock, Class::Read];

fn faults() -> Vec<Fault> {
    vec![
        Fault { how_many: PERSISTING, ..Fault::new("the disk is full", SPACE, ENOSPC, &[15, 70]) },
        Fault::new("a write fails", WRITE, EIO, &[30, 75]),
        Fault { again_after: 5, ..Fault::new("two writes fail", WRITE, EIO, &[55]) },
        Fault { mode: Mode::Short, ..Fault::new("a write is short", WRITE, ENOSPC, &[60]) },
        Fault {
            mode: Mode::Short,
            how_many: 2,
            ..Fault::new("a write is short, the next fails", WRITE, ENOSPC, &[45])
        },
        Fault { then_busy: true, ..Fault::new("a write fails, then the lock is held", WRITE, EIO, &[35]) },
        Fault::new("a sync fails", SYNC, EIO, &[20, 65]),
        Fault { then_busy: true, ..Fault::new("a sync fails, then the lock is held", SYNC, EIO, &[50]) },
        Fault { mode: Mode::Delay, how_many: 5, delay: 200, ..Fault::new("syncs are slow", SYNC, 0, &[40]) },
        Fault::new("a truncation fails", TRUNCATE, EIO, &[50]),
        Fault::new("a lock fails", LOCK, ENOLCK, &[40]),
        Fault { how_many: 10, ..Fault::new("ten locks fail", LOCK, ENOLCK, &[60]) },
        Fault::new("a read fails", READ, EIO, &[35]),
        Fault { how_many: PERSISTING, ..Fault::new("reads fail", READ, EIO, &[35]) },
    ]
}

/// Tries each fault, at some points or at all.
pub fn sweep() {
    let folder = tempfile::tempdir().unwrap();
    let Some(library) = compile(folder.path()) else { return skip("cc") };
    let Some(library) = library.to_str() else { return skip("a temporary folder whose name is UTF-8") };
    let has_python =
        Command::new("python3").args(["-c", "import sqlite3"]).output().is_ok_and(|ran| ran.status.success());
    if !has_python {
        skip("python3");
    }

    let actors = Actors::of(0);
    let prepared = Place::new();
    actors.prepare(&prepared);
    // The first start creates the keys.
    prepared.serve(&[]).stop();

    let counting = Plan { classes: ALL, mode: Mode::Fail, error: EIO, first: 0, how_many: 0, again: 0, delay: 0 };
    let mut report = Report::new("Faults below SQLite");
    let (dry, point) = run(&prepared, library, &actors, &counting, true, false);
    let seen: Vec<(Class, u64)> = ALL.iter().map(|class| (*class, dry.control.seen(*class))).collect();
    say(&format!("without a fault, the script needs {seen:?}"));
    assert!(dry.control.seen(Class::Write) > 0, "the shim sees nothing");
    report.add("none", "-", point);

    let (mut tried, mut hits) = (0_u64, 0);
    for fault in faults().iter().filter(|fault| is_wanted(fault.name) && (has_python || !fault.then_busy)) {
        let most: u64 = fault.classes.iter().map(|class| dry.control.seen(*class)).sum();
        for first in points(most, fault.hundredths) {
            tried += 1;
            let purge = tried % 2 == 1;
            let (_, point) = run(&prepared, library, &actors, &fault.plan(first), purge, fault.then_busy);
            hits += point.hits;
            if is_full() {
                let (lost, wrong, recovered) = (point.compared.lost.len(), point.wrong.len(), point.recovery);
                say(&format!(
                    "{}: {first} of {most}: {lost} lost, {wrong} wrong, recovered: {recovered:?}",
                    fault.name
                ));
            }
            report.add(fault.name, &format!("operation {first} of {most}, purge: {purge}"), point);
        }
    }
    report.finish();
    assert!(tried == 0 || hits > 0, "no fault ever occurred");
}

/// The counters of a run; dropping it removes the folder.
struct Counters {
    control: Control,
    _folder: TempDir,
}

/// One start on a copy of the prepared directory, one script, one fault.
fn run(
    prepared: &Place,
    library: &str,
    actors: &Actors,
    plan: &Plan,
    purge: bool,
    then_busy: bool,
) -> (Counters, Point) {
    let place = prepared.copy();
    let folder = tempfile::tempdir().unwrap();
    let control = Control::new(folder.path());
    let path = control.path().to_str().unwrap();
    let server = place.serve(&[("LD_PRELOAD", library), ("FICHA_SHIM", path)]);
    let mut holder = then_busy.then(|| start_holder(&place));
    control.arm(plan);
    let is_over = AtomicBool::new(false);
    let facts = thread::scope(|scope| {
        if let Some(holder) = &mut holder {
            let (control, is_over) = (&control, &is_over);
            scope.spawn(move || hold_after_hit(holder, control, is_over));
        }
        let facts = play(&place, server.address, actors, purge);
        is_over.store(true, Ordering::Release);
        facts
    });
    if let Some(mut holder) = holder {
        // Without a line it exits at once.
        drop(holder.stdin.take());
        let _ = holder.wait();
    }
    control.disarm();
    let mut point = check(&place, server, actors, facts);
    point.hits = control.hits();
    (Counters { control, _folder: folder }, point)
}

fn start_holder(place: &Place) -> Child {
    let mut command = Command::new("python3");
    command.args(["-c", HOLDER, "data/ficha.db"]).current_dir(place.folder());
    command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().unwrap()
}

/// Sends the line once the fault has occurred; gives up when the script is over or has failed.
fn hold_after_hit(holder: &mut Child, control: &Control, is_over: &AtomicBool) {
    const STEP: Duration = Duration::from_millis(2);
    const STEPS: u32 = 60_000;
    for _ in 0..STEPS {
        if control.hits() > 0 {
            if let Some(input) = &mut holder.stdin {
                // It may have exited already.
                let _ = input.write_all(b"go\n");
            }
            return;
        }
        if is_over.load(Ordering::Acquire) {
            return;
        }
        thread::sleep(STEP);
    }
}
