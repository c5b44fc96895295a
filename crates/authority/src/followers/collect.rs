//! What all servers know about the followers: receipts of revocations, and the list of resource servers.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use ficha_store::{Beating, FollowerRecord, Question, Store};
use ficha_token::{Clock, Entropy, random_uuid};
use tokio::time::{Instant, sleep_until, timeout};
use uuid::Uuid;

use super::merge::merge;
use super::registry::Registry;
use super::report::{Report, Said};
use crate::denylist::cursor::Cursor;
use crate::denylist::replica::{Denylist, read_in_time};

/// How often the answers of other servers are read.
const LOOK: Duration = Duration::from_millis(20);
/// How often a receipt is looked at although nothing has happened: leases end.
const LOOK_SELDOM: Duration = Duration::from_millis(250);
/// A server whose heartbeat has not moved for this long has ended, without a word.
const ENDED_AFTER: Duration = Duration::from_secs(60);
/// The same by its own clock, where nobody has watched it, in seconds: clocks may differ.
const ENDED_BY_CLOCK: i64 = 600;
/// How long a server may have answered followers after its last heartbeat, in milliseconds: without its database it
/// answers them for two seconds.
const AFTER_BEAT: i64 = 3_000;

/// How a follower stands to a revocation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It has applied it: the cursor of a poll covers it.
    Applied,
    /// It may not have it yet.
    Behind,
    /// Its lease has ended: it refuses everything.
    CutOff,
    /// It may not have it, and goes on accepting tokens.
    AcceptsStale,
}

impl Standing {
    /// As text.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Applied => "applied",
            Self::Behind => "behind",
            Self::CutOff => "cut_off",
            Self::AcceptsStale => "accepts_stale",
        }
    }
}

/// A follower, and how it stands to a revocation, or to the newest row.
#[derive(Debug, Clone)]
pub struct FollowerState {
    /// The service that it is part of.
    pub service: String,
    /// Which instance.
    pub instance: String,
    /// The client with which it authenticates.
    pub client: Option<String>,
    /// From where it polls.
    pub address: Option<String>,
    /// What it runs.
    pub version: Option<String>,
    /// How long it relies on an answer.
    pub lease_seconds: Option<u64>,
    /// True if it goes on accepting tokens after that.
    pub accepts_stale: bool,
    /// How it stands.
    pub standing: Standing,
    /// How long after the revocation began the poll arrived that shows it was applied, in milliseconds.
    pub after_ms: Option<u64>,
    /// When it refuses everything at the latest unless it gets an answer before, in Unix milliseconds.
    pub refuses_at: Option<i64>,
    /// How many rows it lacks at most.
    pub cursor_lag: Option<i64>,
    /// How long ago the first of them was written.
    pub lag_ms: Option<u64>,
    /// When its last poll arrived, in Unix milliseconds.
    pub last_seen: i64,
}

/// Who refuses what was revoked.
#[derive(Debug, Clone)]
pub struct Receipt {
    /// True if every follower has applied it or refuses everything, and every server has said so.
    pub complete: bool,
    /// Followers that have not named themselves.
    pub unnamed: u64,
    /// Servers that have not answered.
    pub silent: u64,
    /// The followers that have named themselves.
    pub services: Vec<FollowerState>,
}

impl Receipt {
    /// Nothing is known.
    fn unknown() -> Self {
        Self { complete: false, unnamed: 0, silent: 1, services: Vec::new() }
    }
}

/// What is asked: how followers stand to a row, since when, and until when the answer is waited for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wanted {
    pub(crate) since: Instant,
    pub(crate) deadline: Instant,
    /// True: until every server has answered. False: until the receipt is complete.
    pub(crate) list_only: bool,
}

/// What the answer is made from.
pub(crate) struct Collector<'a> {
    pub(crate) store: &'a Store,
    pub(crate) clock: &'a dyn Clock,
    pub(crate) entropy: &'a dyn Entropy,
    /// Of a server: its own followers.
    pub(crate) own: Option<(&'a Arc<Registry>, &'a Denylist)>,
}

/// What is known so far.
struct Collected<'a> {
    collector: &'a Collector<'a>,
    row: Cursor,
    generation: u64,
    since: Instant,
    others: Vec<Beating>,
    saved: Vec<FollowerRecord>,
    said: HashMap<Uuid, (i64, Instant, Said)>,
    first_applied: HashMap<(Option<String>, String, String), u64>,
}

