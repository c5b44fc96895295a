//! Logs go to standard error; standard output is for what was asked.
//!
//! A log that can't be written must not fail, block or end anything: the reader of the pipe may be gone, or stopped, and
//! the disk behind it full. So lines are handed to a thread that writes them; those that it has no room for, or that can't
//! be written, are counted and forgotten.

use std::io::{self, IsTerminal, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use tracing_appender::non_blocking::{ErrorCounter, NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::EnvFilter;

use crate::config::{LogFormat, LogSettings};

/// How many lines may wait to be written.
const WAITING_LINES: usize = 16_384;

/// What these say is not for whoever reads a log at the usual level. Strangers can have the HTTP library complain of what
/// they send; the pools complain once for each connection of what is said once for all.
const QUIET: &str = "sea_orm_migration=warn,actix_server=warn,actix_http=off,sqlx_core=off,sqlx::pool=off,\
                     sqlx_postgres::options=off";

/// What the thread that writes is stopped by: it writes what waits first.
static WRITER: Mutex<Option<WorkerGuard>> = Mutex::new(None);

/// How many lines are lost.
static LOST: OnceLock<Lost> = OnceLock::new();

struct Lost {
    /// There was no room for them.
    dropped: ErrorCounter,
    /// They could not be written.
    failed: Arc<AtomicU64>,
}

/// Starts logging as the settings say.
pub fn start(settings: &LogSettings) {
    let level = EnvFilter::new(match settings.level.as_str() {
        level @ ("info" | "warn" | "error") => format!("{level},{QUIET}"),
        other => other.to_owned(),
    });
    let failed = Arc::new(AtomicU64::new(0));
    let (writer, guard) = NonBlockingBuilder::default()
        .lossy(true)
        .buffered_lines_limit(WAITING_LINES)
        .thread_name("log")
        .finish(StandardError { failed: failed.clone() });
    let _ = LOST.set(Lost { dropped: writer.error_counter(), failed });
    *WRITER.lock().unwrap_or_else(PoisonError::into_inner) = Some(guard);
    // By itself the library says on standard error that it could not write there, and panics over that.
    let logs = tracing_subscriber::fmt().with_env_filter(level).with_writer(writer).log_internal_errors(false);
    match settings.format {
        LogFormat::Text => logs.with_ansi(io::stderr().is_terminal()).init(),
        LogFormat::Json => logs.json().flatten_event(true).init(),
    }
}

/// For commands that end at once: only what goes wrong.
pub fn warnings_only(settings: &LogSettings) {
    // A certificate that is not trusted is the command's error, and said there.
    start(&LogSettings { level: format!("warn,{QUIET},rustls_platform_verifier=off"), ..settings.clone() });
}

/// Writes out what waits, for a second at most. What is logged afterwards is lost.
pub fn finish() {
    drop(WRITER.lock().unwrap_or_else(PoisonError::into_inner).take());
}

/// How many lines were lost since the start.
pub fn lines_lost() -> u64 {
    LOST.get().map_or(0, |lost| lost.dropped.dropped_lines() as u64 + lost.failed.load(Ordering::Relaxed))
}

/// Standard error, which takes everything.
struct StandardError {
    failed: Arc<AtomicU64>,
}

impl Write for StandardError {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        if io::stderr().write_all(line).is_err() {
            self.failed.fetch_add(1, Ordering::Relaxed);
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        // Nothing is kept back, and whether that worked was seen above.
        let _ = io::stderr().flush();
        Ok(())
    }
}
