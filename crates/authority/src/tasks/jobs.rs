//! Continuing jobs whose process has stopped.

use std::time::Duration;

use crate::Authority;
use crate::admin::Idle;

/// How often they are looked for.
const EVERY: Duration = Duration::from_millis(500);

pub(crate) async fn continue_jobs(authority: Authority) {
    let admin = authority.admin();
    let mut idle = Idle::default();
    let mut failing = false;
    loop {
        tokio::time::sleep(EVERY).await;
        match admin.continue_jobs(&mut idle).await {
            // An outage has its own log line.
            Err(crate::AdminError::Store(error)) if error.is_outage() => {
                tracing::debug!(%error, "jobs could not be looked for");
            }
            Err(error) if !failing => {
                failing = true;
                tracing::error!(%error, "jobs could not be continued; trying again");
            }
            Err(_) => {}
            Ok(()) => failing = false,
        }
    }
}
