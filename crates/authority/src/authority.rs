//! The authorization server without its HTTP: what the rules in the other files work on.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU32, Ordering};
use std::time::Duration;

use ficha_password::{Cost, Hashing, HashingSettings};
use ficha_store::{AuditRecord, DatabaseKind, Head, KeyRecord, Store, StoreError, Writes};
use ficha_token::{Clock, Entropy};
use tokio::sync::{mpsc, watch};

use crate::admin::Admin;
use crate::authn::throttle::{Attempt, Origin};
use crate::clients::throttle::SecretFailures;
use crate::clients::{self, AuthenticatedClient, ClientCache, ClientCredentials};
use crate::clock::issuer::IssuerClock;
use crate::denylist::feed::Feed;
use crate::denylist::replica::Denylist;
use crate::error::{AuthorityError, StartError};
use crate::grants::refresh_token::RotationBatch;
use crate::group_commit::Gatherer;
use crate::keys::key_ring::{KeyRing, Keys};
use crate::keys::master_key::{MasterKey, MasterKeySource};
use crate::metrics::Metrics;
use crate::settings::{Settings, SigningSettings};
use crate::tasks::heartbeat::boot_id;
use crate::tasks::outage::Outage;
use crate::tokens::revoke::RevocationBatch;

/// How many callers share one statement at most.
const MOST_IN_A_BATCH: usize = 128;
/// How many audit events may wait for the database.
const AUDIT_QUEUE: usize = 4_096;

/// What an authority stands on.
#[derive(Clone)]
pub struct Foundation {
    /// The settings, checked.
    pub settings: Arc<Settings>,
    /// The database, migrated.
    pub store: Store,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Random bytes.
    pub entropy: Arc<dyn Entropy>,
    /// Where the master key is.
    pub master_key: MasterKeySource,
}

/// An authorization server. Cheap to clone.
#[derive(Clone)]
pub struct Authority {
    pub(crate) inner: Arc<Inner>,
}

/// How the database has done since the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DatabaseHealth {
    /// Calls that failed because of it.
    pub failures: u64,
    /// Changes that it had acknowledged and did not have.
    pub changes_lost: u64,
}

pub(crate) struct Inner {
    /// Its clock is the issuer's.
    pub(crate) base: Foundation,
    pub(crate) time: Arc<IssuerClock>,
    pub(crate) master: MasterKey,
    pub(crate) hashing: Hashing,
    pub(crate) keys: KeyRing,
    pub(crate) clients: ClientCache,
    pub(crate) denylist: Arc<Denylist>,
    pub(crate) feed: Feed,
    pub(crate) rotations: Gatherer<RotationBatch>,
    pub(crate) revocations: Gatherer<RevocationBatch>,
    pub(crate) metrics: Arc<Metrics>,
    /// The highest cost of any stored or new hash: every failed login takes as long as that.
    pub(crate) floor_cost: AtomicU32,
    /// Who has been guessing client secrets.
    secret_failures: SecretFailures,
    /// Where audit events wait for their writer, and its end of the queue.
    pub(crate) audit: mpsc::Sender<AuditRecord>,
    pub(crate) audit_events: tokio::sync::Mutex<mpsc::Receiver<AuditRecord>>,
    /// What the log has been told of the database.
    pub(crate) outage: Outage,
    /// Whether the database takes changes.
    pub(crate) writes: watch::Receiver<Writes>,
    /// True while PostgreSQL tells us of other processes' commits.
    pub(crate) listening: AtomicBool,
    /// Held while they are read.
    loading: tokio::sync::Mutex<()>,
    /// The `changes` counter at which keys and the rest were last read.
    loaded_changes: AtomicI64,
    /// The one at which clients in memory were last forgotten.
    forgotten_changes: AtomicI64,
    /// True while changed keys can't be read.
    reload_failed: AtomicBool,
}

