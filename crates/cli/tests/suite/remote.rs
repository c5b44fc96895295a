//! `ficha login --admin`, and `ficha session … --server`: administration from afar.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};

use crate::bench::{Bench, PASSWORD, Serving};

/// Tokens are stored in the working directory, which no other test uses.
const FILE: &str = "admin.json";

/// A server with the users alice and chief, and another folder without any database, where chief has signed in.
fn signed_in(scopes: &str) -> (Bench, Serving, Bench, String) {
    let bench = Bench::new();
    bench.add_user("alice", &["--scope", "notes:read"]);
    bench.add_user("chief", &["--scope", scopes]);
    let server = bench.serve();
    let issuer = format!("http://{}", server.address);
    let afar = Bench::new();
    let login = ["login", "--admin", "--server", &issuer, "--user", "chief", "--password-stdin", "--token-file", FILE];
    let said = afar.run_with_input(&login, PASSWORD).good().stdout;
    assert!(scopes.split(' ').all(|name| said.contains(name)), "{said}");
    (bench, server, afar, issuer)
}

#[test]
fn a_session_is_found_and_ended_from_afar_with_the_same_output() {
    let (bench, server, afar, issuer) = signed_in("ficha:sessions ficha:audit");
    let alice = server.log_in("alice", "").1["access_token"].as_str().unwrap().to_owned();
    server.log_in("alice", "");
    let at = |arguments: &[&str]| -> Vec<String> {
        let more = ["--server", &issuer, "--token-file", FILE];
        arguments.iter().chain(&more).map(|text| (*text).to_owned()).collect()
    };
    let run = |arguments: &[&str]| {
        let all = at(arguments);
        afar.run(&all.iter().map(String::as_str).collect::<Vec<_>>())
    };
    for list in [&["session", "list", "--user", "alice"][..], &["session", "list", "--filter", "user=alice", "--ended"]]
    {
        let here = bench.run(list).good().stdout;
        assert_eq!(run(list).good().stdout, here);
        assert_eq!(here.lines().count(), 3, "{here}");
    }
    assert_eq!(run(&["session", "list", "--user", "alice", "--count"]).good().stdout, "2\n");
    let list = run(&["session", "list", "--user", "alice", "--json", "--limit", "1"]).good().stdout;
    let list: serde_json::Value = serde_json::from_str(&list).unwrap();
    assert_eq!(list.as_array().unwrap().len(), 1, "{list}");
    let id = list[0]["id"].as_str().unwrap();
    assert!(run(&["session", "show", id]).good().stdout.contains("alice"));
    assert_eq!(run(&["session", "revoke", id]).good().stdout, "1 session ended\n");
    assert_eq!(run(&["session", "revoke", id]).good().stdout, "no sessions ended\n");
    // What fits is counted and confirmed first.
    run(&["session", "revoke", "--filter", "user=alice"]).refused(&["2 sessions fit", "--yes"]);
    assert_eq!(server.get("/users/me", &alice).0, 200);
    let done = run(&["session", "revoke", "--filter", "user=alice", "--yes", "--json"]).good().stdout;
    let done: serde_json::Value = serde_json::from_str(&done).unwrap();
    assert_eq!((&done["revoked"], &done["receipt"]["complete"]), (&1.into(), &true.into()), "{done}");
    assert_eq!(server.get("/users/me", &alice).0, 401);
    run(&["session", "revoke", "--user", "nobody"]).refused(&["user", "ficha user list"]);
    let said = run(&["session", "revoke", "--client", "first-party"]).good().stdout;
    assert_eq!(said, "client first-party: no sessions ended\n");
    assert_eq!(run(&["session", "revoke", "--user", "alice"]).good().stdout, "user alice: no sessions ended\n");
    run(&["session", "revoke", "--filter", "user=alice", "--filter", "user=chief", "--yes"]).refused(&["given twice"]);
    run(&["session", "show", "00000000-0000-0000-0000-000000000001"]).refused(&["no such session"]);
    run(&["session", "list", "--filter", "nosuch=1"]).refused(&["nosuch", "no such parameter"]);
    run(&["session", "revoke", "--all"]).refused(&["every token issued so far", "--yes"]);
    let out = afar.run(&["logout", "--admin", "--token-file", FILE]).good().stdout;
    assert_eq!(out, format!("logged out at {issuer}\n"));
    run(&["session", "list"]).refused(&["not signed in", "ficha login --admin"]);
}

