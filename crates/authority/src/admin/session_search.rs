//! Finding sessions, by one closed filter: pages in both directions, counts, and all of them for a revocation.

use std::collections::HashMap;

use ficha_store::{Candidate, Direction, EndedBy, SessionRange, SessionRecord, SessionState};
use ficha_token::DENY_MARGIN_SECONDS;
use tokio::time::Instant;
use uuid::Uuid;

use super::powers::{Access, Area};
use super::session_filter::{SessionSearch, is_open, is_single};
use super::{Actor, Admin, AdminError};
use crate::user_name::find_user;

/// How many sessions a search looks at first, and how many times more with each further step.
const FIRST_LOOK: u64 = 50;
const LOOK_FURTHER: u64 = 10;
/// How many sessions a revocation looks at in a step: while their rows are read, others wait for this thread.
const LISTED_AT_ONCE: u64 = 1_000;
/// How many seconds the time in an id may differ from the time beside it.
const SLACK: i64 = 2;
/// How many sessions a page looks at, at most. Filters without an index may fit few of them.
const MOST_SCANNED: u64 = 8_000;
/// How many sessions a count looks at, at most: in an index alone, by the rows, and by texts that only we compare.
const MOST_COUNTED: u64 = 100_000;
const MOST_COUNTED_BY_ROW: u64 = 30_000;
const MOST_COUNTED_BY_TEXT: u64 = 7_000;
/// How many sessions a revocation looks at, at most.
const MOST_LISTED: u64 = 5_000_000;

/// A session that fits.
#[derive(Debug, Clone, Copy)]
pub(super) struct Fitting {
    pub(super) id: Uuid,
    /// Its user; `None`: a client's own.
    pub(super) user: Option<Uuid>,
    /// True if it has not been ended, and can be.
    pub(super) is_open: bool,
    /// True if a purge has ended it, and its tokens may still be valid.
    pub(super) outlives_purge: bool,
}

/// Where a page begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PageFrom {
    /// With the newest session.
    Newest,
    /// With the next older one.
    OlderThan(Uuid),
    /// The page just before this session: it ends with the next newer one.
    NewerThan(Uuid),
}

/// A page of sessions, the newest first.
#[derive(Debug, Clone)]
pub struct SessionPage {
    /// The sessions, each with its state.
    pub sessions: Vec<(SessionRecord, SessionState)>,
    /// Older sessions follow this one.
    pub next: Option<Uuid>,
    /// Newer sessions come before this one.
    pub previous: Option<Uuid>,
    /// How many sessions were looked at, if there may be more that fit but the page is not full.
    pub scanned: Option<u64>,
}

/// How many sessions fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SessionCount {
    /// Exactly this many.
    Exactly(u64),
    /// This many of those that were looked at.
    AtLeast(u64),
}

/// The time and the epoch by which a session's state is determined.
#[derive(Clone, Copy)]
pub(super) struct Moment {
    pub now: i64,
    pub epoch: i64,
}

