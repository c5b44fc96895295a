//! The commands for users, clients, scopes and keys.

use serde_json::{Value, json};

use crate::bench::Bench;

/// A database that has had its first start.
fn started() -> Bench {
    let bench = Bench::new();
    bench.serve().stop();
    bench
}

fn only(list: &Value, key: &str, value: &str) -> Value {
    list.as_array().unwrap().iter().find(|item| item[key] == value).unwrap_or_else(|| panic!("{list}")).clone()
}

#[test]
fn completions_and_manual_pages_are_made_from_the_commands() {
    let bench = Bench::new();
    for shell in ["bash", "zsh", "fish"] {
        assert!(bench.run(&["completions", shell]).good().stdout.contains("revoke"), "{shell}");
    }
    bench.run(&["completions", "nosuch"]).code.filter(|code| *code == 2).unwrap();
    assert!(bench.run(&["man"]).good().stdout.contains(".TH ficha 1"));
    bench.run(&["man", "--folder", "pages"]).good();
    assert!(std::fs::read_to_string(bench.path("pages/ficha-session-revoke.1")).unwrap().contains("filter"));
}

#[test]
fn every_list_prints_one_json_document() {
    let bench = started();
    for (noun, least) in [("user", 1), ("client", 1), ("scope", 1), ("session", 0), ("key", 2)] {
        let list = bench.json(&[noun, "list", "--json"]);
        assert!(list.as_array().unwrap().len() >= least, "{noun}: {list}");
        let table = bench.run(&[noun, "list"]).good().stdout;
        assert!(table.lines().next().unwrap().chars().all(|c| c.is_ascii_uppercase() || c == ' '), "{table}");
    }
}

#[test]
fn a_user_is_added_shown_changed_and_removed() {
    let bench = Bench::new();
    bench.add_user("alice", &["--scope", "notes:write notes:read", "--role", "editor", "--email", "a@example.com"]);
    let user = bench.json(&["user", "show", "alice", "--json"]);
    assert_eq!(user["scopes"], json!(["ficha:account", "notes:read", "notes:write"]));
    assert_eq!(user["roles"], json!(["editor"]));
    assert_eq!(user["email"], "a@example.com");
    assert_eq!(only(&bench.json(&["scope", "list", "--json"]), "name", "notes:read")["description"], "");
    bench.run(&["user", "set", "alice", "--scope", "", "--email", ""]).good();
    let user = bench.json(&["user", "show", "alice", "--json"]);
    assert_eq!((&user["scopes"], &user["roles"], &user["email"]), (&json!([]), &json!(["editor"]), &Value::Null));
    assert_eq!(user["failed_logins"]["failures"], 0);
    assert!(bench.run(&["user", "show", "alice"]).good().stdout.ends_with("failed logins         none\n"));
    bench.run(&["user", "disable", "alice"]).good();
    assert_eq!(bench.json(&["user", "show", "alice", "--json"])["enabled"], false);
    bench.run(&["user", "enable", "alice"]).good();
    assert_eq!(bench.json(&["user", "show", "alice", "--json"])["enabled"], true);
    bench.run(&["user", "delete", "alice"]).good();
    bench.run(&["user", "show", "alice"]).refused(&["there is no user \"alice\""]);
}

#[test]
fn a_duplicate_user_name_is_refused() {
    let bench = Bench::new();
    bench.add_user("alice", &[]);
    let again = bench.run_with_input(&["user", "add", "alice", "--password-stdin"], crate::bench::PASSWORD);
    again.refused(&["the user \"alice\" already exists"]);
}

#[test]
fn a_confidential_client_s_secret_is_in_the_json() {
    let bench = Bench::new();
    let added = bench.json(&["client", "add", "notes-api", "--serves", "notes", "--json"]);
    assert_eq!(added["client_id"], "notes-api");
    assert_eq!(added["client_secret"].as_str().unwrap().len(), 43);
    assert_eq!(added["grants"], json!([]));
    let renewed = bench.json(&["client", "add-secret", "notes-api", "--json"]);
    assert_ne!(renewed["client_secret"], added["client_secret"]);
    let shown = bench.run(&["client", "show", "notes-api", "--json"]).good().stdout;
    assert!(!shown.contains("client_secret") && !shown.contains("hash"), "{shown}");
}

#[test]
fn a_secret_is_replaced_while_the_old_one_goes_on() {
    let bench = Bench::new();
    bench.json(&["client", "add", "notes-api", "--serves", "notes", "--json"]);
    bench.json(&["client", "add-secret", "notes-api", "--keep-old", "24h", "--expires", "90d", "--json"]);
    let secrets = bench.json(&["client", "show", "notes-api", "--json"])["secrets"].clone();
    let mut secrets = secrets.as_array().unwrap().clone();
    secrets.sort_by_key(|secret| secret["expires_at"].as_str().unwrap().to_owned());
    let [old, new] = [&secrets[0], &secrets[1]].map(|secret| secret["id"].as_str().unwrap());
    let text = bench.run(&["client", "show", "notes-api"]).good().stdout;
    assert!(text.contains(old) && text.contains(new) && text.contains("last used not seen"), "{text}");
    bench.run(&["client", "add-secret", "notes-api", "--keep-old", "1h"]).refused(&["2 valid secrets"]);
    bench.run(&["client", "delete-secret", "notes-api", old]).good();
    bench.run(&["client", "delete-secret", "notes-api", new]).refused(&["only valid secret"]);
    bench.run(&["client", "delete-secret", "notes-api", old]).refused(&["no secret"]);
    assert!(bench.run(&["client", "add-secret", "notes-api", "--keep-old", "soon"]).stderr.contains("length of time"));
}

