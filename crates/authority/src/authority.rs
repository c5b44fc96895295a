//! The authorization server without its HTTP: construction, and access to its parts.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU32, Ordering};

use ficha_password::{Cost, Hashing};
use ficha_store::{DatabaseKind, Store, Writes};
use ficha_token::Clock;
use tokio::sync::watch;

use crate::admin::{Admin, LiveCount};
use crate::authn::counting::Counting;
use crate::clients::cache::ClientCache;
use crate::clients::last_use::SecretUses;
use crate::clients::throttle::SecretFailures;
use crate::clock::boot_id;
use crate::clock::issuer::IssuerClock;
use crate::denylist::feed::Feed;
use crate::denylist::replica::Denylist;
use crate::error::StartError;
use crate::events::live::LiveEvents;
use crate::events::output::EventOutput;
use crate::followers::registry::Registry;
use crate::foundation::{Foundation, start_hashing};
use crate::group_commit::GroupCommit;
use crate::group_commit::event::EventBatch;
use crate::group_commit::refusal::RefusalBatch;
use crate::group_commit::revocation::RevocationBatch;
use crate::group_commit::rotation::RotationBatch;
use crate::keys::key_ring::KeyRing;
use crate::keys::master_key::MasterKey;
use crate::metrics::Metrics;
use crate::settings::Settings;
use crate::tasks::activity::Written;
use crate::tasks::outage::Outage;

/// The most callers that share one statement.
const MOST_IN_A_BATCH: usize = 128;
/// The most refused logins that share a statement: they are many during an attack, and most of them share a row.
const MOST_REFUSALS: usize = 4_096;

/// An authorization server. Cheap to clone.
#[derive(Clone)]
pub struct Authority {
    pub(crate) inner: Arc<Inner>,
}

/// Database failures since the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DatabaseHealth {
    /// Calls that failed because of the database.
    pub failures: u64,
    /// Changes that it acknowledged and then did not have.
    pub changes_lost: u64,
}

pub(crate) struct Inner {
    /// Its clock is the issuer's clock, `time`.
    pub(crate) base: Foundation,
    pub(crate) time: Arc<IssuerClock>,
    pub(crate) master: MasterKey,
    pub(crate) hashing: Hashing,
    pub(crate) keys: KeyRing,
    pub(crate) clients: ClientCache,
    pub(crate) denylist: Arc<Denylist>,
    pub(crate) feed: Feed,
    /// Who follows the denylist here.
    pub(crate) followers: Arc<Registry>,
    pub(crate) rotations: GroupCommit<RotationBatch>,
    pub(crate) revocations: Arc<GroupCommit<RevocationBatch>>,
    pub(crate) event_batches: GroupCommit<EventBatch>,
    pub(crate) refusals: GroupCommit<RefusalBatch>,
    pub(crate) metrics: Arc<Metrics>,
    /// The highest cost of any stored or new hash: every failed login takes as long as a hash of that cost.
    pub(crate) floor_cost: AtomicU32,
    /// How long a failed login takes apart from its hash.
    pub(crate) counting: Counting,
    /// Failed client secrets, by source.
    pub(crate) secret_failures: SecretFailures,
    /// When secrets were last used.
    pub(crate) secret_uses: SecretUses,
    /// What happened in each minute.
    pub(crate) activity: Written,
    /// When what grows slowly is pruned next, in seconds that have passed.
    pub(crate) prune_slow_at: AtomicI64,
    /// How many sessions are live, for the overview.
    pub(crate) live_count: LiveCount,
    /// Where numbered events go besides the database.
    pub(crate) events: EventOutput,
    /// The newest events, for those who watch.
    pub(crate) live_events: LiveEvents,
    /// Logs outages of the database.
    pub(crate) outage: Outage,
    /// True once this server writes heartbeats.
    pub(crate) beats: AtomicBool,
    /// Whether the database accepts changes.
    pub(crate) writes: watch::Receiver<Writes>,
    /// True while PostgreSQL notifies us of other processes' commits.
    pub(crate) listening: AtomicBool,
    /// Held while keys and the rest are reloaded.
    pub(crate) loading: tokio::sync::Mutex<()>,
    /// The value of the `changes` counter when keys and the rest were last reloaded.
    pub(crate) loaded_changes: AtomicI64,
    /// Its value when the cached clients were last cleared.
    pub(crate) cleared_changes: AtomicI64,
    /// True while changed keys can't be read.
    pub(crate) reload_failed: AtomicBool,
}