impl Admin {
    /// A page of at most `limit` sessions that fit. Pages go by key, so a deep page costs no more than the first.
    pub async fn search_sessions(
        &self,
        actor: &Actor,
        search: &SessionSearch,
        from: PageFrom,
        limit: u64,
    ) -> Result<SessionPage, AdminError> {
        actor.require(Access::Read, Area::Sessions)?;
        let direction =
            if matches!(from, PageFrom::NewerThan(_)) { Direction::OldestFirst } else { Direction::NewestFirst };
        let mut range = SessionRange::default();
        match from {
            PageFrom::Newest => {}
            PageFrom::OlderThan(id) => range.older_than = Some(id),
            PageFrom::NewerThan(id) => range.newer_than = Some(id),
        }
        let (mut found, mut is_end) = (Vec::new(), !self.narrow(actor, search, &mut range).await?);
        let mut scan = Scan::new(self.moment().await?, range, direction);
        let mut look = FIRST_LOOK.max(limit);
        while !is_end && scan.scanned < MOST_SCANNED && (found.len() as u64) < limit {
            let next = look.min(MOST_SCANNED - scan.scanned);
            is_end = self.scan(&mut scan, search, next, &mut found).await?;
            look = look.saturating_mul(LOOK_FURTHER);
        }
        // Of what was looked at beyond the page, nothing is known to the next one.
        let (is_cut, is_full) = (found.len() as u64 > limit, found.len() as u64 >= limit);
        found.truncate(limit as usize);
        let is_end = is_end && !is_cut;
        let last_id = found.last().map(|candidate| candidate.id);
        let mut found = self.loaded(&found, search, scan.moment).await?;
        let last = if is_cut { last_id } else { scan.at };
        let further = last.filter(|_| !is_end);
        if direction == Direction::OldestFirst {
            found.reverse();
            let oldest = found.last().map(|(session, _)| session.id);
            // After an empty page, what comes next begins with the session at which it ended.
            let begin = match from {
                PageFrom::NewerThan(id) => Some(after(id)),
                _ => None,
            };
            let next = oldest.or(begin);
            return Ok(SessionPage { sessions: found, next, previous: further, scanned: scan.told(is_full, is_end) });
        }
        let is_first = from == PageFrom::Newest;
        let begin = match from {
            PageFrom::OlderThan(id) => Some(before(id)),
            _ => None,
        };
        let previous = found.first().map(|(session, _)| session.id).or(begin).filter(|_| !is_first);
        Ok(SessionPage { sessions: found, next: further, previous, scanned: scan.told(is_full, is_end) })
    }

    /// How many sessions fit.
    pub async fn count_fitting_sessions(
        &self,
        actor: &Actor,
        search: &SessionSearch,
    ) -> Result<SessionCount, AdminError> {
        actor.require(Access::Read, Area::Sessions)?;
        let (moment, mut range) = (self.moment().await?, SessionRange::default());
        if !self.narrow(actor, search, &mut range).await? {
            return Ok(SessionCount::Exactly(0));
        }
        let fit = search.fit(moment);
        if !search.needs_texts() && fit.is_everything() {
            let count = self.base.store.count_fitting_sessions(&range, &fit, MOST_COUNTED + 1).await?;
            return Ok(counted(count.min(MOST_COUNTED), count <= MOST_COUNTED));
        }
        let mut scan = Scan::new(moment, range, Direction::NewestFirst);
        if search.needs_texts() {
            let mut found = Vec::new();
            let is_end = self.scan(&mut scan, search, MOST_COUNTED_BY_TEXT, &mut found).await?;
            return Ok(counted(found.len() as u64, is_end));
        }
        let (range, behind) = self.bounded(&scan, MOST_COUNTED_BY_ROW).await?;
        let count = self.base.store.count_fitting_sessions(&range, &fit, u64::MAX >> 1).await?;
        Ok(counted(count, behind.is_none()))
    }

    /// One session and its state.
    pub async fn session_and_state(
        &self,
        actor: &Actor,
        id: Uuid,
    ) -> Result<(SessionRecord, SessionState), AdminError> {
        actor.require(Access::Read, Area::Sessions)?;
        let found = self.base.store.session_and_state(id, self.now()).await?;
        found.ok_or_else(|| AdminError::NoSuch { kind: "session", name: id.to_string() })
    }

    /// Who ended these sessions, as far as there is an event of it.
    pub async fn ended_by(&self, actor: &Actor, sessions: &[Uuid]) -> Result<HashMap<Uuid, EndedBy>, AdminError> {
        actor.require(Access::Read, Area::Sessions)?;
        Ok(self.base.store.ended_by(sessions).await?)
    }

