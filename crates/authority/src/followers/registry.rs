//! The followers of this server.

use std::collections::{HashMap, HashSet, VecDeque};
use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ficha_store::Beating;
use tokio::sync::watch;
use tokio::time::Instant;
use uuid::Uuid;

use super::declared::Declared;
use super::entry::{Entry, Reach, UNKNOWN_LEASE};
use super::report::{Report, Said};
use crate::denylist::cursor::Cursor;
use crate::request_source::{RequestSource, network_of};

/// How many names a client may have.
const MOST_NAMES: usize = 1_000;
/// Followers are forgotten after this time.
const FORGET: Duration = Duration::from_secs(86_400);
/// One that has not named itself counts as long as this after its last poll: it may have the longest lease.
const UNNAMED_COUNTS: Duration = UNKNOWN_LEASE;
/// For how long a server is watched whose heartbeat is missing.
const MISSED: Duration = Duration::from_secs(60);
/// How many of those are told apart.
const MOST_UNNAMED: usize = 10_000;
/// How many heads are remembered, to say since when a follower lags.
const MOST_HEADS: usize = 1_024;

/// The followers of a server.
pub(crate) struct Registry {
    known: Mutex<Known>,
    changed: watch::Sender<()>,
    closing: watch::Sender<bool>,
    hasher: RandomState,
    /// Questions of this server itself, which it need not answer.
    asked: Mutex<HashSet<Uuid>>,
    /// Held while followers are written to the database.
    pub(crate) saving: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct Known {
    polls: u64,
    named: HashMap<Name, Entry>,
    unnamed: HashMap<u64, Unnamed>,
    /// When those were last written to the database.
    unnamed_saved: Option<Instant>,
    heads: VecDeque<(i64, Instant)>,
    /// Other servers: the number of the last heartbeat, and since when it has not moved.
    servers: HashMap<Uuid, (i64, Instant)>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Name {
    client: Option<String>,
    service: String,
    instance: String,
}

struct Unnamed {
    open: u64,
    seen: Instant,
}

enum Whose {
    Named(Name),
    Unnamed(u64),
    /// Too many to tell apart.
    Nobody,
}

/// A poll that is under way. Dropping it ends it.
pub struct FollowerPoll {
    registry: Arc<Registry>,
    id: u64,
    whose: Whose,
    completely: bool,
}

impl Default for Registry {
    fn default() -> Self {
        Self {
            known: Mutex::default(),
            changed: watch::Sender::new(()),
            closing: watch::Sender::new(false),
            hasher: RandomState::new(),
            asked: Mutex::default(),
            saving: tokio::sync::Mutex::default(),
        }
    }
}

impl Registry {
    /// A poll has arrived.
    pub(crate) fn arrive(
        self: &Arc<Self>,
        client: Option<&str>,
        source: &RequestSource,
        declared: Option<&Declared>,
    ) -> FollowerPoll {
        let now = Instant::now();
        let mut known = self.lock();
        known.polls += 1;
        let id = known.polls;
        let name = declared.map(|declared| Name {
            client: client.map(str::to_owned),
            service: declared.service.clone(),
            instance: declared.instance.clone(),
        });
        let whose = match (name, declared) {
            (Some(name), Some(declared)) if known.has_room_for(&name, now) => {
                let address = source.address_text();
                let entry = known.named.entry(name.clone());
                let entry = entry.or_insert_with(|| Entry::new(declared.clone(), address.clone(), now));
                entry.arrive(id, declared.clone(), address, now);
                Whose::Named(name)
            }
            _ => {
                let whom = self.hasher.hash_one((client, network_of(source.address)));
                known.unnamed.retain(|_, one| one.counts(now));
                let room = known.unnamed.len() < MOST_UNNAMED || known.unnamed.contains_key(&whom);
                if room {
                    let one = known.unnamed.entry(whom).or_insert(Unnamed { open: 0, seen: now });
                    (one.open, one.seen) = (one.open + 1, now);
                    Whose::Unnamed(whom)
                } else {
                    Whose::Nobody
                }
            }
        };
        drop(known);
        FollowerPoll { registry: Arc::clone(self), id, whose, completely: false }
    }

    /// Signals that a follower has moved.
    pub(crate) fn changes(&self) -> watch::Receiver<()> {
        self.changed.subscribe()
    }

    /// The server is stopping: nobody waits for followers any more.
    pub(crate) fn close(&self) {
        self.closing.send_replace(true);
    }

    /// Returns once the server is stopping.
    pub(crate) async fn closed(&self) {
        // The sender belongs to `self`.
        let _ = self.closing.subscribe().wait_for(|closing| *closing).await;
    }

    /// Notes the newest row, when it was read.
    pub(crate) fn note_head(&self, newest: Cursor) {
        let heads = &mut self.lock().heads;
        if heads.back().is_none_or(|(number, _)| *number != newest.number) {
            heads.retain(|(number, _)| *number < newest.number);
            heads.push_back((newest.number, Instant::now()));
            if heads.len() > MOST_HEADS {
                heads.pop_front();
            }
        }
    }

    /// How the followers stand to a row that is known to be in the denylist's history. Sorted by name.
    /// `generation` is that of the row: what a follower has shown in another one says nothing about it.
    pub(crate) fn say(&self, generation: u64, number: i64) -> Said {
        let now = Instant::now();
        let known = self.lock();
        let mut reports: Vec<Report> = known
            .named
            .iter()
            .filter(|(_, entry)| now.saturating_duration_since(entry.seen) < FORGET)
            .map(|(name, entry)| {
                let report = entry.report(name.client.as_deref(), generation, number, now);
                let lacks = known.heads.partition_point(|(head, _)| report.number.is_some_and(|has| *head <= has));
                let lag_ms =
                    known.heads.get(lacks).map(|(_, since)| now.saturating_duration_since(*since).as_millis() as u64);
                Report { lag_ms, ..report }
            })
            .collect();
        reports.sort_by(|a, b| a.key().cmp(&b.key()));
        let unnamed = known.unnamed.values().filter(|one| one.counts(now)).map(|one| one.open.max(1)).sum();
        Said { unnamed, reports }
    }

    /// Those that are to be written to the database: new ones, and those that were seen since and were last written
    /// before `before`. They count as written. With `all`, every one.
    pub(crate) fn to_save(
        &self,
        after: Duration,
        all: bool,
    ) -> Vec<(Option<String>, Declared, Option<String>, Duration)> {
        let now = Instant::now();
        let mut known = self.lock();
        known.named.retain(|_, entry| now.saturating_duration_since(entry.seen) < FORGET);
        let due = |entry: &Entry| match entry.saved {
            None => true,
            Some(saved) => entry.seen > saved && (all || now.saturating_duration_since(saved) >= after),
        };
        let due = known.named.iter_mut().filter(|(_, entry)| due(entry));
        due.map(|(name, entry)| {
            entry.saved = Some(now);
            let ago = now.saturating_duration_since(entry.seen);
            (name.client.clone(), entry.declared.clone(), entry.address.clone(), ago)
        })
        .collect()
    }

    /// They could not be written.
    pub(crate) fn unsave(&self) {
        let mut known = self.lock();
        known.unnamed_saved = None;
        for entry in known.named.values_mut() {
            entry.saved = None;
        }
    }

    /// Watches the heartbeats of the other servers.
    pub(crate) fn watch_servers(&self, beats: &[Beating]) {
        let now = Instant::now();
        let servers = &mut self.lock().servers;
        for beat in beats {
            match servers.get(&beat.process) {
                _ if beat.stopped => drop(servers.remove(&beat.process)),
                Some((number, _)) if *number == beat.number => {}
                _ => drop(servers.insert(beat.process, (beat.number, now))),
            }
        }
        // A heartbeat that is missing says nothing about its server: the database may have been put back.
        let is_there = |process: &Uuid| beats.iter().any(|beat| beat.process == *process);
        servers.retain(|process, (_, since)| is_there(process) || now.saturating_duration_since(*since) < MISSED);
    }

    /// The servers whose heartbeats were seen, and are missing among these.
    pub(crate) fn missing_servers(&self, beats: &[Beating]) -> Vec<Uuid> {
        let known = self.lock();
        let seen = known.servers.keys().filter(|process| beats.iter().all(|beat| beat.process != **process));
        seen.copied().collect()
    }

    /// This server asks the others.
    pub(crate) fn note_asked(&self, question: Uuid) {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).insert(question);
    }

    /// True if the question is one of this server's own.
    pub(crate) fn has_asked(&self, question: Uuid) -> bool {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).contains(&question)
    }

