//! `ficha serve`

use std::net::TcpStream;
use std::os::unix::net::UnixDatagram;
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::Value;

use crate::bench::{Bench, PASSWORD, has};

#[test]
fn the_first_start_prints_a_curl_that_works_as_pasted() {
    let bench = Bench::new();
    let server = bench.serve_into(Stdio::piped(), Stdio::null());
    let text = server.printed(|line| line.trim_start().starts_with("curl"));
    let issuer = format!("http://{}", server.address);
    for word in [
        "admin",
        "password",
        &format!("issuer    {issuer}\n"),
        &format!("docs      {issuer}/docs\n"),
        &format!("console   {issuer}/console\n"),
    ] {
        assert!(text.contains(word), "{word:?} is missing in {text}");
    }
    let curl = text.lines().last().unwrap();
    assert!(curl.contains(&format!("{issuer}/token")), "{curl}");
    if !has("curl") {
        return;
    }
    let output = Command::new("sh").args(["-c", curl]).output().unwrap();
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"));
    let token = answer["access_token"].as_str().unwrap_or_else(|| panic!("{answer}"));
    let (status, me) = server.get("/users/me", token);
    assert_eq!(status, 200, "{me}");
}

#[test]
fn the_printed_curl_works_over_https_too() {
    let made = rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned()]).unwrap();
    let bench = Bench::new()
        .with("FICHA__SERVER__TLS__CERTIFICATE", "own certificate.pem")
        .with("FICHA__SERVER__TLS__KEY", "key.pem");
    bench.write("own certificate.pem", &made.cert.pem());
    bench.write("key.pem", &made.signing_key.serialize_pem());
    let server = bench.serve_into(Stdio::piped(), Stdio::null());
    let text = server.printed(|line| line.trim_start().starts_with("curl"));
    let curl = text.lines().last().unwrap();
    assert!(curl.contains(&format!(" https://{}/token ", server.address)), "{curl}");
    if !has("curl") {
        return;
    }
    let output = Command::new("sh").args(["-c", curl]).current_dir(bench.folder()).output().unwrap();
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"));
    assert_eq!(answer["token_type"], "Bearer", "{answer}");
}

#[test]
fn a_first_start_is_one_line_of_json_if_the_log_is() {
    let bench = Bench::new();
    let server = bench.serve();
    let issuer = format!("http://{}", server.address);
    let notice: Value = serde_json::from_str(&server.printed(|_| true)).unwrap();
    assert_eq!(
        (notice["user"].as_str(), notice["issuer"].as_str()),
        (Some("admin"), Some(issuer.as_str())),
        "{notice}"
    );
    assert_eq!(notice["password"].as_str().unwrap().len(), 24);
    assert!(notice["timestamp"].is_string() && notice["level"] == "INFO", "{notice}");
    // And so is the reason for which a server ends.
    let taken = server.address.to_string();
    let ran = bench.shell(&format!("FICHA__LOG__FORMAT=json FICHA__SERVER__BIND={taken} \"$0\" serve"));
    let error: Value = serde_json::from_str(&ran.stderr).unwrap();
    assert!(ran.code == Some(1) && error["level"] == "ERROR", "{ran:?}");
    assert!(error["message"].as_str().unwrap().contains("server.bind"), "{ran:?}");
    assert_eq!(server.stop(), (Some(0), String::new()), "there was no other line");
}

#[test]
fn health_tells_whether_this_server_is_ready() {
    let certified = rcgen::generate_simple_self_signed(vec!["auth.example.com".to_owned()]).unwrap();
    for tls in [false, true] {
        let mut bench = Bench::new().with("FICHA__SERVER__ISSUER", "https://auth.example.com");
        bench.write("certificate.pem", &certified.cert.pem());
        bench.write("key.pem", &certified.signing_key.serialize_pem());
        if tls {
            bench = bench
                .with("FICHA__SERVER__TLS__CERTIFICATE", "certificate.pem")
                .with("FICHA__SERVER__TLS__KEY", "key.pem");
        }
        let server = bench.serve_into(Stdio::null(), Stdio::null());
        let port = server.address.port();
        let health = |arguments: &[&str], bind: &str| {
            let setting = format!("FICHA__SERVER__BIND={bind}:{port}");
            bench.shell(&format!("env {setting} \"$0\" health {}", arguments.join(" ")))
        };
        assert_eq!(health(&[], "127.0.0.1").good().stdout, "ready\n");
        assert_eq!(health(&[], "0.0.0.0").good().stdout, "ready\n", "the address for all interfaces is loopback too");
        assert_eq!(health(&["--live"], "127.0.0.1").good().stdout, "live\n");
        // While it drains, it is live and not ready.
        server.signal("TERM");
        crate::bench::until("it is not ready", || health(&[], "127.0.0.1").code == Some(1));
        health(&[], "127.0.0.1").refused(&["not healthy", "503", "the server is stopping"]);
        assert_eq!(health(&["--live"], "127.0.0.1").good().stdout, "live\n");
        server.kill();
        health(&[], "127.0.0.1").refused(&["not healthy", "does not answer", "refused"]);
    }
}

