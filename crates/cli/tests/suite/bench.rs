//! A test bench: a temporary working directory in which the binary runs.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

/// Long, for machines that are building at the same time. A test that waits this long has failed.
const PATIENCE: Duration = Duration::from_secs(60);

/// A good password.
pub const PASSWORD: &str = "a quiet harbour at dusk";

pub struct Bench {
    folder: TempDir,
    variables: Vec<(String, String)>,
}

/// The result of a run of the binary.
#[derive(Debug)]
pub struct Ran {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Bench {
    /// An empty directory, with cheap hashes, a free port, and only errors in the log.
    pub fn new() -> Self {
        let bench = Self { folder: tempfile::tempdir().unwrap(), variables: Vec::new() };
        bench
            .with("FICHA__PASSWORD__BCRYPT_COST", "4")
            .with("FICHA__SERVER__BIND", "127.0.0.1:0")
            .with("FICHA__LOG__LEVEL", "error")
    }

    /// Sets an environment variable.
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).unwrap();
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    fn command(&self, arguments: &[&str]) -> Command {
        self.program(env!("CARGO_BIN_EXE_ficha"), arguments)
    }

    fn program(&self, name: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new(name);
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("FICHA_") {
                command.env_remove(name);
            }
        }
        command
            .args(arguments)
            .current_dir(self.folder.path())
            .envs(self.variables.iter().cloned())
            .stdin(Stdio::null());
        command
    }

    /// Runs the binary to its end.
    pub fn run(&self, arguments: &[&str]) -> Ran {
        Ran::from(self.command(arguments).output().unwrap())
    }

    /// The same, with text on standard input.
    pub fn run_with_input(&self, arguments: &[&str], input: &str) -> Ran {
        let mut command = self.command(arguments);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        // A command that needs no input may have exited before this.
        let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
        Ran::from(child.wait_with_output().unwrap())
    }

    /// Runs a shell command in which `"$0"` is the binary.
    pub fn shell(&self, line: &str) -> Ran {
        Ran::from(self.program("sh", &["-c", line, env!("CARGO_BIN_EXE_ficha")]).output().unwrap())
    }

    /// Runs the binary, which must succeed, and reads its output as one JSON document.
    pub fn json(&self, arguments: &[&str]) -> Value {
        let ran = self.run(arguments).good();
        serde_json::from_str(&ran.stdout).unwrap_or_else(|error| panic!("{arguments:?}: {error}: {ran:?}"))
    }

    pub fn add_user(&self, name: &str, more: &[&str]) {
        let arguments = [&["user", "add", name, "--password-stdin"], more].concat();
        self.run_with_input(&arguments, PASSWORD).good();
    }

    /// Starts the server, and waits until it is ready.
    pub fn serve(&self) -> Serving {
        self.serve_with(&[])
    }

    /// The same, with options.
    pub fn serve_with(&self, options: &[&str]) -> Serving {
        let mut command = self.command(&[&["serve"], options].concat());
        command.env("FICHA__LOG__FORMAT", "json");
        if options.contains(&"--config") {
            // The file has its own level.
            command.env_remove("FICHA__LOG__LEVEL");
        } else {
            command.env("FICHA__LOG__LEVEL", "info");
        }
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let output = lines(child.stdout.take().unwrap());
        let log = lines(child.stderr.take().unwrap());
        let mut before = Vec::new();
        let address = loop {
            let line = log.recv_timeout(PATIENCE).unwrap_or_else(|_| panic!("not ready: {before:#?}"));
            let entry: Value = serde_json::from_str(&line).unwrap_or_else(|_| panic!("{line}"));
            if entry["message"] == "ficha is ready" {
                break entry["address"].as_str().unwrap().parse().unwrap();
            }
            before.push(line);
        };
        Serving { child, address, output, log }
    }

    /// Starts the server with the given output and log, at the log level of this bench, and waits until it is ready.
    /// The address can't be read from that log, so the port is one that was free a moment ago.
    #[track_caller]
    pub fn serve_into(&self, stdout: impl Into<Stdio>, stderr: impl Into<Stdio>) -> Serving {
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let mut command = self.command(&["serve"]);
        command.env("FICHA__SERVER__BIND", address.to_string()).stdout(stdout).stderr(stderr);
        let mut child = command.spawn().unwrap();
        let output = child.stdout.take().map_or_else(|| channel().1, lines);
        let (_, log) = channel();
        let mut server = Serving { child, address, output, log };
        until("it is ready", || {
            let ended = server.child.try_wait().unwrap();
            assert!(ended.is_none(), "it exited before it was ready: {ended:?}");
            let mut health = self.command(&["health"]);
            health.env("FICHA__SERVER__BIND", address.to_string()).output().unwrap().status.success()
        });
        server
    }
}