    /// The question is withdrawn.
    pub(crate) fn forget_asked(&self, question: Uuid) {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).remove(&question);
    }

    /// How long ago the last poll of a follower without a name arrived, if that is to be written to the database: for the
    /// first time, or again after `after`, or in any case with `all`.
    pub(crate) fn unnamed_to_save(&self, after: Duration, all: bool) -> Option<Duration> {
        let now = Instant::now();
        let mut known = self.lock();
        if !all && known.unnamed_saved.is_some_and(|saved| now.saturating_duration_since(saved) < after) {
            return None;
        }
        known.unnamed_saved = (!known.unnamed.is_empty()).then_some(now);
        let counts = known.unnamed.values().filter(|one| one.counts(now));
        counts.map(|one| if one.open > 0 { Duration::ZERO } else { now.saturating_duration_since(one.seen) }).min()
    }

    /// For how long the heartbeat of a server has been at this number, as far as this one has seen.
    pub(crate) fn silent_for(&self, process: Uuid, number: i64) -> Duration {
        match self.lock().servers.get(&process) {
            Some((seen, since)) if *seen == number => since.elapsed(),
            _ => Duration::ZERO,
        }
    }

    fn change(&self, poll: &FollowerPoll, change: impl FnOnce(&mut Entry)) {
        if let Whose::Named(name) = &poll.whose
            && let Some(entry) = self.lock().named.get_mut(name)
        {
            change(entry);
        }
        self.changed.send_replace(());
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    /// True if a follower of this name is known, or can be added; those that refuse everything by now make room.
    fn has_room_for(&mut self, name: &Name, now: Instant) -> bool {
        if self.named.contains_key(name) {
            return true;
        }
        let of_client = |other: &Name| other.client == name.client;
        if self.named.keys().filter(|other| of_client(other)).count() < MOST_NAMES {
            return true;
        }
        self.named.retain(|other, entry| !of_client(other) || !entry.is_over(now));
        self.named.keys().filter(|other| of_client(other)).count() < MOST_NAMES
    }
}

