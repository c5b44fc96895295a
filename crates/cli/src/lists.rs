//! Lists as they are typed: values separated by spaces, in one option or in several. `""` is the empty list.

use std::convert::Infallible;
use std::str::FromStr;

use ficha_authority::{ClientScopes, Grant};
use ficha_token::{Scope, ScopeError};
use uuid::Uuid;

use crate::output;

/// Some values, separated by spaces.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Words(Vec<String>);

impl FromStr for Words {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(Self(text.split_whitespace().map(str::to_owned).collect()))
    }
}

/// Some grants, separated by spaces.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grants(Vec<Grant>);

impl FromStr for Grants {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, &'static str> {
        let grants: Option<Vec<Grant>> = text.split_whitespace().map(Grant::parse).collect();
        grants.map(Self).ok_or("use password, refresh_token or client_credentials")
    }
}

/// What a client may ask for: names, or `any`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scopes(ClientScopes);

impl FromStr for Scopes {
    type Err = ScopeError;

    fn from_str(text: &str) -> Result<Self, ScopeError> {
        match text.split_whitespace().any(|name| name == "any") {
            true => Ok(Self(ClientScopes::Any)),
            false => scope(text).map(ClientScopes::Only).map(Self),
        }
    }
}

/// Scope names, with any number of spaces between them.
pub fn scope(text: &str) -> Result<Scope, ScopeError> {
    text.split_whitespace().collect::<Vec<_>>().join(" ").parse()
}

/// The same; warns of a name with a comma, which most likely was meant as two. It may have one.
pub fn questioned(given: Vec<Words>, what: &str) -> Option<Vec<String>> {
    let words = words(given);
    for word in words.iter().flatten().filter(|word| word.contains(',')) {
        output::warn(&format!("the {what} {word:?} has a comma in it: lists are separated by spaces"));
    }
    words
}

/// The values of an option that may be repeated; `None`: it was not given.
pub fn words(given: Vec<Words>) -> Option<Vec<String>> {
    (!given.is_empty()).then(|| distinct(given.into_iter().flat_map(|list| list.0)))
}

/// The same of grants.
pub fn grants(given: Vec<Grants>) -> Option<Vec<Grant>> {
    (!given.is_empty()).then(|| distinct(given.into_iter().flat_map(|list| list.0)))
}

/// The same of a user's scopes.
pub fn union(given: &[Scope]) -> Option<Scope> {
    (!given.is_empty()).then(|| given.iter().fold(Scope::empty(), |all, scope| all.union(scope)))
}

/// The same of a client's scopes. `any` covers every name.
pub fn client_scopes(given: Vec<Scopes>) -> Option<ClientScopes> {
    given.into_iter().map(|scopes| scopes.0).reduce(|all, more| match (all, more) {
        (ClientScopes::Only(all), ClientScopes::Only(more)) => ClientScopes::Only(all.union(&more)),
        _ => ClientScopes::Any,
    })
}

/// An id, as lists show it.
pub fn id(text: &str) -> Result<Uuid, String> {
    text.parse()
        .map_err(|_| "it is not an id, such as 01890a5d-ac96-774b-bcce-b302099a8057; `list` or `show` has it".into())
}

/// A value that `""` removes; `None`: it was not given.
pub fn removable(given: Option<String>) -> Option<Option<String>> {
    given.map(|text| Some(text).filter(|text| !text.is_empty()))
}

fn distinct<T: PartialEq>(all: impl Iterator<Item = T>) -> Vec<T> {
    all.fold(Vec::new(), |mut kept, one| {
        if !kept.contains(&one) {
            kept.push(one);
        }
        kept
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed<T: FromStr<Err: std::fmt::Debug>>(texts: &[&str]) -> Vec<T> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    #[test]
    fn one_option_with_spaces_and_several_options_are_the_same_list() {
        for texts in [&["b a"][..], &["b", "a"], &["b  a", "b"]] {
            assert_eq!(words(typed(texts)), Some(vec!["b".into(), "a".into()]), "{texts:?}");
        }
        assert_eq!(words(typed(&[""])), Some(vec![]));
        assert_eq!(words(vec![]), None);
        let same = [&["notes:read notes:write"][..], &["notes:read", "notes:write"]];
        for texts in same {
            let scopes: Vec<Scope> = texts.iter().map(|text| scope(text).unwrap()).collect();
            assert_eq!(union(&scopes).unwrap().to_string(), "notes:read notes:write");
            let of_client = client_scopes(typed(texts));
            assert_eq!(of_client, Some(ClientScopes::Only(scope("notes:read notes:write").unwrap())));
        }
        assert_eq!(client_scopes(typed(&["any"])), Some(ClientScopes::Any));
        assert_eq!(client_scopes(typed(&["notes:read", "any"])), Some(ClientScopes::Any));
        assert_eq!(client_scopes(typed(&["notes:read any"])), Some(ClientScopes::Any));
        assert_eq!(client_scopes(vec![]), None);
        let both = Some(vec![Grant::Password, Grant::RefreshToken]);
        assert_eq!(grants(typed(&["password refresh_token"])), both);
        assert_eq!(grants(typed(&["password", "refresh_token"])), both);
        assert!("implicit".parse::<Grants>().is_err());
    }

    #[test]
    fn an_empty_value_removes() {
        assert_eq!(removable(None), None);
        assert_eq!(removable(Some(String::new())), Some(None));
        assert_eq!(removable(Some("x".into())), Some(Some("x".into())));
    }
}
