//! The binary as a server that can be killed and restarted, as a command, and HTTP requests that may be cut off.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use std::{fs, thread};

use serde_json::Value;
use tempfile::TempDir;

/// Long, for machines that are building at the same time. A test that waits this long has failed.
const PATIENCE: Duration = Duration::from_secs(60);

/// An answer that takes longer counts as no answer.
const ANSWER_LIMIT: Duration = Duration::from_secs(20);

/// A good password.
pub const PASSWORD: &str = "a quiet harbour at dusk";

/// A status and a JSON body; `None` if the connection was cut before the answer was complete.
pub type Answer = Option<(u16, Value)>;

/// The real time.
#[expect(clippy::disallowed_methods, reason = "the tests measure real time")]
pub fn now() -> Instant {
    Instant::now()
}

/// Reports that a test is skipped because something is missing. With `FICHA_TEST_REQUIRE=all`, that is a failure.
#[track_caller]
pub fn skip(what: &str) {
    assert_ne!(std::env::var("FICHA_TEST_REQUIRE").as_deref(), Ok("all"), "{what} is not available");
    say(&format!("{what} is not available: a test is skipped"));
}

/// Prints directly to the stream: the test harness captures the output of passing tests.
pub fn say(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}

/// A temporary working directory, and the settings of the programs that run in it.
pub struct Place {
    folder: TempDir,
    variables: Vec<(String, String)>,
    /// The binary, if it is not the one that is tested.
    program: Option<PathBuf>,
}

/// The result of a command.
pub struct Ran {
    pub is_done: bool,
    pub errors: String,
}

impl Place {
    /// An empty directory. A later start uses another port. The issuer must not change with it, or the tokens would be
    /// invalid.
    pub fn new() -> Self {
        let place = Self { folder: tempfile::tempdir().unwrap(), variables: Vec::new(), program: None };
        place
            .with("FICHA__PASSWORD__BCRYPT_COST", "4")
            .with("FICHA__SERVER__BIND", "127.0.0.1:0")
            .with("FICHA__SERVER__ISSUER", "http://127.0.0.1:8080")
            // An old refresh token is a replay at once.
            .with("FICHA__TOKEN__REFRESH_GRACE", "0s")
            // No token expires during a test.
            .with("FICHA__TOKEN__ACCESS_TTL", "1d")
            .with("FICHA__LOG__LEVEL", "error")
    }

    /// Sets an environment variable.
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    /// From now on, another binary runs here.
    pub fn use_program(&mut self, program: Option<PathBuf>) {
        self.program = program;
    }

    /// Another directory with the same settings and a copy of the data.
    pub fn copy(&self) -> Self {
        let copy = Self {
            folder: tempfile::tempdir().unwrap(),
            variables: self.variables.clone(),
            program: self.program.clone(),
        };
        fs::DirBuilder::new().mode(0o700).create(copy.path("data")).unwrap();
        for entry in fs::read_dir(self.path("data")).unwrap() {
            let from = entry.unwrap().path();
            fs::copy(&from, copy.path("data").join(from.file_name().unwrap())).unwrap();
        }
        copy
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let tested = || PathBuf::from(env!("CARGO_BIN_EXE_ficha"));
        let mut command = Command::new(self.program.clone().unwrap_or_else(tested));
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("FICHA_") {
                command.env_remove(name);
            }
        }
        command.args(arguments).current_dir(self.folder()).envs(self.variables.iter().cloned());
        command
    }

    /// What a command prints.
    pub fn output(&self, arguments: &[&str]) -> String {
        let output = self.command(arguments).stdin(Stdio::null()).output().unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{arguments:?}: {errors}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// Runs the binary to its end.
    pub fn run(&self, arguments: &[&str], input: &str) -> Ran {
        let mut command = self.command(arguments);
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        // A command that needs no input may have exited before this.
        let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
        let output = child.wait_with_output().unwrap();
        Ran { is_done: output.status.success(), errors: String::from_utf8_lossy(&output.stderr).into_owned() }
    }

    /// Runs the binary, which must succeed.
    #[track_caller]
    pub fn must_run(&self, arguments: &[&str], input: &str) {
        let ran = self.run(arguments, input);
        assert!(ran.is_done, "{arguments:?}: {}", ran.errors);
    }

    /// Starts the server with additional variables, and waits until it is ready.
    #[track_caller]
    pub fn serve(&self, more: &[(&str, &str)]) -> Server {
        let mut command = self.command(&["serve"]);
        command.env("FICHA__LOG__LEVEL", "info").env("FICHA__LOG__FORMAT", "json").envs(more.iter().copied());
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let errors = BufReader::new(child.stderr.take().unwrap());
        let log = Arc::new(Mutex::new(Vec::new()));
        let (sender, ready) = channel();
        let kept = log.clone();
        thread::spawn(move || {
            for line in errors.lines().map_while(Result::ok) {
                let entry: Value = serde_json::from_str(&line).unwrap_or(Value::Null);
                if entry["message"] == "ficha is ready"
                    && let Some(address) = entry["address"].as_str()
                {
                    // The receiver may be gone; the pipe must be emptied anyway.
                    let _ = sender.send(address.to_owned());
                }
                kept.lock().unwrap().push(line);
            }
        });
        // Created before the server is ready, so that dropping it kills the process in any case.
        let mut server = Server { child, address: SocketAddr::from(([127, 0, 0, 1], 0)), log };
        match ready.recv_timeout(PATIENCE) {
            Ok(address) => server.address = address.parse().unwrap(),
            Err(_) => panic!("it is not ready: {}", server.end_of_log()),
        }
        server
    }
}

