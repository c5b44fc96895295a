//! The pages of the feed, each built once for all requests that it answers.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use ficha_store::{DenyRow, Store, StoreError};
use ficha_token::{Clock, DenyPage};
use tokio::sync::Semaphore;
use tokio::time::Instant;

use crate::denylist::cursor::Cursor;
use crate::denylist::replica::{Denylist, read_in_time};

/// The most entries in a page: about 1.1 MB of text. A list of 1,000,000 entries takes 50 pages.
const ENTRIES_A_PAGE: usize = 20_000;
/// How many pages are read from the database at once: followers that need the whole list must not crowd out logins.
const READS: usize = 2;
/// How many pages from memory are kept, and how many from the database.
const MOST_LATEST: usize = 8;
const MOST_STORED: usize = 32;
/// How long a page from the database is reused. Its last row may be pruned meanwhile, so its cursor must not be handed
/// out for ever.
const HOLDS: Duration = Duration::from_secs(2);

/// A response of the feed without its nonce, shared by all requests that it answers.
#[derive(Debug)]
pub struct FeedPage {
    text: Bytes,
    end: Cursor,
    reset: bool,
    more: bool,
    generation: u64,
}

impl FeedPage {
    /// The JSON object after its opening brace: `"cursor":…}`. A nonce can be put in front, and the rest is the same
    /// text for all.
    pub fn after_brace(&self) -> Bytes {
        self.text.slice(1..)
    }

    /// True if another page follows.
    pub(crate) fn more(&self) -> bool {
        self.more
    }

    /// True if it contains everything that is denied, because the cursor was not known.
    pub fn is_reset(&self) -> bool {
        self.reset
    }

    fn new(rows: &[DenyRow], end: Cursor, kind: Kind, generation: u64) -> Arc<Self> {
        let Kind { reset, more } = kind;
        let entries = rows.iter().map(|row| row.entry).collect();
        let mut page = DenyPage::new(end.to_string(), entries);
        (page.reset, page.more) = (reset, more);
        let text = serde_json::to_vec(&page).expect("a page is text and numbers").into();
        Arc::new(Self { text, end, reset, more, generation })
    }
}

/// The flags of a page: whether the request's cursor was unknown, and whether another page follows.
#[derive(Debug, Clone, Copy)]
struct Kind {
    reset: bool,
    more: bool,
}

/// Where a response begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Begin {
    /// The whole list, for a follower that has nothing.
    First,
    /// The whole list, for a follower whose cursor is not known.
    Reset,
    /// What came after a cursor.
    After(Cursor),
}

/// The pages that were built recently.
pub(crate) struct Pages {
    latest: Mutex<VecDeque<CachedPage>>,
    stored: Mutex<HashMap<Begin, Arc<Slot>>>,
    reads: Semaphore,
}

/// The response for followers at `cursor`, from memory. The first use builds its text.
struct CachedPage {
    cursor: Cursor,
    end: Cursor,
    generation: u64,
    page: Arc<Lazy>,
}

type Lazy = LazyLock<Arc<FeedPage>, Box<dyn FnOnce() -> Arc<FeedPage> + Send>>;

/// One page from the database. Requests that arrive while it is being read wait for it and share it.
#[derive(Default)]
struct Slot {
    read: tokio::sync::Mutex<Option<Read>>,
    used: AtomicBool,
}

/// What the database returned, and when it was asked.
struct Read {
    at: Instant,
    found: Found,
}

#[derive(Clone)]
enum Found {
    Page(Arc<FeedPage>),
    /// The cursor is not known in this generation.
    Unknown(u64),
}

impl Read {
    /// True if it can still answer a request that arrived when the list ended at `newest`. A page in the middle of the
    /// list can, whatever was added after it, but not for long: see [`HOLDS`].
    fn answers(&self, generation: u64, newest: Cursor) -> bool {
        let fits = match &self.found {
            Found::Page(page) => page.generation == generation && (page.more || page.end.number >= newest.number),
            Found::Unknown(of) => *of == generation,
        };
        fits && self.at.elapsed() < HOLDS
    }
}

impl Default for Pages {
    fn default() -> Self {
        Self { latest: Mutex::default(), stored: Mutex::default(), reads: Semaphore::new(READS) }
    }
}

impl Pages {
    /// The response for followers at `cursor` without a query, if memory has it.
    pub(crate) fn remembered(&self, denylist: &Denylist, cursor: Cursor) -> Option<Arc<FeedPage>> {
        let page = self.latest_behind(denylist, cursor)?;
        // No lock is held here: of all polls that a revocation wakes, one builds the text, and only they wait for it.
        Some(Arc::clone(&page))
    }

