//! The library's example `notes`, running with the server and used from a real browser.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::panic::AssertUnwindSafe;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use futures_util::FutureExt;

use crate::bench::{Bench, PASSWORD, Serving, exchange, skip, until};
use ficha_testing::webdriver::{Browser, Programs};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_authorize_button_of_the_notes_api_logs_in_at_the_server() {
    let Some(programs) = Programs::find() else {
        skip("Chromium or ChromeDriver");
        return;
    };
    let bench = Bench::new();
    bench.add_user("alice", &["--scope", "notes:read notes:write"]);
    let server = bench.serve();
    let notes = Notes::start(&server);
    let browser = Browser::start(&programs).await;
    // A panic is caught, so that the browser is closed in any case.
    let outcome = AssertUnwindSafe(write_and_read(&browser, &server, notes.address)).catch_unwind().await;
    browser.end().await;
    if let Err(failed) = outcome {
        std::panic::resume_unwind(failed);
    }
}

async fn write_and_read(browser: &Browser, server: &Serving, notes: SocketAddr) {
    let pictures = Path::new(env!("CARGO_TARGET_TMPDIR"));
    browser.open(&format!("http://{notes}/docs/")).await;
    browser.click("//div[contains(@class, 'auth-wrapper')]/button[contains(@class, 'authorize')]").await;
    browser.type_into("//input[@id='oauth_username']", "alice").await;
    browser.type_into("//input[@id='oauth_password']", PASSWORD).await;
    for scope in ["notes:read", "notes:write"] {
        browser.click(&format!("//label[@for='{scope}-password-checkbox-OAuth2PasswordBearer']")).await;
    }
    browser.screenshot(&pictures.join("notes-authorize.png")).await;
    let form = "//input[@id='oauth_username']/ancestor::div[contains(@class, 'auth-container')]";
    browser.click(&format!("{form}//button[contains(@class, 'authorize')]")).await;
    browser.text_with("//div[contains(@class, 'modal-ux')]//button[text()='Logout']", "Logout").await;
    browser.click("//button[contains(@class, 'btn-done')]").await;

    let operation = "//div[contains(@id, 'operations-') and contains(@id, '-add')]";
    let body = try_out(browser, operation, "201").await;
    assert!(body.contains("\"owner\""), "{body}");
    let operation = "//div[contains(@id, 'operations-') and contains(@id, '-list')]";
    let body = try_out(browser, operation, "200").await;
    assert!(body.contains("\"id\": 1"), "{body}");
    browser.screenshot(&pictures.join("notes-list.png")).await;

    // A logout elsewhere ends the session for the page, too.
    let alice = server.log_in("alice", "").1["access_token"].as_str().unwrap().to_owned();
    assert_eq!(exchange(notes, &get("/notes", &alice)).0, 200);
    let body = server.log_out(&alice);
    assert_eq!(body, 204);
    becomes(notes, &get("/notes", &alice), 401);
}

/// Executes an operation on the page, and returns the body that the page shows for this status.
async fn try_out(browser: &Browser, operation: &str, status: &str) -> String {
    browser.click(&format!("{operation}//button[contains(@class, 'opblock-summary-control')]")).await;
    browser.click(&format!("{operation}//button[contains(@class, 'try-out__btn')]")).await;
    browser.click(&format!("{operation}//button[contains(@class, 'execute')]")).await;
    let answer = format!("{operation}//table[contains(@class, 'live-responses-table')]//tr[@class='response']");
    browser.text_with(&format!("{answer}/td[contains(@class, 'response-col_status')]"), status).await;
    browser.text_with(&format!("{answer}/td[contains(@class, 'response-col_description')]"), "id").await
}

#[test]
fn the_notes_api_answers_with_the_right_status_and_goes_on_without_the_server() {
    for example in ["notes", "notes_hyper"] {
        answers_and_goes_on(example);
    }
}

