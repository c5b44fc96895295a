//! Texts, files and terminals as they come: other editors, full disks, pipes, an interrupted prompt.

use std::process::Command;

use crate::bench::{Bench, PASSWORD};

#[test]
fn a_settings_file_of_an_editor_on_windows_is_read() {
    let bench = Bench::new();
    bench.write("ficha.toml", "\u{feff}[token]\r\naccess_ttl = \"5m\"\r\n");
    bench.write(".env", "\u{feff}FICHA__TOKEN__AUDIENCE=notes\r\nFICHA_CONFIG=ficha.toml \r\n");
    let shown = bench.run(&["config"]).good().stdout;
    assert!(shown.contains("\"5m\"") && shown.contains("\"notes\""), "{shown}");
}

#[test]
fn an_error_in_the_environment_file_names_the_line_and_not_its_text() {
    for (text, line) in [
        ("# settings\n\nFICHA__KEYS__MASTER_KEY=a b c 'hunter2\n", "line 3"),
        ("\u{feff}A=1\r\nhunter2\r\n", "line 2"),
        ("FICHA_CONFIG=x\nFICHA # hunter2\n", "line 2"),
        ("A=1\nFICHA__KEYS__MASTER_KEY=\"begins\nhunter2\n", "line 2"),
    ] {
        let bench = Bench::new();
        bench.write(".env", text);
        let ran = bench.run(&["serve"]);
        assert!(!ran.stderr.contains("hunter2"), "{ran:?}");
        ran.refused(&[".env", line]);
    }
}

#[test]
fn a_tilde_is_the_home_directory() {
    let bench = Bench::new();
    let home = bench.path("home");
    let bench = bench.with("HOME", home.to_str().unwrap()).with("FICHA__STORE__URL", "sqlite://~/ficha.db");
    let bench = bench.with("FICHA__KEYS__MASTER_KEY_FILE", "~/master.key");
    std::fs::create_dir(&home).unwrap();
    bench.run(&["migrate"]).good();
    assert!(home.join("ficha.db").is_file() && !bench.path("~").exists());
    let shown = bench.run(&["config"]).good().stdout;
    assert!(shown.contains(home.join("master.key").to_str().unwrap()), "{shown}");
    bench.run(&["--config=~/missing.toml", "config"]).refused(&[home.join("missing.toml").to_str().unwrap()]);
    bench.run(&["token", "show", "--token-file=~/t.json"]).refused(&["ficha login"]);
}

/// A secret that is shown once is lost with its output, so success must not be reported.
#[test]
fn a_change_whose_output_is_lost_fails_and_says_that_it_was_made() {
    let bench = Bench::new();
    bench.run(&["migrate"]).good();
    let is_made = |ran: crate::bench::Ran| {
        assert_eq!(ran.code, Some(1), "{ran:?}");
        assert!(ran.stderr.contains("the change was made"), "{ran:?}");
    };
    if cfg!(target_os = "linux") {
        is_made(bench.shell("\"$0\" client add on-full --grant password > /dev/full"));
        is_made(bench.shell("\"$0\" client add on-full-json --grant password --json > /dev/full"));
        is_made(bench.shell("\"$0\" client add-secret on-full > /dev/full"));
        let idle = bench.shell("\"$0\" migrate > /dev/full");
        assert!(idle.code == Some(1) && !idle.stderr.contains("was made"), "{idle:?}");
        // What only reads has changed nothing.
        let ran = bench.shell("\"$0\" client list > /dev/full");
        assert!(ran.code == Some(1) && !ran.stderr.contains("was made"), "{ran:?}");
    }
    // A reader that has gone: for a list that is its wish.
    is_made(bench.shell(
        "{ sleep 1; \"$0\" client add on-pipe --grant password; echo \"$?\" > code; } | true; exit $(cat code)",
    ));
    let code = bench.shell("{ sleep 1; \"$0\" client list; echo \"$?\" > code; } | true; exit $(cat code)").code;
    assert_eq!(code, Some(0));
    // What a check has found counts, although nobody reads it.
    bench.serve().stop();
    for check in ["config --check", "audit verify --expect 1:000000000000"] {
        let line = format!("{{ sleep 1; \"$0\" {check}; echo \"$?\" > code; }} | true; exit $(cat code)");
        assert_eq!(bench.shell(&line).code, Some(1), "{check}");
    }
    let all = bench.run(&["client", "list"]).good().stdout;
    assert!(["on-full", "on-full-json", "on-pipe"].iter().all(|id| all.contains(id)), "{all}");
}