impl Collector<'_> {
    /// Waits until what is wanted is known, or the time is up. It never fails: what could not be learned is missing, and
    /// the receipt says so.
    pub(crate) async fn collect(&self, wanted: Wanted) -> Receipt {
        let Some((row, generation)) = self.newest().await else { return Receipt::unknown() };
        let known = async { tokio::try_join!(self.store.unstopped(), self.store.saved_followers()) };
        let Ok((others, saved)) = read_in_time(known).await else { return Receipt::unknown() };
        let mut collected = Collected {
            collector: self,
            row,
            generation,
            since: wanted.since,
            others,
            saved,
            said: HashMap::new(),
            first_applied: HashMap::new(),
        };
        let is_done = |receipt: &Receipt| receipt.complete || (wanted.list_only && receipt.silent == 0);
        let first = collected.receipt();
        if is_done(&first) || Instant::now() >= wanted.deadline {
            return first;
        }
        let question = self.ask(&collected).await;
        let receipt = self.wait(&mut collected, question, wanted.deadline, is_done).await;
        if let Some(question) = question {
            let store = self.store.clone();
            // Not waited for. If it fails, maintenance deletes it.
            tokio::spawn(async move {
                if let Err(error) = store.withdraw(question).await {
                    tracing::debug!(%error, "a question about followers could not be withdrawn");
                }
            });
        }
        receipt
    }

    /// The newest row, after a read that begins now.
    async fn newest(&self) -> Option<(Cursor, u64)> {
        match self.own {
            None => read_in_time(self.store.head()).await.ok().map(|head| (Cursor::from(head), 0)),
            Some((_, denylist)) => {
                denylist.follow(self.store, self.clock).await.ok()?;
                let recent = denylist.recent();
                recent.newest().map(|newest| (newest, recent.generation()))
            }
        }
    }

    /// Asks the other servers, if there are any.
    async fn ask(&self, collected: &Collected<'_>) -> Option<Uuid> {
        collected.silent().next()?;
        let Cursor { number, tag } = collected.row;
        let question = Question { id: random_uuid(self.entropy), number, tag };
        let asked = timeout(crate::VOUCH_LIMIT, self.store.ask(question, self.clock.unix_now())).await;
        matches!(asked, Ok(Ok(()))).then_some(question.id)
    }

    async fn wait(
        &self,
        collected: &mut Collected<'_>,
        question: Option<Uuid>,
        deadline: Instant,
        is_done: impl Fn(&Receipt) -> bool,
    ) -> Receipt {
        let mut changes = self.own.map(|(registry, _)| registry.changes());
        loop {
            if let Some(question) = question {
                collected.read_answers(question).await;
            }
            let receipt = collected.receipt();
            let now = Instant::now();
            if is_done(&receipt) || now >= deadline {
                return receipt;
            }
            let look = now + if question.is_some() { LOOK } else { LOOK_SELDOM };
            let changed = async {
                match &mut changes {
                    // The sender belongs to the registry.
                    Some(changes) => drop(changes.changed().await),
                    None => std::future::pending().await,
                }
            };
            let closed = async {
                match self.own {
                    Some((registry, _)) => registry.closed().await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = changed => {}
                () = sleep_until(look.min(deadline)) => {}
                () = closed => return collected.receipt(),
            }
        }
    }
}

