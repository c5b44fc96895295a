//! One layer of settings for each source, and their merge.

use std::collections::{BTreeMap, HashMap};
use std::ffi::OsString;
use std::fs;
use std::path::Path;

use config::{Config, ConfigError, Environment, File, FileFormat, Source, Value, ValueKind};

use super::error::ConfigProblem;
use super::raw::Raw;

const PREFIX: &str = "FICHA";
const SEPARATOR: &str = "__";
/// U+FEFF.
const BYTE_ORDER_MARK: char = '\u{feff}';
/// The file with settings in the working directory.
pub const DOTENV: &str = ".env";
/// What the origin of its settings ends with.
pub const IN_DOTENV: &str = " in .env";
const BUILT_IN: &str = include_str!("../../../../config/default.toml");

/// Ficha's variables by name, as in `.env` or the environment.
pub type Variables = HashMap<String, String>;

/// Settings by full name, each with its origin.
#[derive(Debug, Clone, Default)]
pub struct Layer(BTreeMap<String, Value>);

/// The built-in settings.
pub fn builtin() -> Result<Layer, ConfigProblem> {
    let file = File::from_str(BUILT_IN, FileFormat::Toml);
    let table = file.collect().map_err(|error| ConfigProblem::Syntax {
        path: "config/default.toml".into(),
        why: one_line(&error.to_string()),
    })?;
    Ok(Layer::flatten(table, Layer::BUILT_IN))
}

/// The settings of a TOML file.
pub fn file(path: &Path, named_by: &'static str) -> Result<Layer, ConfigProblem> {
    let text = fs::read_to_string(path).map_err(|error| ConfigProblem::File {
        path: path.to_owned(),
        named_by,
        why: error.to_string(),
    })?;
    // Editors on Windows put it at the beginning.
    let text = text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(&text);
    let table = File::from_str(text, FileFormat::Toml)
        .collect()
        .map_err(|error| ConfigProblem::Syntax { path: path.to_owned(), why: where_and_why(&error.to_string()) })?;
    let layer = Layer::flatten(table, &format!("from {}", path.display()));
    layer.refuse_unknown()?;
    Ok(layer)
}

/// Reads `.env` in the working directory, if there is one. The process's own environment is not changed.
pub fn read_dotenv(path: &Path) -> Result<Variables, ConfigProblem> {
    // Some projects have a directory of that name.
    if !path.is_file() {
        return Ok(Variables::new());
    }
    let text = fs::read_to_string(path).map_err(|error| ConfigProblem::Dotenv(one_line(&error.to_string())))?;
    let text = text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(&text);
    let mut variables = Variables::new();
    for line in dotenvy::from_read_iter(text.as_bytes()) {
        let (name, value) = line.map_err(|error| ConfigProblem::Dotenv(dotenv_problem(&error, text)))?;
        if is_ours(&name) {
            variables.insert(name, value);
        }
    }
    Ok(variables)
}

/// Reads the environment.
pub fn read_environment(all: impl Iterator<Item = (OsString, OsString)>) -> Result<Variables, ConfigProblem> {
    let mut variables = Variables::new();
    for (name, value) in all {
        let Some(name) = name.to_str().filter(|name| is_ours(name)) else { continue };
        // The value is not repeated: it may be a secret.
        let value = value.into_string().map_err(|_| ConfigProblem::NotUnicode(name.to_owned()))?;
        variables.insert(name.to_owned(), value);
    }
    Ok(variables)
}

