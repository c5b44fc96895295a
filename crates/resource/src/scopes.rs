//! Scopes as types, for the signatures of handlers.

use ficha_token::Scope;

/// The scope that a handler requires. [`scopes!`](crate::scopes) defines a type for each scope of a service.
///
/// Implement it yourself for a rule that a tuple can't express:
///
/// ```
/// use ficha_resource::{RequiredScope, Scope};
///
/// /// Reading is allowed to readers and to administrators.
/// struct MayRead;
///
/// impl RequiredScope for MayRead {
///     fn names() -> Vec<&'static str> {
///         vec!["notes:read"]
///     }
///
///     fn allows(granted: &Scope) -> bool {
///         granted.contains("notes:read") || granted.contains("notes:admin")
///     }
/// }
///
/// let granted: Scope = "notes:admin".parse().unwrap();
/// assert!(MayRead::allows(&granted));
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a scope",
    note = "define scopes with `ficha_resource::scopes! {{ NotesRead = \"notes:read\"; }}`, and write `Bearer<NotesRead>`",
    note = "for claims of your own type without a scope, write `Bearer<AnyScope, YourType>`"
)]
pub trait RequiredScope: 'static {
    /// The scope tokens (RFC 6749 §3.3) that are required, as they appear in the challenge.
    fn names() -> Vec<&'static str>;

    /// True if a token with the scope `granted` may pass.
    fn allows(granted: &Scope) -> bool;
}

/// No particular scope: any valid token may pass.
///
/// ```
/// use ficha_resource::{AnyScope, RequiredScope, Scope};
///
/// assert!(AnyScope::allows(&Scope::empty()));
/// ```
#[derive(Debug, Clone, Copy)]
pub struct AnyScope;

impl RequiredScope for AnyScope {
    fn names() -> Vec<&'static str> {
        Vec::new()
    }

    fn allows(_granted: &Scope) -> bool {
        true
    }
}

macro_rules! all_of {
    ($($scope:ident),+) => {
        /// Each of these scopes is required.
        impl<$($scope: RequiredScope),+> RequiredScope for ($($scope,)+) {
            fn names() -> Vec<&'static str> {
                [$($scope::names()),+].concat()
            }

            fn allows(granted: &Scope) -> bool {
                $($scope::allows(granted))&&+
            }
        }
    };
}

all_of!(A, B);
all_of!(A, B, C);
all_of!(A, B, C, D);

/// The role that a handler requires. [`roles!`](crate::roles) defines a type for each role.
///
/// ```
/// use ficha_resource::RequiredRole;
///
/// ficha_resource::roles! { Editor = "editor"; }
/// assert_eq!(Editor::NAME, "editor");
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a role",
    note = "define it with `ficha_resource::roles! {{ Editor = \"editor\"; }}`, and write `HasRole<Editor>`"
)]
pub trait RequiredRole: 'static {
    /// The role, as in the claim `roles`.
    const NAME: &'static str;
}

/// True if `name` is a valid scope token (RFC 6749 §3.3): not empty, and without spaces, double quotes, backslashes,
/// control and non-ASCII characters.
///
/// ```
/// use ficha_resource::is_scope_name;
///
/// assert!(is_scope_name("notes:read"));
/// assert!(!is_scope_name("notes:read notes:write"));
/// ```
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

/// Defines a type for each scope, for use in `Bearer<NotesRead>`. A tuple requires each of its scopes:
/// `Bearer<(NotesRead, NotesWrite)>`.
///
/// ```
/// ficha_resource::scopes! {
///     NotesRead = "notes:read";
///     pub NotesWrite = "notes:write";
/// }
/// assert_eq!(NotesRead::NAME, "notes:read");
/// ```
///
/// A name that is not a valid scope token does not compile:
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

        impl $scope {
            /// The scope token (RFC 6749 section 3.3).
            #[allow(dead_code, reason = "a service may need the type only")]
            pub const NAME: &'static str = {
                ::core::assert!($crate::is_scope_name($name), "not a scope token (RFC 6749 section 3.3)");
                $name
            };
        }

        impl $crate::RequiredScope for $scope {
            fn names() -> ::std::vec::Vec<&'static str> {
                ::std::vec![Self::NAME]
            }

            fn allows(granted: &$crate::Scope) -> bool {
                granted.contains(Self::NAME)
            }
        }

        const _: &str = $scope::NAME;
    )+};
}

/// Defines a type for each role, for use in `HasRole<Editor>`.
///
/// ```
/// ficha_resource::roles! {
///     Editor = "editor";
///     pub Owner = "owner";
/// }
/// ```
#[macro_export]
macro_rules! roles {
    ($($(#[$meta:meta])* $vis:vis $role:ident = $name:literal;)+) => {$(
        #[doc = ::core::concat!("The role `", $name, "`.")]
        $(#[$meta])*
        #[derive(Debug, Clone, Copy)]
        $vis struct $role;

        impl $crate::RequiredRole for $role {
            const NAME: &'static str = {
                ::core::assert!($crate::is_scope_name($name), "not a role: one word of printable ASCII");
                $name
            };
        }

        const _: &str = <$role as $crate::RequiredRole>::NAME;
    )+};
}

#[cfg(test)]
mod tests {
    use super::*;

    scopes! {
        NotesRead = "notes:read";
        /// A type may have more docs.
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
    fn a_tuple_requires_each_of_its_scopes() {
        let scope = |text: &str| text.parse::<Scope>().unwrap();
        type Both = (NotesRead, NotesWrite);
        assert!(Both::allows(&scope("notes:read notes:write other")));
        for little in ["", "notes:read", "notes:write", "other"] {
            assert!(!Both::allows(&scope(little)), "{little}");
        }
        assert_eq!(Both::names(), ["notes:read", "notes:write"]);
        assert!(!<(AnyScope, NotesRead, NotesWrite)>::allows(&scope("notes:read")));
        assert!(!<(NotesRead, NotesWrite, AnyScope, AnyScope)>::allows(&scope("notes:write")));
    }

    #[test]
    fn a_name_that_rfc_6749_does_not_allow_is_not_a_scope_name() {
        for name in ["", " ", "a b", "a\"b", "a\\b", "é", "a\n"] {
            assert!(!is_scope_name(name), "{name:?}");
        }
        assert!(is_scope_name("https://example.com/notes.read"));
    }
}
