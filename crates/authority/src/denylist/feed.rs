//! The denylist feed: what followers receive, and when (docs/src/reference/denylist.md).
//!
//! Each response follows a read of the database that began after the request arrived. The tail reads, and all requests
//! that arrived before a read began share it; held polls share the wake-up and the text of their response. So the
//! database is read no more often however many followers there are.

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
use crate::followers::declared::Declared;
use crate::followers::registry::FollowerPoll;
use crate::request_source::RequestSource;
use crate::settings::DenylistSettings;

/// The longest time for which a poll is held.
pub const LONGEST_WAIT: Duration = Duration::from_secs(30);
/// When a follower should try again if all slots are taken.
const FULL_RETRY: Duration = Duration::from_secs(5);
/// What is revoked within this time after a wake-up is gathered for the next one.
const GATHER: Duration = Duration::from_millis(20);
/// How often the feed checks whether the server's denylist is still fresh.
const LOOK: Duration = Duration::from_millis(100);
/// How often it is checked whether the server has written its first heartbeat.
const BEGINS: Duration = Duration::from_millis(5);
/// After how many of these checks unused pages are dropped.
const LOOKS_TO_TIDY: u32 = 10;

/// A follower of the denylist.
#[derive(Debug, Clone)]
pub enum Follower {
    /// A follower without credentials, where that is allowed.
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

/// A poll of the denylist.
#[derive(Debug, Clone, Copy)]
pub struct Poll<'a> {
    /// The cursor of the last response; `None`: everything.
    pub after: Option<&'a str>,
    /// How long to wait if there is nothing new, at most [`LONGEST_WAIT`].
    pub wait: Duration,
}

/// The state that all followers share.
pub(crate) struct Feed {
    slots: Arc<PollSlots>,
    pages: Pages,
    /// Signals that there may be something new; each poll that wakes checks for itself.
    wake: watch::Sender<()>,
    /// True for a moment after each wake-up.
    gathering: watch::Sender<bool>,
    closing: AtomicBool,
}

impl Feed {
    pub(crate) fn new(settings: &DenylistSettings) -> Self {
        Self {
            slots: PollSlots::new(settings),
            pages: Pages::default(),
            wake: watch::Sender::new(()),
            gathering: watch::Sender::new(false),
            closing: AtomicBool::new(false),
        }
    }
}

impl Feed {
    /// Returns at the end of the gathering in progress, [`GATHER`] from now at the latest; at once if there is none.
    async fn gathered(&self) {
        let mut gathering = self.gathering.subscribe();
        // Waits for one change and not for the state: if much is revoked, the next gathering begins at once.
        if *gathering.borrow_and_update() {
            // The sender is never dropped before us.
            let _ = gathering.changed().await;
        }
    }
}

/// Why a held poll ends.
enum Ended {
    /// The end of the list has changed: there are new rows, or the database has another history.
    News,
    /// The time is up without news.
    TimeUp,
    /// The server is shutting down.
    Closing,
    /// The denylist is stale: the database can't be read.
    Stale,
}