impl Authority {
    /// Opens an authority on a database that has had its first start ([`crate::first_start`]). The tasks that keep it
    /// current are started separately, by [`Authority::spawn_background`].
    pub async fn open(base: Foundation) -> Result<Self, StartError> {
        base.settings.check()?;
        let master = base.master_key.load_existing()?;
        let last = base.store.last_beat(boot_id().as_deref()).await?;
        let time = Arc::new(IssuerClock::new(base.clock.clone(), &last));
        let base = Foundation { clock: time.clone(), ..base };
        let denylist = Arc::new(Denylist::default());
        // What only a wrong clock calls expired stays denied.
        denylist.begin_expiry_clock(time.expiry_offset(), &*time);
        let metrics = Arc::new(Metrics::default());
        let hashing = start_hashing(&base.settings)?;
        // PostgreSQL commits in parallel; SQLite has one writer, and a second batch would only wait for it.
        let workers = match base.store.kind() {
            DatabaseKind::Sqlite => 1,
            DatabaseKind::Postgres => 4,
        };
        let rotations = RotationBatch::new(&base);
        let revocations = RevocationBatch::new(&base, denylist.clone());
        let authority = Self {
            inner: Arc::new(Inner {
                master,
                hashing,
                keys: KeyRing::default(),
                clients: ClientCache::default(),
                denylist,
                feed: Feed::new(&base.settings.denylist),
                followers: Arc::default(),
                rotations: GroupCommit::start(rotations, workers, MOST_IN_A_BATCH),
                // Revocations take their numbers from one counter row, which stays locked until the commit. A second
                // batch would only wait for it, and each would be half as large.
                revocations: Arc::new(GroupCommit::start(revocations, 1, MOST_IN_A_BATCH)),
                event_batches: GroupCommit::start(EventBatch::new(&base), 1, MOST_IN_A_BATCH),
                refusals: GroupCommit::start(RefusalBatch::new(&base), 1, MOST_REFUSALS),
                metrics,
                floor_cost: AtomicU32::new(base.settings.password.bcrypt_cost.get()),
                counting: Counting::default(),
                secret_failures: SecretFailures::default(),
                secret_uses: SecretUses::default(),
                activity: Written::default(),
                prune_slow_at: AtomicI64::new(0),
                live_count: LiveCount::default(),
                events: EventOutput::default(),
                live_events: LiveEvents::default(),
                outage: Outage::default(),
                writes: base.store.writes(),
                beats: AtomicBool::new(false),
                listening: AtomicBool::new(false),
                loading: tokio::sync::Mutex::default(),
                loaded_changes: AtomicI64::new(-1),
                cleared_changes: AtomicI64::new(-1),
                reload_failed: AtomicBool::new(false),
                base,
                time,
            }),
        };
        // A start without readable keys is refused; later, the previous keys stay in use.
        authority.reload().await?;
        authority.follow().await?;
        Ok(authority)
    }

    /// The settings in use.
    pub fn settings(&self) -> &Settings {
        &self.inner.base.settings
    }

    /// The issuer's clock.
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.inner.base.clock
    }

    /// The keys in use.
    pub fn keys(&self) -> &KeyRing {
        &self.inner.keys
    }

    /// The denylist in memory.
    pub fn denylist(&self) -> &Arc<Denylist> {
        &self.inner.denylist
    }

    /// The counters.
    pub fn metrics(&self) -> &Arc<Metrics> {
        &self.inner.metrics
    }

    /// Where numbered events go besides the database.
    pub fn events(&self) -> &EventOutput {
        &self.inner.events
    }

    /// Returns once the server is stopping, and answers nobody who waits any more.
    pub async fn closed(&self) {
        self.inner.followers.closed().await;
    }

    /// The hashing threads.
    pub fn hashing(&self) -> &Hashing {
        &self.inner.hashing
    }

    /// The rules for administrators, sharing this authority's memory: what they revoke is refused here at once.
    pub fn admin(&self) -> Admin {
        let inner = &*self.inner;
        let (hashing, denylist) = (inner.hashing.clone(), inner.denylist.clone());
        Admin::new(inner.base.clone(), hashing, denylist, inner.revocations.clone(), inner.metrics.clone())
            .with_followers(inner.followers.clone())
    }

    /// Elapsed seconds, for what is kept only in memory: setting the wall clock does not change them.
    pub(crate) fn seconds_passed(&self) -> i64 {
        i64::try_from(self.clock().elapsed().as_secs()).unwrap_or(i64::MAX)
    }

    /// The health of the database.
    pub fn database(&self) -> DatabaseHealth {
        DatabaseHealth { failures: self.store().failures(), changes_lost: self.store().changes_lost() }
    }

    pub(crate) fn store(&self) -> &Store {
        &self.inner.base.store
    }

    pub(crate) fn now(&self) -> i64 {
        self.inner.base.clock.unix_now()
    }

    /// The earliest time that it may be, in Unix seconds: what has expired by then has certainly expired. For a while
    /// after the clock was set, it is earlier than [`Authority::clock`].
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

    pub(crate) fn floor_cost(&self) -> Cost {
        let floor = self.inner.floor_cost.load(Ordering::Acquire);
        Cost::try_from(floor).unwrap_or(self.settings().password.bcrypt_cost)
    }
}
