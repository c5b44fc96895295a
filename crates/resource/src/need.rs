//! What a token must have to pass, whatever the web framework.

use ficha_token::AccessClaims;

use crate::refusal::Refusal;
use crate::scopes::is_scope_name;

/// The scopes, or the role, that a token must have.
#[derive(Debug)]
pub(crate) enum Need {
    All(Vec<String>),
    Any(Vec<String>),
    /// At least one of these roles.
    Role(Vec<String>),
}

impl Need {
    /// Why a token with these claims may not pass. If any of several scopes or roles is sufficient, the first is named:
    /// naming them all in the challenge would say that all are required (RFC 6750 §3).
    pub(crate) fn refusal(&self, claims: &AccessClaims) -> Option<Refusal> {
        let first = |names: &[String]| names.first().cloned().unwrap_or_default();
        let (passes, refusal) = match self {
            Self::All(names) => (
                names.iter().all(|name| claims.scope.contains(name)),
                Refusal::InsufficientScope { required: names.join(" ") },
            ),
            Self::Any(names) => (
                names.iter().any(|name| claims.scope.contains(name)),
                Refusal::InsufficientScope { required: first(names) },
            ),
            Self::Role(names) => {
                (names.iter().any(|name| claims.roles.contains(name)), Refusal::MissingRole { required: first(names) })
            }
        };
        (!passes).then_some(refusal)
    }

    /// The same, if a token can have it.
    ///
    /// # Panics
    /// If no token can have what is needed: a mistake that would refuse every request.
    #[track_caller]
    pub(crate) fn checked(self) -> Self {
        let (names, what) = match &self {
            Need::All(names) | Need::Any(names) => (names, "scope"),
            Need::Role(names) => (names, "role"),
        };
        // Roles have the characters of scopes.
        if let Some(name) = names.iter().find(|name| !is_scope_name(name)) {
            panic!(
                "no token can have the {what} {name:?}: it must be one word of printable ASCII, without spaces, \\ and \""
            );
        }
        assert!(!names.is_empty() || matches!(self, Need::All(_)), "no {what} is named, so no token could pass");
        self
    }
}
