//! Logging an outage of the database: one line when it begins and one when it ends, however many calls fail in between.

use std::sync::{Mutex, PoisonError};

use ficha_store::StoreError;
use tokio::time::Instant;

/// What can fail separately.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    /// The denylist's head can't be read, so the server's denylist becomes stale.
    Reading,
    /// Changes are refused, or not kept.
    Writing,
}

/// The outage, if there is one.
#[derive(Default)]
pub(crate) struct Outage(Mutex<Seen>);

#[derive(Default)]
struct Seen {
    ongoing: Option<Ongoing>,
    /// How many calls had failed when all was last well.
    failures: u64,
    /// How many of them have been logged.
    logged: u64,
}

struct Ongoing {
    since: Instant,
    /// How many calls had failed by then.
    failures: u64,
    reading: bool,
    writing: bool,
    /// True once the loss of changes has been logged.
    lost: bool,
}

impl Outage {
    /// Records the result of a check. `failures` is how many calls have failed so far. True if an outage begins here.
    pub(crate) fn note(&self, part: Part, found: Result<(), &StoreError>, failures: u64) -> bool {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let before = seen.failures;
        let outage = &mut seen.ongoing;
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
                *outage = Some(Ongoing {
                    since: Instant::now(),
                    failures: before,
                    reading,
                    writing,
                    lost: matches!(error, StoreError::Lost(_)),
                });
                return true;
            }
            (Some(ongoing), found) => {
                match part {
                    Part::Reading => ongoing.reading = found.is_err(),
                    Part::Writing => ongoing.writing = found.is_err(),
                }
                if let Err(error @ StoreError::Lost(_)) = found
                    && !std::mem::replace(&mut ongoing.lost, true)
                {
                    tracing::error!(%error, "acknowledged changes were lost");
                }
                if !ongoing.reading && !ongoing.writing {
                    let failed_calls = failures.saturating_sub(ongoing.failures);
                    let seconds = ongoing.since.elapsed().as_secs();
                    tracing::warn!(seconds, failed_calls, "the database works again");
                    *seen = Seen { ongoing: None, failures, logged: failures };
                }
            }
        }
        false
    }

    /// The number of failed calls that were logged at the end of the last outage.
    pub(crate) fn logged(&self) -> u64 {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).logged
    }

    /// True during an outage.
    pub(crate) fn lasts(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).ongoing.is_some()
    }
}
