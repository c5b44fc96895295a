//! Logging an outage of the database: one line when it begins and one when it ends, however many calls fail in between.

use std::sync::{Mutex, PoisonError};

use ficha_store::StoreError;
use tokio::time::Instant;

/// What can fail by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    /// The denylist's head can't be read: nothing can be vouched for.
    Reading,
    /// Changes are refused, or not kept.
    Writing,
}

/// The outage, if there is one.
#[derive(Default)]
pub(crate) struct Outage(Mutex<Seen>);

#[derive(Default)]
struct Seen {
    begun: Option<Begun>,
    /// How many calls had failed when all was last well.
    failures: u64,
    /// How many of them have been logged.
    told: u64,
}

struct Begun {
    since: Instant,
    /// How many calls had failed by then.
    failures: u64,
    reading: bool,
    writing: bool,
    /// True once it was said that changes are lost.
    lost: bool,
}

impl Outage {
    /// Takes up what a look came to. `failures` is how many calls have failed so far.
    pub(crate) fn note(&self, part: Part, found: Result<(), &StoreError>, failures: u64) {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let before = seen.failures;
        let outage = &mut seen.begun;
        match (outage, found) {
            (None, Ok(())) => seen.failures = failures,
            (outage @ None, Err(error)) => {
                match (part, error) {
                    (_, StoreError::Lost(_)) => tracing::error!(
                        %error,
                        "acknowledged changes were lost; every response is 503 until changes are kept"
                    ),
                    (Part::Reading, _) => tracing::error!(
                        %error,
                        "the database can't be read; protected endpoints respond with 503 until it can"
                    ),
                    (Part::Writing, _) => tracing::error!(
                        %error,
                        "the database accepts no changes; requests that need one get a 503 until it does"
                    ),
                }
                let (reading, writing) = (part == Part::Reading, part == Part::Writing);
                *outage = Some(Begun {
                    since: Instant::now(),
                    failures: before,
                    reading,
                    writing,
                    lost: matches!(error, StoreError::Lost(_)),
                });
            }
            (Some(begun), found) => {
                match part {
                    Part::Reading => begun.reading = found.is_err(),
                    Part::Writing => begun.writing = found.is_err(),
                }
                if let Err(error @ StoreError::Lost(_)) = found
                    && !std::mem::replace(&mut begun.lost, true)
                {
                    tracing::error!(%error, "acknowledged changes were lost");
                }
                if !begun.reading && !begun.writing {
                    let failed_calls = failures.saturating_sub(begun.failures);
                    let seconds = begun.since.elapsed().as_secs();
                    tracing::warn!(seconds, failed_calls, "the database works again");
                    *seen = Seen { begun: None, failures, told: failures };
                }
            }
        }
    }

    /// The number of failed calls that were logged at the end of the last outage.
    pub(crate) fn told(&self) -> u64 {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).told
    }

    /// True while there is one.
    pub(crate) fn lasts(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).begun.is_some()
    }
}
