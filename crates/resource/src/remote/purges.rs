//! After everything was revoked, another key signs: the old one is denied, and the services that notice fetch the keys at
//! once. Otherwise every new token would be refused until the next fetch.

use tokio::time::sleep;

use super::backoff::Backoff;
use super::keys::{MAX_PAUSE, RemoteKeys};
use super::replica::Replica;

/// Fetches the keys whenever one of them is on the denylist, until the set no longer names it.
pub(super) async fn follow_purges(keys: &RemoteKeys, replica: &Replica) {
    let (mut added, mut ended) = (replica.added(), keys.ended());
    let mut backoff = Backoff::new(MAX_PAUSE);
    loop {
        if keys.look_for_denied(|kid| replica.denies_key(kid)) {
            if backoff.has_failed() {
                // The server that answered has not loaded its own new keys yet.
                sleep(backoff.next()).await;
            } else {
                let _ = backoff.next();
            }
            keys.fetch_now();
            // Neither wait can fail, because the senders belong to what is borrowed here.
            let _ = ended.changed().await;
            continue;
        }
        backoff.reset();
        tokio::select! {
            _ = added.changed() => {}
            _ = ended.changed() => {}
        }
    }
}
