//! Finding sessions: one closed filter, for lists and counts alike.

use std::net::IpAddr;

use ficha_store::{Direction, SessionRange, SessionRecord, SessionState};
use ipnet::IpNet;
use uuid::Uuid;

use super::powers::{Access, Area};
use super::{Actor, Admin, AdminError};

/// How many sessions are read at a time: as many as are wanted, but not fewer or more than this.
const LEAST_BATCH: u64 = 50;
const BATCH: u64 = 500;
/// How many seconds the time in an id may differ from the time beside it.
const SLACK: i64 = 2;
/// How many sessions a page looks at, at most. Filters without an index may fit few of them.
const MOST_SCANNED: u64 = 10_000;
/// How many sessions a count looks at, at most.
const MOST_COUNTED: u64 = 100_000;

/// Which sessions are wanted: those that fit all of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SessionSearch {
    /// The user's name or id.
    pub user: Option<String>,
    /// The client.
    pub client: Option<String>,
    /// The address from which it was created, or a network of such addresses.
    pub address: Option<IpNet>,
    /// What has become of it.
    pub state: Option<SearchedState>,
    /// A scope that it was granted.
    pub scope: Option<String>,
    /// A part of the user agent that created it, whatever the case of its letters.
    pub user_agent: Option<String>,
    /// Created at or after this time, in Unix seconds.
    pub created_after: Option<i64>,
    /// Created before this time.
    pub created_before: Option<i64>,
    /// Refreshed at or after this time; a session that never was counts as refreshed when it was created.
    pub refreshed_after: Option<i64>,
    /// Refreshed before this time.
    pub refreshed_before: Option<i64>,
    /// Why it ended.
    pub reason: Option<String>,
}

/// A state that can be searched for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SearchedState {
    /// It can be refreshed.
    Live,
    /// It has expired.
    Expired,
    /// It was revoked, or ended with all others of its epoch.
    Revoked,
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
struct Moment {
    now: i64,
    epoch: i64,
}

impl SessionSearch {
    fn fits(&self, session: &SessionRecord, state: SessionState) -> bool {
        let contains = |text: &Option<String>, part: &str| {
            text.as_deref().is_some_and(|text| text.to_lowercase().contains(&part.to_lowercase()))
        };
        let address = || session.address.as_deref().and_then(|text| text.parse::<IpAddr>().ok());
        let within = |time: i64, from: Option<i64>, to: Option<i64>| {
            from.is_none_or(|from| time >= from) && to.is_none_or(|to| time < to)
        };
        self.client.as_ref().is_none_or(|client| *client == session.client_id)
            && self.address.is_none_or(|network| address().is_some_and(|address| network.contains(&address)))
            && self.state.is_none_or(|wanted| wanted == SearchedState::of(state))
            && self.scope.as_deref().is_none_or(|name| session.scopes.contains(name))
            && self.user_agent.as_deref().is_none_or(|part| contains(&session.user_agent, part))
            && within(session.created_at, self.created_after, self.created_before)
            && within(session.rotated_at, self.refreshed_after, self.refreshed_before)
            && self.reason.as_deref().is_none_or(|reason| reason_of(state) == Some(reason))
    }
}

impl SearchedState {
    /// How a state is shown.
    pub fn of(state: SessionState) -> Self {
        match state {
            SessionState::Live => Self::Live,
            SessionState::Expired => Self::Expired,
            SessionState::Revoked(_) | SessionState::Purged => Self::Revoked,
        }
    }

    /// `live`, `expired` or `revoked`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Expired => "expired",
            Self::Revoked => "revoked",
        }
    }

    /// Parses what [`SearchedState::as_str`] shows.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Live, Self::Expired, Self::Revoked].into_iter().find(|state| state.as_str() == text)
    }
}