/// The settings among `variables`; `place` is appended to each origin.
pub fn variables(variables: Variables, place: &str) -> Result<Layer, ConfigProblem> {
    // A value from a file or a shell often ends in a line break, which would become part of every `iss`.
    let variables: Variables = variables.into_iter().map(|(name, value)| (name, value.trim().to_owned())).collect();
    // Values stay text here: guessing types would drop leading zeros.
    let source = Environment::with_prefix(PREFIX).separator(SEPARATOR).source(Some(variables));
    let table = source.collect().map_err(|error| ConfigProblem::Unreadable(one_line(&error.to_string())))?;
    let named = |(key, value): (String, Value)| {
        let name = format!("{PREFIX}{SEPARATOR}{}", key.replace('.', SEPARATOR).to_uppercase());
        (key, Value::new(Some(&format!("from {name}{place}")), value.kind))
    };
    let layer = Layer(table.into_iter().map(named).collect());
    layer.refuse_unknown()?;
    // Compose files, for example, pass on an unset variable as an empty one.
    let is_set = |value: &Value| !matches!(&value.kind, ValueKind::String(text) if text.is_empty());
    Ok(Layer(layer.0.into_iter().filter(|(_, value)| is_set(value)).collect()))
}

/// `FICHA__…` is a setting, `FICHA_CONFIG` names the file. Other names that begin with FICHA_ are ignored.
fn is_ours(name: &str) -> bool {
    let prefix = PREFIX.len() + SEPARATOR.len();
    let is_setting = name.get(..prefix).is_some_and(|start| start.eq_ignore_ascii_case("FICHA__"));
    is_setting || name == "FICHA_CONFIG"
}

impl Layer {
    /// The origin of defaults.
    pub const BUILT_IN: &str = "built in";

    /// Turns a TOML document into full names with their values.
    fn flatten(table: HashMap<String, Value>, origin: &str) -> Self {
        let mut layer = Self::default();
        layer.add(None, table, &origin.to_owned());
        layer
    }

    fn add(&mut self, section: Option<&str>, table: HashMap<String, Value>, origin: &String) {
        for (name, value) in table {
            let key = section.map_or_else(|| name.clone(), |section| format!("{section}.{name}"));
            match value.kind {
                ValueKind::Table(inner) if !inner.is_empty() => self.add(Some(&key), inner, origin),
                // An empty section sets nothing, regardless of its name.
                ValueKind::Table(_) => {}
                kind => drop(self.0.insert(key, Value::new(Some(origin), kind))),
            }
        }
    }

    /// Merges layers; later ones override earlier ones.
    pub fn merge(layers: Vec<Self>) -> Self {
        Self(layers.into_iter().flat_map(|layer| layer.0).collect())
    }

    /// Where a setting was set, if it was.
    pub fn origin(&self, key: &str) -> Option<&str> {
        self.0.get(key)?.origin()
    }

    /// Replaces the origin of a setting.
    pub fn set_origin(&mut self, key: &str, origin: &str) {
        if let Some(value) = self.0.get_mut(key) {
            *value = Value::new(Some(&origin.to_owned()), value.kind.clone());
        }
    }

    /// The settings with their types.
    pub fn read(&self) -> Result<Raw, ConfigProblem> {
        let read = Config::builder().add_source(self.clone()).build().and_then(Config::try_deserialize);
        read.map_err(|error| self.explain(&error))
    }

    fn explain(&self, error: &ConfigError) -> ConfigProblem {
        let (key, problem) = match error {
            ConfigError::At { error, key: Some(key), .. } => (key.as_str(), error.to_string()),
            // Our own errors have a key; this one is serde's or the config crate's.
            other => return ConfigProblem::Unreadable(one_line(&other.to_string())),
        };
        // An element of a list is `key[2]`.
        let key = key.split('[').next().unwrap_or(key);
        let origin = self.origin(key).unwrap_or(Self::BUILT_IN).to_owned();
        ConfigProblem::BadValue { key: key.to_owned(), problem: one_line(&problem), origin }
    }

    /// Refuses a name that is not a setting.
    fn refuse_unknown(&self) -> Result<(), ConfigProblem> {
        let known = known_keys()?;
        match self.0.iter().find(|(key, _)| !known.contains_key(*key)) {
            None => Ok(()),
            Some((key, value)) => Err(ConfigProblem::UnknownKey {
                key: key.clone(),
                origin: value.origin().unwrap_or_default().to_owned(),
                help: siblings(key, &known),
            }),
        }
    }
}