#[test]
fn who_may_not_is_told_so_and_who_is_signed_in_elsewhere_too() {
    let (_bench, _server, afar, issuer) = signed_in("ficha:audit");
    let list = ["session", "list", "--token-file", FILE];
    afar.run(&[&list[..], &["--server", &issuer]].concat()).refused(&["not allowed"]);
    afar.run(&[&list[..], &["--server", "http://127.0.0.1:1"]].concat()).refused(&["signed in at", &issuer]);
}

#[test]
fn the_same_filter_ends_sessions_on_the_server_s_own_machine() {
    let bench = Bench::new();
    bench.add_user("alice", &["--scope", "notes:read"]);
    let server = bench.serve();
    for _ in 0..2 {
        server.log_in("alice", "");
    }
    let filter = ["session", "revoke", "--filter", "user=alice", "--filter", "state=live"];
    bench.run(&filter).refused(&["2 sessions fit"]);
    assert_eq!(bench.run(&[&filter[..], &["--yes"]].concat()).good().stdout, "2 sessions ended\n");
    bench.run(&["session", "revoke", "--filter", "state=live", "--yes"]).refused(&["name a user, a client"]);
    bench.run(&["session", "list", "--filter", "what"]).code.filter(|code| *code == 2).unwrap();
}

/// One command after another, here and from afar, each with the same output.
#[test]
fn users_clients_scopes_and_keys_are_managed_from_afar_with_the_same_output() {
    let (bench, server, afar, issuer) = signed_in("ficha:admin");
    let run = |line: &[&str]| {
        let all = [line, &["--server", &issuer, "--token-file", FILE]].concat();
        afar.run(&all)
    };
    let same = |line: &[&str]| {
        let here = bench.run(line).good().stdout;
        assert_eq!(run(line).good().stdout, here, "{line:?}");
        here
    };
    assert_eq!(
        run(&["scope", "add", "notes:admin", "--description", "All notes"]).good().stdout,
        "scope notes:admin added\n"
    );
    assert!(same(&["scope", "list"]).contains("All notes"));
    let hash = "$2b$04$s.2BA/eSMdb2ueeNfURDYOdVyGc/JrdLBPZGNNLri05M9HwgRAX1a";
    let add = ["user", "add", "bea", "--password-hash", hash, "--scope", "notes:admin", "--email", "bea@example.com"];
    assert_eq!(run(&add).good().stdout, "user bea added\n");
    run(&add).refused(&["already exists"]);
    assert!(same(&["user", "list"]).contains("bea@example.com"));
    same(&["user", "show", "bea", "--json"]);
    let form = "grant_type=password&username=bea&password=correct+horse+battery+staple";
    let session = server.post("/token", form).1["access_token"].as_str().unwrap().to_owned();
    let set = ["user", "set", "bea", "--role", "editor", "--email", "", "--scope", ""];
    let said = run(&set).good().stdout;
    assert!(
        said.starts_with("user bea changed; 1 session ended\n") && said.contains("roles   - -> editor\n"),
        "{said}"
    );
    assert_eq!(server.get("/users/me", &session).0, 401);
    same(&["user", "show", "bea"]);
    for (verb, says) in
        [("disable", "disabled"), ("enable", "enabled"), ("unlock", "no failed logins"), ("delete", "deleted")]
    {
        assert!(run(&["user", verb, "bea"]).good().stdout.contains(says), "{verb}");
    }
    run(&["user", "show", "bea"]).refused(&["no such user"]);
    for (option, what) in [("--user", "no such user"), ("--client", "no such client")] {
        for command in [&["session", "revoke"][..], &["session", "list"], &["session", "list", "--count"]] {
            run(&[command, &[option, "nobody"]].concat()).refused(&[what]);
        }
    }
    let made = run(&["client", "add", "shop", "--scope", "any", "--json"]).good().stdout;
    let made: serde_json::Value = serde_json::from_str(&made).unwrap();
    let renewed = run(&["client", "add-secret", "shop", "--keep-old", "1h", "--json"]).good().stdout;
    let renewed: serde_json::Value = serde_json::from_str(&renewed).unwrap();
    assert_ne!(made["client_secret"], renewed["client_secret"]);
    let shown = run(&["client", "show", "shop", "--json"]).good().stdout;
    let shown: serde_json::Value = serde_json::from_str(&shown).unwrap();
    let secrets = shown["secrets"].as_array().unwrap();
    let old = secrets.iter().find(|secret| secret["expires_at"].is_string()).unwrap()["id"].as_str().unwrap();
    assert!(run(&["client", "delete-secret", "shop", old]).good().stdout.contains("deleted"));
    // In place of all others.
    run(&["client", "add-secret", "shop"]).good();
    assert_eq!(bench.json(&["client", "show", "shop", "--json"])["secrets"].as_array().unwrap().len(), 1);
    let said = run(&["client", "set", "shop", "--scope", "notes:admin"]).good().stdout;
    assert_eq!(said, "client shop changed; no sessions ended\nscopes  any -> notes:admin\n");
    assert!(same(&["client", "list"]).contains("shop"));
    let said = run(&["client", "set", "shop", "--public"]).good().stdout;
    assert_eq!(said, "client shop changed; no sessions ended\npublic  no -> yes\n");
    let made = run(&["client", "set", "shop", "--public=false", "--json"]).good().stdout;
    let made: serde_json::Value = serde_json::from_str(&made).unwrap();
    assert!(made["public"] == false && made["client_secret"] == made["secret"] && made["secret"].is_string(), "{made}");
    for verb in ["disable", "enable", "delete"] {
        run(&["client", verb, "shop"]).good();
    }
    assert_eq!(run(&["scope", "delete", "notes:admin"]).good().stdout, "scope notes:admin deleted\n");
    assert!(run(&["key", "rotate"]).good().stdout.contains("published"));
    same(&["key", "list"]);
    let events = run(&["audit", "list", "--event", "user.", "--user", "alice"]).good().stdout;
    assert!(events.contains("user.created"), "{events}");
    for verb in ["list", "export"] {
        run(&["audit", verb, "--user", "nobody"]).refused(&["no such user"]);
    }
    // Here first: that waits until the latest events have their numbers, and without one an event isn't served.
    let exported = same(&["audit", "export", "--event", "client."]);
    assert!(exported.lines().count() >= 6, "{exported}");
    run(&["audit", "verify"]).refused(&["own machine"]);
    run(&["key", "purge"]).refused(&["--yes"]);
    run(&["key", "purge", "--yes"]).good();
    run(&["user", "list"]).refused(&["ficha login"]);
}

