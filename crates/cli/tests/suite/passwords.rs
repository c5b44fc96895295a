//! Sources of a new password.

use crate::bench::{Bench, PASSWORD};

/// `a quiet harbour at dusk`, bcrypt cost 4.
const HASH: &str = "$2b$04$abcdefghijklmnopqrstuupTFg8QlJCEYuJ/lauzBeSt/lhscQDq.";

#[test]
fn without_a_terminal_a_password_must_be_piped_in() {
    let bench = Bench::new();
    bench.run(&["user", "add", "alice"]).refused(&["--password-stdin"]);
    assert!(!bench.path("data").exists());
}

#[test]
fn one_trailing_newline_of_piped_input_is_dropped() {
    let bench = Bench::new();
    for (name, input) in [("a", format!("{PASSWORD}\n")), ("b", format!("{PASSWORD}\r\n")), ("c", PASSWORD.to_owned())]
    {
        bench.run_with_input(&["user", "add", name, "--password-stdin"], &input).good();
    }
    let server = bench.serve();
    for name in ["a", "b", "c"] {
        assert_eq!(server.log_in(name, "").0, 200, "{name}");
    }
}

#[test]
fn a_weak_password_is_refused_and_no_user_is_added() {
    let bench = Bench::new();
    bench.run_with_input(&["user", "add", "alice", "--password-stdin"], "short").refused(&["15 characters"]);
    bench.run_with_input(&["user", "add", "alice", "--password-stdin"], "").refused(&["empty"]);
    bench.run(&["migrate"]).good();
    assert_eq!(bench.json(&["user", "list", "--json"]).as_array().unwrap().len(), 0);
}

#[test]
fn a_hash_of_another_system_can_be_imported() {
    let bench = Bench::new();
    bench.run(&["user", "add", "alice", "--password-hash", HASH]).good();
    bench.run(&["user", "add", "bob", "--password-hash", "md5"]).refused(&["--password-hash", "not a password hash"]);
    assert_eq!(bench.serve().log_in("alice", "").0, 200);
}

#[test]
fn a_new_password_ends_the_sessions_made_with_the_old_one() {
    let bench = Bench::new();
    bench.add_user("alice", &[]);
    let server = bench.serve();
    assert_eq!(server.log_in("alice", "").0, 200);
    let ran =
        bench.run_with_input(&["user", "set-password", "alice", "--password-stdin"], "another quiet harbour").good();
    assert!(ran.stdout.contains("1 session ended"), "{ran:?}");
    assert_eq!(server.log_in("alice", "").0, 400);
    bench.run(&["user", "set-password", "nobody", "--password-stdin"]).refused(&["no user \"nobody\""]);
}
