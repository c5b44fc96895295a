//! Everything that comes over the network: metadata, keys, and the denylist with its lease.
//!
//! One background task sends all the requests. It ends when the last of the sources that it feeds is dropped.

pub(crate) mod address;
mod backoff;
mod failure_log;
pub(crate) mod fixed;
mod follower;
pub(crate) mod http;
mod keys;
mod lease;
pub(crate) mod metadata;
mod purges;
mod replica;
mod supervise;

use std::sync::Arc;
use std::time::Duration;

use ficha_token::{Clock, DenyId};
use reqwest::Client;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::sleep;
use url::Url;

pub(crate) use keys::RemoteKeys;
use purges::follow_purges;
pub(crate) use replica::Replica;

use crate::source::{DenySource, DenyVerdict, KeyLookup, KeySource};
use follower::Follower;
use http::Credentials;
use metadata::{Endpoints, Search};
use supervise::keep_running;

const PURGE_EVERY: Duration = Duration::from_secs(60);

/// What the background task needs.
pub(crate) struct Plan {
    pub client: Client,
    pub clock: Arc<dyn Clock>,
    /// The addresses that are known already.
    pub known: Endpoints,
    /// The search for the rest.
    pub search: Option<Search>,
    /// Called once with what the search finds.
    pub found: Box<dyn FnOnce(&Endpoints) + Send>,
    pub keys: Option<Arc<RemoteKeys>>,
    pub replica: Option<Arc<Replica>>,
    pub credentials: Option<Credentials>,
    pub lease: Duration,
}

/// The background task. Dropping this ends it.
pub(crate) struct Task(JoinHandle<()>);

impl Drop for Task {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// A source together with the task that feeds it, which runs as long as the source is used.
pub(crate) struct Fed<T> {
    source: Arc<T>,
    _task: Arc<Task>,
}

impl<T> Fed<T> {
    pub(crate) fn new(source: Arc<T>, task: &Arc<Task>) -> Self {
        Self { source, _task: Arc::clone(task) }
    }
}

impl KeySource for Fed<RemoteKeys> {
    fn find(&self, kid: &str) -> KeyLookup {
        self.source.find(kid)
    }

    fn generation(&self) -> u64 {
        self.source.generation()
    }
}

impl DenySource for Fed<Replica> {
    fn look_up(&self, ids: &[DenyId], now: i64) -> DenyVerdict {
        self.source.look_up(ids, now)
    }

    fn is_complete(&self) -> bool {
        self.source.is_complete()
    }

    fn reached(&self) -> Option<i64> {
        self.source.reached()
    }

    fn doubts_clock(&self) -> Option<Duration> {
        self.source.doubts_clock()
    }

    fn doubts_start(&self) -> Option<Duration> {
        self.source.doubts_start()
    }

    fn doubts_end(&self, exp: i64) -> Option<Duration> {
        self.source.doubts_end(exp)
    }
}

/// Starts the background task on the current runtime.
pub(crate) fn spawn(plan: Plan) -> Task {
    Task(tokio::spawn(plan.run()))
}

impl Plan {
    async fn run(self) {
        let Self { client, clock, known, search, found, keys, replica, credentials, lease } = self;
        let (publish, known) = watch::channel(known);
        let search = async {
            // With `give_up` false it never fails.
            if let Some(search) = search
                && let Ok(endpoints) = search.run(&client, &*clock, false).await
            {
                found(&endpoints);
                publish.send_replace(endpoints);
            }
        };
        let purges = async {
            if let (Some(keys), Some(replica)) = (&keys, &replica) {
                follow_purges(keys, replica).await;
            }
        };
        let fetching = async {
            if let Some(keys) = &keys
                && let Some(url) = first(known.clone(), |known| known.jwks_url.clone()).await
            {
                keep_running("reading the signing keys", || {
                    let (keys, client, url) = (Arc::clone(keys), client.clone(), url.clone());
                    async move { keys.run(client, url).await }
                })
                .await;
            }
        };
        let list = async {
            if let Some(replica) = &replica
                && let Some(url) = first(known.clone(), |known| known.denylist_url.clone()).await
            {
                let following = keep_running("following the denylist", || {
                    let credentials = credentials.clone();
                    Follower::new(Arc::clone(replica), client.clone(), url.clone(), credentials, lease).run()
                });
                let purging = keep_running("purging the denylist", || purge(Arc::clone(replica)));
                tokio::join!(following, purging);
            }
        };
        tokio::join!(search, fetching, list, purges);
    }
}

/// An address, as soon as it is known.
async fn first(mut known: watch::Receiver<Endpoints>, pick: fn(&Endpoints) -> Option<Url>) -> Option<Url> {
    known.wait_for(|known| pick(known).is_some()).await.ok().and_then(|known| pick(&known))
}

async fn purge(replica: Arc<Replica>) {
    loop {
        sleep(PURGE_EVERY).await;
        let replica = Arc::clone(&replica);
        // It fails only if it panics, and the next round tries again.
        let _ = tokio::task::spawn_blocking(move || replica.purge()).await;
    }
}
