//! `ficha audit`, and events on standard output.

use std::time::Duration;

use serde_json::Value;

use crate::bench::Bench;

fn lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))).collect()
}

fn names(events: &[Value]) -> Vec<&str> {
    events.iter().map(|event| event["event"].as_str().unwrap()).collect()
}

#[test]
fn events_are_listed_exported_and_verified_beside_a_server_and_without_one() {
    let bench = Bench::new();
    bench.add_user("alice", &["--scope", "notes:read"]);
    // Before the first start there is no key for the chain.
    bench.run(&["audit", "list"]).good();
    let server = bench.serve();
    assert_eq!(server.log_in("alice", "").0, 200);
    assert_eq!(server.log_in("nobody", "").0, 400);
    let all = lines(&bench.run(&["audit", "export"]).good().stdout);
    for name in ["scope.declared", "user.created", "client.created", "login.succeeded", "login.failed"] {
        assert!(names(&all).contains(&name), "{name}: {all:?}");
    }
    let numbers: Vec<_> = all.iter().map(|event| event["number"].as_u64().unwrap()).collect();
    assert_eq!(numbers, (1..=all.len() as u64).collect::<Vec<_>>());
    // Who ran the command is the account of the operating system.
    let created = all.iter().find(|event| event["event"] == "user.created" && event["actor"]["kind"] == "cli").unwrap();
    assert!(!created["actor"]["name"].as_str().unwrap().is_empty());
    assert_eq!(created["detail"]["after"]["name"], "alice");

    let last = all.last().unwrap();
    let noted = format!("{}:{}", last["number"], last["hash"].as_str().unwrap());
    assert_eq!(server.stop().0, Some(0));
    // Without a server, the command gives the numbers.
    bench.run(&["user", "disable", "alice"]).good();
    let newer = lines(&bench.run(&["audit", "export", "--after", &last["number"].to_string()]).good().stdout);
    assert_eq!(names(&newer), ["user.disabled", "sessions.revoked"]);
    let listed = bench.json(&["audit", "list", "--user", "alice", "--limit", "2", "--json"]);
    assert_eq!(names(listed.as_array().unwrap()), ["sessions.revoked", "user.disabled"]);
    let table = bench.run(&["audit", "list", "--event", "user.", "--limit", "1"]).good().stdout;
    assert!(table.contains("user.disabled") && table.lines().count() == 2, "{table}");
    let verified = bench.run(&["audit", "verify", "--expect", &noted]).good().stdout;
    assert!(verified.contains("the log is intact"), "{verified}");
    let verified = bench.json(&["audit", "verify", "--json"]);
    assert_eq!((verified["intact"].as_bool(), verified["events"].as_u64()), (Some(true), Some(all.len() as u64 + 2)));
    let ran = bench.run(&["audit", "verify", "--expect", "1:000000000000"]);
    assert_eq!(ran.code, Some(1));
    assert!(ran.stdout.contains("event 1 is not in the log") && ran.stderr.contains("damaged"), "{ran:?}");
    bench.run(&["audit", "list", "--user", "nosuch"]).refused(&["there is no user \"nosuch\""]);
    assert_eq!(bench.run(&["audit", "verify", "--expect", "1"]).code, Some(2));
}

#[test]
fn events_go_to_standard_output_if_that_is_set() {
    let bench = Bench::new().with("FICHA__LOG__EVENTS", "stdout");
    bench.add_user("alice", &[]);
    bench.run(&["migrate"]).good();
    let server = bench.serve();
    assert_eq!(server.log_in("alice", "").0, 200);
    // They are written when they have their numbers.
    std::thread::sleep(Duration::from_millis(900));
    let (code, printed) = server.stop();
    assert_eq!(code, Some(0));
    let printed: String =
        printed.lines().filter(|line| line.starts_with("{\"number\"")).map(|line| format!("{line}\n")).collect();
    let exported = bench.run(&["audit", "export"]).good().stdout;
    assert_eq!(printed, exported);
    assert!(exported.contains("login.succeeded"));
}
