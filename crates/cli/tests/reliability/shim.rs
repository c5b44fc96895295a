//! The library below the server's SQLite, and the file that controls it. shim.c uses the same offsets.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// An operation on a file. shim.c uses the same numbers.
#[derive(Debug, Clone, Copy)]
pub enum Class {
    Write = 0,
    Sync = 1,
    Truncate = 2,
    Lock = 3,
    Read = 4,
}

/// What happens to an operation. shim.c uses the same numbers.
#[derive(Debug, Clone, Copy)]
pub enum Mode {
    /// It fails.
    Fail = 0,
    /// The first write writes half; the following ones fail.
    Short = 1,
    /// It takes longer.
    Delay = 2,
}

/// What is to fail.
#[derive(Debug, Clone, Copy)]
pub struct Plan<'a> {
    pub classes: &'a [Class],
    pub mode: Mode,
    /// The errno.
    pub error: u32,
    /// The first operation to fail, counted from 1; 0 for none.
    pub first: u64,
    /// How many in a row.
    pub how_many: u64,
    /// One more operation to fail, later; 0 for none.
    pub again: u64,
    /// In milliseconds.
    pub delay: u32,
}

/// Offsets in the control file, and its size.
const ARMED: u64 = 0;
const CLASSES: u64 = 4;
const MODE: u64 = 8;
const ERROR: u64 = 12;
const FIRST: u64 = 16;
const HOW_MANY: u64 = 24;
const AGAIN: u64 = 32;
const DELAY: u64 = 40;
const HITS: u64 = 56;
const SEEN: u64 = 64;
const SIZE: u64 = 4_096;

/// Compiles the library into this folder; `None` if there is no C compiler, which the caller reports.
pub fn compile(folder: &Path) -> Option<PathBuf> {
    let library = folder.join("shim.so");
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/reliability/shim.c");
    let mut compiler = Command::new("cc");
    compiler.args(["-shared", "-fPIC", "-O1", "-o"]).arg(&library).arg(source).arg("-ldl");
    let output = compiler.output().ok()?;
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Some(library)
}

/// The control file, which one process under test maps.
pub struct Control {
    file: File,
    path: PathBuf,
}

impl Control {
    /// Creates the file: nothing fails, and nothing is counted.
    pub fn new(folder: &Path) -> Self {
        let path = folder.join("control");
        let file = OpenOptions::new().read(true).write(true).create_new(true).open(&path).unwrap();
        file.set_len(SIZE).unwrap();
        Self { file, path }
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Starts counting operations, which fail as planned.
    pub fn arm(&self, plan: &Plan) {
        let classes = plan.classes.iter().fold(0, |bits, class| bits | (1_u32 << (*class as u32)));
        for (place, value) in [(CLASSES, classes), (MODE, plan.mode as u32), (ERROR, plan.error), (DELAY, plan.delay)] {
            self.file.write_all_at(&value.to_ne_bytes(), place).unwrap();
        }
        for (place, value) in [(FIRST, plan.first), (HOW_MANY, plan.how_many), (AGAIN, plan.again)] {
            self.file.write_all_at(&value.to_ne_bytes(), place).unwrap();
        }
        self.file.write_all_at(&1_u32.to_ne_bytes(), ARMED).unwrap();
    }

    /// Stops the faults.
    pub fn disarm(&self) {
        self.file.write_all_at(&0_u32.to_ne_bytes(), ARMED).unwrap();
    }

    /// How many operations failed.
    pub fn hits(&self) -> u64 {
        self.read(HITS)
    }

    /// How many operations of a class there were while armed.
    pub fn seen(&self, class: Class) -> u64 {
        self.read(SEEN + 8 * class as u64)
    }

    fn read(&self, place: u64) -> u64 {
        let mut bytes = [0; 8];
        self.file.read_exact_at(&mut bytes, place).unwrap();
        u64::from_ne_bytes(bytes)
    }
}
