//! `ficha login`, `ficha token`, `ficha logout`.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use serde_json::Value;

use crate::bench::{Bench, PASSWORD, Serving, has};

/// Tokens are stored in the working directory, which no other test uses.
const FILE: &str = "token.json";

fn with_alice(bench: Bench) -> (Bench, Serving) {
    bench.add_user("alice", &["--scope", "notes:read notes:write"]);
    let server = bench.serve();
    (bench, server)
}

fn issuer(server: &Serving) -> String {
    format!("http://{}", server.address)
}

fn log_in(bench: &Bench, server: &Serving, more: &[&str]) -> String {
    let issuer = issuer(server);
    let usual = ["login", "--server", &issuer, "--user", "alice", "--password-stdin", "--token-file", FILE];
    bench.run_with_input(&[&usual, more].concat(), PASSWORD).good().stdout
}

fn access_token(bench: &Bench) -> String {
    bench.run(&["token", "show", "--access-token", "--token-file", FILE]).good().stdout.trim_end().to_owned()
}

#[test]
fn login_prints_the_expiry_and_never_a_token() {
    let (bench, server) = with_alice(Bench::new());
    let said = log_in(&bench, &server, &["--scope", "notes:read"]);
    for word in
        [&format!("alice is logged in at {}\n", issuer(&server)), "notes:read\n", "until", "Z, and refreshed", FILE]
    {
        assert!(said.contains(word), "{word:?} is missing in {said}");
    }
    let token = access_token(&bench);
    assert_eq!(server.get("/users/me", &token).1["username"], "alice");
    let shown = bench.run(&["token", "show", "--token-file", FILE]).good().stdout;
    let document = bench.json(&["token", "show", "--json", "--token-file", FILE]);
    assert_eq!(document["claims"]["scope"], "notes:read", "{document}");
    assert_eq!((&document["expired"], &document["refreshable"]), (&Value::Bool(false), &Value::Bool(true)));
    assert!(shown.contains(document["claims"]["sub"].as_str().unwrap()), "{shown}");
    for part in token.split('.') {
        for text in [&said, &shown, &document.to_string()] {
            assert!(!text.contains(part), "{text}");
        }
    }
    let mode = std::fs::metadata(bench.path(FILE)).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode, 0o600);
    let again: Value = serde_json::from_str(&log_in(&bench, &server, &["--json"])).unwrap();
    assert_eq!((again["user"].as_str(), again["scope"].as_str()), (Some("alice"), Some("notes:read notes:write")));
}

#[test]
fn logging_out_ends_the_session() {
    let (bench, server) = with_alice(Bench::new());
    log_in(&bench, &server, &[]);
    let token = access_token(&bench);
    let said = bench.run(&["logout", "--token-file", FILE]).good().stdout;
    assert_eq!(said, format!("logged out at {}\n", issuer(&server)));
    assert_eq!(server.get("/users/me", &token).0, 401);
    assert!(!bench.path(FILE).exists());
    assert_eq!(bench.run(&["logout", "--token-file", FILE]).good().stdout, "not logged in\n");
    bench.run(&["token", "show", "--token-file", FILE]).refused(&["not logged in", "ficha login"]);
}

#[test]
fn an_app_s_commands_need_no_settings_of_a_server() {
    let (_keep, server) = with_alice(Bench::new());
    // Without an issuer, this address can't be served.
    let bench = Bench::new().with("FICHA__SERVER__BIND", "0.0.0.0:8080");
    bench.run(&["user", "list"]).refused(&["server.issuer is not set"]);
    bench.run_with_input(&["login", "--user", "alice", "--password-stdin"], PASSWORD).refused(&["server.issuer"]);
    log_in(&bench, &server, &[]);
    let token = access_token(&bench);
    assert_eq!(server.get("/users/me", &token).0, 200);
    bench.run(&["logout", "--token-file", FILE]).good();
    assert_eq!(server.get("/users/me", &token).0, 401);
}

