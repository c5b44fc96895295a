//! Scopes as types, so that a handler's signature says what it needs.

use ficha_token::Scope;

/// What a token must be allowed to do. [`scopes!`](crate::scopes) makes a type for each scope of a service.
pub trait RequiredScope: 'static {
    /// The scope token (RFC 6749 §3.3), as the challenge names it.
    const NAME: &'static str;

    /// True if a token with `granted` may pass.
    fn allows(granted: &Scope) -> bool {
        granted.contains(Self::NAME)
    }
}

/// Any good token will do.
#[derive(Debug, Clone, Copy)]
pub struct AnyScope;

impl RequiredScope for AnyScope {
    const NAME: &'static str = "";

    fn allows(_granted: &Scope) -> bool {
        true
    }
}

/// True if `name` can be one scope token: not empty, and no space, quote, backslash or non-ASCII character
/// (RFC 6749 §3.3).
pub const fn is_scope_name(name: &str) -> bool {
    let bytes = name.as_bytes();
    let mut position = 0;
    while position < bytes.len() {
        if !matches!(bytes[position], 0x21 | 0x23..=0x5B | 0x5D..=0x7E) {
            return false;
        }
        position += 1;
    }
    !bytes.is_empty()
}

/// Makes a type for each scope.
///
/// ```
/// ficha_resource::scopes! {
///     NotesRead = "notes:read";
///     pub NotesWrite = "notes:write";
/// }
/// ```
///
/// A name that is no scope token does not compile:
///
/// ```compile_fail
/// ficha_resource::scopes! { Two = "notes:read notes:write"; }
/// ```
#[macro_export]
macro_rules! scopes {
    ($($(#[$meta:meta])* $vis:vis $scope:ident = $name:literal;)+) => {$(
        #[doc = ::core::concat!("The scope `", $name, "`.")]
        $(#[$meta])*
        #[derive(Debug, Clone, Copy)]
        $vis struct $scope;

        impl $crate::RequiredScope for $scope {
            const NAME: &'static str = {
                ::core::assert!($crate::is_scope_name($name), "not a scope token (RFC 6749 section 3.3)");
                $name
            };
        }

        const _: &str = <$scope as $crate::RequiredScope>::NAME;
    )+};
}

#[cfg(test)]
mod tests {
    use super::*;

    scopes! {
        NotesRead = "notes:read";
        /// May change them, too.
        pub(crate) NotesWrite = "notes:write";
    }

    #[test]
    fn a_scope_type_allows_its_own_scope_only() {
        let granted: Scope = "notes:read".parse().unwrap();
        assert!(NotesRead::allows(&granted));
        assert!(!NotesWrite::allows(&granted));
        assert!(AnyScope::allows(&Scope::empty()));
    }

    #[test]
    fn what_rfc_6749_does_not_allow_is_no_scope_name() {
        for name in ["", " ", "a b", "a\"b", "a\\b", "é", "a\n"] {
            assert!(!is_scope_name(name), "{name:?}");
        }
        assert!(is_scope_name("https://example.com/notes.read"));
    }
}
