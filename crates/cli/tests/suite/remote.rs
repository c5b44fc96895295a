//! `ficha login --admin`, and `ficha session … --server`: administration from afar.

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
    let login =
        ["login", "--admin", "--issuer", &issuer, "--username", "chief", "--password-stdin", "--token-file", FILE];
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
    for user in ["--user", "--client"] {
        assert_eq!(run(&["session", "revoke", user, "nobody"]).good().stdout, "no sessions ended\n");
    }
    run(&["session", "revoke", "--filter", "user=alice", "--filter", "user=chief", "--yes"]).refused(&["given twice"]);
    run(&["session", "show", "00000000-0000-0000-0000-000000000001"]).refused(&["Not found"]);
    run(&["session", "list", "--filter", "nosuch=1"]).refused(&["nosuch", "no such parameter"]);
    run(&["session", "revoke", "--all"]).refused(&["--all", "own machine"]);
    let out = afar.run(&["logout", "--admin", "--token-file", FILE]).good().stdout;
    assert_eq!(out, format!("logged out at {issuer}\n"));
    run(&["session", "list"]).refused(&["not signed in", "ficha login --admin"]);
}

#[test]
fn who_may_not_is_told_so_and_who_is_signed_in_elsewhere_too() {
    let (_bench, _server, afar, issuer) = signed_in("ficha:audit");
    let list = ["session", "list", "--token-file", FILE];
    afar.run(&[&list[..], &["--server", &issuer]].concat()).refused(&["does not allow this"]);
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
