//! The administrator's rules: what the command line does now, and the admin API later.
//!
//! They work on the store that the configuration names, beside a running server, which takes up within a tail's
//! interval (some 50 ms) what another process wrote.

mod clients;
mod keys;
mod sessions;
mod users;

use std::sync::Arc;

use ficha_password::Hashing;
use ficha_password::policy::PolicyError;
use ficha_store::{Revoked, StoreError};
use ficha_token::Scope;

pub use clients::{ClientChange, NewClient};
pub use keys::Purged;
pub use sessions::SessionQuery;
pub use users::{NewPassword, NewUser};

use crate::clock::issuer::IssuerClock;
use crate::denylist::replica::Denylist;
use crate::error::StartError;
use crate::events::Event;
use crate::foundation::{Foundation, start_hashing};

/// Why an administrator's request was refused.
#[derive(Debug, thiserror::Error)]
pub enum AdminError {
    /// There is one already.
    #[error("the {kind} {name:?} exists already")]
    Taken {
        /// `user`, `client`.
        kind: &'static str,
        /// Its name.
        name: String,
    },
    /// There is none.
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
    /// Nothing can be hashed at the moment.
    #[error("too many passwords are being hashed; try again in a moment")]
    Busy,
    /// Somebody else was faster.
    #[error("{0}")]
    Conflict(String),
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The keys.
    #[error(transparent)]
    Keys(#[from] StartError),
}

/// The administrator's rules over a store.
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

    /// The rules beside a running server, or before the first start: no keys are needed.
    pub fn open(base: Foundation) -> Result<Self, StartError> {
        base.settings.check()?;
        let hashing = start_hashing(&base.settings)?;
        Ok(Self::new(base, hashing, Arc::new(Denylist::default())))
    }

    /// The same where the clock may be wrong: what it lets expire is ended and denied all the same.
    pub fn doubting(self, clock: &IssuerClock) -> Self {
        self.denylist.begin_expiry_clock(clock.expiry_at_start(), clock);
        self
    }

    fn now(&self) -> i64 {
        self.base.clock.unix_now()
    }

    /// The time by which sessions are ended: the earliest that it may be, so that none is spared because a clock that is
    /// ahead calls it over.
    fn ending_now(&self) -> i64 {
        self.denylist.expiry_now(&*self.base.clock)
    }

    /// What was revoked is refused by this process at once.
    fn publish(&self, revoked: &Revoked) {
        self.denylist.add(&revoked.entries);
    }

    async fn audit(&self, event: Event) -> Result<(), AdminError> {
        let record = event.record(&*self.base.clock, &*self.base.entropy);
        tracing::info!(event = record.event, actor = record.actor, detail = record.detail, "audit");
        Ok(self.base.store.audit(&[record]).await?)
    }

    /// Naming a new scope declares it.
    async fn declare(&self, scopes: &Scope) -> Result<(), AdminError> {
        for name in scopes.iter() {
            self.base.store.declare_scope(name, "").await?;
        }
        Ok(())
    }
}