#[test]
fn scopes_that_are_new_are_announced_and_lists_with_commas_questioned() {
    let bench = Bench::new();
    let add = |name: &str, scope: &str| {
        bench.run_with_input(&["user", "add", name, "--password-stdin", "--scope", scope], PASSWORD)
    };
    let first = add("alice", "notes:read notes:write").good();
    let scopes = "note: new scopes, declared now: notes:read, notes:write\n";
    assert_eq!(first.stderr, format!("note: the database data/ficha.db was empty, and is a new one now\n{scopes}"));
    assert_eq!(add("bob", "notes:read").good().stderr, "");
    let set = bench.run(&["client", "add", "app", "--public", "--scope", "notes:raed"]).good();
    assert_eq!(set.stderr, "note: new scopes, declared now: notes:raed\n");
    add("carol", "notes:read,notes:write").refused(&["did you mean", "notes:read notes:write"]);
    add("carol", "any").refused(&["`any`"]);
    bench.run(&["scope", "add", "any", "--description", "all"]).refused(&["`any`"]);
    // A name with a comma is allowed where it is meant.
    bench.run(&["scope", "add", "a,b", "--description", "odd"]).good();
    add("carol", "a,b").good();
}

/// It may be the name of somebody else, who has been removed a moment ago.
#[test]
fn a_user_is_changed_by_the_exact_name_or_the_id_and_shown_by_any_spelling() {
    let bench = Bench::new();
    bench.add_user("Zoe\u{308}", &[]);
    let shown = bench.json(&["user", "show", "\u{ff3a}o\u{eb}", "--json"]);
    assert_eq!(shown["name"], "Zo\u{eb}");
    let id = shown["id"].as_str().unwrap();
    for command in [&["set", "Zoe\u{308}", "--email", ""][..], &["disable", "Zoe\u{308}"], &["delete", "Zoe\u{308}"]] {
        bench.run(&[&["user"], command].concat()).refused(&[id, "looks the same"]);
    }
    bench.run(&["session", "revoke", "--user", "Zoe\u{308}"]).refused(&[id]);
    bench.run(&["user", "set", id, "--email", ""]).good();
    bench.run(&["user", "delete", "Zo\u{eb}"]).good();
}

#[cfg(unix)]
#[test]
fn a_pipe_as_token_file_is_refused_at_once() {
    let bench = Bench::new();
    assert!(Command::new("mkfifo").arg(bench.path("pipe")).status().unwrap().success());
    bench.run(&["token", "show", "--token-file", "pipe"]).refused(&["pipe", "not a regular file"]);
    bench.run(&["session", "list", "--server", "http://127.0.0.1:9", "--token-file", "pipe"]).refused(&["pipe"]);
}

/// Starts a command on a terminal of its own, waits for its prompt, presses Ctrl-C, and prints how it ended and whether
/// the terminal shows again what is typed.
#[cfg(unix)]
const INTERRUPTED: &str = r"
import fcntl, os, pty, subprocess, sys, termios, time
ours, theirs = pty.openpty()
def lead():
    os.setsid()
    fcntl.ioctl(theirs, termios.TIOCSCTTY, 0)
child = subprocess.Popen(sys.argv[1:], stdin=theirs, stdout=theirs, stderr=theirs, preexec_fn=lead)
shown = b''
while b'assword: ' not in shown:
    shown += os.read(ours, 1024)
echoes = lambda: bool(termios.tcgetattr(theirs)[3] & termios.ECHO)
for _ in range(500):
    if not echoes():
        break
    time.sleep(0.01)
hidden = not echoes()
os.write(ours, b'\x03')
code = child.wait(30)
print('hidden' if hidden else 'shown', 'restored' if echoes() else 'left hidden', code)
";

#[cfg(unix)]
#[test]
fn an_interrupted_prompt_restores_the_terminal() {
    let bench = Bench::new();
    bench.run(&["migrate"]).good();
    bench.write("interrupt.py", INTERRUPTED);
    let ran = bench.shell("command -v python3 > /dev/null || exit 9; python3 interrupt.py \"$0\" user add alice");
    if ran.code == Some(9) && std::env::var_os("FICHA_TEST_REQUIRE").is_none_or(|what| what != "all") {
        return;
    }
    assert_eq!(ran.good().stdout, "hidden restored -2\n", "it ends by the signal, so that a script ends as well");
    bench.run(&["user", "show", "alice"]).refused(&["alice"]);
}
