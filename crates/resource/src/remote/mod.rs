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
pub(crate) mod name;
mod purges;
mod replica;
mod supervise;
mod task;

use std::sync::Arc;
use std::time::Duration;

use ficha_token::Clock;
use reqwest::Client;
use tokio::sync::watch;
use tokio::time::sleep;
use url::Url;

pub(crate) use failure_log::LastError;
pub(crate) use keys::RemoteKeys;
use purges::follow_purges;
pub(crate) use replica::Replica;
pub(crate) use task::{Fed, Task};

use follower::Follower;
use http::Credentials;
use metadata::{Endpoints, Search};
use name::Name;
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
    pub name: Name,
}

impl Plan {
    async fn run(self) {
        let Self { client, clock, known, search, found, keys, replica, credentials, lease, name } = self;
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
                    let name = name.clone();
                    Follower::new(Arc::clone(replica), client.clone(), url.clone(), credentials, lease, name).run()
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
