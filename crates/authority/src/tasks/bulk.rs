//! Continuing revocations of many sessions whose process has stopped.

use std::time::Duration;

use crate::Authority;
use crate::admin::Stopped;

/// How often they are looked for.
const EVERY: Duration = Duration::from_secs(1);

pub(crate) async fn continue_stopped(authority: Authority) {
    let admin = authority.admin();
    let mut stopped = Stopped::default();
    let mut failing = false;
    loop {
        tokio::time::sleep(EVERY).await;
        match admin.continue_stopped(&mut stopped).await {
            // An outage has its own log line.
            Err(crate::AdminError::Store(error)) if error.is_outage() => {
                tracing::debug!(%error, "revocations could not be continued");
            }
            Err(error) if !failing => {
                failing = true;
                tracing::error!(%error, "a revocation of many sessions could not be continued; trying again");
            }
            Err(_) => {}
            Ok(()) => failing = false,
        }
    }
}