#[test]
fn users_are_imported_here_and_from_afar() {
    let (bench, _server, afar, issuer) = signed_in("ficha:users");
    let hash = "$2b$04$s.2BA/eSMdb2ueeNfURDYOdVyGc/JrdLBPZGNNLri05M9HwgRAX1a";
    let file = |names: &[&str]| {
        let lines: String = names.iter().map(|name| format!("{name},{hash}\n")).collect();
        format!("name,password_hash\n{lines}")
    };
    bench.write("here.csv", &file(&["ana", "bea"]));
    assert_eq!(bench.run(&["user", "import", "here.csv"]).good().stdout, "users imported: 2; there already: 0\n");
    afar.write("there.csv", &file(&["bea", "cleo", ""]));
    let at = ["--server", &issuer, "--token-file", FILE];
    let ran = afar.run(&[&["user", "import", "there.csv"][..], &at].concat());
    assert!(ran.stdout.starts_with("users imported: 1; there already: 1\n"), "{}", ran.stdout);
    assert!(ran.stdout.contains("1 to 256 bytes"), "{}", ran.stdout);
    assert!(ran.code == Some(1) && ran.stderr.contains("1 line could not be used"), "{ran:?}");
    let list = ["job", "list"];
    let here = bench.run(&list).good().stdout;
    assert_eq!(afar.run(&[&list[..], &at].concat()).good().stdout, here);
    assert_eq!(here.lines().count(), 3, "{here}");
    let jobs = bench.json(&["job", "list", "--json"]);
    assert_eq!(
        (&jobs[0]["state"], &jobs[0]["by"]["name"], &jobs[0]["failed"]),
        (&"done".into(), &"chief".into(), &1.into())
    );
    let id = jobs[0]["id"].as_str().unwrap();
    let shown = bench.run(&["job", "show", id]).good().stdout;
    assert!(shown.contains("1 to 256 bytes"), "{shown}");
    assert_eq!(afar.run(&[&["job", "show", id][..], &at].concat()).good().stdout, shown);
    assert!(bench.run(&["job", "stop", id]).good().stdout.contains("is done"));
    let wrong = bench.run(&["user", "import", "here.csv", "--format", "jsonl"]);
    assert!(wrong.code == Some(1) && wrong.stderr.contains("3 lines could not be used"), "{wrong:?}");
    bench.run(&["user", "import", "nothing.csv"]).refused(&["can't be read"]);
    bench.write("users", &file(&["dan"]));
    bench.run(&["user", "import", "users"]).refused(&["--format"]);
}