    fn latest_behind(&self, denylist: &Denylist, cursor: Cursor) -> Option<Arc<Lazy>> {
        let mut latest = self.latest.lock().unwrap_or_else(PoisonError::into_inner);
        let recent = denylist.recent();
        let (end, generation) = (recent.newest()?, recent.generation());
        let fits = |one: &&CachedPage| (one.cursor, one.end, one.generation) == (cursor, end, generation);
        if let Some(one) = latest.iter().find(fits) {
            return Some(Arc::clone(&one.page));
        }
        let rows: Vec<_> = recent.after(cursor)?.copied().collect();
        let kind = Kind { reset: false, more: false };
        let page = Arc::new(Lazy::new(Box::new(move || FeedPage::new(&rows, end, kind, generation))));
        latest.truncate(MOST_LATEST - 1);
        latest.push_front(CachedPage { cursor, end, generation, page: Arc::clone(&page) });
        Some(page)
    }

    /// The response from the database. For an unknown cursor it contains everything.
    pub(crate) async fn stored(
        &self,
        denylist: &Denylist,
        store: &Store,
        clock: &dyn Clock,
        begin: Begin,
    ) -> Result<Arc<FeedPage>, StoreError> {
        let reader = Reader { denylist, store, clock };
        match self.shared(&reader, begin).await? {
            Found::Page(page) => Ok(page),
            Found::Unknown(_) => match self.shared(&reader, Begin::Reset).await? {
                Found::Page(page) => Ok(page),
                Found::Unknown(_) => Err(StoreError::Corrupt("a request for the whole denylist has no cursor".into())),
            },
        }
    }

    async fn shared(&self, reader: &Reader<'_>, begin: Begin) -> Result<Found, StoreError> {
        let (slot, keep) = {
            let mut stored = self.stored.lock().unwrap_or_else(PoisonError::into_inner);
            let keep = stored.len() < MOST_STORED || stored.contains_key(&begin);
            (if keep { Arc::clone(stored.entry(begin).or_default()) } else { Arc::default() }, keep)
        };
        slot.used.store(true, Ordering::Relaxed);
        let mut read = slot.read.lock().await;
        let (generation, newest) = reader.now()?;
        if let Some(read) = read.as_ref().filter(|read| read.answers(generation, newest)) {
            return Ok(read.found.clone());
        }
        let _turn = self.reads.acquire().await.map_err(|_| StoreError::Unavailable("shutting down".into()))?;
        let at = Instant::now();
        let found = reader.read(begin).await?;
        *read = keep.then(|| Read { at, found: found.clone() });
        Ok(found)
    }

    /// Drops what has not been used since the last call.
    pub(crate) fn tidy(&self) {
        let mut stored = self.stored.lock().unwrap_or_else(PoisonError::into_inner);
        stored.retain(|_, slot| slot.used.swap(false, Ordering::Relaxed) || Arc::strong_count(slot) > 1);
        if stored.is_empty() {
            stored.shrink_to_fit();
        }
    }
}

struct Reader<'a> {
    denylist: &'a Denylist,
    store: &'a Store,
    clock: &'a dyn Clock,
}

impl Reader<'_> {
    fn now(&self) -> Result<(u64, Cursor), StoreError> {
        let recent = self.denylist.recent();
        let newest =
            recent.newest().ok_or_else(|| StoreError::Unavailable("the database has not been read yet".into()))?;
        Ok((recent.generation(), newest))
    }

    /// The end is the newest row that was read or, if these are the last rows, the newest one known *before*: rows
    /// added in between come with the next response. If the database is restored in between, the next cursor is
    /// unknown.
    async fn read(&self, begin: Begin) -> Result<Found, StoreError> {
        let (generation, newest) = self.now()?;
        let now = self.denylist.expiry_now(self.clock);
        let rows = match begin {
            Begin::First | Begin::Reset => {
                read_in_time(self.store.live_deny_rows(now, 0, ENTRIES_A_PAGE as u64)).await?
            }
            Begin::After(Cursor { number, tag }) => {
                match read_in_time(self.store.live_deny_rows_after(now, (number, tag), ENTRIES_A_PAGE as u64)).await? {
                    Some(rows) => rows,
                    None => return Ok(Found::Unknown(generation)),
                }
            }
        };
        let kind = Kind { reset: begin == Begin::Reset, more: rows.len() == ENTRIES_A_PAGE };
        let end = match rows.last().map(Cursor::from) {
            Some(last) if kind.more || last.number > newest.number => last,
            _ => newest,
        };
        Ok(Found::Page(FeedPage::new(&rows, end, kind, generation)))
    }
}