#[test]
fn metrics_may_have_an_address_of_their_own() {
    let bench = Bench::new().with("FICHA__SERVER__METRICS_BIND", "127.0.0.1:0");
    let server = bench.serve();
    let line: Value = serde_json::from_str(&server.logged(&["metrics are served"])).unwrap();
    let metrics = line["address"].as_str().unwrap().parse().unwrap();
    for path in ["/metrics", "/%6detrics", "//metrics"] {
        assert_eq!(server.get(path, "").0, 404, "{path}");
    }
    let status = |address, path: &str| {
        crate::bench::exchange(address, &format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")).0
    };
    assert_eq!(status(metrics, "/metrics"), 200);
    assert_eq!(status(metrics, "/health/ready"), 200);
    assert_eq!(status(metrics, "/users/me"), 404, "nothing else is served there");
    assert_eq!(status(server.address, "/health/ready"), 200);
    assert_eq!(server.stop().0, Some(0));
}

#[test]
fn the_admin_api_may_have_an_address_of_its_own() {
    let bench = Bench::new().with("FICHA__ADMIN__BIND", "127.0.0.1:0");
    bench.add_user("chief", &["--scope", "ficha:admin"]);
    let server = bench.serve();
    let line: Value = serde_json::from_str(&server.logged(&["the admin API and the console"])).unwrap();
    let (address, at) = (line["address"].as_str().unwrap(), line["at"].as_str().unwrap());
    assert_eq!(at, format!("http://{address}"), "a loopback address is its own name");
    assert_eq!((server.get("/api/v1/sessions", "x").0, server.get("/api/v1/me", "x").0), (404, 401));
    let issuer = format!("http://{}", server.address);
    let run = |command: &[&str], input: &str| {
        bench.run_with_input(&[command, &["--token-file", "admin.json"]].concat(), input)
    };
    let login = ["login", "--admin", "--server", &issuer, "--user", "chief", "--password-stdin"];
    run(&login, PASSWORD).good();
    let list = ["session", "list", "--server", &issuer];
    run(&list, "").refused(&["404", "--admin-origin"]);
    for wrong in ["http://admin.example.com", "not an origin", &format!("{at}/path")] {
        run(&[&list[..], &["--admin-origin", wrong]].concat(), "").refused(&["origin of the admin API"]);
    }
    assert!(run(&[&list[..], &["--admin-origin", at]].concat(), "").good().stdout.contains("chief"));
    assert_eq!(server.stop().0, Some(0));
}

#[test]
fn servers_on_one_database_that_differ_say_so() {
    let bench = Bench::new().with("FICHA__SERVER__ISSUER", "http://127.0.0.1:8080");
    let first = bench.serve();
    let bench = bench.with("FICHA__TOKEN__ACCESS_TTL", "5m");
    let second = bench.serve();
    second.logged(&["WARN", "another server", "token.access_ttl is 300 s here and 600 s there"]);
    drop(first);
}

#[test]
fn systemd_is_told_when_the_server_is_ready_and_when_it_stops() {
    let bench = Bench::new();
    let path = bench.path("notify");
    let socket = UnixDatagram::bind(&path).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    let bench = bench.with("NOTIFY_SOCKET", path.to_str().unwrap());
    let server = bench.serve();
    let told = || {
        let mut message = [0; 256];
        let length = socket.recv(&mut message).unwrap();
        String::from_utf8(message[..length].to_vec()).unwrap()
    };
    assert_eq!(told().trim_end(), "READY=1");
    assert_eq!(server.stop().0, Some(0));
    assert_eq!(told().trim_end(), "STOPPING=1");
}

#[test]
fn the_second_start_prints_nothing() {
    let bench = Bench::new();
    let first = bench.serve();
    let password = first.first_password();
    assert_eq!(password.len(), 24);
    assert_eq!(first.stop().0, Some(0));
    let second = bench.serve();
    assert_eq!(second.stop(), (Some(0), String::new()));
}

#[test]
fn a_deleted_admin_stays_deleted() {
    let bench = Bench::new();
    bench.serve().stop();
    bench.run(&["user", "delete", "admin"]).good();
    bench.serve().stop();
    assert_eq!(bench.json(&["user", "list", "--json"]).as_array().unwrap().len(), 0);
}

#[test]
fn sigterm_ends_the_server_while_a_connection_is_open() {
    let bench = Bench::new();
    let server = bench.serve();
    let _idle = TcpStream::connect(server.address).unwrap();
    assert_eq!(server.stop().0, Some(0));
}

#[test]
fn sighup_reads_the_log_level_again_and_ends_nothing() {
    let bench = Bench::new();
    let file = bench.path("ficha.toml");
    std::fs::write(&file, "[log]\nlevel = \"info\"\n").unwrap();
    let server = bench.serve_with(&["--config", file.to_str().unwrap()]);
    let hang_up = || server.signal("HUP");
    hang_up();
    server.logged(&["SIGHUP", "log.level"]);
    std::fs::write(&file, "[log]\nlevel = \"loud\"\n").unwrap();
    hang_up();
    server.logged(&["SIGHUP", "can't be used", "log.level"]);
    std::fs::write(&file, "[log]\nlevel = \"debug\"\n").unwrap();
    hang_up();
    server.logged(&["SIGHUP", "read again"]);
    assert_eq!(server.get("/health/ready", "").0, 200);
    let log = server.stop_and_read_log();
    assert!(log.iter().any(|line| line.contains("DEBUG")), "{log:#?}");
}

#[cfg(target_os = "linux")]
#[test]
fn the_server_raises_its_limit_of_open_files_to_the_hard_limit() {
    // Two thousand followers do not fit under the usual soft limit.
    let bench = Bench::new();
    let server = bench.serve();
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", server.id())).unwrap();
    let line = limits.lines().find(|line| line.starts_with("Max open files")).unwrap();
    let numbers: Vec<&str> = line.split_whitespace().skip(3).take(2).collect();
    assert_eq!(numbers[0], numbers[1], "{line}");
}

#[test]
fn sigterm_answers_held_polls() {
    let bench = Bench::new();
    let server = bench.serve();
    let (status, page) = server.get("/denylist", "");
    assert_eq!(status, 401, "a bearer token does not authenticate a client: {page}");
    let get = |query: &str| {
        use std::io::{Read, Write};
        let mut stream = TcpStream::connect(server.address).unwrap();
        write!(stream, "GET /denylist?{query} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").unwrap();
        std::thread::spawn(move || {
            let mut answer = String::new();
            stream.read_to_string(&mut answer).unwrap();
            answer
        })
    };
    let first = get("").join().unwrap();
    let page: Value = serde_json::from_str(first.split_once("\r\n\r\n").unwrap().1).unwrap();
    let cursor = page["cursor"].as_str().unwrap();
    let held: Vec<_> = (0..5).map(|_| get(&format!("after={cursor}&wait=30"))).collect();
    std::thread::sleep(Duration::from_millis(500));
    assert!(held.iter().all(|poll| !poll.is_finished()));
    assert_eq!(server.stop().0, Some(0));
    for poll in held {
        let answer = poll.join().unwrap();
        assert!(answer.starts_with("HTTP/1.1 200 ") && answer.contains("\"entries\":[]"), "{answer}");
    }
}

#[test]
fn a_user_added_before_the_first_start_is_there_after_it() {
    let bench = Bench::new();
    bench.add_user("alice", &["--scope", "notes:read"]);
    bench.add_user("admin", &[]);
    let server = bench.serve();
    let notice: Value = serde_json::from_str(&server.printed(|_| true)).unwrap();
    assert!(notice["message"].as_str().unwrap().contains("the user admin already exists"), "{notice}");
    assert_eq!(notice["password"], Value::Null);
    let (status, answer) = server.log_in("alice", "&scope=notes:read");
    assert_eq!(status, 200, "{answer}");
    assert_eq!(answer["scope"], "notes:read");
}

#[test]
fn a_running_server_picks_up_the_changes_of_commands() {
    let bench = Bench::new();
    let server = bench.serve();
    assert_eq!(server.log_in("alice", "").0, 400);
    bench.add_user("alice", &[]);
    let (status, answer) = server.log_in("alice", "");
    assert_eq!(status, 200, "{answer}");
    let added = bench.json(&["client", "add", "notes-app", "--public", "--json"]);
    assert_eq!(added["client_id"], "notes-app");
    assert_eq!(server.log_in("alice", "&client_id=notes-app").0, 200);
}

#[test]
fn only_the_owner_can_read_the_master_key_and_the_database() {
    use std::os::unix::fs::PermissionsExt;
    let bench = Bench::new();
    bench.serve().stop();
    for name in ["data/master.key", "data/ficha.db"] {
        let mode = std::fs::metadata(bench.path(name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
}

#[test]
fn logs_are_json_if_configured() {
    // `serve` itself parses the log: a line that is not JSON fails it.
    let bench = Bench::new();
    bench.serve().stop();
    let ran = bench.run(&["user", "list"]).good();
    assert_eq!(ran.stderr, "");
}
