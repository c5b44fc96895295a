//! What an administrator may do: one table, for every way in.

use std::fmt;

use ficha_store::JobKind;
use ficha_token::Scope;

use crate::grants::is_own;
use crate::settings::{ACCOUNT_SCOPE, ADMIN_SCOPE};

/// What is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Access {
    /// Only a name is looked up, to show it beside an id.
    Name,
    /// Anything is read.
    Read,
    /// Anything is changed.
    Write,
}

/// To what it is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Area {
    Sessions,
    Users,
    Clients,
    Scopes,
    Keys,
    Events,
    ResourceServers,
}

/// What each scope allows. An area that is not named, it does not.
const TABLE: [(&str, &[(Area, Access)]); 6] = [
    (
        ADMIN_SCOPE,
        &[
            (Area::Sessions, Access::Write),
            (Area::Users, Access::Write),
            (Area::Clients, Access::Write),
            (Area::Scopes, Access::Write),
            (Area::Keys, Access::Write),
            (Area::Events, Access::Read),
            (Area::ResourceServers, Access::Read),
        ],
    ),
    (
        "ficha:admin:read",
        &[
            (Area::Sessions, Access::Read),
            (Area::Users, Access::Read),
            (Area::Clients, Access::Read),
            (Area::Scopes, Access::Read),
            (Area::Keys, Access::Read),
            (Area::Events, Access::Read),
            (Area::ResourceServers, Access::Read),
        ],
    ),
    (
        "ficha:sessions",
        &[
            (Area::Sessions, Access::Write),
            (Area::Users, Access::Name),
            (Area::Clients, Access::Name),
            (Area::ResourceServers, Access::Read),
        ],
    ),
    ("ficha:users", &[(Area::Users, Access::Write), (Area::Sessions, Access::Read)]),
    ("ficha:clients", &[(Area::Clients, Access::Write), (Area::Scopes, Access::Write), (Area::Sessions, Access::Read)]),
    ("ficha:audit", &[(Area::Events, Access::Read)]),
];

/// Which events a scope shows as they happen, by the beginning of their name, without the whole log.
const STREAMED: [(&str, &[&str]); 3] = [
    ("ficha:sessions", &["session.", "sessions.", "login."]),
    ("ficha:users", &["user."]),
    ("ficha:clients", &["client."]),
];

/// Which jobs a scope shows, and whether it may stop them: all, or those of its own kind.
const JOBS: [(&str, Access, &[JobKind]); 5] = [
    (ADMIN_SCOPE, Access::Write, &JobKind::ALL),
    ("ficha:admin:read", Access::Read, &JobKind::ALL),
    ("ficha:sessions", Access::Write, &[JobKind::RevokeSessions]),
    ("ficha:users", Access::Write, &[JobKind::ImportUsers]),
    ("ficha:clients", Access::Write, &[]),
];

/// The kinds of jobs that these scopes may read or stop; `None`: they may not look at jobs.
pub(crate) fn jobs_of(scopes: &Scope, access: Access) -> Option<Vec<JobKind>> {
    let held: Vec<_> = JOBS.iter().filter(|(name, up_to, _)| access <= *up_to && scopes.contains(name)).collect();
    let kinds = || JobKind::ALL.into_iter().filter(|kind| held.iter().any(|(.., kinds)| kinds.contains(kind)));
    (!held.is_empty()).then(|| kinds().collect())
}

/// The beginnings of the names of events that these scopes show as they happen.
pub(crate) fn events_of(scopes: &Scope) -> Vec<&'static str> {
    let held = STREAMED.iter().filter(|(name, _)| scopes.contains(name));
    held.flat_map(|(_, beginnings)| *beginnings).copied().collect()
}

/// True if one of the scopes allows it.
pub(crate) fn allows(scopes: &Scope, access: Access, area: Area) -> bool {
    let held = TABLE.iter().filter(|(name, _)| scopes.contains(name));
    held.flat_map(|(_, allowed)| *allowed).any(|(where_, up_to)| *where_ == area && access <= *up_to)
}

/// True if who holds `own` may give `name` away, or change who has it. `ficha:admin` contains every scope.
pub(crate) fn covers(own: &Scope, name: &str) -> bool {
    !is_own(name) || name == ACCOUNT_SCOPE || own.contains(name) || own.contains(ADMIN_SCOPE)
}

impl fmt::Display for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Name => "look up the names of",
            Self::Read => "read",
            Self::Write => "change",
        })
    }
}

impl fmt::Display for Area {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Sessions => "sessions",
            Self::Users => "users",
            Self::Clients => "clients",
            Self::Scopes => "scopes",
            Self::Keys => "keys",
            Self::Events => "the event log",
            Self::ResourceServers => "resource servers",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scope(text: &str) -> Scope {
        text.parse().unwrap()
    }

    /// The table as the documentation has it.
    #[test]
    fn the_table_allows_exactly_what_is_documented() {
        let areas =
            [Area::Sessions, Area::Users, Area::Clients, Area::Scopes, Area::Keys, Area::Events, Area::ResourceServers];
        let rows = [
            ("ficha:admin", "w w w w w r r"),
            ("ficha:admin:read", "r r r r r r r"),
            ("ficha:sessions", "w n n - - - r"),
            ("ficha:users", "r w - - - - -"),
            ("ficha:clients", "r - w w - - -"),
            ("ficha:audit", "- - - - - r -"),
            ("ficha:account", "- - - - - - -"),
            ("notes:admin", "- - - - - - -"),
            ("", "- - - - - - -"),
        ];
        for (name, row) in rows {
            for (area, cell) in areas.iter().zip(row.split(' ')) {
                let may = |access| allows(&scope(name), access, *area);
                let expected = ["-", "n", "r", "w"].iter().position(|known| *known == cell).unwrap();
                let seen = [Access::Name, Access::Read, Access::Write].iter().filter(|access| may(**access)).count();
                assert_eq!(seen, expected, "{name} {area}");
            }
        }
    }

    #[test]
    fn jobs_are_those_of_ones_own_kind() {
        use JobKind::{ImportUsers, RevokeSessions};
        type Kinds = Option<&'static [JobKind]>;
        let rows: [(&str, Kinds, Kinds); 7] = [
            ("ficha:admin", Some(&JobKind::ALL), Some(&JobKind::ALL)),
            ("ficha:admin:read", Some(&JobKind::ALL), None),
            ("ficha:sessions", Some(&[RevokeSessions]), Some(&[RevokeSessions])),
            ("ficha:users", Some(&[ImportUsers]), Some(&[ImportUsers])),
            ("ficha:clients", Some(&[]), Some(&[])),
            ("ficha:audit", None, None),
            ("ficha:account notes:read", None, None),
        ];
        for (name, reads, stops) in rows {
            assert_eq!(jobs_of(&scope(name), Access::Read).as_deref(), reads, "{name}");
            assert_eq!(jobs_of(&scope(name), Access::Write).as_deref(), stops, "{name}");
        }
    }

    #[test]
    fn an_own_scope_is_covered_only_by_itself_and_by_admin() {
        assert!(covers(&scope("ficha:users"), "notes:read"));
        assert!(covers(&scope("ficha:users"), "ficha:users"));
        assert!(covers(&scope("ficha:users"), "ficha:account"));
        assert!(!covers(&scope("ficha:users"), "ficha:admin"));
        assert!(!covers(&scope("ficha:users ficha:admin:read"), "ficha:sessions"));
        assert!(covers(&scope("ficha:admin"), "ficha:anything"));
    }
}
