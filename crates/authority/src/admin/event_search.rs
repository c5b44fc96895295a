//! Finding events: what of the log an administrator, or a user about themselves, may see of it.

use std::net::IpAddr;

use ficha_store::{EventFilter, EventRecord};
use ipnet::IpNet;
use uuid::Uuid;

use super::powers::{Access, Area};
use super::{Actor, Admin, AdminError};
use crate::user_name::{are_alike, find_user};

/// How many events are read at a time.
const BATCH: u64 = 500;
/// How many events a page looks at, at most. Filters without an index may fit few of them.
const MOST_SCANNED: u64 = 10_000;
/// How many events a count looks at, at most.
const MOST_COUNTED: u64 = 100_000;

/// Which events are wanted: those that fit all of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EventQuery {
    /// Only events with this name, or whose name begins with it if it ends with `.`.
    pub event: Option<String>,
    /// Only events that happened to the user with this name or id.
    pub user: Option<String>,
    /// Only events of this client.
    pub client: Option<String>,
    /// Only events of this session.
    pub session: Option<Uuid>,
    /// Only events that somebody with this name, or the user with this id, caused.
    pub actor: Option<String>,
    /// Only events that were caused from this address or network.
    pub address: Option<IpNet>,
    /// At or after this time, in Unix milliseconds.
    pub since: Option<i64>,
    /// Before this time.
    pub until: Option<i64>,
}

/// What a reader may see of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sight {
    /// All of it.
    All,
    /// Events whose name begins with one of these; and what the user did and what happened to them, if there is one.
    Named(Vec<&'static str>, Option<Uuid>),
    /// What this user did, and what happened to them.
    Own(Uuid),
}

impl Sight {
    /// True if it may be seen.
    pub fn includes(&self, event: &EventRecord) -> bool {
        match self {
            Self::All => true,
            Self::Named(_, own) => self.names(event) || own.is_some_and(|user| is_about(event, user)),
            Self::Own(user) => is_about(event, *user),
        }
    }

    fn names(&self, event: &EventRecord) -> bool {
        let Self::Named(beginnings, _) = self else { return false };
        beginnings.iter().any(|beginning| event.event.starts_with(beginning))
    }

    /// What of it a database can tell.
    pub(crate) fn filter(&self) -> EventFilter {
        match self {
            Self::All | Self::Named(_, Some(_)) => EventFilter::default(),
            Self::Named(beginnings, None) => EventFilter { beginnings: beginnings.clone(), ..EventFilter::default() },
            Self::Own(user) => EventFilter { about: Some(*user), ..EventFilter::default() },
        }
    }

    /// The event as it is seen: not where another person was who did something to this user.
    pub fn shown(&self, mut event: EventRecord) -> EventRecord {
        if self.hides_actor(&event) {
            (event.actor_name, event.actor_id, event.address, event.request_id) = (None, None, None, None);
            event.detail = None;
        }
        event
    }

    fn hides_actor(&self, event: &EventRecord) -> bool {
        let user = match self {
            Self::All | Self::Named(_, None) => return false,
            Self::Named(_, Some(_)) if self.names(event) => return false,
            Self::Named(_, Some(user)) | Self::Own(user) => *user,
        };
        match event.actor_kind.as_str() {
            "user" | "cli" => event.actor_id != Some(user),
            // A client that acts for the user is named by the event as well. Any other one administers.
            "client" => event.client_id != event.actor_name,
            _ => false,
        }
    }
}

fn is_about(event: &EventRecord, user: Uuid) -> bool {
    event.user_id == Some(user) || event.actor_id == Some(user)
}

/// Where a page of events begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EventsFrom {
    /// With the newest.
    Newest,
    /// With the next older one.
    Before(i64),
    /// The page just before this event: it ends with the next newer one.
    After(i64),
}