impl Ran {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// It succeeded.
    #[track_caller]
    pub fn good(self) -> Self {
        assert_eq!(self.code, Some(0), "{self:?}");
        self
    }

    /// It failed with exit code 1, a line that says what failed and why, and one that says what to do. Together they
    /// contain all of `words`; standard output stayed empty.
    #[track_caller]
    pub fn refused(self, words: &[&str]) {
        assert_eq!(self.code, Some(1), "{self:?}");
        // A new database is announced.
        let lines: Vec<&str> = self.stderr.lines().filter(|line| !line.starts_with("note: the database ")).collect();
        let is_in_parts =
            matches!(lines[..], [what, to_do] if what.starts_with("error: ") && to_do.starts_with("to do: "));
        assert!(is_in_parts, "{self:?}");
        assert_eq!(self.stdout, "", "{self:?}");
        for word in words {
            assert!(self.stderr.contains(word), "{word:?} is missing in {:?}", self.stderr);
        }
    }
}

/// A running server; dropping it kills the process.
pub struct Serving {
    child: Child,
    pub address: SocketAddr,
    output: Receiver<String>,
    // Read by a separate thread, so that the server never writes into a closed pipe.
    log: Receiver<String>,
}

impl Serving {
    /// Reads the output, up to the line that `last` accepts.
    pub fn printed(&self, last: impl Fn(&str) -> bool) -> String {
        let mut text = String::new();
        loop {
            let line = self.output.recv_timeout(PATIENCE).unwrap_or_else(|_| panic!("only this was printed: {text}"));
            text.push_str(&line);
            text.push('\n');
            if last(&line) {
                return text;
            }
        }
    }

    /// Waits for the next log line that contains all of `words`.
    #[track_caller]
    pub fn logged(&self, words: &[&str]) -> String {
        let mut before = Vec::new();
        loop {
            let line = self.log.recv_timeout(PATIENCE).unwrap_or_else(|_| panic!("no {words:?} in {before:#?}"));
            if words.iter().all(|word| line.contains(word)) {
                return line;
            }
            before.push(line);
        }
    }

    /// The password that the first start prints, with the log as JSON.
    pub fn first_password(&self) -> String {
        let notice: Value = serde_json::from_str(&self.printed(|_| true)).unwrap();
        notice["password"].as_str().unwrap().to_owned()
    }

    /// The process's id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends SIGTERM and waits for the end. Returns the exit code, and the output that was not read yet.
    pub fn stop(mut self) -> (Option<i32>, String) {
        let code = self.end();
        let rest: Vec<String> = self.output.iter().collect();
        (code, rest.join("\n"))
    }

    /// The same, but it must succeed. Returns the log lines that were not read yet.
    #[track_caller]
    pub fn stop_and_read_log(mut self) -> Vec<String> {
        let code = self.end();
        let log: Vec<String> = self.log.iter().collect();
        assert_eq!(code, Some(0), "{log:#?}");
        log
    }

