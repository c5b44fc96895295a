//! Which new passwords are acceptable: NIST SP 800-63B-4, section 3.1.1.
//!
//! Length matters, and there are no composition rules. Passwords that attackers try first are rejected.

use std::collections::HashSet;
use std::sync::LazyLock;

use zeroize::Zeroizing;

use crate::{MAX_PASSWORD_BYTES, Password};

/// Common passwords and the words they are made of, one per line, in lower case.
static COMMON: LazyLock<HashSet<&'static str>> =
    LazyLock::new(|| include_str!("policy/blocklist.txt").lines().collect());

/// This service's own name, which an attacker would try first.
const SERVICE: &str = "ficha";

/// Up to this many digits and symbols around a common word do not make it acceptable.
const DECORATION: usize = 10;

/// Shorter user names occur inside good passwords by accident.
const NAME_INSIDE: usize = 4;

/// How many characters are required in addition to the service's name.
const OTHER_THAN_NAME: usize = 8;

/// Rows of characters that are typed one after the other. The digits continue past their end.
const ROWS: [&str; 7] =
    ["01234567890", "abcdefghijklmnopqrstuvwxyz", "qwertyuiop", "qwertzuiop", "asdfghjkl", "zxcvbnm", "!@#$%^&*()"];

/// The rules for a new password.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PasswordPolicy {
    /// The minimum number of characters (not bytes). NIST requires 15 if the password is the only factor, and 8
    /// together with a second factor.
    pub min_length: usize,
}

/// Why a new password is rejected. The text can be shown to the user.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PolicyError {
    /// Fewer characters than [`PasswordPolicy::min_length`].
    #[error("the password must have at least {min} characters")]
    TooShort {
        /// [`PasswordPolicy::min_length`].
        min: usize,
    },
    /// More bytes than [`MAX_PASSWORD_BYTES`].
    #[error("the password must have at most {MAX_PASSWORD_BYTES} bytes")]
    TooLong,
    /// On the list of common passwords, or one or two words from it with digits and symbols.
    #[error("the password is too common")]
    Common,
    /// A short piece, repeated.
    #[error("the password repeats itself")]
    Repetitive,
    /// Runs along the alphabet, the digits or the keyboard.
    #[error("the password is a simple sequence of characters")]
    Sequential,
    /// Contains the user name, or is part of it.
    #[error("the password must not be based on the user name")]
    UserName,
    /// Contains the name of this service and little else.
    #[error("the password must not be based on the name of this service")]
    ServiceName,
}

impl Default for PasswordPolicy {
    fn default() -> Self {
        Self { min_length: 15 }
    }
}

impl PasswordPolicy {
    /// Checks whether `password` may become the password of the user `username`.
    pub fn check(&self, password: &Password, username: &str) -> Result<(), PolicyError> {
        if password.is_too_long() {
            return Err(PolicyError::TooLong);
        }
        let length = password.as_str().chars().count();
        if length < self.min_length {
            return Err(PolicyError::TooShort { min: self.min_length });
        }
        let text = Zeroizing::new(password.as_str().to_lowercase());
        let chars = Zeroizing::new(text.chars().collect::<Vec<_>>());
        if is_made_of_user_name(&text, &username.to_lowercase()) {
            return Err(PolicyError::UserName);
        }
        if has_little_else(&text, SERVICE) {
            return Err(PolicyError::ServiceName);
        }
        if is_common(&text) {
            return Err(PolicyError::Common);
        }
        if is_repetitive(&chars, self.min_length) {
            return Err(PolicyError::Repetitive);
        }
        if is_sequential(&chars) {
            return Err(PolicyError::Sequential);
        }
        Ok(())
    }
}

/// True if it is the name, a part of the name, or contains the name (or, for an address, the part before the `@`).
fn is_made_of_user_name(text: &str, name: &str) -> bool {
    if name.is_empty() {
        return false;
    }
    let local = name.split('@').next().unwrap_or(name);
    let inside = |name: &str| name.chars().count() >= NAME_INSIDE && text.contains(name);
    name.contains(text) || inside(name) || inside(local) || [name, local].iter().any(|n| text.replace(n, "").is_empty())
}

fn has_little_else(text: &str, word: &str) -> bool {
    text.contains(word) && text.replace(word, "").chars().count() < OTHER_THAN_NAME
}

/// True if it is on the list, or if its letters (also with `0` read as `o`, and so on) are one or two words from the
/// list.
fn is_common(text: &str) -> bool {
    COMMON.contains(text) || is_common_word(text) || is_common_word(&Zeroizing::new(plain_letters(text)))
}

fn is_common_word(text: &str) -> bool {
    let letters = Zeroizing::new(text.chars().filter(|c| c.is_alphabetic()).collect::<String>());
    if letters.is_empty() || text.chars().count() - letters.chars().count() > DECORATION {
        return false;
    }
    let two = |at: usize| {
        letters.split_at_checked(at).is_some_and(|(first, second)| COMMON.contains(first) && COMMON.contains(second))
    };
    COMMON.contains(letters.as_str()) || (1..letters.len()).any(two)
}