/// A running server; dropping it kills the process.
pub struct Server {
    child: Child,
    pub address: SocketAddr,
    log: Arc<Mutex<Vec<String>>>,
}

impl Server {
    /// Kills it with SIGKILL (kill -9), as a power cut would.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Sends SIGTERM and waits for the exit.
    pub fn stop(mut self) {
        self.signal("TERM");
        for _ in 0..150 {
            if self.child.try_wait().unwrap().is_some() {
                return;
            }
            thread::sleep(Duration::from_millis(100));
        }
        panic!("it did not exit within 15 s: {}", self.end_of_log());
    }

    /// Sends it a signal.
    pub fn signal(&self, name: &str) {
        let kill = format!("kill -{name} {}", self.child.id());
        assert!(Command::new("sh").args(["-c", &kill]).status().unwrap().success());
    }

    /// True if it exited by itself.
    pub fn has_exited(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    /// The end of its log.
    pub fn end_of_log(&self) -> String {
        let log = self.log.lock().unwrap();
        log[log.len().saturating_sub(30)..].join("\n")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have exited already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Posts a form.
pub fn post(at: SocketAddr, path: &str, form: &str) -> Answer {
    let length = form.len();
    exchange(
        at,
        &format!(
            "POST {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\
             Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {length}\r\n\r\n{form}"
        ),
    )
}

/// Logs in. `more` is appended to the form and begins with `&`.
pub fn log_in(at: SocketAddr, user: &str, password: &str, more: &str) -> Answer {
    let password = password.replace(' ', "+");
    post(at, "/token", &format!("grant_type=password&username={user}&password={password}{more}"))
}

/// Uses a refresh token.
pub fn refresh(at: SocketAddr, token: &str) -> Answer {
    post(at, "/token", &format!("grant_type=refresh_token&refresh_token={token}"))
}

/// Revokes a token of either kind.
pub fn revoke(at: SocketAddr, token: &str) -> Answer {
    post(at, "/revoke", &format!("token={token}"))
}

/// Ends the session of an access token.
pub fn log_out(at: SocketAddr, token: &str) -> Answer {
    let head = "POST /logout HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 0";
    exchange(at, &format!("{head}\r\nAuthorization: Bearer {token}\r\n\r\n"))
}

/// Sends the access token to `/users/me`.
pub fn who_am_i(at: SocketAddr, token: &str) -> Answer {
    let head = "GET /users/me HTTP/1.1\r\nHost: x\r\nConnection: close";
    exchange(at, &format!("{head}\r\nAuthorization: Bearer {token}\r\n\r\n"))
}

/// True if the server reports that it is ready.
pub fn is_ready(at: SocketAddr) -> bool {
    let answer = exchange(at, "GET /health/ready HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    matches!(answer, Some((200, _)))
}

/// Sends a request, and reads the answer.
pub fn exchange(at: SocketAddr, request: &str) -> Answer {
    let mut stream = TcpStream::connect(at).ok()?;
    stream.set_read_timeout(Some(ANSWER_LIMIT)).ok()?;
    stream.write_all(request.as_bytes()).ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    let status = answer.split(' ').nth(1)?.parse().ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    // A server that is killed while it answers has acknowledged nothing.
    match length_of(head) {
        Some(length) if length != body.len() => None,
        _ => Some((status, serde_json::from_str(body).unwrap_or(Value::Null))),
    }
}

fn length_of(head: &str) -> Option<usize> {
    let mut fields = head.lines().filter_map(|line| line.split_once(':'));
    let (_, length) = fields.find(|(name, _)| name.eq_ignore_ascii_case("content-length"))?;
    length.trim().parse().ok()
}