    fn end(&mut self) -> Option<i32> {
        self.signal("TERM");
        for _ in 0..100 {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.code();
            }
            thread::sleep(Duration::from_millis(100));
        }
        panic!("it did not exit within 10 s");
    }

    /// Sends it a signal.
    pub fn signal(&self, name: &str) {
        let kill = format!("kill -{name} {}", self.child.id());
        assert!(Command::new("sh").args(["-c", &kill]).status().unwrap().success());
    }

    /// Kills it with SIGKILL (kill -9), as a power cut would.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Posts a form. Returns the status and the JSON body.
    pub fn post(&self, path: &str, form: &str) -> (u16, Value) {
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\
             Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{form}",
            form.len()
        );
        self.exchange(&head)
    }

    /// Sends a GET request with a bearer token.
    pub fn get(&self, path: &str, token: &str) -> (u16, Value) {
        // The admin API wants the issuer's host.
        let host = self.address;
        self.exchange(&format!(
            "GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nAuthorization: Bearer {token}\r\n\r\n"
        ))
    }

    /// Logs out with a bearer token. Returns the status.
    pub fn log_out(&self, token: &str) -> u16 {
        let head = "POST /logout HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 0";
        self.exchange(&format!("{head}\r\nAuthorization: Bearer {token}\r\n\r\n")).0
    }

    /// Logs in as a user whose password is [`PASSWORD`]. `more` is appended to the form and begins with `&`.
    pub fn log_in(&self, name: &str, more: &str) -> (u16, Value) {
        let password = PASSWORD.replace(' ', "+");
        self.post("/token", &format!("grant_type=password&username={name}&password={password}{more}"))
    }

    /// The value of a metric without labels.
    #[track_caller]
    pub fn metric(&self, name: &str) -> u64 {
        let text = send(self.address, "GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        let mut values = text.lines().filter_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        values.next().and_then(|value| value.parse().ok()).unwrap_or_else(|| panic!("no {name} in {text}"))
    }

    fn exchange(&self, request: &str) -> (u16, Value) {
        exchange(self.address, request)
    }
}

/// Sends a raw request. Returns the status and the JSON body.
pub fn exchange(address: SocketAddr, request: &str) -> (u16, Value) {
    let answer = send(address, request);
    let status = answer.split(' ').nth(1).unwrap_or_else(|| panic!("cut off: {answer:?}")).parse().unwrap();
    let body = answer.split_once("\r\n\r\n").unwrap().1;
    (status, serde_json::from_str(body).unwrap_or(Value::Null))
}

/// Sends a raw request, and reads until the connection is closed.
fn send(address: SocketAddr, request: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

impl Drop for Serving {
    fn drop(&mut self) {
        // It may have exited already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn lines(from: impl Read + Send + 'static) -> Receiver<String> {
    let (sender, receiver) = channel();
    thread::spawn(move || {
        for line in BufReader::new(from).lines().map_while(Result::ok) {
            // The receiver may be gone; the pipe must be emptied anyway.
            let _ = sender.send(line);
        }
    });
    receiver
}

/// Waits until a condition is true.
#[track_caller]
pub fn until(what: &str, mut condition: impl FnMut() -> bool) {
    const STEP: Duration = Duration::from_millis(20);
    let steps = PATIENCE.as_millis() / STEP.as_millis();
    assert!(
        (0..steps).any(|_| condition() || {
            thread::sleep(STEP);
            false
        }),
        "timed out waiting: {what}"
    );
}

/// True if `program` is installed. With `FICHA_TEST_REQUIRE=all`, its absence is a failure.
pub fn has(program: &str) -> bool {
    let found = Command::new("sh").args(["-c", &format!("command -v {program}")]).output().unwrap().status.success();
    if !found {
        skip(program);
    }
    found
}

/// Reports that a test is skipped because something is missing. With `FICHA_TEST_REQUIRE=all`, that is a failure.
#[track_caller]
pub fn skip(what: &str) {
    assert_ne!(std::env::var("FICHA_TEST_REQUIRE").as_deref(), Ok("all"), "{what} is not installed");
    // Directly to the stream: the test harness captures the output of passing tests.
    let _ = writeln!(std::io::stderr(), "{what} is not installed: a test is skipped");
}
