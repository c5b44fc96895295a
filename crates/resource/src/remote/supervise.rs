//! Restarts background tasks that end: a service that no longer reads keys or denylist would refuse everything.

use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::sleep;

/// How long to wait before a restart.
const PAUSE: Duration = if cfg!(test) { Duration::from_millis(5) } else { Duration::from_secs(1) };

/// Runs the future that `work` makes, and starts another one whenever it ends. It only ends by a panic: a bug in this
/// crate, or in a clock or an HTTP client that the application has supplied.
pub(super) async fn keep_running<W>(what: &'static str, mut work: impl FnMut() -> W)
where
    W: Future<Output = ()> + Send + 'static,
{
    loop {
        // A set of one task, so that it is aborted together with this future.
        let mut task = JoinSet::new();
        task.spawn(work());
        // Only a panic ends it, and the panic hook has reported where.
        let _ = task.join_next().await;
        tracing::error!(what, "a background task ended unexpectedly and is restarted");
        sleep(PAUSE).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_task_that_panics_is_restarted() {
        let (sender, mut receiver) = tokio::sync::mpsc::unbounded_channel();
        let mut starts = 0;
        let work = keep_running("test", || {
            starts += 1;
            let _ = sender.send(starts);
            let last = starts == 3;
            async move {
                assert!(last, "a bug");
                std::future::pending().await
            }
        });
        tokio::select! {
            () = work => {}
            () = async {
                for expected in 1..=3 {
                    assert_eq!(receiver.recv().await, Some(expected));
                }
            } => {}
        }
    }
}
