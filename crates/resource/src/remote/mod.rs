//! Everything that comes over the network: metadata, keys, and the denylist with its lease.
//!
//! One background task does all the asking. It ends when nobody holds the sources any more that it feeds.

pub(crate) mod address;
mod backoff;
mod failure_log;
mod feed;
pub(crate) mod fixed;
mod follower;
pub(crate) mod http;
mod keys;
mod lasting;
mod lease;
pub(crate) mod metadata;

use std::sync::Arc;
use std::time::Duration;

use ficha_token::{Clock, DenyId};
use reqwest::Client;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::sleep;
use url::Url;

pub(crate) use feed::Feed;
pub(crate) use keys::RemoteKeys;

use crate::source::{DenySource, DenyVerdict, KeyLookup, KeySource};
use follower::Follower;
use http::Credentials;
use lasting::lasting;
use metadata::{Endpoints, Search};

const PURGE_EVERY: Duration = Duration::from_secs(60);

/// What the background task does.
pub(crate) struct Plan {
    pub client: Client,
    pub clock: Arc<dyn Clock>,
    /// The addresses that are known.
    pub known: Endpoints,
    /// Where to look for the rest.
    pub search: Option<Search>,
    /// FailureLog once what was found later.
    pub found: Box<dyn FnOnce(&Endpoints) + Send>,
    pub keys: Option<Arc<RemoteKeys>>,
    pub feed: Option<Arc<Feed>>,
    pub credentials: Option<Credentials>,
    pub lease: Duration,
}

/// The background task. It is ended when this is dropped.
pub(crate) struct Task(JoinHandle<()>);

impl Drop for Task {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// A source together with the task that feeds it, so that neither outlives the other.
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

impl DenySource for Fed<Feed> {
    fn check(&self, ids: &[DenyId], now: i64) -> DenyVerdict {
        self.source.check(ids, now)
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

/// Starts the background task on the runtime that this is called on.
pub(crate) fn spawn(plan: Plan) -> Task {
    Task(tokio::spawn(plan.run()))
}

impl Plan {
    async fn run(self) {
        let Self { client, clock, known, search, found, keys, feed, credentials, lease } = self;
        let (tell, known) = watch::channel(known);
        let search = async {
            // It was told not to give up.
            if let Some(search) = search
                && let Ok(endpoints) = search.run(&client, &*clock, false).await
            {
                found(&endpoints);
                tell.send_replace(endpoints);
            }
        };
        let keys = async {
            if let Some(keys) = &keys
                && let Some(url) = first(known.clone(), |known| known.jwks_url.clone()).await
            {
                lasting("reading the signing keys", || {
                    let (keys, client, url) = (Arc::clone(keys), client.clone(), url.clone());
                    async move { keys.run(client, url).await }
                })
                .await;
            }
        };
        let list = async {
            if let Some(feed) = &feed
                && let Some(url) = first(known.clone(), |known| known.denylist_url.clone()).await
            {
                let following = lasting("following the denylist", || {
                    let credentials = credentials.clone();
                    Follower::new(Arc::clone(feed), client.clone(), url.clone(), credentials, lease).run()
                });
                let purging = lasting("dropping what has run out", || purge(Arc::clone(feed)));
                tokio::join!(following, purging);
            }
        };
        tokio::join!(search, keys, list);
    }
}

/// An address, as soon as it is known.
async fn first(mut known: watch::Receiver<Endpoints>, pick: fn(&Endpoints) -> Option<Url>) -> Option<Url> {
    known.wait_for(|known| pick(known).is_some()).await.ok().and_then(|known| pick(&known))
}

async fn purge(feed: Arc<Feed>) {
    loop {
        sleep(PURGE_EVERY).await;
        let feed = Arc::clone(&feed);
        // Only a panic could fail it, and the next one tries again.
        let _ = tokio::task::spawn_blocking(move || feed.purge()).await;
    }
}