#[test]
fn logout_keeps_the_tokens_if_the_server_is_gone_unless_forget_is_given() {
    let (bench, server) = with_alice(Bench::new());
    log_in(&bench, &server, &[]);
    server.kill();
    bench.run(&["logout", "--token-file", FILE]).refused(&["did not answer"]);
    assert!(bench.path(FILE).exists());
    let said = bench.run(&["logout", "--forget", "--token-file", FILE]).good().stdout;
    assert!(said.contains("tokens were deleted"), "{said}");
    assert!(!bench.path(FILE).exists());
}

#[test]
fn failures_are_reported_in_one_line() {
    let (bench, server) = with_alice(Bench::new());
    let issuer = issuer(&server);
    let login = |issuer: &str, more: &[&str], password: &str| {
        let usual = ["login", "--server", issuer, "--password-stdin", "--token-file", FILE];
        bench.run_with_input(&[&usual, more].concat(), password)
    };
    login(&issuer, &["--user", "alice"], "wrong").refused(&["wrong user name or password"]);
    login(&issuer, &["--user", "alice"], "").refused(&["the password is empty"]);
    login(&issuer, &[], PASSWORD).refused(&["--user"]);
    login(&issuer, &["--user", "alice", "--scope", "notes:delete"], PASSWORD).refused(&["invalid_scope"]);
    login(&issuer, &["--user", "alice", "--client", "nobody"], PASSWORD).refused(&["invalid_client"]);
    login(&format!("{issuer}/"), &["--user", "alice"], PASSWORD).refused(&["describes the issuer", &issuer]);
    login("http://192.0.2.1", &["--user", "alice"], PASSWORD).refused(&["has no TLS"]);
    login("auth", &["--user", "alice"], PASSWORD).refused(&["not a URL"]);
    bench.run(&["login", "--user", "alice", "--token-file", FILE]).refused(&["--password-stdin"]);
    assert!(!bench.path(FILE).exists());
    log_in(&bench, &server, &[]);
    std::fs::set_permissions(bench.path(FILE), std::fs::Permissions::from_mode(0o644)).unwrap();
    bench.run(&["token", "show", "--token-file", FILE]).refused(&["others can read it", "chmod 600 token.json"]);
}

#[test]
fn the_issuer_and_the_file_have_defaults() {
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let folder = tempfile::tempdir().unwrap();
    let bench = Bench::new().with("FICHA__SERVER__BIND", &address);
    let bench = bench.with("XDG_CONFIG_HOME", folder.path().to_str().unwrap());
    let (bench, server) = with_alice(bench);
    bench.run_with_input(&["login", "--user", "alice", "--password-stdin"], PASSWORD).good();
    assert!(folder.path().join("ficha/token.json").exists());
    let token = bench.run(&["token", "show", "--access-token"]).good().stdout;
    assert_eq!(server.get("/users/me", token.trim_end()).0, 200);
}

#[test]
fn processes_that_refresh_one_file_at_once_keep_the_session() {
    // The token is due for every process at once, and only one of them refreshes it.
    let (bench, server) =
        with_alice(Bench::new().with("FICHA__TOKEN__ACCESS_TTL", "60s").with("FICHA__TOKEN__REFRESH_GRACE", "0s"));
    log_in(&bench, &server, &[]);
    let first = access_token(&bench);
    age(&bench);
    thread::scope(|scope| {
        let runs: Vec<_> = (0..8).map(|_| scope.spawn(|| access_token(&bench))).collect();
        let mut tokens: Vec<String> = runs.into_iter().map(|run| run.join().unwrap()).collect();
        tokens.dedup();
        assert_eq!(tokens.len(), 1);
        assert_ne!(tokens[0], first);
        assert_eq!(server.get("/users/me", &tokens[0]).0, 200);
    });
    // With no grace, a second use of the old refresh token would have ended the session.
    age(&bench);
    assert_eq!(server.get("/users/me", &access_token(&bench)).0, 200);
}

