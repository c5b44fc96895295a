//! Following the denylist (docs/src/reference/denylist.md).
//!
//! It polls without end, one request at a time. The first polls read the whole list page by page; after that the server
//! holds each poll until there is news. Only an answer with the poll's own nonce and no further page renews the lease.

use std::sync::Arc;
use std::time::Duration;

use ficha_token::{SystemEntropy, random_uuid};
use reqwest::{Client, StatusCode};
use tokio::time::{Instant, sleep};
use url::Url;

use super::backoff::{Backoff, jittered};
use super::failure_log::FailureLog;
use super::http::{Ask, Credentials, FetchError, fetch, unreadable};
use super::lease::Moment;
use super::name::Name;
use super::replica::{PageHead, Replica};

/// The longest that a server holds a poll.
const MAX_WAIT: Duration = Duration::from_secs(30);
/// How much longer than the requested wait an answer may take.
const SLACK: Duration = Duration::from_secs(2);
/// How much longer still a page of the whole list may take, because of its size. It does not affect the lease.
const PAGE_SLACK: Duration = Duration::from_secs(15);
const MAX_PAGE_BYTES: usize = 64 * 1024 * 1024;
/// A larger page is parsed on a blocking thread.
const SMALL_PAGE_BYTES: usize = 32 * 1024;
const MAX_CURSOR_BYTES: usize = 4 * 1024;
const MAX_PAUSE: Duration = Duration::from_secs(5);
/// The pause when an early retry won't help: the server refuses this client, or has no denylist.
const LONG_PAUSE: Duration = Duration::from_secs(10);
/// The longest `Retry-After` that is honoured, if the lease allows it.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(10);
/// The lease never shortens a pause below this.
const SHORTEST_CAP: Duration = Duration::from_millis(100);
/// How often the clocks are checked while a poll waits.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// A long poll that comes back empty sooner than this was not held, so the next one is not sent at once.
const TOO_SOON: Duration = Duration::from_millis(50);

/// One follower of one denylist.
pub(super) struct Follower {
    replica: Arc<Replica>,
    client: Client,
    url: Url,
    credentials: Option<Credentials>,
    lease: Duration,
    name: Name,
    wait: Duration,
    cursor: Option<String>,
    /// True until the whole list has been read: from the start, after a jump of the clock, and while pages follow.
    reading: bool,
    backoff: Backoff,
    /// Pauses for a server that does not hold polls.
    unheld: Backoff,
    failures: FailureLog,
}

/// One request to the server.
struct Poll {
    url: Url,
    nonce: String,
    wait: Duration,
    limit: Duration,
    sent: Moment,
    /// The same by the runtime's timer, which is independent of a test's clock.
    started: Instant,
}

/// Why a poll did not renew the lease.
#[derive(Debug, thiserror::Error)]
enum PollError {
    #[error("{0}")]
    Fetch(#[from] FetchError),
    #[error("the answer can't be parsed: {0}")]
    Unreadable(String),
    #[error("the answer lacks the nonce of this request: a proxy or cache replays answers, or drops the nonce")]
    Replayed,
    #[error("the server announced another page but repeated the cursor")]
    NoProgress,
    #[error("the server answered at once instead of holding the poll")]
    DidNotWait,
    #[error("this machine was suspended, or its clock was set")]
    Overtaken,
}

impl Follower {
    pub(super) fn new(
        replica: Arc<Replica>,
        client: Client,
        url: Url,
        credentials: Option<Credentials>,
        lease: Duration,
        name: Name,
    ) -> Self {
        let wait = Duration::from_secs((lease / 3).min(MAX_WAIT).as_secs().max(1));
        let failures = FailureLog::new(Arc::clone(&replica.last_error));
        let (backoff, unheld) = (Backoff::new(MAX_PAUSE), Backoff::new(MAX_PAUSE));
        Self {
            replica,
            client,
            url,
            credentials,
            lease,
            name,
            wait,
            cursor: None,
            reading: true,
            backoff,
            unheld,
            failures,
        }
    }

    /// Follows the denylist without end.
    pub(super) async fn run(mut self) {
        loop {
            let poll = self.next_poll();
            let asked = tokio::select! {
                answer = self.ask(&poll) => answer,
                () = overtaken(&self.replica, &poll) => Err(PollError::Overtaken),
            };
            let outcome = asked.and_then(|page| self.take(&poll, page));
            self.replica.notice_staleness();
            if let Err(error) = outcome {
                let pause = self.after(&error);
                sleep(pause).await;
            }
        }
    }

    fn next_poll(&self) -> Poll {
        let nonce = random_uuid(&SystemEntropy).simple().to_string();
        // After a failure the server should answer now, while the lease is still valid, and not when there is news. The
        // same if the lease would end before the answer, as after a suspend between two polls.
        let at_once = self.reading || self.backoff.has_failed() || !self.lease_lasts(self.wait + SLACK);
        let wait = if at_once { Duration::ZERO } else { self.wait };
        let mut url = Name::room_in(&self.url);
        let mut query = url.query_pairs_mut();
        if let Some(cursor) = &self.cursor {
            query.append_pair("after", cursor).append_pair("wait", &wait.as_secs().to_string());
        }
        query.append_pair("nonce", &nonce);
        self.name.append(&mut query, self.replica.accepts_stale());
        drop(query);
        let limit = if self.reading { wait + SLACK + PAGE_SLACK } else { wait + SLACK };
        Poll { url, nonce, wait, limit, sent: self.replica.now(), started: Instant::now() }
    }

