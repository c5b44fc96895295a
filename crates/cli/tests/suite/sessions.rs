//! Listing and revoking sessions.

use crate::bench::{Bench, Serving};

fn with_alice() -> (Bench, Serving) {
    let bench = Bench::new();
    bench.add_user("alice", &[]);
    let server = bench.serve();
    (bench, server)
}

/// Logs in, and returns the access token and the refresh token.
fn log_in(server: &Serving) -> (String, String) {
    let (status, answer) = server.log_in("alice", "");
    assert_eq!(status, 200, "{answer}");
    let text = |name: &str| answer[name].as_str().unwrap().to_owned();
    (text("access_token"), text("refresh_token"))
}

/// Waits until the token is refused: the server picks up changes of the database a moment later.
fn refused_soon(server: &Serving, token: &str) -> bool {
    (0..100).any(|_| {
        std::thread::sleep(std::time::Duration::from_millis(50));
        server.get("/users/me", token).0 == 401
    })
}

#[test]
fn a_session_is_listed_shown_and_revoked() {
    let (bench, server) = with_alice();
    let (access, refresh) = log_in(&server);
    let list = bench.json(&["session", "list", "--user", "alice", "--json"]);
    let session = &list[0];
    assert_eq!((session["user"]["name"].as_str(), session["state"].as_str()), (Some("alice"), Some("live")), "{list}");
    assert_eq!(session["client_id"], "first-party");
    let id = session["id"].as_str().unwrap();
    assert_eq!(bench.json(&["session", "show", id, "--json"])["id"], id);
    let ran = bench.run(&["session", "revoke", id]).good();
    assert_eq!(ran.stdout, "1 session ended\n");
    assert_eq!(bench.run(&["session", "revoke", id]).good().stdout, "no sessions ended\n");
    assert!(refused_soon(&server, &access));
    assert_eq!(server.post("/token", &format!("grant_type=refresh_token&refresh_token={refresh}")).0, 400);
    assert_eq!(bench.json(&["session", "list", "--json"]).as_array().unwrap().len(), 0);
    let ended = bench.json(&["session", "list", "--ended", "--json"]);
    assert_eq!((&ended[0]["state"], &ended[0]["ended"]["reason"]), (&"revoked".into(), &"admin".into()), "{ended}");
}

#[test]
fn a_list_has_pages_and_a_count() {
    let (bench, server) = with_alice();
    let tokens: Vec<_> = (0..5).map(|_| log_in(&server)).collect();
    assert_eq!(server.post("/revoke", &format!("token={}", tokens[0].1)).0, 200);
    let ids = |arguments: &[&str]| -> Vec<String> {
        let list = bench.json(&[&["session", "list", "--json"], arguments].concat());
        list.as_array().unwrap().iter().map(|session| session["id"].as_str().unwrap().to_owned()).collect()
    };
    let all = ids(&[]);
    assert_eq!(all.len(), 4);
    assert_eq!(ids(&["--limit", "3"]), all[..3]);
    assert_eq!(ids(&["--limit", "3", "--after", &all[2]]), all[3..]);
    assert_eq!(ids(&["--after", &all[3]]), [""; 0]);
    assert_eq!(bench.run(&["session", "list", "--count"]).good().stdout, "4\n");
    assert_eq!(bench.run(&["session", "list", "--count", "--ended", "--user", "alice"]).good().stdout, "5\n");
    assert_eq!(bench.json(&["session", "list", "--count", "--json", "--client", "first-party"])["count"], 4);
    for count in [&[][..], &["--count"]] {
        let list = ["session", "list", "--client", "nosuch"];
        bench.run(&[&list[..], count].concat()).refused(&["there is no client \"nosuch\""]);
    }
    assert_eq!(bench.run(&["session", "list", "--limit", "0"]).code, Some(2));
}

#[test]
fn a_user_s_and_a_client_s_sessions_are_revoked() {
    let (bench, server) = with_alice();
    let (first, _) = log_in(&server);
    let ran = bench.run(&["session", "revoke", "--user", "alice"]).good();
    assert_eq!(ran.stdout, "user alice: 1 session ended\n");
    assert!(refused_soon(&server, &first));
    let (second, _) = log_in(&server);
    let ran = bench.run(&["session", "revoke", "--client", "first-party"]).good();
    assert_eq!(ran.stdout, "client first-party: 1 session ended\n");
    assert!(refused_soon(&server, &second));
    bench.run(&["session", "revoke", "--user", "nobody"]).refused(&["there is no user"]);
    bench.run(&["session", "revoke", "--client", "nobody"]).refused(&["there is no client"]);
}