fn answers_and_goes_on(example: &str) {
    let bench = Bench::new();
    bench.add_user("alice", &["--scope", "notes:read"]);
    let server = bench.serve();
    let notes = Notes::start_example(example, &server);
    assert_eq!(exchange(notes.address, &get("/", "")).0, 200);
    assert_eq!(exchange(notes.address, &get("/notes", "")).0, 401);
    let token = server.log_in("alice", "").1["access_token"].as_str().unwrap().to_owned();
    assert_eq!(exchange(notes.address, &get("/notes", &token)).0, 200);
    let delete = get("/notes/1", &token).replacen("GET", "DELETE", 1);
    assert_eq!(exchange(notes.address, &delete).0, 403);
    let revoked = server.log_in("alice", "").1["access_token"].as_str().unwrap().to_owned();
    assert_eq!(exchange(notes.address, &get("/notes", &revoked)).0, 200);
    assert_eq!(server.log_out(&revoked), 204);
    becomes(notes.address, &get("/notes", &revoked), 401);
    assert_eq!(server.stop().0, Some(0));
    assert_eq!(exchange(notes.address, &get("/notes", &token)).0, 200, "the lease has not run out");
}

const RUST_PAGE: &str = include_str!("../../../../docs/src/how-to/protect-a-rust-service.md");

#[test]
fn the_page_about_rust_services_shows_programs_as_they_are_and_the_first_one_runs() {
    let shown: Vec<&str> = RUST_PAGE.split("```rust\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
    let examples = [
        include_str!("../../../resource/examples/protect.rs"),
        include_str!("../../../resource/examples/protect_axum.rs"),
    ];
    let code = examples.map(|text| text.split_once("\n\n").expect("a blank line after the comment").1);
    assert_eq!(shown, code);
    let bench = Bench::new().with("FICHA__TOKEN__AUDIENCE", "notes");
    bench.add_user("alice", &["--scope", "notes:read"]);
    bench.add_user("bob", &[]);
    let server = bench.serve();
    let service = Notes::start_example("protect", &server);
    let token = |name: &str| server.log_in(name, "").1["access_token"].as_str().unwrap().to_owned();
    let (alice, bob) = (token("alice"), token("bob"));
    let status = |token: &str| exchange(service.address, &get("/notes", token)).0;
    assert_eq!((status(&alice), status(""), status("x"), status(&bob)), (200, 401, 401, 403));
    assert_eq!(server.log_out(&alice), 204);
    becomes(service.address, &get("/notes", &alice), 401);
}

#[test]
fn the_notes_api_names_the_token_url_once_the_server_is_reachable() {
    let free = || TcpListener::bind(("127.0.0.1", 0)).and_then(|free| free.local_addr()).unwrap();
    let server = free();
    let bench = Bench::new().with("FICHA__SERVER__BIND", &server.to_string());
    let notes = Notes::spawn(server, free());
    let token_url = format!("http://{server}/token");
    let described = || {
        let scheme = &exchange(notes.address, &get("/openapi.json", "")).1["components"]["securitySchemes"];
        scheme["OAuth2PasswordBearer"]["flows"]["password"]["tokenUrl"] == token_url
    };
    assert!(!described());
    let _server = bench.serve();
    until("it is described", described);
}

fn get(path: &str, token: &str) -> String {
    let bearer = if token.is_empty() { String::new() } else { format!("Authorization: Bearer {token}\r\n") };
    format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{bearer}\r\n")
}

fn becomes(address: SocketAddr, request: &str, wanted: u16) {
    until(&format!("{wanted}"), || exchange(address, request).0 == wanted);
}

/// The running example; dropping it stops the process.
struct Notes {
    child: Child,
    address: SocketAddr,
}

impl Notes {
    fn start(server: &Serving) -> Self {
        Self::start_example("notes", server)
    }

    fn start_example(example: &str, server: &Serving) -> Self {
        let address = TcpListener::bind(("127.0.0.1", 0)).and_then(|free| free.local_addr()).unwrap();
        let notes = Self::spawn_example(example, server.address, address);
        becomes(address, &get("/health", ""), 200);
        notes
    }

    /// Waits until the example listens, not until it is ready.
    fn spawn(server: SocketAddr, address: SocketAddr) -> Self {
        Self::spawn_example("notes", server, address)
    }

    fn spawn_example(example: &str, server: SocketAddr, address: SocketAddr) -> Self {
        let program = Path::new(env!("CARGO_BIN_EXE_ficha")).with_file_name("examples").join(example);
        let child = Command::new(&program)
            .env("FICHA_ISSUER", format!("http://{server}"))
            .env("NOTES_BIND", address.to_string())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| panic!("{program:?}: {error}; `cargo build --workspace --examples` builds it"));
        let notes = Self { child, address };
        until("it listens", || TcpStream::connect(address).is_ok());
        notes
    }
}

impl Drop for Notes {
    fn drop(&mut self) {
        // It may have exited already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