    fn lease_lasts(&self, time: Duration) -> bool {
        self.replica.age().is_some_and(|age| age + time <= self.lease)
    }

    async fn ask(&self, poll: &Poll) -> Result<PageHead, PollError> {
        let ask = Ask {
            url: poll.url.clone(),
            credentials: self.credentials.as_ref(),
            head_within: poll.wait + SLACK,
            all_within: poll.limit,
            most_bytes: MAX_PAGE_BYTES,
        };
        let body = fetch(&self.client, ask).await?.body;
        let added = if body.len() <= SMALL_PAGE_BYTES {
            self.replica.add(&body)
        } else {
            let replica = Arc::clone(&self.replica);
            let adding = tokio::task::spawn_blocking(move || replica.add(&body));
            adding.await.map_err(|error| PollError::Unreadable(error.to_string()))?
        };
        added.map_err(|error| PollError::Unreadable(unreadable(&error)))
    }

    /// Takes the cursor from a page, and renews the lease if the page allows it.
    fn take(&mut self, poll: &Poll, page: PageHead) -> Result<(), PollError> {
        // Not even the cursor is taken from the answer to another request: entries in between would be missed.
        if page.nonce.as_deref() != Some(poll.nonce.as_str()) {
            return Err(PollError::Replayed);
        }
        if page.cursor.is_empty() || page.cursor.len() > MAX_CURSOR_BYTES {
            return Err(PollError::Unreadable("the cursor is empty or too long".to_owned()));
        }
        if page.reset {
            self.replica.count_reset(page.entries);
        }
        let moved = self.cursor.as_deref() != Some(page.cursor.as_str());
        self.cursor = Some(page.cursor);
        self.reading = page.more;
        if page.more {
            if !moved {
                return Err(PollError::NoProgress);
            }
            self.replica.count_poll(true);
            return Ok(());
        }
        if self.replica.renew(poll.sent).is_err() {
            return Err(PollError::Overtaken);
        }
        self.replica.count_poll(true);
        self.failures.recovered();
        self.backoff.reset();
        if !poll.wait.is_zero() {
            if page.entries == 0 && poll.started.elapsed() < TOO_SOON {
                return Err(PollError::DidNotWait);
            }
            self.unheld.reset();
        }
        Ok(())
    }

    /// Logs what went wrong, and returns how long to pause: never so long that the lease runs out meanwhile.
    fn after(&mut self, error: &PollError) -> Duration {
        // The minimum keeps a server that is down at the very end of a lease from being hammered.
        self.wanted_pause(error).min(self.replica.longest_pause().max(SHORTEST_CAP))
    }

    fn wanted_pause(&mut self, error: &PollError) -> Duration {
        if matches!(error, PollError::DidNotWait) {
            return self.unheld.next();
        }
        self.replica.count_poll(false);
        if self.replica.has_jumped() {
            self.replica.end_lease();
            self.start_over();
        }
        let pause = self.backoff.next();
        let (advice, pause) = match error {
            PollError::Fetch(FetchError::Status { status, retry_after }) => match *status {
                StatusCode::UNAUTHORIZED => {
                    self.replica.refuse(status.as_u16());
                    ("check credentials(): the server requires a valid client id and secret", jittered(LONG_PAUSE))
                }
                StatusCode::FORBIDDEN => {
                    self.replica.refuse(status.as_u16());
                    let advice = "this client may not follow the denylist: run ficha client set CLIENT --serves AUDIENCE on the server";
                    (advice, jittered(LONG_PAUSE))
                }
                StatusCode::NOT_FOUND => (
                    "the server has no denylist at this address: check the URL and the server's version",
                    jittered(LONG_PAUSE),
                ),
                StatusCode::BAD_REQUEST | StatusCode::GONE => {
                    self.start_over();
                    ("the server does not accept the cursor, so the whole list is read again", pause)
                }
                _ => ("", pause.max(retry_after.unwrap_or_default().min(MAX_RETRY_AFTER))),
            },
            // Only this machine was at fault, and until the answer arrives every request is refused.
            PollError::Overtaken => ("", pause.min(Duration::from_millis(100))),
            _ => ("", pause),
        };
        self.failures.failed(self.replica.now(), "following the denylist", self.url.as_str(), error, advice);
        pause
    }

    fn start_over(&mut self) {
        self.cursor = None;
        self.reading = true;
    }
}

/// Ends when waiting for a poll's answer is no longer useful: the wall clock was set, or the machine was suspended for
/// longer than the answer may take. The runtime's own timers do not advance while the machine is suspended.
async fn overtaken(replica: &Replica, poll: &Poll) {
    loop {
        tokio::select! {
            () = replica.doubted.notified() => {}
            () = sleep(LOOK_EVERY) => {}
        }
        if replica.has_jumped() || replica.now().since(poll.sent) > poll.limit + LOOK_EVERY {
            return;
        }
        replica.notice_staleness();
    }
}