#[test]
fn everything_is_revoked_only_after_confirmation() {
    let (bench, server) = with_alice();
    let (access, refresh) = log_in(&server);
    for command in [&["session", "revoke", "--all"][..], &["key", "purge"], &["recover"]] {
        bench.run(command).refused(&["log in again", "--yes"]);
    }
    assert_eq!(server.get("/users/me", &access).0, 200);
    let said = bench.run(&["recover", "--yes"]).good().stdout;
    for word in ["all keys were replaced", "has recorded is from 20", "can't restore it: disabled users"] {
        assert!(said.contains(word), "{word:?} is missing in {said}");
    }
    assert!(refused_soon(&server, &access));
    assert_eq!(server.post("/token", &format!("grant_type=refresh_token&refresh_token={refresh}")).0, 400);
    let ended = bench.json(&["session", "list", "--ended", "--json"]);
    assert_eq!(ended[0]["ended"]["reason"], "purge", "{ended}");
    // The running server uses the new keys.
    let (access, _) = log_in(&server);
    assert_eq!(server.get("/users/me", &access).0, 200);
    for command in [&["session", "revoke", "--all", "--yes"][..], &["key", "purge", "--yes"]] {
        bench.run(command).good();
    }
    assert!(refused_soon(&server, &access));
}

#[test]
fn with_a_shared_secret_everything_but_access_tokens_is_revoked_and_the_output_says_so() {
    let secret = "3f9a1d0c5b7e48261f0d9c8b7a6e5d4c3f9a1d0c5b7e48261f0d9c8b7a6e5d4c";
    let bench = Bench::new().with("FICHA__TOKEN__SECRET_KEY", secret);
    bench.add_user("alice", &[]);
    let server = bench.serve();
    for command in [&["session", "revoke", "--all"][..], &["key", "purge"], &["recover"]] {
        let (access, refresh) = log_in(&server);
        bench.run(command).refused(&["log in again", "until they expire", "--yes"]);
        let ran = bench.run(&[command, &["--yes"]].concat()).good();
        assert!(ran.stdout.contains("within 600 s") && ran.stdout.contains("token.secret_key"), "{ran:?}");
        assert_eq!(server.post("/token", &format!("grant_type=refresh_token&refresh_token={refresh}")).0, 400);
        assert_eq!(server.get("/users/me", &access).0, 200);
        let ended = bench.json(&["session", "list", "--ended", "--json"]);
        assert_eq!(ended[0]["ended"]["reason"], "purge", "{ended}");
    }
    let (access, refresh) = log_in(&server);
    assert_eq!(server.get("/users/me", &access).0, 200);
    assert_eq!(server.post("/token", &format!("grant_type=refresh_token&refresh_token={refresh}")).0, 200);
}

#[test]
fn revoked_tokens_are_still_refused_after_kill_9_and_a_restart() {
    // The second start uses another port. The issuer must not change with it, or the tokens would be invalid.
    let bench = Bench::new().with("FICHA__SERVER__ISSUER", "http://127.0.0.1:8080");
    bench.add_user("alice", &[]);
    let server = bench.serve();
    let (revoked, _) = log_in(&server);
    let (logged_out, _) = log_in(&server);
    let (kept, kept_refresh) = log_in(&server);
    assert_eq!(server.post("/revoke", &format!("token={revoked}")).0, 200);
    let (_, refresh_of_the_other) = log_in(&server);
    assert_eq!(server.post("/revoke", &format!("token={refresh_of_the_other}")).0, 200);
    assert_eq!(server.log_out(&logged_out), 204);
    server.kill();
    let server = bench.serve();
    assert_eq!(server.get("/users/me", &revoked).0, 401);
    assert_eq!(server.get("/users/me", &logged_out).0, 401);
    assert_eq!(server.post("/token", &format!("grant_type=refresh_token&refresh_token={refresh_of_the_other}")).0, 400);
    assert_eq!(server.get("/users/me", &kept).0, 200);
    assert_eq!(server.post("/token", &format!("grant_type=refresh_token&refresh_token={kept_refresh}")).0, 200);
}