    /// All sessions that fit, or `most` and one more, each with whether a revocation may still change it. Refused if too many
    /// would have to be looked at.
    pub(super) async fn all_fitting(
        &self,
        actor: &Actor,
        search: &SessionSearch,
        most: usize,
    ) -> Result<Vec<Fitting>, AdminError> {
        let (moment, mut range) = (self.ending_moment().await?, SessionRange::default());
        let (mut found, mut is_end) = (Vec::new(), !self.narrow(actor, search, &mut range).await?);
        let mut scan = Scan::new(moment, range, Direction::NewestFirst);
        while !is_end && found.len() <= most {
            if scan.scanned >= MOST_LISTED {
                return Err(AdminError::Invalid(format!(
                    "more than {MOST_LISTED} sessions would have to be looked at: name `created_after` as well"
                )));
            }
            let (began, mut part) = (Instant::now(), Vec::new());
            is_end = self.scan(&mut scan, search, LISTED_AT_ONCE, &mut part).await?;
            if !is_end {
                // Half as long as the step took: with a million sessions, others get this thread and the database, too.
                tokio::time::sleep(began.elapsed() / 2).await;
            }
            let fitting = |one: Candidate| Fitting {
                id: one.id,
                user: one.user_id,
                is_open: one.is_open(moment.now, moment.epoch),
                outlives_purge: one.outlives_purge(moment.now, moment.epoch),
            };
            found.extend(part.into_iter().map(fitting));
        }
        Ok(found)
    }

    /// Those of these sessions that fit.
    pub(super) async fn fitting_of(
        &self,
        actor: &Actor,
        search: &SessionSearch,
        ids: &[Uuid],
    ) -> Result<Vec<Fitting>, AdminError> {
        let (moment, mut range) = (self.ending_moment().await?, SessionRange::default());
        let mut found: Vec<Fitting> = Vec::new();
        if !self.narrow(actor, search, &mut range).await? {
            return Ok(found);
        }
        for id in ids {
            let Some(session) = self.base.store.session(*id).await? else { continue };
            let is_theirs = range.user.is_none() || range.user == session.user_id;
            let state = session.state(moment.now, moment.epoch);
            if is_theirs && search.fits(&session, state) && found.iter().all(|known| known.id != *id) {
                let token_lives = session.access_exp + DENY_MARGIN_SECONDS > moment.now;
                let outlives_purge = state == SessionState::Purged && token_lives;
                found.push(Fitting { id: *id, user: session.user_id, is_open: is_open(state), outlives_purge });
            }
        }
        Ok(found)
    }

    async fn moment(&self) -> Result<Moment, AdminError> {
        self.moment_at(self.now()).await
    }

    /// The earliest that it may be, as for every revocation: nothing is skipped because a clock is ahead.
    async fn ending_moment(&self) -> Result<Moment, AdminError> {
        self.moment_at(self.ending_now()).await
    }

    async fn moment_at(&self, now: i64) -> Result<Moment, AdminError> {
        Ok(Moment { now, epoch: self.base.store.head().await?.epoch })
    }

    /// Narrows a range to what has an index. False if nothing can fit: there is no such user.
    async fn narrow(
        &self,
        actor: &Actor,
        search: &SessionSearch,
        range: &mut SessionRange,
    ) -> Result<bool, AdminError> {
        range.client = search.client.clone();
        // A single address is stored as its text. Networks have no index.
        let single = search.address.filter(|network| is_single(*network));
        range.address = single.map(|network| network.addr().to_string());
        // Ids begin with the time of their creation, by the same clock.
        let older = search.created_before.and_then(|time| id_at(time.saturating_add(SLACK)));
        range.older_than = [range.older_than, older].into_iter().flatten().min();
        let newer = search.created_after.and_then(|time| id_at(time.saturating_sub(SLACK)));
        range.newer_than = [range.newer_than, newer].into_iter().flatten().max();
        let Some(user) = &search.user else { return Ok(true) };
        range.user = match user.parse::<Uuid>() {
            Ok(id) => Some(id),
            // Otherwise a list would tell whether there is somebody of that name.
            Err(_) => {
                actor.require(Access::Name, Area::Users)?;
                find_user(&self.base.store, user).await?.map(|user| user.id)
            }
        };
        Ok(range.user.is_some())
    }