#[test]
fn a_client_is_changed_and_removed() {
    let bench = Bench::new();
    let added = bench.json(&["client", "add", "app", "--public", "--scope", "any", "--json"]);
    assert_eq!((&added["client_secret"], &added["scopes"]), (&Value::Null, &json!("any")));
    assert_eq!(added["grants"], json!(["password", "refresh_token"]));
    bench.run(&["client", "set", "app", "--grant", "password", "--scope", "notes:read", "--audience", "notes"]).good();
    let client = bench.json(&["client", "show", "app", "--json"]);
    assert_eq!((&client["grants"], &client["scopes"]), (&json!(["password"]), &json!(["notes:read"])));
    assert_eq!(client["audience"], "notes");
    bench.run(&["client", "add-secret", "app"]).refused(&["public"]);
    bench.run(&["client", "set", "app", "--grant", "client_credentials"]).refused(&["public client"]);
    let said = bench.run(&["client", "set", "app", "--public=false", "--grant", "client_credentials"]).good().stdout;
    let lines: Vec<_> = said.lines().collect();
    // It has lost the password grant by that.
    assert_eq!(lines[..2], ["client app changed; no sessions ended", "public  yes -> no"], "{said}");
    assert!(said.contains("grants  password -> client_credentials\n") && said.contains("client_secret  "), "{said}");
    assert_eq!(bench.run(&["client", "set", "app", "--public=false"]).good().stdout, "client app is unchanged\n");
    bench.run(&["client", "set", "app", "--public"]).refused(&["public client"]);
    let public = bench.json(&["client", "set", "app", "--public", "--grant", "password", "--json"]);
    assert_eq!((&public["public"], &public["revoked"], public.get("secret")), (&json!(true), &json!(0), None));
    let confidential = bench.json(&["client", "set", "app", "--public=false", "--json"]);
    assert_eq!((&confidential["public"], &confidential["client_id"]), (&json!(false), &json!("app")));
    assert_eq!(confidential["client_secret"].as_str().unwrap().len(), 43);
    bench.run(&["client", "set", "app", "--public"]).good();
    bench.run(&["client", "disable", "app"]).good();
    assert_eq!(bench.json(&["client", "list", "--json"])[0]["enabled"], false);
    bench.run(&["client", "enable", "app"]).good();
    bench.run(&["client", "delete", "app"]).good();
    assert_eq!(bench.json(&["client", "list", "--json"]), json!([]));
}

#[test]
fn a_scope_is_declared_and_removed() {
    let bench = Bench::new();
    bench.run(&["scope", "add", "notes:read", "--description", "Read your notes"]).good();
    assert_eq!(only(&bench.json(&["scope", "list", "--json"]), "name", "notes:read")["description"], "Read your notes");
    bench.run(&["scope", "add", "two words", "--description", "x"]).refused(&["two words"]);
    bench.run(&["scope", "delete", "notes:read"]).good();
    bench.run(&["scope", "delete", "notes:read"]).refused(&["there is no scope"]);
}

#[test]
fn a_rotated_key_is_published_before_it_signs() {
    let bench = started();
    bench.run(&["key", "rotate"]).good();
    let keys = bench.json(&["key", "list", "--json"]);
    let states: Vec<&str> = keys
        .as_array()
        .unwrap()
        .iter()
        .filter(|key| key["purpose"] == "sign")
        .map(|key| key["state"].as_str().unwrap())
        .collect();
    assert_eq!(states.len(), 2, "{keys}");
    assert!(states.contains(&"current") && states.contains(&"next"), "{keys}");
    bench.run(&["key", "rotate"]).refused(&["does not sign yet"]);
}

#[test]
fn a_read_only_command_creates_no_database() {
    let bench = Bench::new();
    for command in [["user", "list"], ["session", "list"], ["key", "rotate"]] {
        bench.run(&command).refused(&["data/ficha.db is empty or missing", "ficha serve"]);
    }
    assert_eq!(std::fs::read_dir(bench.folder()).unwrap().count(), 0);
}

#[test]
fn migrating_twice_does_nothing_the_second_time() {
    let bench = Bench::new();
    bench.run(&["migrate", "--check"]).refused(&["is empty or missing"]);
    assert!(bench.run(&["migrate"]).good().stdout.starts_with("applied m0001"));
    assert_eq!(bench.run(&["migrate", "--check"]).good().stdout, "the database is up to date\n");
    assert_eq!(bench.run(&["migrate"]).good().stdout, "the database is up to date\n");
}
