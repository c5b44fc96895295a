//! Commitments to personal values: the log's hash covers these and not the values, so that the values can be deleted.

use aws_lc_rs::digest;

/// Commits to a group of values with a random salt: without it, a short list of guesses would reveal what was deleted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Commitment {
    /// There are no values.
    #[default]
    Nothing,
    /// The values are there. The salt goes with them.
    Salted([u8; 16]),
    /// They were deleted. This is what was committed to.
    Erased([u8; 32]),
    /// Salt or digest have another length than ours: somebody else has written them.
    Unreadable,
}

impl Commitment {
    /// What is committed to: SHA-256 of the salt and the values, each preceded by its length. `None` if there are no
    /// values, or if it is not known.
    pub fn digest(&self, values: &[Option<&str>]) -> Option<[u8; 32]> {
        let salt = match self {
            Self::Nothing | Self::Unreadable => return None,
            Self::Erased(digest) => return Some(*digest),
            Self::Salted(salt) => salt,
        };
        let mut context = digest::Context::new(&digest::SHA256);
        context.update(salt);
        for value in values {
            match value {
                None => context.update(&u64::MAX.to_be_bytes()),
                Some(text) => {
                    context.update(&(text.len() as u64).to_be_bytes());
                    context.update(text.as_bytes());
                }
            }
        }
        let mut out = [0; 32];
        out.copy_from_slice(context.finish().as_ref());
        Some(out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_can_be_deleted_without_changing_what_was_committed_to() {
        let salted = Commitment::Salted([7; 16]);
        let digest = salted.digest(&[Some("alice"), None]).unwrap();
        assert_eq!(Commitment::Erased(digest).digest(&[None, None]), Some(digest));
        assert_eq!(Commitment::Nothing.digest(&[Some("alice"), None]), None);
    }

    #[test]
    fn values_salts_and_their_places_are_told_apart() {
        let one = |salt: u8, values: &[Option<&str>]| Commitment::Salted([salt; 16]).digest(values);
        let all = [
            one(1, &[Some("ab"), None]),
            one(2, &[Some("ab"), None]),
            one(1, &[None, Some("ab")]),
            one(1, &[Some("a"), Some("b")]),
            one(1, &[Some(""), Some("ab")]),
            one(1, &[Some("ab"), Some("")]),
        ];
        for (position, left) in all.iter().enumerate() {
            assert!(all[position + 1..].iter().all(|right| left != right));
        }
    }
}