    /// The full records, as far as they still fit.
    async fn loaded(
        &self,
        found: &[Candidate],
        search: &SessionSearch,
        moment: Moment,
    ) -> Result<Vec<(SessionRecord, SessionState)>, AdminError> {
        let ids: Vec<Uuid> = found.iter().map(|candidate| candidate.id).collect();
        let mut records: HashMap<Uuid, SessionRecord> =
            self.base.store.sessions_of(&ids).await?.into_iter().map(|session| (session.id, session)).collect();
        let in_order = ids.iter().filter_map(|id| records.remove(id));
        let with_state = in_order.map(|session| {
            let state = session.state(moment.now, moment.epoch);
            (session, state)
        });
        Ok(with_state.filter(|(session, state)| search.fits(session, *state)).collect())
    }

    /// Looks at the next `look` sessions, and collects those that fit. True at the end.
    async fn scan(
        &self,
        scan: &mut Scan,
        search: &SessionSearch,
        look: u64,
        found: &mut Vec<Candidate>,
    ) -> Result<bool, AdminError> {
        let (range, behind) = self.bounded(scan, look).await?;
        let (fit, texts) = (search.fit(scan.moment), search.needs_texts());
        let fitting = self.base.store.fitting_sessions(&range, &fit, texts, scan.direction).await?;
        found.extend(fitting.into_iter().filter(|candidate| !texts || search.fits_texts(candidate)));
        scan.scanned += look;
        let Some(behind) = behind else { return Ok(true) };
        // The next step begins with the one behind.
        match scan.direction {
            Direction::NewestFirst => scan.range.older_than = Some(after(behind)),
            Direction::OldestFirst => scan.range.newer_than = Some(before(behind)),
        }
        scan.at = match scan.direction {
            Direction::NewestFirst => scan.range.older_than,
            Direction::OldestFirst => scan.range.newer_than,
        };
        Ok(false)
    }

    /// The range of the next `look` sessions, and the first one behind them. Its end is fixed before they are read: one
    /// that is created meanwhile shifts nothing.
    async fn bounded(&self, scan: &Scan, look: u64) -> Result<(SessionRange, Option<Uuid>), AdminError> {
        let behind = self.base.store.session_behind(&scan.range, scan.direction, look).await?;
        let mut range = scan.range.clone();
        match (behind, scan.direction) {
            (None, _) => {}
            (Some(id), Direction::NewestFirst) => range.newer_than = Some(id),
            (Some(id), Direction::OldestFirst) => range.older_than = Some(id),
        }
        Ok((range, behind))
    }
}

fn counted(count: u64, is_all: bool) -> SessionCount {
    if is_all { SessionCount::Exactly(count) } else { SessionCount::AtLeast(count) }
}

/// The id that follows: reading older sessions than that one begins with `id`.
fn after(id: Uuid) -> Uuid {
    Uuid::from_u128(id.as_u128().saturating_add(1))
}

/// The id that precedes: reading newer sessions than that one begins with `id`.
fn before(id: Uuid) -> Uuid {
    Uuid::from_u128(id.as_u128().saturating_sub(1))
}

/// The least id of a session that is created at this time, in Unix seconds.
fn id_at(time: i64) -> Option<Uuid> {
    let milliseconds = u64::try_from(time).ok()?.checked_mul(1_000)?;
    (milliseconds < 1 << 48).then(|| uuid::Builder::from_unix_timestamp_millis(milliseconds, &[0; 10]).into_uuid())
}

/// How far a search has come.
struct Scan {
    moment: Moment,
    /// What is left of the range.
    range: SessionRange,
    direction: Direction,
    /// Where the next page goes on.
    at: Option<Uuid>,
    /// How many sessions were looked at, if it is not the end.
    scanned: u64,
}

impl Scan {
    fn new(moment: Moment, range: SessionRange, direction: Direction) -> Self {
        Self { moment, range, direction, at: None, scanned: 0 }
    }

    fn told(&self, is_full: bool, is_end: bool) -> Option<u64> {
        (!is_full && !is_end).then_some(self.scanned)
    }
}
