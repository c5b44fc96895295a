//! Checks the documentation against the program: the tutorials run as written, and the reference pages are complete.
//!
//! A ```` ```console ```` block of a tutorial contains commands, each after `$ `, and below each its output. `…` stands
//! for any text within a line, and a run of spaces counts as one. All blocks run in order in one shell.
#![expect(clippy::unwrap_used, reason = "a panic fails the test, as it should")]

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc::channel;
use std::time::Duration;

/// The addresses of the server and the service in the pages. The tests replace them with free ones.
const DOCUMENTED: [&str; 2] = ["127.0.0.1:8080", "127.0.0.1:8081"];

/// Long, for machines that are building at the same time. A tutorial that takes longer hangs.
const PATIENCE: Duration = Duration::from_secs(120);

/// Printed before the output of each command. No command prints this itself.
const MARK: &str = " the next command";

#[test]
fn the_architecture_page_names_only_existing_files() {
    let page = std::fs::read_to_string(repository().join("docs/src/architecture.md")).unwrap();
    let paths: Vec<_> = page
        .split('`')
        .skip(1)
        .step_by(2)
        .filter(|name| name.contains("/src/") && (name.ends_with(".rs") || name.ends_with('/')))
        .collect();
    assert!(paths.len() > 50, "{paths:?}");
    for path in paths {
        let below = if path.starts_with("crates/") || path.starts_with("migrations/") { "" } else { "crates" };
        assert!(repository().join(below).join(path).exists(), "{path} does not exist");
    }
}

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

#[test]
fn every_setting_is_in_the_reference() {
    let page = page("reference/settings.md");
    let text = std::fs::read_to_string(repository().join("config/default.toml")).unwrap();
    let mut section = String::new();
    let mut keys = 0;
    for line in text.lines() {
        let bare = line.trim_start_matches("# ");
        if let Some(name) = bare.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            section = name.to_owned();
        } else if let Some((key, value)) = bare.split_once(" = ")
            && key.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_')
        {
            let name = format!("| `{section}.{key}` |");
            let row = page.lines().find(|row| row.starts_with(&name)).unwrap_or_else(|| panic!("no row begins {name}"));
            // A setting that is commented out has no default value.
            let default = if line.starts_with('#') { "not set".to_owned() } else { format!("`{value}`") };
            assert!(row.contains(&default), "{default} is missing in {row}");
            keys += 1;
        }
    }
    assert!(keys > 20, "only {keys} settings were found");
    let rows = page.lines().filter(|row| row.starts_with("| `")).count();
    assert_eq!(rows, keys, "a row is not about a setting");
}

#[test]
fn every_command_and_option_is_in_the_reference() {
    let page = page("reference/command-line.md");
    let mut seen = BTreeSet::new();
    check_help(&[], &page, &mut seen);
    assert!(seen.len() > 25, "only {} commands were found", seen.len());
}

#[test]
fn every_metric_is_in_the_reference() {
    let page = page("reference/metrics.md");
    let source = std::fs::read_to_string(repository().join("crates/server/src/health.rs")).unwrap();
    let names: Vec<&str> = source.split('"').filter(|text| text.starts_with("ficha_")).collect();
    assert!(names.len() > 10, "only {} metrics were found", names.len());
    for name in &names {
        let row = |suffix: &str| page.contains(&format!("| `{name}{suffix}` |"));
        assert!(row("") || row("_total"), "{name} is missing");
    }
    assert_eq!(page.matches("| `ficha_").count(), names.len(), "a row is not about a metric");
}

#[test]
fn every_route_is_in_the_reference() {
    let page = page("reference/endpoints.md");
    let source = std::fs::read_to_string(repository().join("crates/server/src/routes.rs")).unwrap();
    let routes: Vec<(&str, &str)> = [("GET", "get(\""), ("GET", "poll(\""), ("POST", "post(\"")]
        .into_iter()
        .flat_map(|(method, call)| source.split(call).skip(1).map(move |rest| (method, rest)))
        .map(|(method, rest)| (method, rest.split('"').next().unwrap()))
        .filter(|(_, path)| !path.contains('{'))
        .collect();
    assert!(routes.len() > 10, "only {} routes were found", routes.len());
    for (method, path) in routes {
        assert!(page.contains(&format!("## {method} {path}\n")), "{method} {path} is missing");
    }
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
    pattern.len() == printed.len() && pattern.iter().zip(&printed).all(|(pattern, line)| line_matches(pattern, line))
}

fn line_matches(pattern: &str, line: &str) -> bool {
    let Some((first, rest)) = pattern.split_once('…') else { return pattern == line };
    let Some(mut line) = line.strip_prefix(first) else { return false };
    let mut parts: Vec<&str> = rest.split('…').collect();
    let last = parts.pop().unwrap_or_default();
    for part in parts {
        match line.split_once(part) {
            Some((_, after)) => line = after,
            None => return false,
        }
    }
    line.ends_with(last)
}

/// Checks a command's help and that of its subcommands: the page must mention each command and each option.
fn check_help(words: &[String], page: &str, seen: &mut BTreeSet<String>) {
    let output = Command::new(env!("CARGO_BIN_EXE_ficha")).args(words).arg("--help").output().unwrap();
    let help = String::from_utf8(output.stdout).unwrap();
    let name = format!("ficha {}", words.join(" "));
    if !words.is_empty() {
        assert!(page.contains(&format!("`{name}")), "{name} is missing");
    }
    for option in options(&help) {
        assert!(page.contains(&format!("`{option}")), "{name}: {option} is missing");
    }
    for command in subcommands(&help) {
        let below = [words, &[command]].concat();
        seen.insert(below.join(" "));
        check_help(&below, page, seen);
    }
}

/// The long options in a help text, except those that clap adds to every command.
fn options(help: &str) -> Vec<&str> {
    let lines = help.lines().map(str::trim_start).filter(|line| line.starts_with('-'));
    let names = lines.filter_map(|line| line.split([' ', ',', '[']).find(|word| word.starts_with("--")));
    names.filter(|name| !matches!(*name, "--help" | "--version")).collect()
}

fn subcommands(help: &str) -> Vec<String> {
    let listed = help.split_once("Commands:\n").map_or("", |(_, rest)| rest);
    let lines = listed.lines().take_while(|line| !line.is_empty());
    // Wrapped descriptions are indented further.
    let names = lines.filter(|line| !line.starts_with("   ")).filter_map(|line| line.split_whitespace().next());
    names.filter(|name| *name != "help").map(str::to_owned).collect()
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

/// The directory of the program; the examples are below it.
fn programs() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_ficha")).parent().unwrap()
}

fn free_address() -> String {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string()
}

fn page(name: &str) -> String {
    std::fs::read_to_string(repository().join("docs/src").join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
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