impl Authority {
    /// Starts an authority on a database that has had its first start ([`crate::first_start`]). The tasks that keep it
    /// current are started apart, by [`Authority::spawn_background`].
    pub async fn open(base: Foundation) -> Result<Self, StartError> {
        base.settings.check()?;
        let master = base.master_key.load_existing()?;
        let last = base.store.last_beat(boot_id().as_deref()).await?;
        let time = Arc::new(IssuerClock::new(base.clock.clone(), &last));
        let base = Foundation { clock: time.clone(), ..base };
        let denylist = Arc::new(Denylist::default());
        // What may have been removed by a wrong time, or is not to be read for one, is denied all the same.
        denylist.begin_steady(time.steady_at_start(), &*time);
        let metrics = Arc::new(Metrics::default());
        let hashing = start_hashing(&base.settings)?;
        // PostgreSQL commits in parallel; SQLite has one writer, and a second batch would only wait for it.
        let workers = match base.store.kind() {
            DatabaseKind::Sqlite => 1,
            DatabaseKind::Postgres => 4,
        };
        let rotations = RotationBatch::new(&base);
        let revocations = RevocationBatch::new(&base, denylist.clone());
        let (audit, audit_events) = mpsc::channel(AUDIT_QUEUE);
        let authority = Self {
            inner: Arc::new(Inner {
                master,
                hashing,
                keys: KeyRing::default(),
                clients: ClientCache::default(),
                denylist,
                feed: Feed::new(&base.settings.denylist),
                rotations: Gatherer::start(rotations, workers, MOST_IN_A_BATCH),
                // They take numbers from one counter, a row that stays locked until the commit. A second batch would only
                // wait for it, and each would be half as large.
                revocations: Gatherer::start(revocations, 1, MOST_IN_A_BATCH),
                metrics,
                floor_cost: AtomicU32::new(base.settings.password.bcrypt_cost.get()),
                secret_failures: SecretFailures::default(),
                audit,
                audit_events: tokio::sync::Mutex::new(audit_events),
                outage: Outage::default(),
                writes: base.store.writes(),
                listening: AtomicBool::new(false),
                loading: tokio::sync::Mutex::default(),
                loaded_changes: AtomicI64::new(-1),
                forgotten_changes: AtomicI64::new(-1),
                reload_failed: AtomicBool::new(false),
                base,
                time,
            }),
        };
        // A start without readable keys is refused; later on the keys before stay in force.
        authority.reload().await?;
        authority.follow().await?;
        Ok(authority)
    }

    /// The settings in force.
    pub fn settings(&self) -> &Settings {
        &self.inner.base.settings
    }

