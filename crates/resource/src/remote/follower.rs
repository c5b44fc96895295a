//! Following the denylist (docs/src/reference/denylist.md).
//!
//! One poll at a time, without end. The first ones read the whole list page by page; after that each waits at the
//! server for news. Only an answer that carries the poll's own nonce and leaves no page behind renews the lease.

use std::sync::Arc;
use std::time::Duration;

use ficha_token::{SystemEntropy, random_uuid};
use reqwest::{Client, StatusCode};
use tokio::time::{Instant, sleep};
use url::Url;

use super::backoff::{Backoff, jittered};
use super::failure_log::FailureLog;
use super::feed::{Feed, PageHead};
use super::http::{Ask, Credentials, FetchError, fetch};
use super::lease::Moment;

/// The longest that a server holds a poll.
const MAX_WAIT: Duration = Duration::from_secs(30);
/// What an answer may take beyond the time that it was asked to wait.
const SLACK: Duration = Duration::from_secs(2);
/// What a page of the whole list may take beyond that, for its size. No lease hangs on it.
const PAGE_SLACK: Duration = Duration::from_secs(15);
const MAX_PAGE_BYTES: usize = 64 * 1024 * 1024;
/// A larger page is read where it may block.
const SMALL_PAGE_BYTES: usize = 32 * 1024;
const MAX_CURSOR_BYTES: usize = 4 * 1024;
const MAX_PAUSE: Duration = Duration::from_secs(5);
/// The pause where trying soon won't help: the server refuses us, or has no denylist.
const LONG_PAUSE: Duration = Duration::from_secs(10);
/// The longest `Retry-After` that is honoured, where the lease is long.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(10);
/// What no lease makes a pause shorter than.
const SHORTEST_CAP: Duration = Duration::from_millis(100);
/// How often the clocks are looked at while a poll waits.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// A poll that was to wait and came back empty this soon is no long poll: the next one is not sent at once.
const TOO_SOON: Duration = Duration::from_millis(50);

/// One follower of one denylist.
pub(super) struct Follower {
    feed: Arc<Feed>,
    client: Client,
    url: Url,
    credentials: Option<Credentials>,
    lease: Duration,
    wait: Duration,
    cursor: Option<String>,
    /// True until the whole list has been read: from the start, after a jump of the clock, and while pages follow.
    reading: bool,
    backoff: Backoff,
    /// For a server that does not hold polls.
    unheld: Backoff,
    failures: FailureLog,
}

/// One question to the server.
struct Poll {
    url: Url,
    nonce: String,
    wait: Duration,
    limit: Duration,
    sent: Moment,
    /// The same by the runtime's timer, which a test's clock does not move.
    started: Instant,
}

/// Why a poll brought no lease.
#[derive(Debug, thiserror::Error)]
enum Trouble {
    #[error("{0}")]
    Fetch(#[from] FetchError),
    #[error("its answer can't be read: {0}")]
    Unreadable(String),
    #[error("its answer was not made for this request: something in between replays answers, or drops the nonce")]
    Replayed,
    #[error("it says that there is more, but not where")]
    NoProgress,
    #[error("it answered at once where it was to wait")]
    DidNotWait,
    #[error("this machine stood still, or its clock was set")]
    Overtaken,
}

impl Follower {
    pub(super) fn new(
        feed: Arc<Feed>,
        client: Client,
        url: Url,
        credentials: Option<Credentials>,
        lease: Duration,
    ) -> Self {
        let wait = Duration::from_secs((lease / 3).min(MAX_WAIT).as_secs().max(1));
        let failures = FailureLog::new();
        let (backoff, unheld) = (Backoff::new(MAX_PAUSE), Backoff::new(MAX_PAUSE));
        Self { feed, client, url, credentials, lease, wait, cursor: None, reading: true, backoff, unheld, failures }
    }

    /// Follows without end.
    pub(super) async fn run(mut self) {
        loop {
            let poll = self.next_poll();
            let asked = tokio::select! {
                answer = self.ask(&poll) => answer,
                () = overtaken(&self.feed, &poll) => Err(Trouble::Overtaken),
            };
            let outcome = asked.and_then(|page| self.take(&poll, page));
            self.feed.notice_staleness();
            if let Err(trouble) = outcome {
                let pause = self.after(&trouble);
                sleep(pause).await;
            }
        }
    }

    fn next_poll(&self) -> Poll {
        let nonce = random_uuid(&SystemEntropy).simple().to_string();
        // After a failure an answer is wanted now, while the lease still runs, and not when there is news. So it is where
        // the lease does not last until the answer, as after a sleep between two polls.
        let at_once = self.reading || self.backoff.has_failed() || !self.lease_lasts(self.wait + SLACK);
        let wait = if at_once { Duration::ZERO } else { self.wait };
        let mut url = self.url.clone();
        let mut query = url.query_pairs_mut();
        if let Some(cursor) = &self.cursor {
            query.append_pair("after", cursor).append_pair("wait", &wait.as_secs().to_string());
        }
        query.append_pair("nonce", &nonce);
        drop(query);
        let limit = if self.reading { wait + SLACK + PAGE_SLACK } else { wait + SLACK };
        Poll { url, nonce, wait, limit, sent: self.feed.now(), started: Instant::now() }
    }

