//! The names of events. They are part of the interface: none is ever renamed.

macro_rules! kinds {
    ($($(#[$doc:meta])* $kind:ident = $name:literal,)*) => {
        /// What happened.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum EventKind {
            $($(#[$doc])* $kind,)*
        }

        impl EventKind {
            /// Every kind.
            pub const ALL: &'static [Self] = &[$(Self::$kind),*];

            /// The name that is stored and displayed.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$kind => $name,)*
                }
            }
        }
    };
}

kinds! {
    /// A user logged in, or a client got a session of its own.
    LoginSucceeded = "login.succeeded",
    /// Logins failed: `count` of them, from `first` to `last`.
    LoginFailed = "login.failed",
    /// A refresh repeated the last one within the grace period.
    RefreshRetried = "refresh.retried",
    /// A refresh token was used again after that; its session ended.
    RefreshReplayed = "refresh.replayed",
    /// A refresh token was newer than the database, which had been restored; its session ended.
    RefreshAheadOfDatabase = "refresh.ahead_of_database",
    /// A session was revoked.
    SessionRevoked = "session.revoked",
    /// Several sessions were revoked at once: `count` of them, for the `reason`.
    SessionsRevoked = "sessions.revoked",
    /// A session ended by a log-out.
    SessionLoggedOut = "session.logged_out",
    /// An access token was revoked.
    TokenRevoked = "token.revoked",
    /// A user was created.
    UserCreated = "user.created",
    /// A user was changed.
    UserChanged = "user.changed",
    /// A user was disabled.
    UserDisabled = "user.disabled",
    /// A user was enabled.
    UserEnabled = "user.enabled",
    /// A user was deleted.
    UserDeleted = "user.deleted",
    /// What is personal about a user was deleted, here and elsewhere.
    UserErased = "user.erased",
    /// A user's password was changed.
    UserPasswordChanged = "user.password_changed",
    /// The failed logins of a user were forgotten.
    UserUnlocked = "user.unlocked",
    /// A client was created.
    ClientCreated = "client.created",
    /// A client was changed.
    ClientChanged = "client.changed",
    /// A client was disabled.
    ClientDisabled = "client.disabled",
    /// A client was enabled.
    ClientEnabled = "client.enabled",
    /// A client was deleted.
    ClientDeleted = "client.deleted",
    /// A client got a secret.
    ClientSecretAdded = "client.secret_added",
    /// A secret of a client became invalid.
    ClientSecretRemoved = "client.secret_removed",
    /// A job was accepted: an import, or a revocation of very many sessions.
    JobAccepted = "job.accepted",
    /// A job was stopped before it was complete.
    JobStopped = "job.stopped",
    /// A scope was declared, or described anew.
    ScopeDeclared = "scope.declared",
    /// The declaration of a scope was removed.
    ScopeRemoved = "scope.removed",
    /// A new signing key was published.
    KeyRotated = "key.rotated",
    /// All keys were replaced, and every session ended.
    KeyPurged = "key.purged",
    /// An administrator has read something.
    AdminRead = "admin.read",
    /// The database turned out to have another history, and what a server still denied was written into it.
    ServerHistoryChanged = "server.history_changed",
}

impl EventKind {
    /// Parses a name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|kind| kind.as_str() == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_read_back_and_stands_once() {
        for kind in EventKind::ALL {
            assert_eq!(EventKind::parse(kind.as_str()), Some(*kind));
        }
    }
}
