//! The texts of the feed's answers, each built once for all whom it answers.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use ficha_store::{DenyRow, Store, StoreError};
use ficha_token::{Clock, DenyPage};
use tokio::sync::Semaphore;

use super::position::Position;
use crate::denylist::{Denylist, limited};

/// How many entries a page holds at most: some 1.1 MB of text. A list of 1,000,000 takes 50 of them.
pub(crate) const PAGE: usize = 20_000;
/// How many pages are read from the database at once: followers that need the whole list must not crowd out logins.
const READS: usize = 2;
/// How many texts made from memory are kept, and how many made from the database.
const MOST_LATEST: usize = 8;
const MOST_STORED: usize = 32;

/// An answer of the feed without its nonce, shared by everybody whom it answers.
#[derive(Debug)]
pub struct FeedPage {
    text: Bytes,
    end: Position,
    reset: bool,
    more: bool,
    generation: u64,
}

impl FeedPage {
    /// The JSON object behind its opening brace: `"cursor":…}`. So a nonce can be put in front, and the rest stays one
    /// text for all.
    pub fn after_brace(&self) -> Bytes {
        self.text.slice(1..)
    }

    /// True if it holds all that is denied because the cursor was not known.
    pub fn is_reset(&self) -> bool {
        self.reset
    }

    fn new<'r>(rows: impl Iterator<Item = &'r DenyRow>, end: Position, mode: Mode, generation: u64) -> Arc<Self> {
        let Mode { reset, more } = mode;
        let entries = rows.map(|row| row.entry).collect();
        let page = DenyPage { cursor: end.to_string(), nonce: None, reset, more, entries };
        let text = serde_json::to_vec(&page).expect("a page is text and numbers").into();
        Arc::new(Self { text, end, reset, more, generation })
    }
}

struct Mode {
    reset: bool,
    more: bool,
}

/// What an answer begins with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Begin {
    /// The whole list, for a follower that has nothing.
    First,
    /// The whole list, for a follower whose cursor is not known.
    Reset,
    /// What came behind a cursor.
    After(Position),
}

/// The pages that were built lately.
pub(crate) struct Pages {
    latest: Mutex<VecDeque<(Position, Arc<FeedPage>)>>,
    stored: Mutex<HashMap<Begin, Arc<Slot>>>,
    reads: Semaphore,
}

/// One page of the database. Whoever asks while it is read waits for it, and shares it.
#[derive(Default)]
struct Slot {
    made: tokio::sync::Mutex<Option<Made>>,
    used: AtomicBool,
}

#[derive(Clone)]
enum Made {
    Page(Arc<FeedPage>),
    /// The database of this generation does not know the cursor.
    Unknown(u64),
}

impl Made {
    /// True if it says all that a database read up to `newest` has. A page in the middle of the list never changes: new
    /// rows come behind it.
    fn holds(&self, generation: u64, newest: Position) -> bool {
        match self {
            Self::Page(page) => page.generation == generation && (page.more || page.end.number >= newest.number),
            Self::Unknown(of) => *of == generation,
        }
    }
}

impl Default for Pages {
    fn default() -> Self {
        Self { latest: Mutex::default(), stored: Mutex::default(), reads: Semaphore::new(READS) }
    }
}

impl Pages {
    /// The answer to whoever has read up to `cursor`, if memory has it: no query.
    pub(crate) fn remembered(&self, denylist: &Denylist, cursor: Position) -> Option<Arc<FeedPage>> {
        // Held while a text is built: of all whom a revocation wakes one builds it, and the others take it.
        let mut latest = self.latest.lock().unwrap_or_else(PoisonError::into_inner);
        let recent = denylist.recent();
        let end = recent.newest()?;
        let fits = |(at, page): &&(Position, Arc<FeedPage>)| {
            *at == cursor && page.end == end && page.generation == recent.generation()
        };
        if let Some((_, page)) = latest.iter().find(fits) {
            return Some(Arc::clone(page));
        }
        let mode = Mode { reset: false, more: false };
        let page = FeedPage::new(recent.after(cursor)?, end, mode, recent.generation());
        latest.truncate(MOST_LATEST - 1);
        latest.push_front((cursor, Arc::clone(&page)));
        Some(page)
    }

    /// The answer from the database. A cursor that it does not know gets everything.
    pub(crate) async fn stored(
        &self,
        denylist: &Denylist,
        store: &Store,
        clock: &dyn Clock,
        begin: Begin,
    ) -> Result<Arc<FeedPage>, StoreError> {
        let reader = Reader { denylist, store, clock };
        match self.shared(&reader, begin).await? {
            Made::Page(page) => Ok(page),
            Made::Unknown(_) => match self.shared(&reader, Begin::Reset).await? {
                Made::Page(page) => Ok(page),
                Made::Unknown(_) => Err(StoreError::Corrupt("the whole denylist has no cursor to be unknown".into())),
            },
        }
    }

    async fn shared(&self, reader: &Reader<'_>, begin: Begin) -> Result<Made, StoreError> {
        let (slot, keep) = {
            let mut stored = self.stored.lock().unwrap_or_else(PoisonError::into_inner);
            let keep = stored.len() < MOST_STORED || stored.contains_key(&begin);
            (if keep { Arc::clone(stored.entry(begin).or_default()) } else { Arc::default() }, keep)
        };
        slot.used.store(true, Ordering::Relaxed);
        let mut made = slot.made.lock().await;
        let (generation, newest) = reader.now()?;
        if let Some(made) = made.as_ref().filter(|made| made.holds(generation, newest)) {
            return Ok(made.clone());
        }
        let _turn = self.reads.acquire().await.map_err(|_| StoreError::Unavailable("shutting down".into()))?;
        let read = reader.read(begin).await?;
        *made = keep.then(|| read.clone());
        Ok(read)
    }

    /// Lets go of what nobody has asked for since the last call.
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
    fn now(&self) -> Result<(u64, Position), StoreError> {
        let recent = self.denylist.recent();
        let newest = recent.newest().ok_or_else(|| StoreError::Unavailable("the database was not read yet".into()))?;
        Ok((recent.generation(), newest))
    }

    /// The end is the newest row that was read, or, if these are the last, the newest one known *before*: whatever came
    /// in between comes with the next answer. Should the database be put back in between, the next cursor is unknown.
    async fn read(&self, begin: Begin) -> Result<Made, StoreError> {
        let (generation, newest) = self.now()?;
        let now = self.denylist.steady_now(self.clock);
        let rows = match begin {
            Begin::First | Begin::Reset => limited(self.store.live_deny_rows(now, 0, PAGE as u64)).await?,
            Begin::After(Position { number, tag }) => {
                match limited(self.store.live_deny_rows_after(now, (number, tag), PAGE as u64)).await? {
                    Some(rows) => rows,
                    None => return Ok(Made::Unknown(generation)),
                }
            }
        };
        let mode = Mode { reset: begin == Begin::Reset, more: rows.len() == PAGE };
        let end = match rows.last().map(Position::from) {
            Some(last) if mode.more || last.number > newest.number => last,
            _ => newest,
        };
        Ok(Made::Page(FeedPage::new(rows.iter(), end, mode, generation)))
    }
}
