//! Logs go to standard error; standard output is for results.
//!
//! A log that can't be written must not fail, block or stop anything: the reader of the pipe may be gone or stopped, or
//! the disk full. So lines are queued for a thread that writes them. Lines that do not fit into the queue, or can't be
//! written, are counted and dropped.

use std::io::{self, IsTerminal, Write};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, channel, sync_channel};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::thread;
use std::time::Duration;

use ficha_token::{Clock, SystemClock};
use serde_json::json;
use tracing_subscriber::{EnvFilter, reload};

use crate::config::{LogFormat, LogSettings};
use crate::output;

/// How many lines the queue holds.
const QUEUED_LINES: usize = 16_384;
/// Longer lines are cut, in bytes: clients choose some of what is logged, and the queue is in memory.
const LONGEST_LINE: usize = 8_192;
/// How long the end of the program waits for lines that are still queued.
const FLUSH_LIMIT: Duration = Duration::from_secs(1);

/// Modules that are too noisy for the usual levels. Any client can make the HTTP library log errors by sending garbage,
/// and the connection pools repeat for each connection what is logged once elsewhere.
const QUIET: &str = "sea_orm_migration=warn,actix_server=warn,actix_http=off,sqlx_core=off,sqlx::pool=off,\
                     sqlx_postgres::options=off";

/// True if the running log is JSON.
static IS_JSON: AtomicBool = AtomicBool::new(false);

/// Changes the level of the running log.
static SET_LEVEL: OnceLock<Box<dyn Fn(EnvFilter) + Send + Sync>> = OnceLock::new();

/// How many lines were lost.
static LOST: AtomicU64 = AtomicU64::new(0);

/// How many events could not be written to standard output.
static EVENTS_LOST: AtomicU64 = AtomicU64::new(0);

/// The writing thread, once it is started.
static WRITER: Mutex<Option<Writer>> = Mutex::new(None);

/// The thread that writes events to standard output, if it is started.
static EVENT_WRITER: Mutex<Option<Writer>> = Mutex::new(None);

struct Writer {
    lines: SyncSender<Line>,
    /// Receives a message when everything up to [`Line::Last`] has been written.
    done: Receiver<()>,
}

enum Line {
    Next(Vec<u8>),
    Last,
}

/// Starts the log of a server, as the settings say.
pub fn start_server(settings: &LogSettings) {
    IS_JSON.store(settings.format == LogFormat::Json, Ordering::Release);
    start(settings);
}

fn start(settings: &LogSettings) {
    let level = filter(settings);
    let handle = Handle(start_writer("log", &WRITER, write));
    // By default the library reports write errors on standard error, and panics if that fails as well.
    let logs =
        tracing_subscriber::fmt().with_env_filter(level).with_writer(move || handle.clone()).log_internal_errors(false);
    match settings.format {
        LogFormat::Text => {
            let logs = logs.with_ansi(io::stderr().is_terminal()).with_filter_reloading();
            can_set_level(logs.reload_handle());
            logs.init();
        }
        LogFormat::Json => {
            let logs = logs.json().flatten_event(true).with_filter_reloading();
            can_set_level(logs.reload_handle());
            logs.init();
        }
    }
    // The default hook writes to standard error directly, and would block if nothing reads it.
    std::panic::set_hook(Box::new(|panic| tracing::error!(%panic, "a thread or a task panicked")));
}

/// Starts a thread that writes the lines of a queue.
fn start_writer(name: &str, place: &Mutex<Option<Writer>>, write: fn(&[u8])) -> SyncSender<Line> {
    let (lines, waiting) = sync_channel(QUEUED_LINES);
    let (written, done) = channel();
    let writer = thread::Builder::new().name(name.into()).spawn(move || {
        for line in waiting {
            match line {
                Line::Next(text) => write(&text),
                // `finish` may have stopped waiting.
                Line::Last => drop(written.send(())),
            }
        }
    });
    if writer.is_ok() {
        *place.lock().unwrap_or_else(PoisonError::into_inner) = Some(Writer { lines: lines.clone(), done });
    }
    lines
}

/// Starts writing events to standard output. What it returns takes one line with its newline; like a log line, it is
/// dropped and counted if it can't be written, and blocks nothing. It is never cut: the database has every event.
pub fn event_lines() -> impl Fn(String) + Send + Sync + 'static {
    let lines = start_writer("events", &EVENT_WRITER, write_event);
    move |line| {
        if lines.try_send(Line::Next(line.into_bytes())).is_err() {
            EVENTS_LOST.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// How many events could not be written to standard output since the start.
pub fn event_lines_lost() -> u64 {
    EVENTS_LOST.load(Ordering::Relaxed)
}

fn write_event(line: &[u8]) {
    let mut out = io::stdout().lock();
    if out.write_all(line).and_then(|()| out.flush()).is_err() {
        EVENTS_LOST.fetch_add(1, Ordering::Relaxed);
    }
}

fn filter(settings: &LogSettings) -> EnvFilter {
    EnvFilter::new(match settings.level.as_str() {
        level @ ("info" | "warn" | "error") => format!("{level},{QUIET}"),
        other => other.to_owned(),
    })
}

fn can_set_level<S: 'static>(handle: reload::Handle<EnvFilter, S>) {
    // It fails only if the log is gone. A second start in one process would not be the log in use.
    let _ = SET_LEVEL.set(Box::new(move |level| drop(handle.reload(level))));
}

/// Changes the level of the running log to that of the settings.
pub fn set_level(settings: &LogSettings) {
    if let Some(set) = SET_LEVEL.get() {
        set(filter(settings));
    }
}

/// Starts logging for short commands: only warnings and errors.
pub fn warnings_only(settings: &LogSettings) {
    // An untrusted certificate is already reported by the command's own error.
    start(&LogSettings { level: format!("warn,{QUIET},rustls_platform_verifier=off"), ..settings.clone() });
}

/// Writes the queued lines, for a second at most. Later log lines are lost.
pub fn finish() {
    for writer in [&EVENT_WRITER, &WRITER] {
        if let Some(writer) = writer.lock().unwrap_or_else(PoisonError::into_inner).take()
            && writer.lines.try_send(Line::Last).is_ok()
        {
            let _ = writer.done.recv_timeout(FLUSH_LIMIT);
        }
    }
}

/// Prints the final error and what to do about it, after [`finish`]; as one line of JSON if a server has logged JSON. It does not block if nothing
/// reads standard error.
pub fn final_error(message: &str, advice: &str) {
    let text = match IS_JSON.load(Ordering::Acquire) {
        false => format!("error: {message}\nto do: {advice}\n"),
        true => {
            let timestamp = output::time(SystemClock.unix_now());
            format!("{}\n", json!({ "timestamp": timestamp, "level": "ERROR", "message": message, "to_do": advice }))
        }
    };
    let (guard, done) = channel::<()>();
    let spawned = thread::Builder::new().spawn(move || {
        let _guard = guard;
        write(text.as_bytes());
    });
    if spawned.is_ok() {
        // The other end is dropped once the text is written.
        let outcome = done.recv_timeout(FLUSH_LIMIT);
        debug_assert!(matches!(outcome, Err(RecvTimeoutError::Disconnected | RecvTimeoutError::Timeout)));
    }
}

/// How many log lines were lost since the start.
pub fn lines_lost() -> u64 {
    LOST.load(Ordering::Relaxed)
}

fn write(line: &[u8]) {
    if io::stderr().write_all(line).is_err() {
        LOST.fetch_add(1, Ordering::Relaxed);
    }
}

/// Queues each line that the library writes.
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
