//! PostgreSQL's notifications, and whether they still come.

use std::sync::atomic::Ordering;
use std::time::Duration;

use ficha_store::Listener;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use crate::Authority;

/// A listener that has heard nothing for this long must prove that it hears.
const PROVE_EVERY: Duration = Duration::from_secs(10);
/// Every commit that changes the head is announced: one that was not heard this long before or after is a doubt.
const GRACE: Duration = Duration::from_millis(100);
/// A notification to ourselves that takes longer does not come.
const PROOF_LIMIT: Duration = Duration::from_secs(1);
/// Connecting that takes longer has met a database that does not answer.
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
        // From now on it looks more often.
        authority.denylist().nudge();
        if heard {
            // Most likely the database was restarted: whether it can be heard again shows at the next try.
            (retry, warned) = (FIRST_RETRY, false);
            tracing::debug!("LISTEN is lost: the denylist is read every 100 ms until it is back");
        } else if !warned && !authority.inner.outage.lasts() && authority.is_fresh() {
            warned = true;
            tracing::warn!("LISTEN hears nothing (a pooler?): the denylist is read every 100 ms instead");
        }
        sleep(retry).await;
        retry = if heard { FIRST_RETRY } else { LAST_RETRY.min(2 * retry) };
    }
}

/// Listens until the connection ends or hears nothing any more. False if it never heard anything.
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
                // A connection that is cut off in silence never ends by itself.
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
