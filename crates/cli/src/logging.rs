//! Logs go to standard error; standard output is for what was asked.
//!
//! A log that can't be written must not fail, block or end anything: the reader of the pipe may be gone, or stopped, and
//! the disk behind it full. So lines are handed to a thread that writes them; those that it has no room for, or that can't
//! be written, are counted and forgotten.

use std::io::{self, IsTerminal, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, channel, sync_channel};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use tracing_subscriber::EnvFilter;

use crate::config::{LogFormat, LogSettings};

/// How many lines may wait to be written.
const WAITING_LINES: usize = 16_384;
/// What is longer, in bytes, is cut: strangers choose some of what is logged, and it waits in memory.
const LONGEST_LINE: usize = 8_192;
/// How long the end waits for what is still to be written.
const WRITE_OUT: Duration = Duration::from_secs(1);

/// What these say is not for whoever reads a log at the usual level. Strangers can have the HTTP library complain of what
/// they send; the pools complain once for each connection of what is said once for all.
const QUIET: &str = "sea_orm_migration=warn,actix_server=warn,actix_http=off,sqlx_core=off,sqlx::pool=off,\
                     sqlx_postgres::options=off";

/// How many lines are lost.
static LOST: AtomicU64 = AtomicU64::new(0);

/// The thread that writes, once it is started.
static WRITER: Mutex<Option<Writer>> = Mutex::new(None);

struct Writer {
    lines: SyncSender<Line>,
    /// Its word that it has written everything up to [`Line::Last`].
    done: Receiver<()>,
}

enum Line {
    Next(Vec<u8>),
    Last,
}

/// Starts logging as the settings say.
pub fn start(settings: &LogSettings) {
    let level = EnvFilter::new(match settings.level.as_str() {
        level @ ("info" | "warn" | "error") => format!("{level},{QUIET}"),
        other => other.to_owned(),
    });
    let (lines, waiting) = sync_channel(WAITING_LINES);
    let (tell, done) = channel();
    let writer = thread::Builder::new().name("log".into()).spawn(move || {
        for line in waiting {
            match line {
                Line::Next(text) => write(&text),
                // Whoever waits for this may have given up.
                Line::Last => drop(tell.send(())),
            }
        }
    });
    if writer.is_ok() {
        *WRITER.lock().unwrap_or_else(PoisonError::into_inner) = Some(Writer { lines: lines.clone(), done });
    }
    let handle = Handle(lines);
    // By itself the library says on standard error that it could not write there, and panics over that.
    let logs =
        tracing_subscriber::fmt().with_env_filter(level).with_writer(move || handle.clone()).log_internal_errors(false);
    match settings.format {
        LogFormat::Text => logs.with_ansi(io::stderr().is_terminal()).init(),
        LogFormat::Json => logs.json().flatten_event(true).init(),
    }
    // The standard hook writes to standard error itself, and would wait for whoever does not read it.
    std::panic::set_hook(Box::new(|panic| tracing::error!(%panic, "a thread or a task panicked")));
}

/// For commands that end at once: only what goes wrong.
pub fn warnings_only(settings: &LogSettings) {
    // A certificate that is not trusted is the command's error, and said there.
    start(&LogSettings { level: format!("warn,{QUIET},rustls_platform_verifier=off"), ..settings.clone() });
}

/// Writes out what waits, for a second at most. What is logged afterwards is lost.
pub fn finish() {
    if let Some(writer) = WRITER.lock().unwrap_or_else(PoisonError::into_inner).take()
        && writer.lines.try_send(Line::Last).is_ok()
    {
        let _ = writer.done.recv_timeout(WRITE_OUT);
    }
}

/// Says why the program ends, after [`finish`]. It waits for nobody who does not read it.
pub fn last_words(text: String) {
    let (tell, done) = channel::<()>();
    let said = thread::Builder::new().spawn(move || {
        let _tell = tell;
        write(text.as_bytes());
    });
    if said.is_ok() {
        // The other end goes when it is written.
        let gone = done.recv_timeout(WRITE_OUT);
        debug_assert!(matches!(gone, Err(RecvTimeoutError::Disconnected | RecvTimeoutError::Timeout)));
    }
}

/// How many lines were lost since the start.
pub fn lines_lost() -> u64 {
    LOST.load(Ordering::Relaxed)
}

fn write(line: &[u8]) {
    if io::stderr().write_all(line).is_err() {
        LOST.fetch_add(1, Ordering::Relaxed);
    }
}

/// What the library writes a line to.
#[derive(Clone)]
struct Handle(SyncSender<Line>);

impl Write for Handle {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let mut text = line[..line.len().min(LONGEST_LINE)].to_vec();
        if text.len() < line.len() {
            text.push(b'\n');
        }
        if self.0.try_send(Line::Next(text)).is_err() {
            LOST.fetch_add(1, Ordering::Relaxed);
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