    fn lease_lasts(&self, time: Duration) -> bool {
        self.feed.age().is_some_and(|age| age + time <= self.lease)
    }

    async fn ask(&self, poll: &Poll) -> Result<PageHead, Trouble> {
        let ask = Ask {
            url: poll.url.clone(),
            credentials: self.credentials.as_ref(),
            head_within: poll.wait + SLACK,
            all_within: poll.limit,
            most_bytes: MAX_PAGE_BYTES,
        };
        let body = fetch(&self.client, ask).await?.body;
        let added = if body.len() <= SMALL_PAGE_BYTES {
            self.feed.add(&body)
        } else {
            let feed = Arc::clone(&self.feed);
            let adding = tokio::task::spawn_blocking(move || feed.add(&body));
            adding.await.map_err(|error| Trouble::Unreadable(error.to_string()))?
        };
        added.map_err(|error| Trouble::Unreadable(error.to_string()))
    }

    /// Takes in what a page says of the place to go on from, and renews the lease if it may.
    fn take(&mut self, poll: &Poll, page: PageHead) -> Result<(), Trouble> {
        // Not even the cursor is taken from another request's answer: what lies between ours and that would be missed.
        if page.nonce.as_deref() != Some(poll.nonce.as_str()) {
            return Err(Trouble::Replayed);
        }
        if page.cursor.is_empty() || page.cursor.len() > MAX_CURSOR_BYTES {
            return Err(Trouble::Unreadable("its cursor is empty or too long".to_owned()));
        }
        if page.reset {
            self.feed.count_reset(page.entries);
        }
        let moved = self.cursor.as_deref() != Some(page.cursor.as_str());
        self.cursor = Some(page.cursor);
        self.reading = page.more;
        if page.more {
            if !moved {
                return Err(Trouble::NoProgress);
            }
            self.feed.count_poll(true);
            return Ok(());
        }
        if self.feed.renew(poll.sent).is_err() {
            return Err(Trouble::Overtaken);
        }
        self.feed.count_poll(true);
        self.failures.recovered();
        self.backoff.reset();
        if !poll.wait.is_zero() {
            if page.entries == 0 && poll.started.elapsed() < TOO_SOON {
                return Err(Trouble::DidNotWait);
            }
            self.unheld.reset();
        }
        Ok(())
    }

    /// Says what went wrong, and for how long to pause: never for so long that the lease runs out over it.
    fn after(&mut self, trouble: &Trouble) -> Duration {
        // A server that is down at the very end of a lease is not hammered for that.
        self.wanted_pause(trouble).min(self.feed.longest_pause().max(SHORTEST_CAP))
    }

    fn wanted_pause(&mut self, trouble: &Trouble) -> Duration {
        if matches!(trouble, Trouble::DidNotWait) {
            return self.unheld.next();
        }
        self.feed.count_poll(false);
        if self.feed.has_jumped() {
            self.feed.end_lease();
            self.start_over();
        }
        let pause = self.backoff.next();
        let (advice, pause) = match trouble {
            Trouble::Fetch(FetchError::Status { status, retry_after }) => match *status {
                StatusCode::UNAUTHORIZED => (
                    "check credentials(): the server wants a client id and a secret, and does not know these",
                    jittered(LONG_PAUSE),
                ),
                StatusCode::FORBIDDEN => (
                    "this client may not follow the denylist: on the server, let it serve this audience",
                    jittered(LONG_PAUSE),
                ),
                StatusCode::NOT_FOUND => {
                    ("the server has no denylist at this address: check the URL, or its version", jittered(LONG_PAUSE))
                }
                StatusCode::BAD_REQUEST | StatusCode::GONE => {
                    self.start_over();
                    ("the server does not take the place to go on from, so the whole list is read anew", pause)
                }
                _ => ("", pause.max(retry_after.unwrap_or_default().min(MAX_RETRY_AFTER))),
            },
            // Nothing failed but this machine's clock, and every request waits for the answer.
            Trouble::Overtaken => ("", pause.min(Duration::from_millis(100))),
            _ => ("", pause),
        };
        self.failures.failed(self.feed.now(), "following the denylist", self.url.as_str(), trouble, advice);
        pause
    }

    fn start_over(&mut self) {
        self.cursor = None;
        self.reading = true;
    }
}

/// Ends when it is no use to wait for a poll's answer any more: the wall clock was set, or the machine stood still for
/// longer than the answer may take. The runtime's own timers stand still with the machine.
async fn overtaken(feed: &Feed, poll: &Poll) {
    loop {
        tokio::select! {
            () = feed.doubted.notified() => {}
            () = sleep(LOOK_EVERY) => {}
        }
        if feed.has_jumped() || feed.now().since(poll.sent) > poll.limit + LOOK_EVERY {
            return;
        }
        feed.notice_staleness();
    }
}
