//! One grammar: nouns, verbs, lists and JSON are alike in all commands, and what was spelled otherwise before goes on with a
//! warning.

use std::collections::BTreeSet;
use std::process::Command;

use serde_json::{Value, json};

use crate::bench::{Bench, PASSWORD, Serving};

/// Where `chief` is signed in.
const FILE: &str = "admin.json";

/// The verbs that nouns have, each with one meaning.
const VERBS: [&str; 19] = [
    "add",
    "list",
    "show",
    "set",
    "enable",
    "disable",
    "delete",
    "set-password",
    "unlock",
    "erase",
    "import",
    "add-secret",
    "delete-secret",
    "revoke",
    "rotate",
    "purge",
    "stop",
    "export",
    "verify",
];

fn help(words: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_ficha")).args(words).arg("--help").output().unwrap();
    String::from_utf8(output.stdout).unwrap()
}

/// The commands that a help text lists.
fn listed(help: &str) -> Vec<String> {
    let listed = help.split_once("Commands:\n").map_or("", |(_, rest)| rest);
    let lines = listed.lines().take_while(|line| !line.is_empty()).filter(|line| !line.starts_with("   "));
    lines.filter_map(|line| line.split_whitespace().next()).filter(|name| *name != "help").map(str::to_owned).collect()
}

/// Every command with its help text.
fn commands() -> Vec<(String, String)> {
    let mut all = Vec::new();
    for noun in listed(&help(&[])) {
        let below = listed(&help(&[&noun]));
        all.extend(below.iter().map(|verb| (format!("{noun} {verb}"), help(&[&noun, verb]))));
        if below.is_empty() {
            all.push((noun.clone(), help(&[&noun])));
        }
    }
    all
}

#[test]
fn verbs_arguments_and_options_have_one_name_for_one_thing() {
    let commands = commands();
    assert!(commands.len() > 35, "only {} commands were found", commands.len());
    for (name, help) in &commands {
        if let Some((_, verb)) = name.split_once(' ') {
            assert!(VERBS.contains(&verb), "{name}: another verb");
        }
        // A user is `--user`, a client `--client`; neither has a second name.
        for other in ["--username", "--user-name", "--client-id", "--no-", "<NAME>", "<ID>\n", "--before"] {
            assert!(!help.contains(other), "{name} has {other}");
        }
        let words: BTreeSet<&str> = help.split_whitespace().collect();
        for (option, value) in [
            ("--user", "<USER>"),
            ("--client", "<CLIENT>"),
            ("--scope", "<SCOPES>"),
            ("--role", "<ROLES>"),
            ("--grant", "<GRANTS>"),
            ("--serves", "<AUDIENCES>"),
            ("--email", "<EMAIL>"),
        ] {
            assert!(!words.contains(option) || help.contains(&format!("{option} {value}")), "{name}: {option}");
        }
    }
    // Every command whose output is more than a line for a person has a form for programs.
    let without = commands.iter().filter(|(_, help)| !help.contains("--json"));
    let without: Vec<&str> = without.map(|(name, _)| name.as_str()).collect();
    assert_eq!(without, ["serve", "completions", "man"]);
}

#[test]
fn ficha_alone_shows_what_people_do_first() {
    let said = Bench::new().run(&[]).good().stdout;
    let first: Vec<&str> = said.lines().filter(|line| line.starts_with("  ficha ")).collect();
    assert_eq!(first.len(), 6, "{said}");
    let known = commands();
    for line in first {
        let words: Vec<&str> = line.split_whitespace().skip(1).collect();
        let is_known = |name: &str| known.iter().any(|(known, _)| known == name);
        assert!(is_known(words[0]) || is_known(&words[..2].join(" ")), "{line}");
    }
}

/// A server with the user chief, and another folder where chief is signed in.
fn signed_in() -> (Bench, Serving, Bench, String) {
    let bench = Bench::new();
    bench.add_user("chief", &["--scope", "ficha:admin"]);
    let server = bench.serve();
    let issuer = format!("http://{}", server.address);
    let afar = Bench::new();
    let login = ["login", "--admin", "--server", &issuer, "--user", "chief", "--password-stdin", "--token-file", FILE];
    afar.run_with_input(&login, PASSWORD).good();
    (bench, server, afar, issuer)
}

