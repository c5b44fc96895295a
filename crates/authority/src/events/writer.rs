//! The task that stores audit events.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use crate::Authority;

/// How many audit events one statement stores.
const AUDIT_BATCH: usize = 1_024;
/// How long events are collected: on SQLite each of their commits delays revocations, so there should be few.
const AUDIT_GATHER: Duration = Duration::from_millis(50);

/// Stores events in batches until `stopped` is set; then stores the waiting ones and sets `done`.
pub(crate) async fn write_audit(
    authority: Authority,
    mut stopped: watch::Receiver<bool>,
    done: Arc<watch::Sender<bool>>,
) {
    let mut events = authority.inner.audit_events.lock().await;
    let mut batch = Vec::new();
    loop {
        let closing = events.is_closed();
        let received = tokio::select! {
            received = events.recv_many(&mut batch, AUDIT_BATCH) => received,
            _ = stopped.wait_for(|stopped| *stopped), if !closing => {
                // No more events are accepted; the waiting ones are still received.
                events.close();
                continue;
            }
        };
        if received == 0 {
            done.send_replace(true);
            // It ends together with the other tasks.
            return std::future::pending().await;
        }
        tokio::time::sleep(AUDIT_GATHER).await;
        while batch.len() < AUDIT_BATCH
            && let Ok(event) = events.try_recv()
        {
            batch.push(event);
        }
        if let Err(error) = authority.store().audit(&batch).await {
            authority.inner.metrics.audit_lost.add(batch.len() as u64);
            if error.is_outage() {
                tracing::debug!(%error, events = batch.len(), "audit events could not be stored");
            } else {
                tracing::warn!(%error, events = batch.len(), "audit events could not be stored; they are only in the log");
            }
        }
        batch.clear();
    }
}
