//! The page "From FastAPI's OAuth2PasswordBearer": its programs are run as shown.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use crate::bench::{Bench, PASSWORD, exchange, skip, until};

const PAGE: &str = include_str!("../../../../docs/src/how-to/from-fastapi.md");
const EXAMPLE: &str = include_str!("../../../resource/examples/from_fastapi.rs");

#[test]
fn both_pages_show_the_same_follower() {
    let class = |program: &str| {
        let class = program.split("class Denylist:\n").nth(1).expect("the follower's class");
        class.split("\n\n    def refuse_revoked").next().unwrap().split("\n\n\n").next().unwrap().trim_end().to_owned()
    };
    let reference = include_str!("../../../../docs/src/reference/denylist.md");
    let reference = reference.split("```python\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
    assert_eq!(class(&block("python", 1)), class(reference));
}

#[test]
fn the_page_shows_the_rust_example_as_it_is() {
    let code = EXAMPLE.split_once("\n\n").expect("a blank line after the example's comment").1;
    assert_eq!(block("rust", 0), code);
}

#[test]
fn the_fastapi_example_before_the_migration_runs_as_shown() {
    let Some(python) = python() else { return };
    let bench = Bench::new();
    bench.write("service.py", &block("python", 0));
    let service = Service::start(&python, bench.folder(), &[]);
    let form = format!("username=alice&password={}", PASSWORD.replace(' ', "+"));
    let (status, answer) = service.post("/token", &form);
    assert_eq!(status, 200, "{answer}");
    let (status, me) = service.get("/users/me", answer["access_token"].as_str().unwrap());
    assert_eq!((status, me["sub"].as_str()), (200, Some("alice")));
}

#[test]
fn a_fastapi_service_checks_tokens_and_refuses_revoked_ones() {
    let Some(python) = python() else { return };
    let bench = Bench::new();
    bench.add_user("alice", &["--scope", "items:read"]);
    bench.add_user("bob", &[]);
    bench.write("service.py", &block("python", 1));
    let server = bench.serve();
    let issuer = format!("http://{}", server.address);
    let service = Service::start(&python, bench.folder(), &[("FICHA_ISSUER", &issuer), ("FICHA_LEASE", "6")]);
    let token_of = |name: &str| {
        let (status, answer) = server.log_in(name, "");
        assert_eq!(status, 200, "{answer}");
        answer["access_token"].as_str().unwrap().to_owned()
    };
    let (alice, bob) = (token_of("alice"), token_of("bob"));

    service.becomes("/items", &alice, 200);
    assert_eq!(service.get("/items", &bob).0, 403);
    assert_eq!(service.get("/items", "").0, 401);
    assert_eq!(service.get("/items", &format!("{alice}x")).0, 401);
    let refresh = server.log_in("alice", "").1["refresh_token"].as_str().unwrap().to_owned();
    assert_eq!(service.get("/items", &refresh).0, 401);

    assert_eq!(server.log_out(&alice), 204);
    service.becomes("/items", &alice, 401);
    assert_eq!(service.get("/users/me", &bob).0, 200);

    // Without the server it accepts tokens until the lease ends, and then answers 503.
    server.kill();
    assert_eq!(service.get("/users/me", &bob).0, 200);
    service.becomes("/users/me", &bob, 503);
}

/// Once the token is refused, sets the wall clock a day ahead for a few polls, and then back.
const JUMPING: &str = r#"
import sys, time
real, ahead = time.time, 0
time.time = lambda: real() + ahead
import service
def status():
    try:
        service.denylist.refuse_revoked({"jti": sys.argv[1], "sid": sys.argv[2]}, "kid")
        return 200
    except service.HTTPException as refused:
        return refused.status_code
def becomes(wanted):
    for _ in range(2000):
        if status() == wanted:
            return
        time.sleep(0.01)
    sys.exit(f"the status did not become {wanted}")
becomes(401)
ahead = 86400
becomes(200)
time.sleep(2.5)
ahead = 0
seen = set()
for _ in range(300):
    seen.add(status())
    time.sleep(0.01)
print(200 in seen, status())
"#;

#[test]
fn the_service_forgets_nothing_while_the_clock_is_set_ahead_and_back() {
    let Some(python) = python() else { return };
    let bench = Bench::new();
    bench.add_user("alice", &["--scope", "items:read"]);
    bench.write("service.py", &block("python", 1));
    bench.write("jumping.py", JUMPING);
    let server = bench.serve();
    let answer = server.log_in("alice", "").1;
    let token = answer["access_token"].as_str().unwrap();
    let claims = token.split('.').nth(1).unwrap();
    let claims: Value = {
        use base64::Engine;
        serde_json::from_slice(&base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(claims).unwrap()).unwrap()
    };
    server.post("/revoke", &format!("token={token}"));
    let run = Command::new(&python)
        .arg("jumping.py")
        .args([claims["jti"].as_str().unwrap(), claims["sid"].as_str().unwrap()])
        .current_dir(bench.folder())
        .envs([("FICHA_ISSUER", format!("http://{}", server.address)), ("FICHA_LEASE", "5".to_owned())])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&run.stdout);
    assert_eq!(said.trim(), "False 401", "{}", String::from_utf8_lossy(&run.stderr));
}