/// A page of events, the newest first.
#[derive(Debug, Clone)]
pub struct EventPage {
    /// The events, as they are seen.
    pub events: Vec<EventRecord>,
    /// Older events follow this number.
    pub next: Option<i64>,
    /// Newer events come before this number.
    pub previous: Option<i64>,
    /// How many events were looked at, if there may be more that fit but the page is not full.
    pub scanned: Option<u64>,
}

/// An [`EventQuery`] with what has an index apart from the rest.
#[derive(Debug, Clone)]
pub struct EventSearch {
    filter: EventFilter,
    actor: Option<String>,
    address: Option<IpNet>,
    sight: Sight,
    /// False: nothing can fit.
    possible: bool,
}

impl EventSearch {
    /// True if the event fits what has no index, and may be seen.
    fn fits(&self, event: &EventRecord) -> bool {
        let address = || event.address.as_deref().and_then(|text| text.parse::<IpAddr>().ok());
        let hides = self.sight.hides_actor(event);
        // Of what is hidden, nothing can be found out by a filter either.
        let by = |name: &String| !hides && event.actor_name.as_deref() == Some(name);
        let from = |network: IpNet| !hides && address().is_some_and(|address| network.contains(&address));
        self.sight.includes(event)
            && self.actor.as_ref().is_none_or(by)
            && self.address.is_none_or(from)
            && (self.filter.actor.is_none() || !hides)
    }
}

impl Actor {
    /// What this actor may see in lists of events.
    pub fn sight_of_log(&self) -> Result<Sight, AdminError> {
        let all = self.require(Access::Read, Area::Events).map(|()| Sight::All);
        all.or_else(|refused| self.own_sight().ok_or(refused))
    }

    /// What it may see of events as they happen.
    pub fn sight_of_stream(&self) -> Result<Sight, AdminError> {
        let all = self.require(Access::Read, Area::Events).map(|()| Sight::All);
        all.or_else(|refused| {
            let named = self.events_by_name();
            let own = self.own_sight().and_then(|sight| match sight {
                Sight::Own(user) => Some(user),
                Sight::All | Sight::Named(..) => None,
            });
            let named = (!named.is_empty()).then_some(Sight::Named(named, own));
            named.or_else(|| self.own_sight()).ok_or(refused)
        })
    }
}

impl Admin {
    /// What is searched for, by an actor who may see this much.
    pub async fn event_search(
        &self,
        actor: &Actor,
        query: &EventQuery,
        sight: Sight,
    ) -> Result<EventSearch, AdminError> {
        match &sight {
            Sight::Own(user) if actor.user_id() == Some(*user) => {}
            // What is shown as it happens is not all of what is kept.
            _ => actor.require(Access::Read, Area::Events)?,
        }
        let user = match (&query.user, &sight) {
            (None, _) => Some(None),
            // Otherwise a list would tell whether there is somebody of that name.
            (Some(name), Sight::Own(own)) => {
                let is_own = name.parse() == Ok(*own) || actor.name().is_some_and(|own| are_alike(own, name));
                is_own.then_some(Some(*own))
            }
            (Some(name), _) => match name.parse::<Uuid>() {
                // A user who was deleted has no name any more.
                Ok(id) => Some(Some(id)),
                Err(_) => find_user(&self.base.store, name).await?.map(|user| Some(user.id)),
            },
        };
        let actor_id = query.actor.as_deref().and_then(|text| text.parse().ok());
        let mut search = EventSearch {
            filter: EventFilter {
                event: query.event.clone(),
                user: user.flatten(),
                client: query.client.clone(),
                session: query.session,
                actor: actor_id,
                about: match &sight {
                    Sight::Own(user) => Some(*user),
                    Sight::All | Sight::Named(..) => None,
                },
                since: query.since,
                until: query.until,
                numbers: None,
                beginnings: Vec::new(),
            },
            actor: query.actor.clone().filter(|_| actor_id.is_none()),
            address: query.address,
            sight,
            possible: user.is_some(),
        };
        let filter = &search.filter;
        let is_narrow =
            filter.user.is_some() || filter.about.is_some() || filter.client.is_some() || filter.session.is_some();
        if search.possible && !is_narrow && (query.since.is_some() || query.until.is_some()) {
            // Beyond these there is nothing in the span of time, and the database would look at all of it.
            search.filter.numbers = self.base.store.event_numbers_within(query.since, query.until).await?;
            search.possible = search.filter.numbers.is_some();
        }
        Ok(search)
    }

