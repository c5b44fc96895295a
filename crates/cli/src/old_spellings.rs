//! How commands and options were spelled before this release. They go on for one release, with a warning.
//!
//! A hidden alias of a command or an option is such a spelling, so that the definition of a command has it next to the one
//! that is in force.

use std::ffi::OsString;

use clap::{Arg, Command};

use crate::output;

/// Other names that stay.
const SYNONYMS: [&str; 1] = ["create"];

/// Flags that took `true` or `false` as a word of its own.
const FLAGS: [&str; 2] = ["--forwards-address", "--own-scopes"];

/// The arguments as they are spelled now, as far as clap can't read the old ones.
pub fn rewritten(arguments: impl Iterator<Item = OsString>) -> Vec<OsString> {
    let mut all: Vec<OsString> = Vec::new();
    for argument in arguments {
        let is_change = all.iter().any(|word| word == "client") && all.iter().any(|word| word == "set");
        let flag = all.last().and_then(|last| last.to_str()).filter(|last| FLAGS.contains(last)).map(str::to_owned);
        match (flag, argument.to_str()) {
            (Some(flag), Some(value @ ("true" | "false"))) if is_change => {
                let now = format!("{flag}={value}");
                warn(&format!("{flag} {value}"), &now);
                all.pop();
                all.push(now.into());
            }
            _ => all.push(argument),
        }
    }
    all
}

/// Warns of each old spelling among arguments that clap has read.
pub fn warn_of_aliases(root: &Command, arguments: &[OsString]) {
    let mut command = root;
    let mut words = arguments.iter().skip(1).filter_map(|argument| argument.to_str()).take_while(|word| *word != "--");
    // Options that every command has are defined at those above it.
    let mut options: Vec<&Arg> = root.get_arguments().collect();
    while let Some(word) = words.next() {
        if let Some(option) = word.strip_prefix("--") {
            let (name, has_value) = option.split_once('=').map_or((option, false), |(name, _)| (name, true));
            let is_alias = |known: &Arg| known.get_all_aliases().is_some_and(|aliases| aliases.contains(&name));
            let Some(known) = options.iter().find(|known| known.get_long() == Some(name) || is_alias(known)) else {
                continue;
            };
            if let Some(now) = known.get_long().filter(|now| *now != name) {
                warn(&format!("--{name}"), &format!("--{now}"));
            }
            if known.get_action().takes_values() && !known.is_require_equals_set() && !has_value {
                words.next();
            }
        } else if let Some(next) = command.find_subcommand(word) {
            if next.get_name() != word && !SYNONYMS.contains(&word) {
                warn(word, next.get_name());
            }
            command = next;
            options.extend(command.get_arguments());
        }
    }
}

/// Warns of one.
pub fn warn(old: &str, now: &str) {
    output::warn(&format!("`{old}` is spelled `{now}` now; the next release may not know `{old}`"));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(line: &str) -> Vec<OsString> {
        line.split(' ').map(OsString::from).collect()
    }

    #[test]
    fn only_the_value_of_such_a_flag_is_joined_to_it() {
        let now = |line: &str| rewritten(typed(line).into_iter());
        assert_eq!(now("ficha client set a --own-scopes true"), typed("ficha client set a --own-scopes=true"));
        for same in
            ["ficha client set --own-scopes a", "ficha client add --own-scopes true", "ficha client set a --public"]
        {
            assert_eq!(now(same), typed(same));
        }
    }
}
