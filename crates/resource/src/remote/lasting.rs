//! Work in the background that must not end: a service whose keys or denylist nobody reads any more would refuse
//! everything.

use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::sleep;

/// How long to wait before it is begun again.
const PAUSE: Duration = if cfg!(test) { Duration::from_millis(5) } else { Duration::from_secs(1) };

/// Does what `work` makes, again whenever it ends. It only ends by a panic, which would be a bug of ours or of a clock or
/// an HTTP client that was handed in.
pub(super) async fn lasting<W>(what: &'static str, mut work: impl FnMut() -> W)
where
    W: Future<Output = ()> + Send + 'static,
{
    loop {
        // A set of one: it ends with us.
        let mut task = JoinSet::new();
        task.spawn(work());
        // Nothing but a panic ends it, and the process' hook has said where that was.
        let _ = task.join_next().await;
        tracing::error!(what, "work in the background has ended, and is begun again");
        sleep(PAUSE).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_panics_is_begun_again() {
        let (sender, mut receiver) = tokio::sync::mpsc::unbounded_channel();
        let mut begun = 0;
        let work = lasting("test", || {
            begun += 1;
            let _ = sender.send(begun);
            let last = begun == 3;
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
