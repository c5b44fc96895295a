//! Waiting for what happens in the background, in real time.

use std::time::Duration;

use tokio::time::{Instant, sleep};

const LOOK_EVERY: Duration = Duration::from_millis(5);

/// Waits until a condition is true; twenty seconds at most.
pub async fn eventually(what: &str, mut check: impl AsyncFnMut() -> bool) {
    let arrived = tokio::time::timeout(Duration::from_secs(20), async {
        while !check().await {
            sleep(LOOK_EVERY).await;
        }
    });
    assert!(arrived.await.is_ok(), "it never came: {what}");
}

/// Checks that a condition stays true for a while. For what must not happen, where nothing comes after it that a test
/// could wait for instead.
pub async fn stays(what: &str, length: Duration, mut check: impl AsyncFnMut() -> bool) {
    let end = Instant::now() + length;
    while Instant::now() < end {
        assert!(check().await, "not any more: {what}");
        sleep(LOOK_EVERY).await;
    }
}