impl Source for Layer {
    fn clone_into_box(&self) -> Box<dyn Source + Send + Sync> {
        Box::new(self.clone())
    }

    fn collect(&self) -> Result<HashMap<String, Value>, ConfigError> {
        Ok(self.0.clone().into_iter().collect())
    }
}

/// Every setting's full name, and its built-in value as `ficha config` shows it. The names come from [`Raw`]'s fields,
/// so there is no separate list to maintain.
fn known_keys() -> Result<BTreeMap<String, Option<String>>, ConfigProblem> {
    shown_values(&builtin()?.read()?)
}

/// Every setting with its value as `ficha config` shows it; `None` if it has none.
pub fn shown_values(raw: &Raw) -> Result<BTreeMap<String, Option<String>>, ConfigProblem> {
    let value = serde_json::to_value(raw).map_err(|error| ConfigProblem::Unreadable(error.to_string()))?;
    let mut shown = BTreeMap::new();
    walk(None, &value, &mut shown);
    Ok(shown)
}

fn walk(name: Option<&str>, value: &serde_json::Value, shown: &mut BTreeMap<String, Option<String>>) {
    match (name, value) {
        (_, serde_json::Value::Object(fields)) => {
            for (field, value) in fields {
                let key = name.map_or_else(|| field.clone(), |name| format!("{name}.{field}"));
                walk(Some(&key), value, shown);
            }
        }
        (Some(name), value) => drop(shown.insert(name.to_owned(), value.as_str().map(str::to_owned))),
        (None, _) => {}
    }
}

/// Help for an unknown key: the settings in its section, or the sections.
fn siblings(key: &str, known: &BTreeMap<String, Option<String>>) -> String {
    let section = key.rsplit_once('.').map_or("", |(section, _)| section);
    let inside = |name: &&String| name.rsplit_once('.').is_some_and(|(parent, _)| parent == section);
    let names: Vec<&str> = known.keys().filter(inside).map(String::as_str).collect();
    if !names.is_empty() {
        return format!("this section has {}", names.join(", "));
    }
    if known.keys().any(|name| name.split('.').next() == Some(key)) {
        return format!("it is a section: write [{key}], and its settings below");
    }
    let mut sections: Vec<&str> = known.keys().filter_map(|name| name.split('.').next()).collect();
    sections.dedup();
    format!("the sections are {}", sections.join(", "))
}

/// The position and the reason of a TOML error. The lines between quote the file, which may contain a secret.
fn where_and_why(message: &str) -> String {
    let mut lines = message.lines().map(str::trim).filter(|line| !line.is_empty());
    let first = lines.next().unwrap_or_default();
    let last = lines.rfind(|line| !line.contains('|')).unwrap_or("it can't be read");
    one_line(&format!("{}: {last}", first.trim_start_matches("TOML parse error ")))
}

/// dotenvy's own message repeats the line, which may be a secret.
/// Says which line it is, and never what is in it: it may be a secret.
fn dotenv_problem(error: &dotenvy::Error, text: &str) -> String {
    match error {
        dotenvy::Error::LineParse(line, _) => {
            // A value in quotes may go over several lines; the first one is where it begins.
            let begin = line.lines().next().unwrap_or_default();
            // What is read of it may end before a comment.
            let is_it = |other: &str| {
                let rest = other.trim().strip_prefix(begin.trim()).map(str::trim_start);
                rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('#'))
            };
            let number = text.lines().position(is_it).map(|before| before + 1);
            let place = number.map_or_else(|| "a line".to_owned(), |number| format!("line {number}"));
            match line.split_once('=') {
                Some((name, _)) if is_ours(name.trim()) => {
                    format!("{place}: the value of {} can't be read; put it in single quotes", name.trim())
                }
                _ => format!("{place} is not of the form NAME=value"),
            }
        }
        other => one_line(&other.to_string()),
    }
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
