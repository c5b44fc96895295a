//! `config/ficha.schema.json`, with which editors complete and check a configuration file.
//!
//! Nothing is listed twice: names, defaults and bounds come from the code, and descriptions from the comments of
//! `config/default.toml`. Only the JSON Schema of each kind of setting is added here, and a test checks each [`Kind`]
//! against the code, with values that must be accepted or refused.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Map, Value, json};

use super::error::ConfigProblem;
use super::layer;

/// A kind of setting, with TOML values that are valid and values that are not.
struct Kind {
    schema: Value,
    right: Vec<String>,
    wrong: Vec<String>,
}

/// The kind of setting with this description of what it must be.
fn kind(wanted: &str) -> Kind {
    const TIME: &str = "whole seconds, or a text such as \"15s\", \"10m\", \"12h\" or \"30d\"";
    let kind = |schema: Value, right: &[&str], wrong: &[&str]| {
        let texts = |values: &[&str]| values.iter().map(|value| (*value).to_owned()).collect();
        Kind { schema, right: texts(right), wrong: texts(wrong) }
    };
    let time = |pattern: &str| json!({ "type": ["integer", "string"], "minimum": 0, "pattern": pattern });
    let choice = |names: &[&str]| {
        let quoted = names.iter().map(|name| format!("'{name}'")).collect();
        Kind { schema: json!({ "enum": names }), right: quoted, wrong: vec!["'other'".into(), "1".into()] }
    };
    let list = || json!({ "type": "array", "items": { "type": "string", "minLength": 1 } });
    if let Some((least, most)) = wanted.strip_prefix("a whole number from ").and_then(|rest| rest.split_once(" to ")) {
        let (least, most): (u64, u64) = (least.parse().expect("a number"), most.parse().expect("a number"));
        return Kind {
            schema: json!({ "type": "integer", "minimum": least, "maximum": most }),
            right: vec![least.to_string(), most.to_string()],
            wrong: vec![(least - 1).to_string(), (most + 1).to_string(), "true".into()],
        };
    }
    match wanted {
        "true or false" => kind(json!({ "type": "boolean" }), &["true", "false"], &["1", "'yes'"]),
        TIME => kind(time("^[0-9]+[smhd]?$"), &["0", "90", "'15s'", "'90'"], &["-1", "'1w'", "'never'", "true"]),
        text if text.strip_prefix(TIME) == Some(", or \"never\"") => {
            kind(time("^([0-9]+[smhd]?|never)$"), &["90", "'30d'", "'never'"], &["-1", "'always'", "false"])
        }
        "an IP address and a port, such as \"127.0.0.1:8080\" or \"[::1]:8080\"" => {
            kind(json!({ "type": "string", "pattern": ":[0-9]+$" }), &["'0.0.0.0:0'"], &["'localhost'", "8080"])
        }
        text if text.starts_with("a loopback address and a port") => kind(
            json!({ "type": "string", "pattern": "^unix:[/~]|:[0-9]+$" }),
            &["'127.0.0.1:9300'", "'unix:/run/ficha/gate.sock'"],
            &["'localhost'", "'unix:gate.sock'", "9300"],
        ),
        "a URL that begins with sqlite:// or postgres://" => kind(
            json!({ "type": "string", "pattern": "^(sqlite|postgres|postgresql)://" }),
            &["'sqlite://x'", "'postgres://x'", "'postgresql://x'"],
            &["'mysql://x'", "1"],
        ),
        "a text in quotes, not empty" | "a path in quotes" => {
            kind(json!({ "type": "string", "minLength": 1 }), &["'x'"], &["''", "1", "true", "['x']"])
        }
        "a list of addresses or networks, such as [\"10.0.0.0/8\", \"::1\"]" => {
            kind(list(), &["[]", "['10.0.0.0/8', '::1']"], &["[1]", "true"])
        }
        "a list of origins, each by itself and without patterns, such as [\"https://notes.example.com\"]" => {
            kind(list(), &["[]", "['https://notes.example.com']"], &["[1]", "true"])
        }
        "ES256, EdDSA or RS256 (token.secret_key chooses HS256)" => choice(&["ES256", "EdDSA", "RS256"]),
        "text or json" => choice(&["text", "json"]),
        "off or stdout" => choice(&["off", "stdout"]),
        "off, error, warn, info, debug or trace, also per module, as in \"info,ficha_store=debug\"" => {
            kind(json!({ "type": "string", "minLength": 1 }), &["'off'", "'info,ficha_store=debug'"], &["''", "1"])
        }
        other => panic!("a new kind of setting: add the JSON Schema of {other:?} here"),
    }
}