/// The JSON that a command prints here, at the server, and that the admin API answers, is the same.
#[test]
fn a_program_reads_the_same_json_here_from_afar_and_over_http() {
    let (bench, server, afar, issuer) = signed_in();
    bench.run(&["client", "add", "shop", "--scope", "any", "--serves", "shop notes"]).good();
    server.log_in("chief", "");
    bench.json(&["session", "revoke", "--user", "chief", "--json"]);
    let login = ["login", "--admin", "--server", &issuer, "--user", "chief", "--password-stdin", "--token-file", FILE];
    afar.run_with_input(&login, PASSWORD).good();
    let token = afar.run(&["token", "show", "--access-token", "--token-file", FILE]).good().stdout;
    let session = bench.json(&["session", "list", "--ended", "--json"])[0]["id"].as_str().unwrap().to_owned();
    for (command, path) in [
        (&["user", "show", "chief"][..], "/api/v1/users/chief".to_owned()),
        (&["client", "show", "shop"], "/api/v1/clients/shop".to_owned()),
        (&["session", "show", &session], format!("/api/v1/sessions/{session}")),
        (&["user", "list"], "/api/v1/users".to_owned()),
        (&["client", "list"], "/api/v1/clients".to_owned()),
        (&["scope", "list"], "/api/v1/scopes".to_owned()),
        (&["key", "list"], "/api/v1/keys".to_owned()),
        (&["session", "list", "--ended"], "/api/v1/sessions".to_owned()),
        (&["job", "list"], "/api/v1/jobs".to_owned()),
    ] {
        let here = bench.json(&[command, &["--json"]].concat());
        let there = afar.json(&[command, &["--json", "--server", &issuer, "--token-file", FILE]].concat());
        let (status, answer) = server.get(&path, token.trim_end());
        assert_eq!(status, 200, "{path}: {answer}");
        let answer = answer.get("items").cloned().unwrap_or(answer);
        assert_eq!(here, there, "{command:?}");
        assert_eq!(here, answer, "{command:?}");
    }
}

/// The same of what changes something: a secret differs, and what is counted of it is the same.
#[test]
fn a_program_reads_the_same_json_of_changes_here_and_from_afar() {
    let (bench, _server, afar, issuer) = signed_in();
    let at = ["--json", "--server", &issuer, "--token-file", FILE];
    let members = |document: &Value| -> BTreeSet<String> { document.as_object().unwrap().keys().cloned().collect() };
    for (noun, command) in [
        ("user", &["user", "set", "*", "--role", "a"][..]),
        ("user", &["user", "disable", "*"]),
        ("user", &["user", "enable", "*"]),
        ("user", &["user", "unlock", "*"]),
        ("client", &["client", "set", "*", "--scope", "any"]),
        ("client", &["client", "disable", "*"]),
        ("client", &["client", "enable", "*"]),
        ("client", &["client", "add-secret", "*"]),
        ("client", &["client", "delete", "*"]),
        ("user", &["user", "delete", "*"]),
        ("scope", &["scope", "add", "*"]),
        ("scope", &["scope", "set", "*", "--description", "x"]),
        ("scope", &["scope", "delete", "*"]),
    ] {
        for name in ["one", "two"] {
            let show = bench.run(&[noun, "show", name]);
            if noun != "scope" && show.code != Some(0) {
                match noun {
                    "user" => bench.add_user(name, &[]),
                    _ => drop(bench.run(&["client", "add", name, "--serves", "notes"]).good()),
                }
            }
        }
        let named =
            |name: &'static str| command.iter().map(|word| if *word == "*" { name } else { word }).collect::<Vec<_>>();
        let here = bench.json(&[&named("one")[..], &["--json"]].concat());
        let there = afar.json(&[&named("two")[..], &at].concat());
        assert_eq!(members(&here), members(&there), "{command:?}");
    }
    bench.run(&["client", "add", "one", "--scope", "x"]).good();
    let added = bench.json(&["client", "add-secret", "one", "--keep-old", "1h", "--json"]);
    assert_eq!(added["secret"], added["client_secret"]);
    bench.run(&["client", "delete-secret", "one", added["id"].as_str().unwrap()]).good();
    let purged = afar.json(&[&["session", "revoke", "--all", "--yes"][..], &at].concat());
    assert_eq!(purged, json!({ "all": true, "revoked": 1 }));
}

