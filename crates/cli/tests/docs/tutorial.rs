//! The tutorials print what they say.
//!
//! A ```` ```console ```` block of a tutorial contains commands, each after `$ `, and below each its output. `…` stands
//! for any text within a line, and a run of spaces counts as one. All blocks run in order in one shell.

use std::io::{Read, Write};
use std::process::{Command, Stdio};
use std::sync::mpsc::channel;
use std::time::Duration;

use crate::markdown::page;
use crate::shell::{fits, free_address, programs};

/// The addresses of the server and the service in the pages. The tests replace them with free ones.
const DOCUMENTED: [&str; 2] = ["127.0.0.1:8080", "127.0.0.1:8081"];

/// Long, for machines that are building at the same time. A tutorial that takes longer hangs.
const PATIENCE: Duration = Duration::from_secs(120);

/// Printed before the output of each command. No command prints this itself.
const MARK: &str = " the next command";

#[test]
fn the_tutorial_prints_the_documented_output() {
    if !has_curl() {
        return;
    }
    check_tutorial("tutorial.md");
}

#[test]
fn the_tutorial_of_a_service_and_an_app_prints_the_documented_output() {
    if !has_curl() {
        return;
    }
    for program in ["notes", "notes_app"] {
        let there = programs().join("examples").join(program).is_file();
        assert!(there, "the example {program} is not built: run `cargo build --workspace --examples`");
    }
    check_tutorial("tutorial-notes.md");
}

/// Runs a tutorial and compares the output.
#[track_caller]
fn check_tutorial(name: &str) {
    let addresses = [free_address(), free_address()];
    let text = DOCUMENTED.iter().zip(&addresses).fold(page(name), |text, (from, to)| text.replace(from, to));
    let steps = steps(&text);
    assert!(steps.len() > 20, "only {} commands were found", steps.len());
    let printed = run(&steps, &addresses);
    for (step, printed) in steps.iter().zip(&printed) {
        assert!(
            matches(&step.prints, printed),
            "$ {}\n--- the tutorial says\n{}\n--- it printed\n{printed}",
            step.command,
            step.prints
        );
    }
    assert_eq!(printed.len(), steps.len(), "the shell ended early");
}

/// A command of the tutorial, and its expected output.
struct Step {
    command: String,
    prints: String,
}

fn steps(page: &str) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    let mut inside = false;
    for line in page.lines() {
        match line {
            "```console" => inside = true,
            "```" => inside = false,
            _ if !inside => {}
            _ => match (line.strip_prefix("$ "), steps.last_mut()) {
                (Some(command), _) => steps.push(Step { command: command.to_owned(), prints: String::new() }),
                (None, Some(step)) => step.prints.extend([line, "\n"]),
                (None, None) => panic!("the first line of a block is not a command: {line}"),
            },
        }
    }
    steps
}

/// Runs all commands in one shell, in a temporary directory. Returns the output of each, from both streams.
fn run(steps: &[Step], [server, notes]: &[String; 2]) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    let programs = programs().display();
    let path = format!("{programs}:{programs}/examples:{}", std::env::var("PATH").unwrap());
    let mut shell = Command::new("sh");
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("FICHA_") {
            shell.env_remove(name);
        }
    }
    shell
        .current_dir(folder.path())
        .env("PATH", path)
        .env("FICHA__SERVER__BIND", server)
        .env("FICHA_ISSUER", format!("http://{server}"))
        .env("NOTES_BIND", notes)
        .env("NOTES_URL", format!("http://{notes}"))
        // Cheap, since hashing is not tested here.
        .env("FICHA__PASSWORD__BCRYPT_COST", "4")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    let mut shell = shell.spawn().unwrap();
    shell.stdin.take().unwrap().write_all(script(steps).as_bytes()).unwrap();
    let mut output = shell.stdout.take().unwrap();
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        let mut text = String::new();
        let read = output.read_to_string(&mut text);
        // The receiver may have timed out.
        let _ = sender.send(read.map(|_| text));
    });
    let Ok(text) = receiver.recv_timeout(PATIENCE) else {
        // The shell's exit trap stops the server; this makes a hanging shell exit now.
        let _ = Command::new("kill").arg(shell.id().to_string()).status();
        panic!("the tutorial did not finish");
    };
    shell.wait().unwrap();
    text.unwrap().split(&format!("\n{MARK}\n")).skip(1).map(str::to_owned).collect()
}

/// The commands with a mark before each. In any case, server and service are stopped by their process ids.
fn script(steps: &[Step]) -> String {
    let mut script = String::from("exec 2>&1\ntrap 'kill $server $notes 2>/dev/null' EXIT\ntrap 'exit 1' TERM\n");
    for step in steps {
        script.push_str(&format!("printf '\\n{MARK}\\n'\n{}\n", step.command));
    }
    script
}

/// True if `printed` matches `pattern`, line by line.
fn matches(pattern: &str, printed: &str) -> bool {
    let lines = |text: &str| -> Vec<String> {
        text.trim_end().lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect()
    };
    let (pattern, printed) = (lines(pattern), lines(printed));
    pattern.len() == printed.len() && pattern.iter().zip(&printed).all(|(pattern, line)| fits(pattern, line))
}

fn has_curl() -> bool {
    let found = Command::new("curl").arg("--version").output().is_ok_and(|output| output.status.success());
    if !found {
        assert_ne!(std::env::var("FICHA_TEST_REQUIRE").as_deref(), Ok("all"), "curl is not installed");
        // Directly to the stream: the test harness captures the output of passing tests.
        let _ = writeln!(std::io::stderr(), "curl is not installed: the tutorial is not run");
    }
    found
}

#[test]
fn a_pattern_matches_only_the_text_it_stands_for() {
    for (pattern, printed, expected) in [
        ("", "", true),
        ("", "x", false),
        ("200", "200\n", true),
        ("a  b", "a b", true),
        ("{\"t\":\"…\",\"n\":1}", "{\"t\":\"x,y\",\"n\":1}", true),
        ("{\"t\":\"…\",\"n\":1}", "{\"t\":\"x\",\"n\":2}", false),
        ("… a … b", "x a y b", true),
        ("… a … b", "x b y a", false),
        ("one\n…", "one\ntwo", true),
        ("one\n…", "one\ntwo\nthree", false),
    ] {
        assert_eq!(matches(pattern, printed), expected, "{pattern:?} {printed:?}");
    }
}
