//! Going on after the database got another history: a failover to a standby that had not received the last commits, or
//! a restore from a backup.
//!
//! What was lost may have been revocations that were acknowledged. This server still denies them, but only from memory,
//! and the database would let their sessions be refreshed. So before it vouches for anything again, it writes everything
//! that it denies and the new history does not into it. Every server does; what another has written already stays as
//! it is.

use std::sync::atomic::Ordering;

use ficha_store::{CarriedOver, KeyPurpose, StoreError};
use ficha_token::DenyId;

use crate::denylist::replica::read_in_time;
use crate::{AdminError, Authority};

/// How many ids one transaction writes.
const PART: usize = 2_000;

impl Authority {
    /// Writes what this server denies into the history that the database has now, repeats a purge of the keys that it
    /// has lost, and loads the rest from it.
    pub(crate) async fn rejoin(&self) -> Result<(), StoreError> {
        let _loading = self.inner.loading.lock().await;
        if !self.denylist().has_left() {
            return Ok(());
        }
        let store = self.store();
        store.begin_history();
        let history = read_in_time(store.head()).await?.history;
        let now = self.denylist().expiry_now(&**self.clock());
        // First: a server that stops half-way must not leave a key that signs and is denied.
        let purged = self.repeat_lost_purge().await?;
        let missing = self.denylist().missing_in(store, now, PART).await?;
        let head = read_in_time(store.head()).await?;
        if head.history != history || !head.has_own_beat {
            // Another failover while the rows were read: they prove nothing.
            return Err(StoreError::AnotherHistory);
        }
        let cause = self.cause_of_server("rejoin");
        let (mut written, mut sessions) = (0, 0);
        for part in missing {
            let carried = store.carry_over(&part, now, &cause).await?;
            written += carried.denied;
            sessions += carried.sessions;
        }
        if written + sessions == 0 {
            // That it happened is worth an event, too.
            store.record_events(&[CarriedOver::default().event(&cause)]).await?;
        }
        // The counter of changes may have gone back to a value that was seen before.
        self.inner.loaded_changes.store(-1, Ordering::Release);
        self.inner.cleared_changes.store(-1, Ordering::Release);
        self.reload().await.map_err(|error| StoreError::Unavailable(error.to_string()))?;
        self.denylist().join(history);
        tracing::error!(
            written,
            sessions,
            purged,
            "the database has another history than before; what this server denies and it did not was written into it. \
             Changes to users and clients may be lost: after a restore from a backup, run `ficha recover`"
        );
        Ok(())
    }

    /// A signing key that this server denies was purged, so the purge is missing. Without it, every new token would be
    /// refused, and every session that it ended could be refreshed. True if this server repeated it.
    async fn repeat_lost_purge(&self) -> Result<bool, StoreError> {
        let now = self.now();
        let keys = self.store().keys().await?.into_iter();
        let signing = keys.filter(|key| key.purpose == KeyPurpose::Sign && key.purged_at.is_none());
        let denied = signing.filter(|key| self.denylist().contains(&DenyId::of_key(&key.kid), now));
        let kids: Vec<String> = denied.map(|key| key.kid).collect();
        if kids.is_empty() {
            return Ok(false);
        }
        match self.admin().repeat_purge(&kids).await {
            Ok(purged) => Ok(purged),
            Err(AdminError::Store(error)) => Err(error),
            Err(error) => Err(StoreError::Unavailable(error.to_string())),
        }
    }
}