#[test]
fn over_https_only_the_system_s_certificates_are_trusted() {
    let made = rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned()]).unwrap();
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let bench = Bench::new()
        .with("FICHA__SERVER__TLS__CERTIFICATE", "certificate.pem")
        .with("FICHA__SERVER__TLS__KEY", "key.pem")
        .with("FICHA__SERVER__BIND", &address);
    bench.write("certificate.pem", &made.cert.pem());
    bench.write("key.pem", &made.signing_key.serialize_pem());
    let (bench, _server) = with_alice(bench);
    let login = ["login", "--user", "alice", "--password-stdin", "--token-file", FILE];
    bench.run_with_input(&login, PASSWORD).refused(&["did not answer", "certificate"]);
    let bench = bench.with("SSL_CERT_FILE", "certificate.pem");
    let said = bench.run_with_input(&login, PASSWORD).good().stdout;
    assert!(said.contains(&format!("logged in at https://{address}\n")), "{said}");
    bench.run(&["logout", "--token-file", FILE]).good();
}

#[test]
fn a_process_that_has_printed_a_token_still_finishes_its_refresh() {
    let relay = TcpListener::bind("127.0.0.1:0").unwrap();
    let issuer = format!("http://{}", relay.local_addr().unwrap());
    let settings = Bench::new().with("FICHA__TOKEN__ACCESS_TTL", "60s").with("FICHA__SERVER__ISSUER", &issuer);
    let (bench, server) = with_alice(settings);
    let (lose, address) = (Arc::new(AtomicUsize::new(0)), server.address);
    let left = lose.clone();
    thread::spawn(move || {
        for near in relay.incoming() {
            let left = left.clone();
            thread::spawn(move || carry(near.unwrap(), address, &left));
        }
    });
    let login = ["login", "--server", &issuer, "--user", "alice", "--password-stdin", "--token-file", FILE];
    bench.run_with_input(&login, PASSWORD).good();
    age_by(&bench, 50);
    // More than are sent before the command gives up waiting and prints the token that is still valid.
    lose.store(3, Ordering::SeqCst);
    let printed = access_token(&bench);
    assert_eq!(lose.load(Ordering::SeqCst), 0);
    let kept = std::fs::read_to_string(bench.path(FILE)).unwrap();
    assert!(!kept.contains(&printed), "the refresh's answer is in the file");
}

/// Forwards requests and answers, but drops the answers of `/token` while `lose` is above 0.
fn carry(mut near: TcpStream, server: SocketAddr, lose: &AtomicUsize) -> std::io::Result<()> {
    let mut far = TcpStream::connect(server)?;
    let mut buffer = vec![0; 65_536];
    // Every message here fits into the buffer.
    while let length @ 1.. = near.read(&mut buffer)? {
        let is_token = buffer.starts_with(b"POST /token");
        far.write_all(&buffer[..length])?;
        let length = far.read(&mut buffer)?;
        if is_token && lose.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok() {
            break;
        }
        near.write_all(&buffer[..length])?;
    }
    Ok(())
}

/// Makes the stored access token expire, by moving its times back.
fn age(bench: &Bench) {
    age_by(bench, 3_600);
}

fn age_by(bench: &Bench, seconds: u64) {
    let text = std::fs::read_to_string(bench.path(FILE)).unwrap();
    let mut document: Value = serde_json::from_str(&text).unwrap();
    for name in ["issued_at", "expires_at"] {
        document[name] = (document[name].as_u64().unwrap() - seconds).into();
    }
    // Written in place: the file keeps its mode.
    std::fs::write(bench.path(FILE), document.to_string()).unwrap();
}

#[test]
fn the_access_token_goes_into_a_curl_as_the_help_says() {
    if !has("curl") {
        return;
    }
    let (bench, server) = with_alice(Bench::new());
    log_in(&bench, &server, &[]);
    let line = format!(
        "curl -s -H \"Authorization: Bearer $({} token show --access-token --token-file {FILE})\" {}/users/me",
        env!("CARGO_BIN_EXE_ficha"),
        issuer(&server)
    );
    let output = Command::new("sh").current_dir(bench.folder()).args(["-c", &line]).output().unwrap();
    let me: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"));
    assert_eq!(me["username"], "alice", "{me}");
}