impl Unnamed {
    fn counts(&self, now: Instant) -> bool {
        self.open > 0 || now.saturating_duration_since(self.seen) < UNNAMED_COUNTS
    }
}

impl FollowerPoll {
    /// The cursor of this poll is known in this generation of the denylist: the follower has everything up to it.
    pub(crate) fn has(&self, generation: u64, number: i64) {
        let reach = Reach { generation, number: Some(number) };
        self.registry.change(self, |entry| entry.show(self.id, reach, true, Instant::now()));
    }

    /// It has no cursor, or (`had_one`) one that is not known.
    pub(crate) fn has_nothing(&self, generation: u64, had_one: bool) {
        let reach = Reach { generation, number: None };
        self.registry.change(self, |entry| entry.show(self.id, reach, !had_one, Instant::now()));
    }

    /// Its page is being chosen: what comes from now on may be missing in it.
    pub(crate) fn choosing(&self) {
        self.registry.change(self, |entry| entry.choosing(self.id));
    }

    /// Its answer begins, and renews the follower's lease if all of it arrives.
    pub(crate) fn answering(&self) {
        self.registry.change(self, |entry| entry.answering(self.id));
    }

    /// The whole answer was handed to the connection.
    pub fn answered(&mut self) {
        self.completely = true;
    }
}

impl Drop for FollowerPoll {
    fn drop(&mut self) {
        let now = Instant::now();
        match &self.whose {
            Whose::Named(_) => self.registry.change(self, |entry| entry.end(self.id, self.completely, now)),
            Whose::Unnamed(whom) => {
                if let Some(one) = self.registry.lock().unnamed.get_mut(whom) {
                    one.open = one.open.saturating_sub(1);
                }
            }
            Whose::Nobody => {}
        }
    }
}