/// The page's code block of that language, counted from 0.
fn block(language: &str, number: usize) -> String {
    let begin = format!("```{language}\n");
    let mut blocks = PAGE.split(&begin).skip(1);
    let rest = blocks.nth(number).unwrap_or_else(|| panic!("the page has no block {number} of {language}"));
    rest.split("```").next().unwrap().to_owned()
}

/// A Python with the packages that the page names: `FICHA_TEST_PYTHON`, or the one that `.ci/run` installs.
fn python() -> Option<PathBuf> {
    let installed = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/python/bin/python");
    let python = std::env::var_os("FICHA_TEST_PYTHON").map_or(installed, PathBuf::from);
    let check = Command::new(&python).args(["-c", "import fastapi, jwt, multipart, pwdlib, uvicorn"]).output();
    if check.is_ok_and(|output| output.status.success()) {
        return Some(python);
    }
    skip("Python with FastAPI (run `.ci/python` to install it)");
    None
}

/// A running `service.py`; dropping it stops the process.
struct Service {
    child: Child,
    address: SocketAddr,
}

impl Service {
    fn start(python: &Path, folder: &Path, variables: &[(&str, &str)]) -> Self {
        let address = TcpListener::bind(("127.0.0.1", 0)).and_then(|free| free.local_addr()).unwrap();
        let child = Command::new(python)
            .args(["-m", "uvicorn", "service:app", "--log-level", "warning", "--port", &address.port().to_string()])
            .current_dir(folder)
            .envs(variables.iter().copied())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let service = Self { child, address };
        until("it listens", || TcpStream::connect(address).is_ok());
        service
    }

    fn post(&self, path: &str, form: &str) -> (u16, Value) {
        let kind = "Content-Type: application/x-www-form-urlencoded";
        let length = form.len();
        exchange(
            self.address,
            &format!(
                "POST {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{kind}\r\nContent-Length: {length}\r\n\r\n{form}"
            ),
        )
    }

    fn get(&self, path: &str, token: &str) -> (u16, Value) {
        let bearer = if token.is_empty() { String::new() } else { format!("Authorization: Bearer {token}\r\n") };
        exchange(self.address, &format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{bearer}\r\n"))
    }

    /// Repeats the request until it has the wanted status: news of a revocation and the end of a lease take a moment.
    fn becomes(&self, path: &str, token: &str, wanted: u16) {
        until(&format!("{path} gets {wanted}"), || self.get(path, token).0 == wanted);
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        // It may have exited already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