/// Undoes the usual replacements of letters inside words. At the end they are more likely to be digits.
fn plain_letters(text: &str) -> String {
    let core = text.trim_end_matches(|c: char| !c.is_alphabetic());
    let plain = |c| match c {
        '0' => 'o',
        '1' | '!' => 'i',
        '3' => 'e',
        '4' | '@' => 'a',
        '5' | '$' => 's',
        '7' => 't',
        other => other,
    };
    core.chars().map(plain).chain(text[core.len()..].chars()).collect()
}

/// True if it is one piece, repeated, and that piece alone would be too short.
fn is_repetitive(chars: &[char], min_length: usize) -> bool {
    let shortest = (1..=chars.len() / 2).find(|&piece| chars.iter().zip(&chars[piece..]).all(|(a, b)| a == b));
    shortest.is_some_and(|piece| piece < min_length.max(2))
}

/// True if it consists of runs of four characters or more on average: equal ones, or neighbours in either direction.
fn is_sequential(chars: &[char]) -> bool {
    let breaks = chars.windows(2).filter(|pair| !are_neighbours(pair[0], pair[1])).count();
    4 * (breaks + 1) <= chars.len()
}

fn are_neighbours(a: char, b: char) -> bool {
    let follows = |a, b| ROWS.iter().any(|row| row.chars().zip(row.chars().skip(1)).any(|pair| pair == (a, b)));
    a == b || follows(a, b) || follows(b, a)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(password: &str) -> Result<(), PolicyError> {
        PasswordPolicy::default().check(&Password::new(password), "alice@example.com")
    }

    #[test]
    fn length_is_counted_in_characters() {
        assert_eq!(check("ünïcödé wörds"), Err(PolicyError::TooShort { min: 15 }));
        assert_eq!(check("ünïcödé wörds ok"), Ok(()));
        assert_eq!(check("密码密马是一个很好的秘密吧对吗"), Ok(()));
    }

    #[test]
    fn more_than_256_bytes_are_refused() {
        let varied = |length: u32| (0..length).map(|i| char::from(b'a' + (i * i * 7 % 23) as u8)).collect::<String>();
        assert_eq!(
            PasswordPolicy { min_length: 8 }.check(&Password::new(varied(257)), "bob"),
            Err(PolicyError::TooLong)
        );
        assert_ne!(
            PasswordPolicy { min_length: 8 }.check(&Password::new(varied(256)), "bob"),
            Err(PolicyError::TooLong)
        );
    }

    #[test]
    fn common_passwords_are_refused_however_they_are_dressed_up() {
        for password in [
            "password1234567",
            "P@ssw0rd!!!2024",
            "Sunshine-Princess",
            "1q2w3e4r5t6y7u8i",
            "iloveyou 1234567",
            "correct-horse-battery-staple",
            "dragon123456789",
        ] {
            assert_eq!(check(password), Err(PolicyError::Common), "{password}");
        }
        assert_eq!(PasswordPolicy { min_length: 8 }.check(&Password::new("trustno1"), ""), Err(PolicyError::Common));
    }

    #[test]
    fn repetitions_are_refused() {
        for password in [
            "zyzyzyzyzyzyzyzy",
            "k7#k7#k7#k7#k7#",
            "tr4in-x!tr4in-x!",
            "\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}",
        ] {
            assert_eq!(check(password), Err(PolicyError::Repetitive), "{password}");
        }
    }

    #[test]
    fn sequences_are_refused() {
        for password in ["qwertyuiopasdfg", "abcdefghijklmno", "98765432109876z", "1234567890qwerty", "aaaaabbbbbccccc"]
        {
            assert!(matches!(check(password), Err(PolicyError::Sequential | PolicyError::Common)), "{password}");
        }
        assert_eq!(check("123456789012345"), Err(PolicyError::Sequential));
        assert!(check("aaaaaaaaaaaaaaa").is_err());
    }

    #[test]
    fn the_user_name_is_refused() {
        for password in ["alice@example.com", "ALICE@example.com 7", "I am Alice, who else", "lice@example.com"] {
            assert_eq!(check(password), Err(PolicyError::UserName), "{password}");
        }
    }

    #[test]
    fn a_short_user_name_may_occur_inside() {
        let policy = PasswordPolicy::default();
        assert_eq!(policy.check(&Password::new("the velvet bicycle"), "ed"), Ok(()));
        assert_eq!(policy.check(&Password::new("bobbobbobbobbob"), "bob"), Err(PolicyError::UserName));
    }

    #[test]
    fn the_name_of_the_service_is_not_enough() {
        assert_eq!(check("ficha2024ficha!"), Err(PolicyError::ServiceName));
        assert_eq!(check("ficha next to a purple canoe"), Ok(()));
    }

    #[test]
    fn passphrases_and_random_strings_are_fine() {
        for password in [
            "purple monkey dishwasher",
            "Tr0ub4dor&3 is fine when long",
            "v8Kq2-xPz9w-Lm4Tr",
            "dragon monkey shadow football",
        ] {
            assert_eq!(check(password), Ok(()), "{password}");
        }
    }

    #[test]
    fn the_list_is_in_lower_case_and_has_no_empty_line() {
        assert!(COMMON.len() > 500);
        assert!(COMMON.iter().all(|word| !word.is_empty() && word.to_lowercase() == *word && word.trim() == *word));
    }
}