/// As nginx does unless it is told otherwise: without a length, the server can't know whether there is a body.
#[test]
fn a_change_without_a_body_passes_a_proxy_that_speaks_http_1_0() {
    let proxy = TcpListener::bind("127.0.0.1:0").unwrap();
    let issuer = format!("http://{}", proxy.local_addr().unwrap());
    let bench = Bench::new().with("FICHA__SERVER__ISSUER", &issuer);
    bench.add_user("alice", &[]);
    bench.add_user("chief", &["--scope", "ficha:admin"]);
    let server = bench.serve();
    let address = server.address;
    std::thread::spawn(move || proxy.incoming().map_while(Result::ok).for_each(|client| downgrade(client, address)));
    let afar = Bench::new();
    let login = ["login", "--admin", "--server", &issuer, "--user", "chief", "--password-stdin", "--token-file", FILE];
    afar.run_with_input(&login, PASSWORD).good();
    let at = ["--server", &issuer, "--token-file", FILE];
    for command in [
        &["user", "unlock", "alice"][..],
        &["user", "disable", "alice"],
        &["key", "rotate"],
        &["user", "delete", "alice"],
    ] {
        afar.run(&[command, &at].concat()).good();
    }
}

/// Passes on one request as HTTP/1.0, and its answer.
fn downgrade(mut client: TcpStream, server: SocketAddr) {
    let (mut request, mut part) = (Vec::new(), [0; 4_096]);
    loop {
        let read = client.read(&mut part).unwrap_or(0);
        request.extend(&part[..read]);
        let text = String::from_utf8_lossy(&request).into_owned();
        let Some((head, body)) = text.split_once("\r\n\r\n") else { if read == 0 { return } else { continue } };
        let length =
            head.lines().find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse().ok());
        if read > 0 && body.len() < length.unwrap_or(0) {
            continue;
        }
        let head = head.replacen(" HTTP/1.1", " HTTP/1.0", 1);
        let mut upstream = TcpStream::connect(server).unwrap();
        write!(upstream, "{head}\r\nConnection: close\r\n\r\n{body}").unwrap();
        // Either end may be gone.
        let _ = std::io::copy(&mut upstream, &mut client);
        return;
    }
}