    /// A page of at most `limit` events that fit.
    pub async fn search_events(
        &self,
        search: &EventSearch,
        from: EventsFrom,
        limit: usize,
    ) -> Result<EventPage, AdminError> {
        let mut page = EventPage { events: Vec::new(), next: None, previous: None, scanned: None };
        if !search.possible {
            return Ok(page);
        }
        let is_back = matches!(from, EventsFrom::After(_));
        let (mut scanned, mut at, mut is_end) = (0, None, false);
        while !is_end && page.events.len() < limit && scanned < MOST_SCANNED {
            let read = match from {
                EventsFrom::After(number) => self.newer(search, at.unwrap_or(number), BATCH).await?,
                EventsFrom::Before(number) => self.older(search, at.unwrap_or(number), BATCH).await?,
                EventsFrom::Newest => self.older(search, at.unwrap_or(i64::MAX), BATCH).await?,
            };
            is_end = (read.len() as u64) < BATCH;
            for event in read {
                if page.events.len() == limit {
                    is_end = false;
                    break;
                }
                scanned += 1;
                at = event.number;
                if search.fits(&event) {
                    page.events.push(search.sight.shown(event));
                }
            }
        }
        let further = at.filter(|_| !is_end);
        page.scanned = (page.events.len() < limit && !is_end).then_some(scanned);
        let ends = |page: &EventPage| {
            (page.events.first().and_then(|one| one.number), page.events.last().and_then(|one| one.number))
        };
        if is_back {
            page.events.reverse();
            let EventsFrom::After(number) = from else { return Ok(page) };
            page.previous = further;
            page.next = ends(&page).1.or(Some(number.saturating_add(1)));
        } else {
            page.next = further;
            page.previous = match from {
                EventsFrom::Before(number) => ends(&page).0.or(Some(number.saturating_sub(1).max(0))),
                _ => None,
            };
        }
        Ok(page)
    }

    /// How many events fit, of those that are looked at; false: there may be more.
    pub async fn count_events(&self, search: &EventSearch) -> Result<(u64, bool), AdminError> {
        let (mut from, mut count, mut scanned) = (EventsFrom::Newest, 0, 0);
        loop {
            let page = self.search_events(search, from, BATCH as usize).await?;
            count += page.events.len() as u64;
            scanned += page.scanned.unwrap_or(page.events.len() as u64);
            match page.next {
                None => return Ok((count, true)),
                Some(_) if scanned >= MOST_COUNTED => return Ok((count, false)),
                Some(number) => from = EventsFrom::Before(number),
            }
        }
    }

    /// At most `limit` events that fit after this number, the oldest first, and the number to go on with; `None` when
    /// no event follows.
    pub async fn events_following(
        &self,
        search: &EventSearch,
        after: i64,
        limit: u64,
    ) -> Result<(Vec<EventRecord>, Option<i64>), AdminError> {
        if !search.possible {
            return Ok((Vec::new(), None));
        }
        let read = self.newer(search, after, limit).await?;
        let is_end = (read.len() as u64) < limit;
        let next = read.last().and_then(|event| event.number).filter(|_| !is_end);
        let fitting = read.into_iter().filter(|event| search.fits(event)).map(|event| search.sight.shown(event));
        Ok((fitting.collect(), next))
    }

    async fn older(&self, search: &EventSearch, before: i64, limit: u64) -> Result<Vec<EventRecord>, AdminError> {
        Ok(self.base.store.events_before(&search.filter, Some(before), limit).await?)
    }

    async fn newer(&self, search: &EventSearch, after: i64, limit: u64) -> Result<Vec<EventRecord>, AdminError> {
        Ok(self.base.store.events_after(&search.filter, after, limit).await?)
    }
}
