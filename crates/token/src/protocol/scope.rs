//! Scopes (RFC 6749 §3.3).

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The longest scope list that is accepted, in bytes: a token carries it in the header of every request.
pub const MAX_SCOPE_BYTES: usize = 2048;

/// A set of scope tokens. Its text is sorted and contains each token once, so equal sets have equal texts.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Scope(BTreeSet<String>);

/// Why a text is not a scope.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ScopeError {
    /// A byte outside %x21 / %x23-5B / %x5D-7E, or two spaces in a row, or one at an end.
    #[error(
        "a scope is a list of names separated by single spaces; a name has no space, quote, backslash or non-ASCII character"
    )]
    Malformed,
    /// More than [`MAX_SCOPE_BYTES`].
    #[error("the scope list is longer than 2048 bytes")]
    TooLong,
}

impl Scope {
    /// The empty set.
    pub fn empty() -> Self {
        Self::default()
    }

    /// True if it is empty.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many scope tokens it contains.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// True if `name` is one of them. Scope tokens are compared byte by byte.
    pub fn contains(&self, name: &str) -> bool {
        self.0.contains(name)
    }

    /// True if each of these is also in `other`.
    pub fn is_subset(&self, other: &Self) -> bool {
        self.0.is_subset(&other.0)
    }

    /// The scope tokens that are in both.
    pub fn intersection(&self, other: &Self) -> Self {
        Self(self.0.intersection(&other.0).cloned().collect())
    }

    /// The scope tokens that are in either.
    pub fn union(&self, other: &Self) -> Self {
        Self(self.0.union(&other.0).cloned().collect())
    }

    /// The scope tokens for which `keep` returns true.
    pub fn filter(&self, keep: impl Fn(&str) -> bool) -> Self {
        Self(self.0.iter().filter(|name| keep(name)).cloned().collect())
    }

    /// The scope tokens, sorted.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }
}

fn is_scope_byte(byte: u8) -> bool {
    matches!(byte, 0x21 | 0x23..=0x5B | 0x5D..=0x7E)
}

impl FromStr for Scope {
    type Err = ScopeError;

    /// Reads `scope-token *( SP scope-token )`. The empty text is the empty set; duplicate names count once.
    fn from_str(text: &str) -> Result<Self, ScopeError> {
        if text.len() > MAX_SCOPE_BYTES {
            return Err(ScopeError::TooLong);
        }
        if text.is_empty() {
            return Ok(Self::empty());
        }
        let mut names = BTreeSet::new();
        for name in text.split(' ') {
            if name.is_empty() || !name.bytes().all(is_scope_byte) {
                return Err(ScopeError::Malformed);
            }
            names.insert(name.to_owned());
        }
        Ok(Self(names))
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, name) in self.0.iter().enumerate() {
            if position > 0 {
                f.write_str(" ")?;
            }
            f.write_str(name)?;
        }
        Ok(())
    }
}

impl Serialize for Scope {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Scope {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_scope_is_sorted_and_has_each_name_once() {
        let scope: Scope = "notes:write notes:read notes:read".parse().unwrap();
        assert_eq!(scope.to_string(), "notes:read notes:write");
    }

    #[test]
    fn a11_what_rfc_6749_does_not_allow_is_malformed() {
        for text in [" ", "a ", " a", "a  b", "a\tb", "a\"b", "a\\b", "é", "a\0"] {
            assert_eq!(text.parse::<Scope>(), Err(ScopeError::Malformed), "{text:?}");
        }
        assert_eq!("x".repeat(MAX_SCOPE_BYTES + 1).parse::<Scope>(), Err(ScopeError::TooLong));
    }

    proptest! {
        #[test]
        fn a_parsed_scope_prints_and_parses_to_itself(text in ".{0,80}") {
            if let Ok(scope) = text.parse::<Scope>() {
                prop_assert_eq!(scope.to_string().parse::<Scope>(), Ok(scope.clone()));
                for name in scope.iter() {
                    prop_assert!(name.bytes().all(is_scope_byte));
                }
            }
        }
    }
}