/// Reads the built-in settings with this one overridden.
fn with(key: &str, value: &str) -> Result<(), ConfigProblem> {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("ficha.toml");
    std::fs::write(&path, format!("{key} = {value}\n")).expect("the file can be written");
    layer::Layer::merge(vec![layer::builtin()?, layer::file(&path, "--config")?]).read().map(drop)
}

/// What a setting must be, from the error for a fraction, which no setting accepts.
fn wanted(key: &str) -> String {
    let refusal = with(key, "1.5").expect_err("no setting accepts a fraction").to_string();
    let (_, wanted) = refusal.split_once("it must be ").expect("it says what is allowed");
    let (wanted, _) = wanted.rsplit_once(" (from ").expect("it says where it was set");
    wanted.to_owned()
}

/// The comments of `config/default.toml`, by section and by full key.
fn comments() -> BTreeMap<String, String> {
    let mut comments = BTreeMap::new();
    let (mut section, mut above) = (String::new(), Vec::new());
    for line in include_str!("../../../../config/default.toml").lines() {
        let bare = line.trim_start_matches("# ");
        let key = bare.split_once(" = ").map(|(key, _)| key);
        if let Some(name) = bare.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            name.clone_into(&mut section);
            comments.insert(section.clone(), std::mem::take(&mut above).join(" "));
        } else if let Some(key) = key.filter(|key| key.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_')) {
            comments.insert(format!("{section}.{key}"), std::mem::take(&mut above).join(" "));
        } else if line.starts_with('#') {
            above.push(bare);
        } else {
            above.clear();
        }
    }
    comments
}

fn schema() -> Value {
    let comments = comments();
    let comment = |name: &str| comments.get(name).filter(|text| !text.is_empty());
    let object = |description: Option<&String>| {
        let mut object = json!({ "type": "object", "additionalProperties": false, "properties": {} });
        if let Some(description) = description {
            object["description"] = json!(description);
        }
        object
    };
    let mut root = object(None);
    root["$schema"] = json!("http://json-schema.org/draft-07/schema#");
    root["title"] = json!("Ficha's configuration file");
    let raw = layer::builtin().and_then(|layer| layer.read()).expect("the built-in settings are valid");
    for (key, default) in layer::shown_values(&raw).expect("they can be shown") {
        let mut setting = kind(&wanted(&key)).schema;
        setting["description"] = json!(comment(&key).unwrap_or_else(|| panic!("{key} has no comment")));
        if let Some(default) = default {
            // Each is a bare TOML value that is also JSON.
            setting["default"] = serde_json::from_str(&default).unwrap_or_else(|error| panic!("{key}: {error}"));
        }
        let (sections, name) = key.rsplit_once('.').expect("a section and a name");
        let mut inside = &mut root;
        let mut path = String::new();
        for section in sections.split('.') {
            path = if path.is_empty() { section.to_owned() } else { format!("{path}.{section}") };
            inside = members(inside).entry(section).or_insert_with(|| object(comment(&path)));
        }
        members(inside).insert(name.to_owned(), setting);
    }
    root
}

fn members(object: &mut Value) -> &mut Map<String, Value> {
    object["properties"].as_object_mut().expect("an object")
}

/// After an intended change, run `FICHA_TEST_RENEW=1 cargo test -p ficha --bin ficha schema`, and review the difference
/// before committing it.
#[test]
fn the_schema_is_the_committed_one() {
    let got = schema();
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../config/ficha.schema.json");
    if std::env::var_os("FICHA_TEST_RENEW").is_some() {
        let text = serde_json::to_string_pretty(&got).expect("JSON can be written") + "\n";
        std::fs::write(&file, text).expect("the file can be written");
    }
    let text = std::fs::read_to_string(&file).expect("the committed schema exists");
    let committed: Value = serde_json::from_str(&text).expect("it is JSON");
    assert!(got == committed, "{} differs; FICHA_TEST_RENEW=1 updates it. It is now:\n{got:#}", file.display());
}

#[test]
fn each_kind_accepts_and_refuses_the_same_values_as_the_code() {
    let raw = layer::builtin().and_then(|layer| layer.read()).unwrap();
    for key in layer::shown_values(&raw).unwrap().into_keys() {
        let Kind { right, wrong, .. } = kind(&wanted(&key));
        for value in right {
            assert!(with(&key, &value).is_ok(), "{key} = {value}");
        }
        for value in wrong {
            assert!(with(&key, &value).is_err(), "{key} = {value}");
        }
    }
}