    /// The clock.
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.inner.base.clock
    }

    /// The keys in force.
    pub fn keys(&self) -> &KeyRing {
        &self.inner.keys
    }

    /// The denylist in memory.
    pub fn denylist(&self) -> &Arc<Denylist> {
        &self.inner.denylist
    }

    /// What has been counted.
    pub fn metrics(&self) -> &Arc<Metrics> {
        &self.inner.metrics
    }

    /// The hashing threads.
    pub fn hashing(&self) -> &Hashing {
        &self.inner.hashing
    }

    /// The administrator's rules, sharing this authority's memory: what they revoke is refused here at once.
    pub fn admin(&self) -> Admin {
        Admin::new(self.inner.base.clone(), self.inner.hashing.clone(), self.inner.denylist.clone())
    }

    /// For what is remembered only here: no clock that is set changes it.
    fn seconds_passed(&self) -> i64 {
        i64::try_from(self.clock().elapsed().as_secs()).unwrap_or(i64::MAX)
    }

    /// How the database does.
    pub fn database(&self) -> DatabaseHealth {
        DatabaseHealth { failures: self.store().failures(), changes_lost: self.store().changes_lost() }
    }

    pub(crate) fn store(&self) -> &Store {
        &self.inner.base.store
    }

    pub(crate) fn now(&self) -> i64 {
        self.inner.base.clock.unix_now()
    }

    /// The time by which something has surely expired, in Unix seconds: it is before [`Authority::clock`]'s while that was
    /// set a short time ago.
    pub fn earliest_now(&self) -> i64 {
        self.inner.time.earliest()
    }

    /// True while a token may look expired only because the clock was set.
    pub fn doubts_clock(&self) -> bool {
        self.inner.time.is_in_doubt(self.settings().token.access_ttl)
    }

    /// True if the database has answered within two seconds.
    pub fn is_fresh(&self) -> bool {
        self.inner.denylist.is_fresh(&*self.inner.base.clock)
    }

    /// Reads the head of the database now, and takes up whatever changed, keys and clients too. Keys that can't be read
    /// leave the ones before in force.
    pub async fn follow(&self) -> Result<(), StoreError> {
        let head = self.read_head().await?;
        // It says in the log what is wrong.
        let _ = self.take_up_changes(head.changes).await;
        Ok(())
    }

    /// Reads the head of the database now, and takes up what is denied. What else changed is left to
    /// [`Authority::take_up_changes`]; only clients as they were are forgotten.
    pub(crate) async fn read_head(&self) -> Result<Head, StoreError> {
        let head = self.inner.denylist.follow(self.store(), &*self.inner.base.clock).await?;
        if !self.has_loaded(head.changes) {
            self.forget_clients(head.changes);
        }
        Ok(head)
    }

    /// Reads keys and what else is kept in memory anew, unless that was done since the counter of changes came to this.
    pub(crate) async fn take_up_changes(&self, changes: i64) -> Result<(), StartError> {
        if self.has_loaded(changes) {
            return Ok(());
        }
        // One at a time, and looked at again inside: an older read must not come after a newer one.
        let _loading = self.inner.loading.lock().await;
        if self.has_loaded(changes) {
            return Ok(());
        }
        let reloaded = self.reload_in_time().await;
        let failed_before = self.inner.reload_failed.swap(reloaded.is_err(), Ordering::AcqRel);
        match &reloaded {
            Err(error) if !failed_before => {
                tracing::error!(%error, "changed keys could not be taken up; the ones before stay, and this is tried again");
            }
            Ok(()) if failed_before => tracing::info!("the changed keys are taken up"),
            _ => {}
        }
        reloaded
    }

    fn has_loaded(&self, changes: i64) -> bool {
        self.inner.loaded_changes.load(Ordering::Acquire) == changes
    }

    /// Forgets clients as they were before the counter of changes came to this; once.
    fn forget_clients(&self, changes: i64) {
        if self.inner.forgotten_changes.swap(changes, Ordering::AcqRel) != changes {
            self.inner.clients.clear();
        }
    }

    /// The keys of `epoch`, which the caller has just read in a row that it wrote or found. Those in memory may be older:
    /// a purge by another process is not heard of at once, and what they sign would be refused everywhere. `None`:
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
                tracing::error!(%error, "changed keys could not be taken up, and the ones before sign no more");
                Err(AuthorityError::Stale)
            }
        }
    }

    async fn reload_in_time(&self) -> Result<(), StartError> {
        tokio::time::timeout(RELOAD_LIMIT, self.reload()).await.unwrap_or_else(|_| Err(silent().into()))
    }

    /// Reads keys and what else is kept in memory anew. The caller holds `loading`, or is alone.
    async fn reload(&self) -> Result<(), StartError> {
        let inner = &self.inner;
        let (head, records) = self.keys_and_head().await?;
        self.forget_clients(head.changes);
        let shared = match &inner.base.settings.signing {
            SigningSettings::SharedSecret(secret) => Some(secret),
            SigningSettings::KeyPair { .. } => None,
        };
        inner.keys.replace(Keys::open(&records, head.epoch, &inner.master, shared)?);
        let stored = inner.base.store.highest_password_cost().await?.unwrap_or(0);
        let password = &inner.base.settings.password;
        let floor = password.bcrypt_cost.get().max(stored.min(password.max_stored_cost));
        inner.floor_cost.store(floor, Ordering::Release);
        // What changed while we read is read again at the next head.
        inner.loaded_changes.store(head.changes, Ordering::Release);
        Ok(())
    }

    /// The keys, and a head of exactly their epoch. A key that came with a later one must not pass for one of this: it
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
        Err(StoreError::Unavailable("its keys are purged again and again".into()))
    }

    pub(crate) fn floor_cost(&self) -> Cost {
        let floor = self.inner.floor_cost.load(Ordering::Acquire);
        Cost::try_from(floor).unwrap_or(self.settings().password.bcrypt_cost)
    }

    /// Checks who a client is. `None` stands for the default client, where there is one.
    pub async fn authenticate_client(
        &self,
        credentials: &ClientCredentials,
        origin: &Origin,
    ) -> Result<AuthenticatedClient, AuthorityError> {
        let id = match credentials {
            ClientCredentials::None => self.settings().default_client().ok_or(AuthorityError::ClientAuthentication)?,
            ClientCredentials::Public(id) | ClientCredentials::Secret(id, _) => id,
        };
        let record = self.inner.clients.find(self.store(), id).await?;
        let mut found = clients::authenticate(record, credentials);
        let source = Attempt::new(&self.inner.master, "", "", origin.address).source;
        let guesses = self.inner.secret_failures.is_over(source, self.seconds_passed());
        if found.is_err() && !guesses && matches!(credentials, ClientCredentials::Secret(..)) {
            // The secret may be newer than what is in memory: another process gave it a moment ago.
            self.inner.clients.forget(id);
            found = clients::authenticate(self.inner.clients.find(self.store(), id).await?, credentials);
        }
        if found.is_err() {
            self.inner.metrics.client_failures.count();
            if let ClientCredentials::Secret(..) = credentials {
                // Only a wrong secret waits: a right one is never slowed, whoever guesses beside it.
                tokio::time::sleep(self.inner.secret_failures.failed(source, self.seconds_passed())).await;
            }
        }
        found
    }
}

/// Reading keys anew that takes longer has met a database that does not answer.
const RELOAD_LIMIT: Duration = Duration::from_secs(5);

/// How often keys are read anew because everything was purged meanwhile.
const EPOCH_ATTEMPTS: u32 = 4;

fn silent() -> StoreError {
    StoreError::Unavailable("the database did not answer in time".into())
}

/// Starts the threads that hash passwords.
pub(crate) fn start_hashing(settings: &Settings) -> Result<Hashing, StartError> {
    let password = &settings.password;
    let cores = std::thread::available_parallelism().map_or(1, |cores| cores.get());
    Hashing::start(HashingSettings {
        threads: password.threads.map_or(cores, |threads| threads.get()),
        lanes: 4,
        max_queue: password.max_queue,
        max_per_source: password.max_queue_per_source,
        max_stored_cost: password.max_stored_cost,
    })
    .map_err(StartError::Threads)
}
