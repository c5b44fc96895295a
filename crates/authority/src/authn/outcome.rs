//! The outcome of a right password: the user is authenticated, or has to meet a challenge as well.

use ficha_store::{Authentication, UserRecord};

use crate::error::AuthorityError;

/// What follows from a right password. A wrong one is an error, the same for every reason, and never a challenge: that
/// would tell that the password was right.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// The user is authenticated.
    Authenticated(Authenticated),
    /// The password is right, and must be changed before anything is issued.
    PasswordChangeRequired(UserRecord),
}

/// A user who has proved who they are.
#[derive(Debug)]
pub(crate) struct Authenticated {
    /// The user as read for the check.
    pub user: UserRecord,
    /// How, and when.
    pub how: Authentication,
}

impl Outcome {
    /// The authenticated user, for a grant that can't pass a challenge on.
    pub(crate) fn complete(self) -> Result<Authenticated, AuthorityError> {
        match self {
            Self::Authenticated(done) => Ok(done),
            Self::PasswordChangeRequired(_) => Err(AuthorityError::PasswordChangeRequired),
        }
    }
}
