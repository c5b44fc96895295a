//! The reference pages are complete: settings, commands, metrics and routes; and the architecture page names files that are
//! there.

use std::collections::BTreeSet;
use std::process::Command;

use crate::markdown::{page, repository};

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