impl Collected<'_> {
    async fn read_answers(&mut self, question: Uuid) {
        // Before the query: what an answer calls a while ago is at least that long ago.
        let now = Instant::now();
        let Ok(answers) = read_in_time(self.collector.store.answers(question)).await else { return };
        for answer in answers {
            let is_new = self.said.get(&answer.process).is_none_or(|(number, ..)| *number < answer.number);
            if is_new && let Ok(said) = serde_json::from_str(&answer.body) {
                self.said.insert(answer.process, (answer.number, now, said));
            }
        }
    }

    /// The servers that have not answered, and may still have followers.
    fn silent(&self) -> impl Iterator<Item = &Beating> {
        self.others.iter().filter(|beat| !self.said.contains_key(&beat.process) && !self.has_ended(beat))
    }

    fn has_ended(&self, beat: &Beating) -> bool {
        let watched = self.collector.own.map(|(registry, _)| registry.silent_for(beat.process, beat.number));
        watched.is_some_and(|silent| silent >= ENDED_AFTER)
            || beat.at < self.collector.clock.unix_now() - ENDED_BY_CLOCK
    }

    fn receipt(&mut self) -> Receipt {
        let now = Instant::now();
        let own = self.collector.own.map(|(registry, _)| registry.say(self.generation, self.row.number));
        let mut unnamed = own.as_ref().map_or(0, |said| said.unnamed);
        let mut live: HashMap<(Option<String>, String, String), Report> = HashMap::new();
        let theirs = self.said.values().map(|(_, at, said)| (said, now.saturating_duration_since(*at).as_millis()));
        let theirs = theirs.flat_map(|(said, ms)| {
            unnamed += said.unnamed;
            said.reports.iter().map(move |report| report.clone().later(ms as u64))
        });
        let all: Vec<Report> = theirs.collect();
        for report in own.into_iter().flat_map(|said| said.reports).chain(all) {
            let key = (report.client.clone(), report.service.clone(), report.instance.clone());
            let merged = match live.remove(&key) {
                None => report,
                Some(other) => merge(other, report),
            };
            live.insert(key, merged);
        }
        let wall = self.collector.clock.unix_millis();
        let saved: Vec<FollowerState> = self.left_behind(wall, |key| live.contains_key(key)).collect();
        let mut services: Vec<FollowerState> =
            live.into_iter().map(|(key, report)| self.state(key, report, now, wall)).chain(saved).collect();
        services.sort_by(|a, b| (&a.service, &a.instance, &a.client).cmp(&(&b.service, &b.instance, &b.client)));
        let silent = self.silent().count() as u64;
        let refuses = |one: &FollowerState| matches!(one.standing, Standing::Applied | Standing::CutOff);
        Receipt { complete: unnamed == 0 && silent == 0 && services.iter().all(refuses), unnamed, silent, services }
    }

    fn state(
        &mut self,
        key: (Option<String>, String, String),
        report: Report,
        now: Instant,
        wall: i64,
    ) -> FollowerState {
        let since = now.saturating_duration_since(self.since).as_millis() as u64;
        let after_ms = report.applied_ago.map(|ago| {
            let after = since.saturating_sub(ago);
            *self.first_applied.entry(key).or_insert(after)
        });
        let lease = report.lease_seconds.map(|seconds| seconds as i64 * 1_000);
        // One that was never answered has nothing, and refuses everything until it is.
        let answered = report.answered_ago.map_or(report.seen_ago, |ago| ago) as i64;
        let refuses_at = lease.map(|lease| wall - answered + lease).filter(|_| !report.accepts_stale);
        let newest = self.row.number;
        FollowerState {
            standing: standing(after_ms.is_some(), report.accepts_stale, refuses_at, wall),
            after_ms,
            refuses_at: refuses_at.filter(|_| after_ms.is_none()),
            cursor_lag: report.number.map(|number| (newest - number).max(0)),
            lag_ms: if after_ms.is_some() { Some(0) } else { report.lag_ms },
            last_seen: wall - report.seen_ago as i64,
            service: report.service,
            instance: report.instance,
            client: report.client,
            address: report.address,
            version: report.version,
            lease_seconds: report.lease_seconds,
            accepts_stale: report.accepts_stale,
        }
    }

    /// Followers of servers that have stopped, have ended, or don't answer, which no other server has seen since. What
    /// they have is not known.
    fn left_behind<'a>(
        &'a self,
        wall: i64,
        is_live: impl Fn(&(Option<String>, String, String)) -> bool + 'a,
    ) -> impl Iterator<Item = FollowerState> + 'a {
        let own = self.collector.store.process().filter(|_| self.collector.own.is_some());
        let answers = move |process: Uuid| Some(process) == own || self.said.contains_key(&process);
        let left = self.saved.iter().filter(move |record| {
            let key = (record.client.clone(), record.service.clone(), record.instance.clone());
            !answers(record.process) && !is_live(&key)
        });
        left.map(move |record| {
            // A server that has not said goodbye may have answered it until shortly after its last heartbeat.
            let beat = self.others.iter().find(|beat| beat.process == record.process);
            let answered = beat.map_or(record.seen_at, |beat| record.seen_at.max(beat.at * 1_000 + AFTER_BEAT));
            let refuses_at = record.lease_seconds.map(|seconds| answered + seconds * 1_000);
            let refuses_at = refuses_at.filter(|_| !record.accepts_stale);
            FollowerState {
                service: record.service.clone(),
                instance: record.instance.clone(),
                client: record.client.clone(),
                address: record.address.clone(),
                version: record.version.clone(),
                lease_seconds: record.lease_seconds.map(|seconds| seconds as u64),
                accepts_stale: record.accepts_stale,
                standing: standing(false, record.accepts_stale, refuses_at, wall),
                after_ms: None,
                refuses_at,
                cursor_lag: None,
                lag_ms: None,
                last_seen: record.seen_at,
            }
        })
    }
}

fn standing(applied: bool, accepts_stale: bool, refuses_at: Option<i64>, wall: i64) -> Standing {
    match refuses_at {
        _ if applied => Standing::Applied,
        _ if accepts_stale => Standing::AcceptsStale,
        Some(at) if at <= wall => Standing::CutOff,
        _ => Standing::Behind,
    }
}
