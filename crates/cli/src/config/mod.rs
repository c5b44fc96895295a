//! Configuration from the built-in file, the user's file, `.env` and the environment; later ones override earlier ones.
//!
//! An unknown key or an invalid value stops every command, with the key's full name, what is wrong, where it was set,
//! and what to do.

pub mod duration;
mod error;
mod layer;
mod raw;
mod resolve;
mod setting;
mod show;
mod url_file;
mod values;

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use ficha_authority::{MasterKeySource, Secret, Settings};
use ficha_server::ServerSettings;

pub use error::ConfigProblem;
pub use resolve::{admin_at, issuer_of};
pub use show::Shown;
pub use values::{EventLines, LogFormat};

use layer::Layer;

use crate::finding::Finding;
use crate::home;

/// The validated configuration.
#[derive(Debug)]
pub struct Configuration {
    /// The authority's settings.
    pub settings: Settings,
    /// The server's settings.
    pub server: ServerSettings,
    /// `store.url`, or the content of `store.url_file`. It may contain a password.
    pub store_url: Secret,
    /// `store.url_file`
    pub store_url_file: Option<PathBuf>,
    /// `store.connections`
    pub store_connections: u32,
    /// Where the master key is.
    pub master_key: MasterKeySource,
    /// How to log.
    pub log: LogSettings,
    /// True if no issuer is set: then it follows the address that the server listens on.
    pub issuer_follows_bind: bool,
    /// True if no `admin.origin` is set: then it follows the issuer, or `admin.bind`.
    pub admin_origin_follows_bind: bool,
    /// Allowed settings that may be mistakes. Logged when the server starts.
    pub warnings: Vec<Finding>,
    /// The output of `ficha config`.
    pub shown: Shown,
}

/// `log.*`
#[derive(Debug, Clone)]
pub struct LogSettings {
    /// `log.format`
    pub format: LogFormat,
    /// `log.level`
    pub level: String,
    /// `log.events`
    pub events: EventLines,
}

/// The file that settings are read from, and how it was given.
struct NamedFile {
    path: PathBuf,
    named_by: &'static str,
}

/// Reads the configuration. `file` is the argument of `--config`.
pub fn load(file: Option<&Path>) -> Result<Configuration, ConfigProblem> {
    let dotenv = layer::read_dotenv(Path::new(layer::DOTENV))?;
    let environment = layer::read_environment(std::env::vars_os())?;
    let mut layers = vec![layer::builtin()?];
    if let Some(named) = named_file(file, &dotenv) {
        layers.push(layer::file(&named.path, named.named_by)?);
    }
    layers.push(layer::variables(dotenv, layer::IN_DOTENV)?);
    layers.push(layer::variables(environment, "")?);
    assemble(layers)
}

fn named_file(file: Option<&Path>, dotenv: &layer::Variables) -> Option<NamedFile> {
    if let Some(path) = file {
        return Some(NamedFile { path: path.to_owned(), named_by: "--config" });
    }
    let trimmed = |path: OsString| path.into_string().map_or_else(PathBuf::from, |text| text.trim().into());
    let named = std::env::var_os("FICHA_CONFIG").or_else(|| dotenv.get("FICHA_CONFIG").map(OsString::from));
    let named = named.map(trimmed).filter(|path| !path.as_os_str().is_empty());
    named.map(|path| NamedFile { path: home::expand(path), named_by: "FICHA_CONFIG" })
}

/// Merges the layers; later ones override earlier ones.
fn assemble(layers: Vec<Layer>) -> Result<Configuration, ConfigProblem> {
    let mut merged = Layer::merge(layers);
    let mut raw = merged.read()?;
    url_file::read(&mut raw, &mut merged)?;
    resolve::resolve(&raw, &merged)
}

#[cfg(test)]
mod schema;
#[cfg(test)]
mod tests;