/// Why a session ended early: a reason that is stored, or `purge`.
pub fn reason_of(state: SessionState) -> Option<&'static str> {
    match state {
        SessionState::Revoked(reason) => Some(reason.as_str()),
        SessionState::Purged => Some("purge"),
        SessionState::Live | SessionState::Expired => None,
    }
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
        let mut scan = Scan { moment: self.moment().await?, range: SessionRange::default(), at: None, scanned: 0 };
        match from {
            PageFrom::Newest => {}
            PageFrom::OlderThan(id) => scan.range.older_than = Some(id),
            PageFrom::NewerThan(id) => scan.range.newer_than = Some(id),
        }
        let (mut found, mut is_end) = (Vec::new(), !self.narrow(actor, search, &mut scan.range).await?);
        while !is_end && scan.scanned < MOST_SCANNED && (found.len() as u64) < limit {
            is_end = self.scan(&mut scan, direction, search, limit, &mut found).await?;
        }
        let is_full = found.len() as u64 >= limit;
        let last = if is_full { found.last().map(|(session, _): &(SessionRecord, _)| session.id) } else { scan.at };
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
        let mut scan = Scan { moment: self.moment().await?, range: SessionRange::default(), at: None, scanned: 0 };
        let (mut count, mut is_end) = (0, !self.narrow(actor, search, &mut scan.range).await?);
        while !is_end && scan.scanned < MOST_COUNTED {
            let mut found = Vec::new();
            is_end = self.scan(&mut scan, Direction::NewestFirst, search, u64::MAX, &mut found).await?;
            count += found.len() as u64;
        }
        Ok(if is_end { SessionCount::Exactly(count) } else { SessionCount::AtLeast(count) })
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

    /// The ids of all sessions that fit, or of `most` and one more. Refused if too many would have to be looked at.
    pub(super) async fn all_fitting(
        &self,
        actor: &Actor,
        search: &SessionSearch,
        most: usize,
    ) -> Result<Vec<Uuid>, AdminError> {
        let mut scan =
            Scan { moment: self.ending_moment().await?, range: SessionRange::default(), at: None, scanned: 0 };
        let (mut found, mut is_end) = (Vec::new(), !self.narrow(actor, search, &mut scan.range).await?);
        while !is_end && found.len() <= most {
            if scan.scanned >= MOST_COUNTED {
                return Err(AdminError::Invalid(format!(
                    "more than {MOST_COUNTED} sessions would have to be looked at: name `created_after` as well"
                )));
            }
            let mut part = Vec::new();
            is_end = self.scan(&mut scan, Direction::NewestFirst, search, u64::MAX, &mut part).await?;
            found.extend(part.into_iter().map(|(session, _)| session.id));
        }
        Ok(found)
    }

    /// Those of these sessions that fit.
    pub(super) async fn fitting_of(
        &self,
        actor: &Actor,
        search: &SessionSearch,
        ids: &[Uuid],
    ) -> Result<Vec<Uuid>, AdminError> {
        let (moment, mut range) = (self.ending_moment().await?, SessionRange::default());
        let mut found = Vec::new();
        if !self.narrow(actor, search, &mut range).await? {
            return Ok(found);
        }
        for id in ids {
            let Some(session) = self.base.store.session(*id).await? else { continue };
            let is_theirs = range.user.is_none() || range.user == session.user_id;
            if is_theirs && search.fits(&session, session.state(moment.now, moment.epoch)) && !found.contains(id) {
                found.push(*id);
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
                self.base.store.user_by_name(user).await?.map(|user| user.id)
            }
        };
        Ok(range.user.is_some())
    }

    /// Reads the next sessions, and collects those that fit up to `limit`. True at the end.
    async fn scan(
        &self,
        scan: &mut Scan,
        direction: Direction,
        search: &SessionSearch,
        limit: u64,
        found: &mut Vec<(SessionRecord, SessionState)>,
    ) -> Result<bool, AdminError> {
        let batch = limit.saturating_sub(found.len() as u64).clamp(LEAST_BATCH, BATCH);
        // One more than is looked at tells whether it is the end.
        let mut read = self.base.store.scan_sessions(&scan.range, direction, batch + 1).await?;
        let is_end = (read.len() as u64) <= batch;
        read.truncate(batch as usize);
        let count = read.len();
        for (position, session) in read.into_iter().enumerate() {
            scan.scanned += 1;
            scan.at = Some(session.id);
            let state = session.state(scan.moment.now, scan.moment.epoch);
            if search.fits(&session, state) {
                found.push((session, state));
                if found.len() as u64 >= limit {
                    return Ok(is_end && position + 1 == count);
                }
            }
        }
        match direction {
            Direction::NewestFirst => scan.range.older_than = scan.at.or(scan.range.older_than),
            Direction::OldestFirst => scan.range.newer_than = scan.at.or(scan.range.newer_than),
        }
        Ok(is_end)
    }
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
    range: SessionRange,
    /// The last session that was looked at.
    at: Option<Uuid>,
    scanned: u64,
}

impl Scan {
    fn told(&self, is_full: bool, is_end: bool) -> Option<u64> {
        (!is_full && !is_end).then_some(self.scanned)
    }
}
