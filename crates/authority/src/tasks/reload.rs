//! Keeping what is in memory current: reading the head of the database, and reloading what changed.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use ficha_store::{Head, KeyRecord, StoreError};

use crate::Authority;
use crate::error::{AuthorityError, StartError};
use crate::keys::key_ring::Keys;
use crate::settings::SigningSettings;

/// If reloading takes longer, the database does not answer.
const RELOAD_LIMIT: Duration = Duration::from_secs(5);

/// How often keys are read again because all keys were purged meanwhile.
const EPOCH_ATTEMPTS: u32 = 4;

fn no_answer() -> StoreError {
    StoreError::Unavailable("the database did not answer in time".into())
}

/// When changed keys that could not be read are tried again, unless they change again before.
const FIRST_RELOAD_RETRY: Duration = Duration::from_millis(100);
const LAST_RELOAD_RETRY: Duration = Duration::from_secs(5);

/// Reloads keys and other state in memory whenever the tail sees that they changed. The tail does not wait for it: a
/// read that hangs must not make the server's denylist stale.
pub(crate) async fn reload_changes(authority: Authority) {
    let mut heads = authority.denylist().heads();
    let mut retry = FIRST_RELOAD_RETRY;
    loop {
        let changes = heads.borrow_and_update().map(|head| head.changes);
        let loaded = match changes {
            Some(changes) => authority.load_changes(changes).await.is_ok(),
            None => true,
        };
        let again = if loaded { Duration::MAX } else { retry };
        retry = if loaded { FIRST_RELOAD_RETRY } else { LAST_RELOAD_RETRY.min(2 * retry) };
        let changed = heads.wait_for(|head| head.map(|head| head.changes) != changes);
        // Without new changes, it is tried again; the sender is never dropped before us.
        let _ = tokio::time::timeout(again, changed).await;
    }
}

impl Authority {
    /// Reads the head of the database now, and loads everything that changed, keys and clients included. If keys can't
    /// be read, the previous ones stay in use.
    pub async fn follow(&self) -> Result<(), StoreError> {
        let head = self.read_head().await?;
        // It logs what is wrong.
        let _ = self.load_changes(head.changes).await;
        Ok(())
    }

    /// Reads the head of the database now, and loads new denylist rows. Other changes are left to
    /// [`Authority::load_changes`]; only cached clients are dropped.
    pub(crate) async fn read_head(&self) -> Result<Head, StoreError> {
        let follow = async || self.inner.denylist.follow(self.store(), &*self.inner.base.clock).await;
        let known_before = self.denylist().has_left();
        let head = match follow().await {
            Err(StoreError::AnotherHistory) => {
                if !known_before {
                    self.inner.metrics.history_changes.count();
                }
                Box::pin(self.rejoin()).await?;
                follow().await?
            }
            read => read?,
        };
        if !self.has_loaded(head.changes) {
            self.clear_clients(head.changes);
        }
        Ok(head)
    }

    /// Reloads keys and other state in memory, unless that was done since the change counter reached this value.
    pub(crate) async fn load_changes(&self, changes: i64) -> Result<(), StartError> {
        if self.has_loaded(changes) {
            return Ok(());
        }
        // One at a time, and checked again inside: an older read must not overwrite a newer one.
        let _loading = self.inner.loading.lock().await;
        if self.has_loaded(changes) {
            return Ok(());
        }
        let reloaded = self.reload_in_time().await;
        let failed_before = self.inner.reload_failed.swap(reloaded.is_err(), Ordering::AcqRel);
        match &reloaded {
            Err(error) if !failed_before => {
                tracing::error!(%error, "changed keys could not be loaded; the previous keys stay in use, trying again");
            }
            Ok(()) if failed_before => tracing::info!("the changed keys were loaded"),
            _ => {}
        }
        reloaded
    }

    fn has_loaded(&self, changes: i64) -> bool {
        self.inner.loaded_changes.load(Ordering::Acquire) == changes
    }

    /// Drops cached clients from before the change counter reached this value; once per value.
    fn clear_clients(&self, changes: i64) {
        if self.inner.cleared_changes.swap(changes, Ordering::AcqRel) != changes {
            self.inner.clients.clear();
        }
    }

    /// The keys of `epoch`, which the caller has just read from a row. Those in memory may be older: a purge by another
    /// process is not noticed at once, and tokens signed with purged keys would be refused everywhere. `None`:
    /// everything was purged since, and that row with it.
    pub(crate) async fn keys_of(&self, epoch: i64) -> Result<Option<Arc<Keys>>, AuthorityError> {
        let in_force = || Some(self.inner.keys.current()).filter(|keys| keys.epoch() == epoch);
        if let Some(keys) = in_force() {
            return Ok(Some(keys));
        }
        let _loading = self.inner.loading.lock().await;
        if let Some(keys) = in_force() {
            return Ok(Some(keys));
        }
        match self.reload_in_time().await {
            Ok(()) => Ok(in_force()),
            Err(StartError::Store(error)) => Err(error.into()),
            Err(error) => {
                tracing::error!(%error, "changed keys could not be loaded, and the old keys no longer sign");
                Err(AuthorityError::Stale)
            }
        }
    }

    async fn reload_in_time(&self) -> Result<(), StartError> {
        tokio::time::timeout(RELOAD_LIMIT, self.reload()).await.unwrap_or_else(|_| Err(no_answer().into()))
    }

    /// Reloads keys and other state in memory. The caller holds `loading`, or is alone.
    pub(crate) async fn reload(&self) -> Result<(), StartError> {
        let inner = &self.inner;
        let (head, records) = self.keys_and_head().await?;
        self.clear_clients(head.changes);
        let shared = match &inner.base.settings.signing {
            SigningSettings::SharedSecret(secret) => Some(secret),
            SigningSettings::KeyPair { .. } => None,
        };
        inner.keys.replace(Keys::open(&records, head.epoch, &inner.master, shared)?);
        let stored = inner.base.store.highest_password_cost().await?.unwrap_or(0);
        let password = &inner.base.settings.password;
        let floor = password.bcrypt_cost.get().max(stored.min(password.max_stored_cost));
        inner.floor_cost.store(floor, Ordering::Release);
        // Changes during this read are loaded at the next head.
        inner.loaded_changes.store(head.changes, Ordering::Release);
        Ok(())
    }

    /// The keys, and a head of exactly their epoch. A key of a later epoch must not be taken for one of this epoch: it
    /// would sign for sessions that have ended.
    async fn keys_and_head(&self) -> Result<(Head, Vec<KeyRecord>), StoreError> {
        let store = self.store();
        let mut before = store.head().await?;
        for _ in 0..EPOCH_ATTEMPTS {
            let records = store.keys().await?;
            let after = store.head().await?;
            if after.epoch == before.epoch {
                return Ok((before, records));
            }
            before = after;
        }
        Err(StoreError::Unavailable("the keys are being purged repeatedly".into()))
    }
}
