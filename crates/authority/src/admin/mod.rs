//! The rules for administrators. Every rule takes the [`Actor`] who asks, and one table says what an actor may do.
//!
//! They work on the configured store. A running server notices what another process wrote with the next read of its
//! tail: within 50 ms on SQLite, and at once on PostgreSQL (500 ms if the notification is lost).

mod account;
mod actor;
mod bulk;
mod client_rules;
mod client_secrets;
mod clients;
mod erase;
mod event_search;
mod events;
mod export;
mod failed_logins;
mod import;
mod import_lines;
mod job_work;
mod jobs;
mod keys;
mod one_time;
mod overview;
mod powers;
mod receipts;
mod repeated;
mod revoke_matching;
mod scopes;
mod session_filter;
mod session_search;
mod sessions;
mod user_search;
mod users;

use std::sync::Arc;

use ficha_password::Hashing;
use ficha_password::policy::PolicyError;
use ficha_store::{Cause, Revoked, StoreError};
use ficha_token::ordered_uuid;
use uuid::Uuid;

pub use actor::Actor;
pub(crate) use bulk::Stopped;
pub use client_secrets::{NewClientSecret, OtherSecrets};
pub use clients::{ChangedClient, ClientChange, NewClient};
pub use erase::Erased;
pub use event_search::{EventPage, EventQuery, EventSearch, EventsFrom, Sight};
pub use export::UserExport;
pub use failed_logins::FailedLogins;
pub use import_lines::ImportFormat;
pub(crate) use job_work::Idle;
pub use jobs::JobReport;
pub use keys::{Purged, key_state};
pub(crate) use overview::LiveCount;
pub use overview::{Attention, Overview};
pub use receipts::Began;
pub use repeated::Repeatable;
pub use revoke_matching::{RevokeMatching, RevokePreview, RevokedMatching};
pub use session_filter::{SearchedState, SessionSearch, reason_of};
pub use session_search::{PageFrom, SessionCount, SessionPage};
pub use sessions::SessionQuery;
pub use user_search::{UserPage, UserSearch};
pub use users::{NewPassword, NewUser};

use crate::clock::issuer::IssuerClock;
use crate::denylist::replica::Denylist;
use crate::error::StartError;
use crate::followers::registry::Registry;
use crate::foundation::{Foundation, start_hashing};
use crate::group_commit::GroupCommit;
use crate::group_commit::revocation::RevocationBatch;
use crate::metrics::Metrics;

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
        /// `user`, `client`, `session`, `scope`, `secret`, `job`.
        kind: &'static str,
        /// Its name.
        name: String,
    },
    /// There is no user with exactly that name, and one whose name looks the same.
    #[error("there is no user with exactly this name; that of the user {0} looks the same")]
    OtherSpelling(Uuid),
    /// A value can't be used.
    #[error("{0}")]
    Invalid(String),
    /// The password is too weak.
    #[error(transparent)]
    Password(#[from] PolicyError),
    /// The actor may not do this.
    #[error("not allowed: {0}")]
    Forbidden(String),
    /// The hashing queue is full.
    #[error("too many passwords are being hashed")]
    Busy,
    /// Another process was faster, or a recent change is not in effect yet.
    #[error("{0}")]
    Conflict(String),
    /// An idempotency key was used for another request before.
    #[error("this Idempotency-Key was used for another request")]
    KeyReused,
    /// The last enabled user who may administer everything would lose that.
    #[error("{0}")]
    LastAdministrator(String),
    /// Unknown user, wrong password, disabled or throttled: which one is not disclosed.
    #[error("wrong user name or password")]
    BadCredentials,
    /// Your session has ended meanwhile.
    #[error("your session has ended")]
    ActorEnded,
    /// The database.
    #[error(transparent)]
    Store(StoreError),
    /// The keys.
    #[error(transparent)]
    Keys(#[from] StartError),
}

impl From<StoreError> for AdminError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Conflict(why) => Self::Conflict(why),
            StoreError::LastAdministrator(why) => Self::LastAdministrator(why),
            StoreError::ActorEnded => Self::ActorEnded,
            other => Self::Store(other),
        }
    }
}

/// The administrator's operations on a database.
#[derive(Clone)]
pub struct Admin {
    base: Foundation,
    hashing: Hashing,
    denylist: Arc<Denylist>,
    /// Shared with the endpoints: revocations that wait at the same time share a commit.
    revocations: Arc<GroupCommit<RevocationBatch>>,
    metrics: Arc<Metrics>,
    /// Of a server: who follows the denylist here.
    followers: Option<Arc<Registry>>,
}

impl Admin {
    pub(crate) fn new(
        base: Foundation,
        hashing: Hashing,
        denylist: Arc<Denylist>,
        revocations: Arc<GroupCommit<RevocationBatch>>,
        metrics: Arc<Metrics>,
    ) -> Self {
        Self { base, hashing, denylist, revocations, metrics, followers: None }
    }

    /// The same in a server that has these followers.
    pub(crate) fn with_followers(self, followers: Arc<Registry>) -> Self {
        Self { followers: Some(followers), ..self }
    }

    /// The rules for a process other than the server, while it runs or before the first start: no keys are needed.
    pub fn open(base: Foundation) -> Result<Self, StartError> {
        base.settings.check()?;
        let hashing = start_hashing(&base.settings)?;
        let denylist = Arc::new(Denylist::default());
        let revocations = Arc::new(GroupCommit::start(RevocationBatch::new(&base, denylist.clone()), 1, 1));
        Ok(Self::new(base, hashing, denylist, revocations, Arc::default()))
    }

    /// The same if the clock may be wrong: sessions that only it calls expired are still ended and denied.
    pub fn doubting(self, clock: &IssuerClock) -> Self {
        self.denylist.begin_expiry_clock(clock.expiry_offset(), clock);
        self
    }

    fn new_id(&self) -> Uuid {
        ordered_uuid(&*self.base.clock, &*self.base.entropy)
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

    /// Loads what other processes have committed: what had ended before this change is refused here, too, before
    /// success is reported. A process that is not a server refuses no tokens, and has nothing to load.
    async fn catch_up(&self) -> Result<(), AdminError> {
        if self.denylist.is_followed() {
            self.denylist.follow(&self.base.store, &*self.base.clock).await?;
        }
        Ok(())
    }

    fn cause(&self, actor: &Actor) -> Cause {
        actor.cause(self.base.clock.unix_millis())
    }
}
