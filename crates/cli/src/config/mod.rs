//! Configuration: the built-in file, the file that is named, `.env`, the environment; the later wins.
//!
//! A key that does not exist, or a value that can't be used, stops whatever was asked for, with the key's full name,
//! what is wrong, where it came from, and what to do.

mod duration;
mod error;
mod layer;
mod raw;
mod resolve;
mod setting;
mod show;
mod url_file;
mod values;

use std::path::{Path, PathBuf};

use ficha_authority::{MasterKeySource, Secret, Settings};
use ficha_server::ServerSettings;

pub use error::ConfigProblem;
pub use resolve::issuer_of;
pub use show::Shown;
pub use values::LogFormat;

use layer::Layer;

/// The configuration, checked.
#[derive(Debug)]
pub struct Configuration {
    /// The rules' settings.
    pub settings: Settings,
    /// The listener's settings.
    pub server: ServerSettings,
    /// `store.url`, or what `store.url_file` holds. It may hold a password.
    pub store_url: Secret,
    /// Where the master key is.
    pub master_key: MasterKeySource,
    /// How to log.
    pub log: LogSettings,
    /// True if no issuer was set, so that it is the address that is listened on.
    pub issuer_follows_bind: bool,
    /// What is allowed, but perhaps not meant. Said when the server starts.
    pub warnings: Vec<String>,
    /// What `ficha config` prints.
    pub shown: Shown,
}

/// `log.*`
#[derive(Debug, Clone)]
pub struct LogSettings {
    /// `log.format`
    pub format: LogFormat,
    /// `log.level`
    pub level: String,
}

/// The file that settings are read from, and who named it.
struct NamedFile {
    path: PathBuf,
    named_by: &'static str,
}

/// Reads the configuration. `file` is what `--config` named.
pub fn load(file: Option<&Path>) -> Result<Configuration, ConfigProblem> {
    let dotenv = layer::read_dotenv(Path::new(".env"))?;
    let environment = layer::read_environment(std::env::vars_os())?;
    let mut layers = vec![layer::builtin()?];
    if let Some(named) = named_file(file, &dotenv) {
        layers.push(layer::file(&named.path, named.named_by)?);
    }
    layers.push(layer::variables(dotenv, " in .env")?);
    layers.push(layer::variables(environment, "")?);
    assemble(layers)
}

fn named_file(file: Option<&Path>, dotenv: &layer::Variables) -> Option<NamedFile> {
    if let Some(path) = file {
        return Some(NamedFile { path: path.to_owned(), named_by: "--config" });
    }
    let named = std::env::var_os("FICHA_CONFIG").map(PathBuf::from);
    let named = named.or_else(|| dotenv.get("FICHA_CONFIG").map(PathBuf::from));
    named.filter(|path| !path.as_os_str().is_empty()).map(|path| NamedFile { path, named_by: "FICHA_CONFIG" })
}

/// Lays the layers over each other, the first at the bottom.
fn assemble(layers: Vec<Layer>) -> Result<Configuration, ConfigProblem> {
    let mut merged = Layer::merge(layers);
    let mut raw = merged.read()?;
    url_file::read(&mut raw, &mut merged)?;
    resolve::resolve(&raw, &merged)
}

#[cfg(test)]
mod tests;
