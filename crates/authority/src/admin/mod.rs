//! The rules for administrators, used by the command line and by a few endpoints that only read.
//!
//! They work on the configured store. A running server notices what another process wrote with the next read of its
//! tail: within 50 ms on SQLite, and at once on PostgreSQL (500 ms if the notification is lost).

mod bulk;
mod clients;
mod keys;
mod sessions;
mod users;

use std::sync::Arc;

use ficha_password::Hashing;
use ficha_password::policy::PolicyError;
use ficha_store::{Revoked, StoreError};
use ficha_token::Scope;

pub(crate) use bulk::Stopped;
pub use clients::{ClientChange, NewClient};
pub use keys::Purged;
pub use sessions::SessionQuery;
pub use users::{NewPassword, NewUser};

use crate::clock::issuer::IssuerClock;
use crate::denylist::replica::Denylist;
use crate::error::StartError;
use crate::events::Event;
use crate::foundation::{Foundation, start_hashing};

/// Why an administrator's request is refused.
#[derive(Debug, thiserror::Error)]
pub enum AdminError {
    /// The name is taken.
    #[error("the {kind} {name:?} already exists")]
    Taken {
        /// `user`, `client`.
        kind: &'static str,
        /// Its name.
        name: String,
    },
    /// There is nothing with that name.
    #[error("there is no {kind} {name:?}")]
    NoSuch {
        /// `user`, `client`, `session`, `scope`.
        kind: &'static str,
        /// Its name.
        name: String,
    },
    /// A value can't be used.
    #[error("{0}")]
    Invalid(String),
    /// The password is too weak.
    #[error(transparent)]
    Password(#[from] PolicyError),
    /// The hashing queue is full.
    #[error("too many passwords are being hashed; try again in a moment")]
    Busy,
    /// Another process was faster, or a recent change is not in effect yet.
    #[error("{0}")]
    Conflict(String),
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The keys.
    #[error(transparent)]
    Keys(#[from] StartError),
}

/// The administrator's operations on a database.
#[derive(Clone)]
pub struct Admin {
    base: Foundation,
    hashing: Hashing,
    denylist: Arc<Denylist>,
}

impl Admin {
    pub(crate) fn new(base: Foundation, hashing: Hashing, denylist: Arc<Denylist>) -> Self {
        Self { base, hashing, denylist }
    }

    /// The rules for a process other than the server, while it runs or before the first start: no keys are needed.
    pub fn open(base: Foundation) -> Result<Self, StartError> {
        base.settings.check()?;
        let hashing = start_hashing(&base.settings)?;
        Ok(Self::new(base, hashing, Arc::new(Denylist::default())))
    }

    /// The same if the clock may be wrong: sessions that only it calls expired are still ended and denied.
    pub fn doubting(self, clock: &IssuerClock) -> Self {
        self.denylist.begin_expiry_clock(clock.expiry_offset(), clock);
        self
    }

    fn now(&self) -> i64 {
        self.base.clock.unix_now()
    }

    /// The time by which a session counts as over already: the earliest that it may be, so that no session is skipped
    /// because a clock is ahead.
    fn ending_now(&self) -> i64 {
        self.denylist.expiry_now(&*self.base.clock)
    }

    /// Makes this process refuse what was revoked at once.
    fn publish(&self, revoked: &Revoked) {
        self.denylist.add(&revoked.entries);
    }

    async fn audit(&self, event: Event) -> Result<(), AdminError> {
        let record = event.record(&*self.base.clock, &*self.base.entropy);
        tracing::info!(
            event = record.event,
            actor = record.actor,
            user = record.user_id.map(tracing::field::display),
            client = record.client_id,
            session = record.session_id.map(tracing::field::display),
            detail = record.detail,
            "audit"
        );
        Ok(self.base.store.audit(&[record]).await?)
    }

    /// Declares the scopes that are new.
    async fn declare(&self, scopes: &Scope) -> Result<(), AdminError> {
        for name in scopes.iter() {
            self.base.store.declare_scope(name, "").await?;
        }
        Ok(())
    }
}
