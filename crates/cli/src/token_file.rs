//! The file in which `ficha login` stores its tokens.

use std::path::PathBuf;

use clap::Args;
use clap::builder::{PathBufValueParser, TypedValueParser};
use ficha_client::FileStore;

use crate::error::CliError;
use crate::home;
use crate::input_error::InputError;

#[derive(Debug, Args)]
pub struct TokenFile {
    /// Where the tokens are stored [default: ficha/token.json in $XDG_CONFIG_HOME or ~/.config]
    #[arg(long, value_name = "FILE", value_parser = PathBufValueParser::new().map(home::expand))]
    token_file: Option<PathBuf>,
}

impl TokenFile {
    /// The file given on the command line, or the default one.
    pub fn store(&self) -> Result<FileStore, CliError> {
        let default = || default_path(|name| std::env::var_os(name).map(PathBuf::from));
        let path = self.token_file.clone().or_else(default);
        path.map(FileStore::new).ok_or_else(no_home)
    }

    /// The same for an administrator's tokens.
    pub fn admin_store(&self) -> Result<FileStore, CliError> {
        let default = || default_path(|name| std::env::var_os(name).map(PathBuf::from));
        let path = self.token_file.clone().or_else(|| default().map(|path| path.with_file_name("admin.json")));
        path.map(FileStore::new).ok_or_else(no_home)
    }
}

fn no_home() -> CliError {
    InputError::NoHome.into()
}

/// The file in which `ficha login --admin` stores its tokens: not the one of an app, so that neither replaces the other.
#[derive(Debug, Args)]
pub struct AdminTokenFile {
    /// Where `ficha login --admin` stores its tokens [default: ficha/admin.json in $XDG_CONFIG_HOME or ~/.config]
    #[arg(long, value_name = "FILE", global = true, requires = "server", value_parser = PathBufValueParser::new().map(home::expand), help_heading = "At a server elsewhere")]
    token_file: Option<PathBuf>,
}

impl AdminTokenFile {
    /// The file given on the command line, or the default one.
    pub fn store(&self) -> Result<FileStore, CliError> {
        TokenFile { token_file: self.token_file.clone() }.admin_store()
    }
}

/// Per the XDG Base Directory Specification, a path that is not absolute counts as not set.
fn default_path(variable: impl Fn(&str) -> Option<PathBuf>) -> Option<PathBuf> {
    let absolute = |name| variable(name).filter(|path| path.is_absolute());
    let folder = absolute("XDG_CONFIG_HOME").or_else(|| absolute("HOME").map(|home| home.join(".config")));
    folder.map(|folder| folder.join("ficha/token.json"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_file_is_in_the_configuration_directory() {
        let path =
            |xdg: &str, home: &str| default_path(|name| Some(PathBuf::from(if name == "HOME" { home } else { xdg })));
        assert_eq!(path("/x", "/home/a"), Some("/x/ficha/token.json".into()));
        assert_eq!(path("", "/home/a"), Some("/home/a/.config/ficha/token.json".into()));
        assert_eq!(path("relative", "/home/a"), Some("/home/a/.config/ficha/token.json".into()));
        assert_eq!(path("", ""), None);
    }
}