#[test]
fn a_change_says_what_has_changed_and_how_many_sessions_it_ended() {
    let bench = Bench::new();
    bench.add_user("alice", &["--scope", "notes:read notes:write"]);
    bench.run(&["client", "add", "app", "--public", "--scope", "any"]).good();
    let server = bench.serve();
    let log_in = || {
        let form = format!("grant_type=password&client_id=app&username=alice&password={}", PASSWORD.replace(' ', "+"));
        assert_eq!(server.post("/token", &form).0, 200);
    };
    log_in();
    let said = bench.run(&["client", "set", "app", "--scope", "notes:read"]).good().stdout;
    assert_eq!(said, "client app changed; 1 session ended\nscopes  any -> notes:read\n");
    assert_eq!(
        bench.run(&["client", "set", "app", "--scope", "notes:read"]).good().stdout,
        "client app is unchanged\n"
    );
    log_in();
    let changed = bench.json(&["client", "set", "app", "--grant", "password", "--json"]);
    assert_eq!((&changed["grants"], &changed["revoked"]), (&json!(["password"]), &json!(1)), "{changed}");
    log_in();
    let changed = bench.json(&["user", "set", "alice", "--scope", "", "--role", "a b", "--role", "c", "--json"]);
    assert_eq!((&changed["roles"], &changed["revoked"]), (&json!(["a", "b", "c"]), &json!(1)), "{changed}");
    log_in();
    assert_eq!(bench.json(&["user", "disable", "alice", "--json"]), json!({ "revoked": 1 }));
    assert_eq!(bench.run(&["user", "disable", "alice"]).good().stdout, "user alice is disabled already\n");
    assert_eq!(bench.run(&["client", "enable", "app"]).good().stdout, "client app is enabled already\n");
    let purged = bench.run(&["key", "purge", "--yes"]).good().stdout;
    assert_eq!(purged, "all keys were replaced; every session has ended (0 were live)\n");
    assert_eq!(bench.json(&["session", "revoke", "--all", "--yes", "--json"]), json!({ "all": true, "revoked": 0 }));
    for command in
        [&["key", "rotate"][..], &["migrate"], &["scope", "add", "x"], &["scope", "delete", "x"], &["config"]]
    {
        assert!(bench.json(&[command, &["--json"]].concat()).is_object(), "{command:?}");
    }
}

#[test]
fn a_declared_scope_is_not_declared_again_and_the_server_s_own_stay() {
    let (bench, _server, afar, issuer) = signed_in();
    let at = ["--server", &issuer, "--token-file", FILE];
    let says = |place: &str, command: &[&str]| match place {
        "here" => bench.run(command),
        _ => afar.run(&[command, &at].concat()),
    };
    for (place, name) in [("here", "notes:read"), ("afar", "notes:write")] {
        says(place, &["scope", "set", name, "--description", "x"]).refused(&["scope", "list"]);
        assert_eq!(
            says(place, &["scope", "add", name, "--description", "One"]).good().stdout,
            format!("scope {name} added\n")
        );
        says(place, &["scope", "add", name, "--description", "Two"]).refused(&["already"]);
        let shown =
            |place| serde_json::from_str::<Value>(&says(place, &["scope", "list", "--json"]).good().stdout).unwrap();
        let find = |list: Value| list.as_array().unwrap().iter().find(|scope| scope["name"] == name).unwrap().clone();
        assert_eq!(find(shown(place))["description"], "One");
        let said = says(place, &["scope", "set", name, "--description", "Two"]).good().stdout;
        assert_eq!(said, format!("scope {name} changed\ndescription  One -> Two\n"));
        let again = says(place, &["scope", "set", name, "--description", "Two"]).good().stdout;
        assert_eq!(again, format!("scope {name} is unchanged\n"));
        assert_eq!(find(shown(place))["description"], "Two");
        says(place, &["scope", "set", name, "--description", ""]).good();
        assert_eq!(find(shown(place))["description"], "");
        says(place, &["scope", "set", name, "--description", &"x".repeat(501)]).refused(&["500 characters"]);
        says(place, &["scope", "delete", "ficha:admin"]).refused(&["the server's own"]);
        says(place, &["scope", "delete", name]).good();
        says(place, &["scope", "add", name]).good();
    }
}

