//! PostgreSQL's notifications, and the test that they still arrive.

use std::sync::atomic::Ordering;
use std::time::Duration;

use ficha_store::Listener;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use crate::Authority;

/// A listener that has heard nothing for this long is tested.
const PROVE_EVERY: Duration = Duration::from_secs(10);
/// Every commit that changes the head is announced: if no notification arrives this long before or after one, the
/// listener is tested.
const GRACE: Duration = Duration::from_millis(100);
/// A notification to ourselves that takes longer counts as lost.
const PROOF_LIMIT: Duration = Duration::from_secs(1);
/// If connecting takes longer, the database does not answer.
const CONNECT_LIMIT: Duration = Duration::from_secs(5);
/// When to reconnect: soon after a connection that heard notifications, and less and less often if none does.
const FIRST_RETRY: Duration = Duration::from_millis(100);
const LAST_RETRY: Duration = Duration::from_secs(30);

/// Wakes the tail whenever another process on the same PostgreSQL has committed something.
pub(crate) async fn listen(authority: Authority) {
    let (mut retry, mut warned) = (FIRST_RETRY, false);
    loop {
        let heard = listen_once(&authority).await;
        authority.inner.listening.store(false, Ordering::Release);
        // From now on the tail reads more often.
        authority.denylist().nudge();
        if heard {
            // Most likely the database was restarted: the next attempt shows whether it can be heard again.
            (retry, warned) = (FIRST_RETRY, false);
            tracing::debug!("the LISTEN connection was lost: the denylist is read every 100 ms until it is back");
        } else if !warned && !authority.inner.outage.lasts() && authority.is_fresh() {
            warned = true;
            tracing::warn!(
                "PostgreSQL notifications do not arrive, perhaps because of a connection pooler: the denylist is read every \
                 100 ms instead"
            );
        }
        sleep(retry).await;
        retry = if heard { FIRST_RETRY } else { LAST_RETRY.min(2 * retry) };
    }
}

/// Listens until the connection ends or no longer hears anything. False if it never heard anything.
async fn listen_once(authority: &Authority) -> bool {
    let Ok(Ok(Some(mut listener))) = timeout(CONNECT_LIMIT, authority.store().listen()).await else { return false };
    // A pooler between us may swallow notifications.
    if !hears(authority, &mut listener).await {
        return false;
    }
    authority.inner.listening.store(true, Ordering::Release);
    let mut heads = authority.denylist().heads();
    let mut heard = Instant::now();
    let mut doubt = heard + PROVE_EVERY;
    loop {
        tokio::select! {
            next = listener.next() => {
                if next.is_err() {
                    return true;
                }
                authority.denylist().nudge();
                heard = Instant::now();
                doubt = heard + PROVE_EVERY;
            }
            _ = heads.changed() => {
                let now = Instant::now();
                if heard + GRACE < now {
                    doubt = doubt.min(now + GRACE);
                }
            }
            () = sleep_until(doubt) => {
                // A connection that was cut silently never ends by itself.
                if !hears(authority, &mut listener).await {
                    return true;
                }
                heard = Instant::now();
                doubt = heard + PROVE_EVERY;
            }
        }
    }
}

/// True if a notification to ourselves, or any other, arrives.
async fn hears(authority: &Authority, listener: &mut Listener) -> bool {
    let sent = timeout(PROOF_LIMIT, authority.store().notify_self()).await;
    let heard = matches!(sent, Ok(Ok(()))) && matches!(timeout(PROOF_LIMIT, listener.next()).await, Ok(Ok(())));
    if heard {
        authority.denylist().nudge();
    }
    heard
}
