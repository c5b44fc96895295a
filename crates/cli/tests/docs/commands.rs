//! Every `ficha` command on a page is one that the program has, with options that it has.

use std::collections::BTreeMap;
use std::process::Command;
use std::sync::Mutex;

use crate::blocks::of;
use crate::markdown::{pages, repository};

/// Help texts by command.
static HELP: Mutex<BTreeMap<String, String>> = Mutex::new(BTreeMap::new());

#[test]
fn every_command_in_a_block_is_known() {
    let mut checked = 0;
    for block in of(&["sh", "console"]) {
        let text = block.text.replace("\\\n", " ");
        for line in text.lines() {
            for words in invocations(line) {
                checked += 1;
                if let Err(problem) = check(&words) {
                    panic!("{}: {line}: {problem}", block.place());
                }
            }
        }
    }
    assert!(checked > 90, "only {checked} commands were found");
}

#[test]
fn every_command_in_a_sentence_is_known() {
    let mut checked = 0;
    for page in pages() {
        // It has the old spellings.
        let text = std::fs::read_to_string(repository().join(&page)).unwrap();
        let text = text.split("### Old spellings").next().unwrap_or_default();
        for (number, line) in text.lines().enumerate() {
            for code in line.split('`').skip(1).step_by(2).filter(|code| {
                code.starts_with("ficha ") && !code.starts_with("ficha …") && !code.starts_with("ficha is ")
            }) {
                checked += 1;
                let words: Vec<String> = code.split_whitespace().skip(1).map(str::to_owned).collect();
                if let Err(problem) = check(&words) {
                    panic!("{page}:{}: {code}: {problem}", number + 1);
                }
            }
        }
    }
    assert!(checked > 90, "only {checked} commands were found");
}

/// The arguments of each `ficha` in a line of shell.
fn invocations(line: &str) -> Vec<Vec<String>> {
    let line = line.strip_prefix("$ ").unwrap_or(line);
    // In a container of that name.
    let line = match line.contains("docker ") {
        true => line.split_once(" ficha ficha ").map_or(String::new(), |(_, rest)| format!("ficha {rest}")),
        false => line.to_owned(),
    };
    let mut all = Vec::new();
    let mut words: Option<Vec<String>> = None;
    let mut before: Option<&str> = None;
    for word in line.split([' ', '\t']).filter(|word| !word.is_empty()) {
        let ends = matches!(word, "|" | "&&" | "||" | ";" | "&" | ">" | "2>" | "<" | "#") || word.starts_with('>');
        match &mut words {
            Some(_) if ends => all.extend(words.take()),
            Some(known) => known.push(word.trim_end_matches([')', '"', ';']).to_owned()),
            None => {
                // Not a folder, an image or a service of that name.
                let begins = matches!(word, "ficha" | "./ficha" | "$(ficha" | "\"$(ficha" | "exec");
                let is_command = match before {
                    None | Some("|" | "&&" | "||" | ";" | "sudo" | "exec" | "do") => true,
                    Some(before) => {
                        before.ends_with(';')
                            || word.starts_with("$(")
                            || word.starts_with("\"$(")
                            || (before.contains('=') && !before.starts_with('-'))
                            || before == "run" && line.contains("cargo run")
                    }
                };
                if begins && word != "exec" && is_command || line.contains("cargo run -- ") && before == Some("--") {
                    let first = (!word.contains("ficha")).then(|| word.to_owned());
                    words = Some(first.into_iter().collect());
                }
            }
        }
        before = Some(word);
    }
    all.extend(words);
    all
}

fn check(words: &[String]) -> Result<(), String> {
    let mut path: Vec<&str> = Vec::new();
    let mut help = help(&path);
    let mut words = words.iter().map(String::as_str).peekable();
    while let Some(word) = words.next() {
        if word.starts_with("--") {
            let name = word.split('=').next().unwrap_or(word);
            if !help.contains(&format!("{name} "))
                && !help.contains(&format!("{name}\n"))
                && !help.contains(&format!("{name}["))
            {
                return Err(format!("`ficha {}` has no {name}", path.join(" ")));
            }
            // Its value is no command.
            if help.contains(&format!("{name} <")) && !word.contains('=') {
                words.next();
            }
        } else if is_subcommand(&help, word) {
            path.push(word);
            help = self::help(&path);
        } else if help.contains("Commands:\n")
            && word.chars().all(|c| c.is_ascii_lowercase() || c == '-')
            && word != "-"
        {
            return Err(format!("`ficha {}` has no {word}", path.join(" ")));
        }
    }
    Ok(())
}

fn is_subcommand(help: &str, word: &str) -> bool {
    let listed = help.split_once("Commands:\n").map_or("", |(_, rest)| rest);
    let mut lines = listed.lines().take_while(|line| !line.is_empty()).filter(|line| !line.starts_with("   "));
    lines.any(|line| line.split_whitespace().next() == Some(word))
}

fn help(path: &[&str]) -> String {
    let mut known = HELP.lock().unwrap();
    let make = || {
        let ran = Command::new(env!("CARGO_BIN_EXE_ficha")).args(path).arg("--help").output().unwrap();
        String::from_utf8(ran.stdout).unwrap()
    };
    known.entry(path.join(" ")).or_insert_with(make).clone()
}