#[test]
fn old_spellings_go_on_with_a_warning() {
    let bench = Bench::new();
    bench.add_user("alice", &["--role", "editor", "--email", "a@example.com"]);
    bench
        .run(&[
            "client",
            "add",
            "app",
            "--scope",
            "any",
            "--audience",
            "notes",
            "--serves",
            "notes",
            "--grant",
            "password",
        ])
        .good();
    let server = bench.serve();
    let issuer = format!("http://{}", server.address);
    let warned = |command: &[&str], old: &str, now: &str| {
        let ran = bench.run_with_input(command, PASSWORD).good();
        let warning = format!("warning: `{old}` is spelled `{now}` now");
        assert!(ran.stderr.contains(&warning), "{command:?}: {}", ran.stderr);
    };
    warned(&["user", "passwd", "alice", "--password-stdin"], "passwd", "set-password");
    warned(&["user", "set", "alice", "--no-roles"], "--no-roles", "--role \"\"");
    warned(&["user", "set", "alice", "--no-email"], "--no-email", "--email \"\"");
    warned(&["client", "set", "app", "--own-scopes", "true"], "--own-scopes true", "--own-scopes=true");
    warned(&["client", "set", "app", "--own-scopes", "false"], "--own-scopes false", "--own-scopes=false");
    warned(&["client", "set", "app", "--no-grants"], "--no-grants", "--grant \"\"");
    warned(&["client", "set", "app", "--no-audience"], "--no-audience", "--audience \"\"");
    warned(&["client", "set", "app", "--no-serves"], "--no-serves", "--serves \"\"");
    let shown = bench.json(&["client", "show", "app", "--json"]);
    assert_eq!(
        (&shown["grants"], &shown["serves"], &shown["audience"], &shown["own_scopes"]),
        (&json!([]), &json!([]), &Value::Null, &json!(false)),
        "{shown}"
    );
    warned(&["client", "secret", "app", "--keep-old", "1h"], "secret", "add-secret");
    let secret = bench.json(&["client", "show", "app", "--json"])["secrets"][0]["id"].as_str().unwrap().to_owned();
    warned(&["client", "remove-secret", "app", &secret], "remove-secret", "delete-secret");
    let login = ["login", "--issuer", &issuer, "--client-id", "first-party", "--username=alice", "--password-stdin"];
    warned(&[&login[..], &["--token-file", "t"]].concat(), "--username", "--user");
    warned(&[&login[..], &["--token-file", "t"]].concat(), "--client-id", "--client");
    warned(&[&login[..], &["--token-file", "t"]].concat(), "--issuer", "--server");
    warned(&["audit", "list", "--before", "3"], "--before", "--after");
    warned(&["client", "rm", "app"], "rm", "delete");
    warned(&["user", "rm", "alice"], "rm", "delete");
    // A value that looks like one is none.
    let ran = bench.run(&["user", "--server", "rm", "list"]);
    assert!(!ran.stderr.contains("warning"), "{}", ran.stderr);
    let ran = bench.run(&["scope", "add", "rm"]).good();
    assert!(!ran.stderr.contains("warning"), "{}", ran.stderr);
}

#[test]
fn a_client_without_scopes_is_questioned_and_flags_can_be_turned_off() {
    let bench = Bench::new();
    let ran = bench.run(&["client", "add", "app", "--public"]).good();
    assert!(ran.stderr.contains("may ask for no scope"), "{}", ran.stderr);
    let ran = bench.run(&["client", "add", "notes-api", "--serves", "notes", "--forwards-address"]).good();
    assert!(!ran.stderr.contains("may ask for no scope"), "{}", ran.stderr);
    assert_eq!(bench.json(&["client", "show", "notes-api", "--json"])["forwards_address"], true);
    bench.run(&["client", "set", "notes-api", "--forwards-address=false"]).good();
    assert_eq!(bench.json(&["client", "show", "notes-api", "--json"])["forwards_address"], false);
    bench.run(&["client", "set", "notes-api", "--forwards-address", "--own-scopes"]).good();
    let shown = bench.json(&["client", "show", "notes-api", "--json"]);
    assert_eq!((&shown["forwards_address"], &shown["own_scopes"]), (&json!(true), &json!(true)));
}

#[test]
fn every_list_has_parts() {
    let bench = Bench::new();
    for name in ["ana", "bea", "cleo"] {
        bench.add_user(name, &[]);
        bench.run(&["client", "add", name, "--serves", "notes"]).good();
    }
    for (noun, id, first) in [("user", "id", "cleo"), ("client", "id", "ana")] {
        let all = bench.json(&[noun, "list", "--json"]);
        let list = |arguments: &[&str]| bench.json(&[&[noun, "list", "--json"], arguments].concat());
        assert_eq!(all.as_array().unwrap().len(), 3);
        assert_eq!(list(&["--limit", "2"]).as_array().unwrap()[..], all.as_array().unwrap()[..2]);
        let second = all[1][id].as_str().unwrap();
        assert_eq!(list(&["--after", second]).as_array().unwrap()[..], all.as_array().unwrap()[2..]);
        assert!(bench.run(&[noun, "list", "--limit", "1"]).good().stdout.contains(first));
    }
    // A user by name, as everywhere.
    let rest = bench.json(&["user", "list", "--after", "bea", "--json"]);
    assert_eq!((rest.as_array().unwrap().len(), &rest[0]["name"]), (1, &json!("ana")));
    bench.run(&["user", "list", "--after", "nobody"]).refused(&["there is no user"]);
    bench.run(&["job", "list", "--after", "ana"]).refused(&["--after", "is not an id"]);
}
