//! The denylist feed: what followers receive, and when (docs/src/reference/denylist.md).
//!
//! Each answer follows a read of the database that began after the request came. The tail reads, and all who came before
//! a read began share it; those who wait share their wake and the text that answers them. However many follow, the
//! database is asked no more often.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::watch;

pub use crate::denylist::pages::FeedPage;

use crate::Authority;
use crate::clients::{AuthenticatedClient, ClientCredentials};
use crate::denylist::cursor::Cursor;
use crate::denylist::pages::{Begin, Pages};
use crate::denylist::poll_slots::PollSlots;
use crate::denylist::replica::VOUCH_LIMIT;
use crate::error::AuthorityError;
use crate::request_source::RequestSource;
use crate::settings::DenylistSettings;

/// The longest that a follower may have its poll held.
pub const LONGEST_WAIT: Duration = Duration::from_secs(30);
/// When a follower that found no place should try again.
const FULL_RETRY: Duration = Duration::from_secs(5);
/// What is revoked within this time of a wake is gathered for the next.
const GATHER: Duration = Duration::from_millis(20);
/// How often it is looked whether the server can still vouch for what it says.
const LOOK: Duration = Duration::from_millis(100);
/// How many looks until unused pages are let go of.
const LOOKS_TO_TIDY: u32 = 10;

/// Who follows the denylist.
#[derive(Debug, Clone)]
pub enum Follower {
    /// Nobody in particular, where that is allowed.
    Anonymous,
    /// A client that serves an audience.
    Client(AuthenticatedClient),
}

impl Follower {
    fn id(&self) -> Option<&str> {
        match self {
            Self::Anonymous => None,
            Self::Client(client) => Some(client.id()),
        }
    }
}

/// What a follower asks for.
#[derive(Debug, Clone, Copy)]
pub struct Poll<'a> {
    /// The cursor of the last answer; `None`: everything.
    pub after: Option<&'a str>,
    /// How long to wait if there is nothing new, at most [`LONGEST_WAIT`].
    pub wait: Duration,
}

/// What all followers share.
pub(crate) struct Feed {
    places: Arc<PollSlots>,
    pages: Pages,
    /// Signals that there may be news; each poll that wakes checks for itself.
    wake: watch::Sender<()>,
    /// True for a moment after each wake.
    gathering: watch::Sender<bool>,
    closing: AtomicBool,
}

impl Feed {
    pub(crate) fn new(settings: &DenylistSettings) -> Self {
        Self {
            places: PollSlots::new(settings),
            pages: Pages::default(),
            wake: watch::Sender::new(()),
            gathering: watch::Sender::new(false),
            closing: AtomicBool::new(false),
        }
    }
}

impl Feed {
    /// Returns at the end of the gathering that is under way, [`GATHER`] from now at the latest; at once if there is none.
    async fn gathered(&self) {
        let mut gathering = self.gathering.subscribe();
        // One change, not the state: where much is revoked, the next gathering begins at once.
        if *gathering.borrow_and_update() {
            // The sender is never dropped before us.
            let _ = gathering.changed().await;
        }
    }
}

/// Why a held poll ends.
enum Ended {
    /// The list's end is another: there is more, or the database has another history.
    News,
    /// Nothing came.
    TimeUp,
    /// The server stops.
    Closing,
    /// The database is lost.
    Stale,
}

impl Authority {
    /// Who may follow: a confidential client that serves an audience, or, where the settings say so, anybody.
    pub async fn authenticate_follower(
        &self,
        credentials: &ClientCredentials,
        source: &RequestSource,
    ) -> Result<Follower, AuthorityError> {
        if matches!(credentials, ClientCredentials::None) {
            // Never the default client: callers without credentials are rejected.
            let anonymous = self.settings().anonymous_following();
            return if anonymous { Ok(Follower::Anonymous) } else { Err(AuthorityError::ClientAuthentication) };
        }
        let client = self.authenticate_client(credentials, source).await?;
        if !client.is_confidential() {
            return Err(AuthorityError::ClientAuthentication);
        }
        if client.record().serves.is_empty() {
            return Err(AuthorityError::ServesNothing);
        }
        Ok(Follower::Client(client))
    }

