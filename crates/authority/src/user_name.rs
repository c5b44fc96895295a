//! User names by RFC 8265 §3.4 (UsernameCasePreserved): one spelling of what looks the same.

use std::borrow::Cow;

use ficha_store::{Store, StoreError, UserRecord};
use precis_profiles::UsernameCasePreserved;
use precis_profiles::precis_core::Error;
use precis_profiles::precis_core::profile::Profile;
use unicode_normalization::UnicodeNormalization;
use uuid::Uuid;

/// The longest user name, in bytes.
pub const MAX_NAME_BYTES: usize = 256;

/// The name of a new user: as it is stored, in its normal form.
///
/// The error says what a name must be, without the name itself.
pub fn new_name(typed: &str) -> Result<String, String> {
    if typed.is_empty() || typed.len() > MAX_NAME_BYTES {
        return Err("must be 1 to 256 bytes long".into());
    }
    if typed.chars().any(char::is_control) || typed.trim() != typed {
        return Err("must not contain control characters, or a space at either end".into());
    }
    let name = normal_form(typed)?.into_owned();
    if name.len() > MAX_NAME_BYTES {
        return Err("must be 1 to 256 bytes long".into());
    }
    // What looks like an id is found by id.
    if name.parse::<Uuid>().is_ok() {
        return Err("must not look like an id".into());
    }
    Ok(name)
}

/// The normal form of a name: NFC, with fullwidth letters as the usual ones, and the case kept. Words may be separated by
/// spaces, as RFC 8265 §3.1 allows. The error says which character no name may have.
fn normal_form(name: &str) -> Result<Cow<'_, str>, String> {
    if name.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
        return Ok(name.into());
    }
    // Composed first: some systems send Korean in parts that are not letters by themselves.
    let composed: String = name.nfc().collect();
    let word = |word: &str| -> Result<String, String> {
        if word.is_empty() {
            return Ok(String::new());
        }
        UsernameCasePreserved::new().enforce(word).map(Cow::into_owned).map_err(why)
    };
    Ok(composed.split(' ').map(word).collect::<Result<Vec<String>, String>>()?.join(" ").into())
}

fn why(error: Error) -> String {
    match error {
        Error::BadCodepoint(bad) => {
            format!("must not contain U+{:04X}: only letters, digits, marks and ASCII are allowed (RFC 8265)", bad.cp)
        }
        Error::Invalid | Error::Unexpected(_) => {
            "must not mix right-to-left and left-to-right text (RFC 8265 and RFC 5893)".into()
        }
    }
}

/// The user whose name this is: exactly, or else in its normal form. Of several who have the same normal form, each has
/// only the exact name; they are from before names had one. For whatever changes a user, only the exact name will do.
pub async fn find_user(store: &Store, typed: &str) -> Result<Option<UserRecord>, StoreError> {
    if typed.len() > MAX_NAME_BYTES || typed.contains('\0') {
        return Ok(None);
    }
    // Always one query, so that its time says nothing.
    let normal = normal_form(typed).unwrap_or_else(|_| typed.into());
    let mut found = store.users_by_name(typed, &normal).await?;
    match found.iter().position(|user| user.name == typed) {
        Some(exact) => Ok(Some(found.swap_remove(exact))),
        None if found.len() == 1 => Ok(found.pop()),
        None => Ok(None),
    }
}

/// The normal form of a name that is stored, if that is another text.
pub fn other_normal_form(name: &str) -> Option<String> {
    normal_form(name).ok().map(Cow::into_owned).filter(|normal| normal != name)
}

/// True if both are spellings of one name.
pub fn are_alike(one: &str, other: &str) -> bool {
    let normal = |name| normal_form(name).unwrap_or(Cow::Borrowed(name));
    one == other || normal(one) == normal(other)
}

/// The name by which failed logins are counted: that of the account, or the normal form of what was typed.
pub fn counted_name<'a>(found: Option<&'a UserRecord>, typed: &'a str) -> Cow<'a, str> {
    match found {
        Some(user) => user.name.as_str().into(),
        None if typed.len() > MAX_NAME_BYTES => typed.into(),
        None => normal_form(typed).unwrap_or_else(|_| typed.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_stored_in_its_normal_form() {
        for (typed, stored) in [
            ("alice", "alice"),
            ("Alice", "Alice"),
            ("alice@example.com", "alice@example.com"),
            ("Ada Lovelace", "Ada Lovelace"),
            ("Zoe\u{308}", "Zo\u{eb}"),
            ("\u{ff41}\u{ff44}a", "ada"),
            ("\u{1112}\u{1161}\u{11ab}", "\u{d55c}"),
            ("Ελένη", "Ελένη"),
            ("שרה", "שרה"),
        ] {
            assert_eq!(new_name(typed).as_deref(), Ok(stored), "{typed:?}");
            assert_eq!(new_name(stored).as_deref(), Ok(stored), "{stored:?} is its own normal form");
        }
    }

    #[test]
    fn what_can_not_be_seen_or_turns_the_text_is_refused() {
        for name in [
            "",
            " alice",
            "alice ",
            "al\u{200b}ice",
            "alice\u{202e}",
            "\u{2066}alice",
            "al\u{ad}ice",
            "\u{feff}alice",
            "al\u{a0}ice",
            "a\nb",
            "alice★",
            "שרהa",
            "\u{ff10}1a22386-f51f-72f9-9b31-569417901ae1",
        ] {
            assert!(new_name(name).is_err(), "{name:?}");
        }
        assert!(new_name("al\u{200b}ice").unwrap_err().contains("U+200B"));
    }
}
