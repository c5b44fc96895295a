//! `~` at the beginning of a path: a shell expands it only where it stands by itself, and never in a settings file.

use std::path::{Path, PathBuf};

/// The path, with the home directory for a `~` at its beginning. Without a home directory, it is left as it is; so is
/// the home of somebody else (`~alice`).
pub fn expand(path: PathBuf) -> PathBuf {
    expand_in(path, std::env::var_os("HOME").map(PathBuf::from).as_deref())
}

fn expand_in(path: PathBuf, home: Option<&Path>) -> PathBuf {
    let home = home.filter(|home| home.is_absolute());
    match (path.strip_prefix("~"), home) {
        (Ok(rest), Some(home)) => home.join(rest),
        _ => path,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_tilde_of_its_own_is_the_home_directory() {
        let expand = |path: &str| expand_in(path.into(), Some(Path::new("/home/a"))).display().to_string();
        assert_eq!(expand("~/ficha/master.key"), "/home/a/ficha/master.key");
        assert_eq!(expand("~alice/x"), "~alice/x");
        assert_eq!(expand("data/~/x"), "data/~/x");
        assert_eq!(expand_in("~/x".into(), None), Path::new("~/x"));
        assert_eq!(expand_in("~/x".into(), Some(Path::new("relative"))), Path::new("~/x"));
    }
}