    /// One poll: what came behind the cursor, as soon as there is something or the wait is over.
    pub async fn poll_denylist(
        &self,
        follower: &Follower,
        source: &RequestSource,
        poll: Poll<'_>,
    ) -> Result<Arc<FeedPage>, AuthorityError> {
        // Subscribed before the list is read: what comes after that wakes.
        let mut wakes = self.inner.feed.wake.subscribe();
        let newest = self.vouch().await?;
        let cursor = poll.after.map(str::parse::<Cursor>);
        if cursor == Some(Ok(newest)) && !poll.wait.is_zero() {
            let place = self.inner.feed.places.take(follower.id(), source).ok_or_else(|| {
                self.inner.metrics.feed_refused.count();
                AuthorityError::TooManyFollowers { retry_after: FULL_RETRY }
            })?;
            let ended = self.wait_for_news(&mut wakes, newest, poll.wait.min(LONGEST_WAIT)).await;
            drop(place);
            match ended {
                // The read that brought the news, or the first one, began after the request came.
                Ended::News | Ended::Closing => {}
                Ended::TimeUp => drop(self.vouch().await?),
                Ended::Stale => return Err(AuthorityError::Stale),
            }
            self.check_again(follower).await?;
        } else if let Some(Ok(cursor)) = cursor
            && !poll.wait.is_zero()
            && self.denylist().recent().after(cursor).is_some()
        {
            // It was woken a moment ago and comes for the rest of the burst, as all the others do.
            self.inner.feed.gathered().await;
        }
        let page = match cursor {
            None => self.page(Begin::First).await?,
            Some(Ok(cursor)) => self.page(Begin::After(cursor)).await?,
            Some(Err(())) => self.page(Begin::Reset).await?,
        };
        self.inner.metrics.feed_polls.count();
        if page.is_reset() {
            self.inner.metrics.feed_resets.count();
        }
        Ok(page)
    }

    /// How many polls are held.
    pub fn followers_waiting(&self) -> usize {
        self.inner.feed.places.taken()
    }

    /// Answers every held poll now, and holds none from here on: the server stops.
    pub fn release_followers(&self) {
        self.inner.feed.closing.store(true, Ordering::Release);
        self.inner.feed.wake.send_replace(());
    }

    /// Has the database read again, and returns the newest row. A read that fails is tried again, for as long
    /// as what was read before still holds.
    async fn vouch(&self) -> Result<Cursor, AuthorityError> {
        let denylist = self.denylist();
        let reading = async {
            // The tail takes a breath after a read that failed.
            while denylist.next_read().await.is_err() {
                if !self.is_fresh() {
                    return None;
                }
            }
            denylist.recent().newest()
        };
        tokio::time::timeout(VOUCH_LIMIT, reading).await.ok().flatten().ok_or(AuthorityError::Stale)
    }

    async fn wait_for_news(&self, wakes: &mut watch::Receiver<()>, newest: Cursor, wait: Duration) -> Ended {
        let time_up = tokio::time::sleep(wait);
        tokio::pin!(time_up);
        loop {
            wakes.mark_unchanged();
            if self.denylist().recent().newest() != Some(newest) {
                return Ended::News;
            } else if self.inner.feed.closing.load(Ordering::Acquire) {
                return Ended::Closing;
            } else if !self.is_fresh() {
                return Ended::Stale;
            }
            tokio::select! {
                _ = wakes.changed() => {}
                () = &mut time_up => return Ended::TimeUp,
            }
        }
    }

    /// A client may have been barred while its poll was held.
    async fn check_again(&self, follower: &Follower) -> Result<(), AuthorityError> {
        let Follower::Client(client) = follower else { return Ok(()) };
        let record = self.inner.clients.find(self.store(), client.id()).await?;
        let still = client.by_record(record.map(|record| (*record).clone()))?;
        if still.record().serves.is_empty() { Err(AuthorityError::ServesNothing) } else { Ok(()) }
    }

    async fn page(&self, begin: Begin) -> Result<Arc<FeedPage>, AuthorityError> {
        let (denylist, pages) = (self.denylist(), &self.inner.feed.pages);
        let begin = match begin {
            Begin::After(cursor) => match pages.remembered(denylist, cursor) {
                Some(page) => return Ok(page),
                // A number that no row has yet: of another history, which was longer.
                None if denylist.recent().newest().is_none_or(|newest| cursor.number > newest.number) => Begin::Reset,
                None => begin,
            },
            other => other,
        };
        // Boxed: those who only wait need not carry it.
        Ok(Box::pin(pages.stored(denylist, self.store(), &**self.clock(), begin)).await?)
    }
}

/// Wakes those who wait: at once, and then not again for a moment, so that a burst wakes them but few times.
pub(crate) async fn wake_followers(authority: Authority) {
    let feed = &authority.inner.feed;
    let mut heads = authority.denylist().heads();
    let mut seen = authority.denylist().recent().newest();
    let (mut fresh, mut looks) = (true, 0);
    loop {
        let _ = tokio::time::timeout(LOOK, heads.changed()).await;
        looks += 1;
        if looks >= LOOKS_TO_TIDY {
            feed.pages.tidy();
            looks = 0;
        }
        let (newest, now_fresh) = (authority.denylist().recent().newest(), authority.is_fresh());
        if (newest, now_fresh) == (seen, fresh) {
            continue;
        }
        (seen, fresh) = (newest, now_fresh);
        feed.gathering.send_replace(true);
        feed.wake.send_replace(());
        tokio::time::sleep(GATHER).await;
        feed.gathering.send_replace(false);
    }
}