impl Authority {
    /// Authenticates a follower: a confidential client that serves an audience or, if the settings allow it, anyone.
    pub async fn authenticate_follower(
        &self,
        credentials: &ClientCredentials,
        source: &RequestSource,
    ) -> Result<Follower, AuthorityError> {
        if matches!(credentials, ClientCredentials::None) {
            // Never the default client: a request without credentials is anonymous.
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

    /// A poll has arrived: what it shows about its follower is noted as long as this is not dropped.
    pub fn arrive(&self, follower: &Follower, source: &RequestSource, declared: Option<&Declared>) -> FollowerPoll {
        self.inner.followers.arrive(follower.id(), source, declared)
    }

    /// Answers one poll: what came after the cursor, as soon as there is something or the wait is over.
    pub async fn poll_denylist(
        &self,
        follower: &Follower,
        source: &RequestSource,
        poll: Poll<'_>,
        shows: &FollowerPoll,
    ) -> Result<Arc<FeedPage>, AuthorityError> {
        self.has_begun().await;
        // Subscribed before the list is read, so that later changes wake this poll.
        let mut wakes = self.inner.feed.wake.subscribe();
        let newest = self.read_again().await?;
        let cursor = poll.after.map(str::parse::<Cursor>);
        let is_known = self.note_cursor(cursor, shows);
        if cursor == Some(Ok(newest)) && !poll.wait.is_zero() {
            let slot = self.inner.feed.slots.take(follower.id(), source).ok_or_else(|| {
                self.inner.metrics.feed_refused.count();
                AuthorityError::TooManyFollowers { retry_after: FULL_RETRY }
            })?;
            let ended = self.wait_for_news(&mut wakes, newest, poll.wait.min(LONGEST_WAIT)).await;
            drop(slot);
            match ended {
                // The read that brought the news, or the first one, began after the request arrived.
                Ended::News | Ended::Closing => {}
                Ended::TimeUp => drop(self.read_again().await?),
                Ended::Stale => return Err(AuthorityError::Stale),
            }
            self.check_again(follower).await?;
        } else if let Some(Ok(cursor)) = cursor
            && !poll.wait.is_zero()
            && self.denylist().recent().after(cursor).is_some()
        {
            // This follower was woken a moment ago and asks for the rest of the burst, as all the others do.
            self.inner.feed.gathered().await;
        }
        let generation = self.denylist().recent().generation();
        shows.choosing();
        let page = match cursor {
            None => self.page(Begin::First).await?,
            Some(Ok(cursor)) => self.page(Begin::After(cursor)).await?,
            Some(Err(())) => self.page(Begin::Reset).await?,
        };
        // Pages of a long list are read after the read that vouches for them. The last one renews a lease, so there must
        // not have been another history in between.
        if !page.more() && (page.is_reset() || !matches!(cursor, Some(Ok(_)))) {
            self.read_again().await?;
        }
        if self.denylist().recent().generation() != generation {
            return Err(AuthorityError::Stale);
        }
        if let (Some(Ok(cursor)), false) = (cursor, is_known) {
            // Only the database knew it.
            if page.is_reset() { shows.has_nothing(generation, true) } else { shows.has(generation, cursor.number) }
        }
        if !page.more() {
            shows.answering();
        }
        self.inner.metrics.feed_polls.count();
        if page.is_reset() {
            self.inner.metrics.feed_resets.count();
        }
        Ok(page)
    }

    /// How many polls are held.
    pub fn followers_waiting(&self) -> usize {
        self.inner.feed.slots.taken()
    }

    /// Answers every held poll now and holds no more: the server is shutting down.
    pub fn release_followers(&self) {
        self.inner.feed.closing.store(true, Ordering::Release);
        self.inner.feed.wake.send_replace(());
        self.inner.followers.close();
    }

    /// Waits for a new read of the database and returns the newest row. A failed read is tried again for as long as the
    /// previous one is fresh.
    async fn read_again(&self) -> Result<Cursor, AuthorityError> {
        let denylist = self.denylist();
        let reading = async {
            // The tail pauses after a failed read.
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

    /// Waits for this server's first heartbeat: until then, no other server knows that it has followers. If the database
    /// takes no changes, they are answered all the same.
    async fn has_begun(&self) {
        let began = tokio::time::Instant::now();
        while self.store().process().is_none()
            && began.elapsed() < VOUCH_LIMIT
            && self.inner.beats.load(Ordering::Acquire)
        {
            tokio::time::sleep(BEGINS).await;
        }
    }

    /// Notes what the cursor shows, if memory knows it; true if it does, or if there is none.
    fn note_cursor(&self, cursor: Option<Result<Cursor, ()>>, shows: &FollowerPoll) -> bool {
        let (generation, is_known) = {
            let recent = self.denylist().recent();
            let is_known = |cursor| recent.newest() == Some(cursor) || recent.after(cursor).is_some();
            (recent.generation(), matches!(cursor, Some(Ok(cursor)) if is_known(cursor)))
        };
        match cursor {
            None => shows.has_nothing(generation, false),
            Some(Err(())) => shows.has_nothing(generation, true),
            Some(Ok(cursor)) if is_known => shows.has(generation, cursor.number),
            Some(Ok(_)) => return false,
        }
        true
    }

    /// The client may have been disabled while its poll was held.
    async fn check_again(&self, follower: &Follower) -> Result<(), AuthorityError> {
        let Follower::Client(client) = follower else { return Ok(()) };
        let record = self.inner.clients.find(self.store(), client.id()).await?;
        let still = client.by_record(record.map(|record| (*record).clone()), self.now())?;
        if still.record().serves.is_empty() { Err(AuthorityError::ServesNothing) } else { Ok(()) }
    }

    async fn page(&self, begin: Begin) -> Result<Arc<FeedPage>, AuthorityError> {
        let (denylist, pages) = (self.denylist(), &self.inner.feed.pages);
        let begin = match begin {
            Begin::After(cursor) => match pages.remembered(denylist, cursor) {
                Some(page) => return Ok(page),
                // No row has this number yet: the cursor is from another, longer history.
                None if denylist.recent().newest().is_none_or(|newest| cursor.number > newest.number) => Begin::Reset,
                None => begin,
            },
            other => other,
        };
        // Boxed, so that held polls do not carry this large future.
        Ok(Box::pin(pages.stored(denylist, self.store(), &**self.clock(), begin)).await?)
    }
}

/// Wakes held polls: at once, and then not again for a moment, so that a burst wakes them only a few times.
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
        if let Some(newest) = newest {
            authority.inner.followers.note_head(newest);
        }
        feed.gathering.send_replace(true);
        feed.wake.send_replace(());
        tokio::time::sleep(GATHER).await;
        feed.gathering.send_replace(false);
    }
}
