//! What all servers know about the followers: receipts of revocations, and the list of resource servers.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use ficha_store::{Beating, FollowerRecord, Question, Store};
use ficha_token::{Clock, Entropy, random_uuid};
use tokio::time::{Instant, sleep, sleep_until, timeout};
use uuid::Uuid;

use super::entry::UNKNOWN_LEASE;
use super::merge::merge;
use super::registry::Registry;
use super::report::{Report, Said};
use super::standing::{CLOCKS_DIFFER, FollowerState, Receipt, Standing, standing, with_left};
use crate::denylist::cursor::Cursor;
use crate::denylist::replica::{Denylist, read_in_time};

/// How often the answers of other servers are read.
const LOOK: Duration = Duration::from_millis(20);
/// For how long.
const OFTEN_FOR: Duration = Duration::from_secs(2);
/// What happens within this time after a change is looked at together.
const GATHER: Duration = Duration::from_millis(5);
/// A server whose heartbeat moves does so within this time.
const MOVES_WITHIN: Duration = Duration::from_secs(5);
/// How long a command watches a heartbeat that is old before it takes the server to have ended.
const WATCHED: Duration = Duration::from_millis(1_500);
/// How often a receipt is looked at although nothing has happened: leases end.
const LOOK_SELDOM: Duration = Duration::from_millis(250);
/// A server whose heartbeat has not moved for this long has ended, without a word.
const ENDED_AFTER: Duration = Duration::from_secs(60);
/// The same by its own clock, where nobody has watched it, in seconds: clocks may differ.
const ENDED_BY_CLOCK: i64 = 600;
/// How long a server may have answered followers after its last heartbeat, in milliseconds: without its database it
/// answers them for two seconds.
const AFTER_BEAT: i64 = 3_000;

/// What is asked: how followers stand to a row, since when, and until when the answer is waited for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wanted {
    /// An earlier row than the newest, if it is still known here.
    pub(crate) row: Option<Cursor>,
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

/// A follower's client, service and instance.
type Key = (Option<String>, String, String);

/// What is known so far.
struct Collected<'a> {
    collector: &'a Collector<'a>,
    row: Cursor,
    generation: u64,
    since: Instant,
    /// The other servers that have not stopped in order.
    others: Vec<Beating>,
    /// Servers that were seen, and whose heartbeats are missing.
    missing: Vec<Uuid>,
    /// Of a command: the servers whose heartbeats move.
    moved: HashSet<Uuid>,
    /// Since when it watches them.
    began: Instant,
    saved: Vec<FollowerRecord>,
    said: HashMap<Uuid, (i64, Instant, Said)>,
    first_applied: HashMap<Key, u64>,
}

impl Collector<'_> {
    /// Waits until what is wanted is known, or the time is up. It never fails: what could not be learned is missing, and
    /// the receipt says so.
    pub(crate) async fn collect(&self, wanted: Wanted) -> Receipt {
        self.collect_and_tell(wanted, |_| {}).await
    }

    /// The same, telling each state of the receipt on the way.
    pub(crate) async fn collect_and_tell(&self, wanted: Wanted, tell: impl Fn(&Receipt)) -> Receipt {
        let Some((row, generation)) = self.row(wanted.row).await else { return Receipt::unknown() };
        let known = async { tokio::try_join!(self.store.beats(), self.store.saved_followers()) };
        let Ok((beats, saved)) = read_in_time(known).await else { return Receipt::unknown() };
        let own = self.store.process();
        let beats: Vec<Beating> = beats.into_iter().filter(|beat| Some(beat.process) != own).collect();
        let missing = self.own.map(|(registry, _)| registry.missing_servers(&beats)).unwrap_or_default();
        let others = beats.into_iter().filter(|beat| !beat.stopped).collect();
        let mut collected = Collected {
            collector: self,
            row,
            generation,
            since: wanted.since,
            others,
            missing,
            moved: HashSet::new(),
            began: Instant::now(),
            saved,
            said: HashMap::new(),
            first_applied: HashMap::new(),
        };
        let is_done = |receipt: &Receipt| receipt.complete || (wanted.list_only && receipt.silent == 0);
        let first = collected.receipt();
        tell(&first);
        if is_done(&first) || Instant::now() >= wanted.deadline {
            return first;
        }
        let asked = self.ask(&collected).await;
        let is_done = |receipt: &Receipt| {
            tell(receipt);
            is_done(receipt)
        };
        let receipt = self.wait(&mut collected, asked.as_ref(), wanted.deadline, is_done).await;
        if let Some(asked) = asked
            && self.own.is_none()
        {
            // A command ends soon, and with it whatever runs beside it.
            asked.withdraw().await;
        }
        receipt
    }

    /// The newest row, after a read that begins now; or the wanted one, if it is still known here.
    async fn row(&self, wanted: Option<Cursor>) -> Option<(Cursor, u64)> {
        match self.own {
            None => read_in_time(self.store.head()).await.ok().map(|head| (Cursor::from(head), 0)),
            Some((_, denylist)) => {
                denylist.follow(self.store, self.clock).await.ok()?;
                let recent = denylist.recent();
                // A row of another history is not known: only what this one's newest row covers is certain then.
                let wanted = wanted.filter(|row| recent.after(*row).is_some());
                wanted.or(recent.newest()).map(|row| (row, recent.generation()))
            }
        }
    }

    /// Asks the other servers, if there are any.
    async fn ask(&self, collected: &Collected<'_>) -> Option<Asked> {
        if collected.silent() == 0 {
            return None;
        }
        let Cursor { number, tag } = collected.row;
        let question = Question { id: random_uuid(self.entropy), number, tag };
        let registry = self.own.map(|(registry, _)| Arc::clone(registry));
        if let Some(registry) = &registry {
            registry.note_asked(question.id);
        }
        // Before it is asked: if that takes too long, it may have been asked all the same.
        let asked = Asked { store: self.store.clone(), registry, question: Some(question.id) };
        let done = timeout(crate::VOUCH_LIMIT, self.store.ask(question, self.clock.unix_now())).await;
        matches!(done, Ok(Ok(()))).then_some(asked)
    }

    async fn wait(
        &self,
        collected: &mut Collected<'_>,
        asked: Option<&Asked>,
        deadline: Instant,
        is_done: impl Fn(&Receipt) -> bool,
    ) -> Receipt {
        let mut changes = self.own.map(|(registry, _)| registry.changes());
        let question = asked.and_then(|asked| asked.question);
        let mut read = None;
        loop {
            // Most answer at once; those that don't are waited for with less work.
            let is_early = collected.began.elapsed() < OFTEN_FOR;
            let every = if question.is_some() && is_early { LOOK } else { LOOK_SELDOM };
            if let Some(question) = question
                && read.is_none_or(|read: Instant| read.elapsed() >= every)
            {
                collected.read_answers(question).await;
                read = Some(Instant::now());
            }
            let receipt = collected.receipt();
            let now = Instant::now();
            if is_done(&receipt) || now >= deadline {
                return receipt;
            }
            let look = now + every;
            let changed = async {
                match &mut changes {
                    Some(changes) => {
                        // The sender belongs to the registry.
                        let _ = changes.changed().await;
                        // Those who are woken together come back together.
                        sleep(GATHER).await;
                    }
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
        let store = self.collector.store;
        let Ok(answers) = read_in_time(store.answers(question)).await else { return };
        if self.collector.own.is_none()
            && let Ok(beats) = read_in_time(store.beats()).await
        {
            // Nobody else watches them for a command.
            let is_later = |beat: &Beating, one: &Beating| beat.process == one.process && beat.number != one.number;
            let moved = beats.iter().filter(|beat| self.others.iter().any(|one| is_later(beat, one)));
            self.moved.extend(moved.map(|beat| beat.process));
        }
        // After the query: an answer that was written meanwhile must not count as older than it is, or leases would
        // seem to end early.
        let now = Instant::now();
        let own = store.process().filter(|_| self.collector.own.is_some());
        for answer in answers.into_iter().filter(|answer| Some(answer.process) != own) {
            let is_new = self.said.get(&answer.process).is_none_or(|(number, ..)| *number < answer.number);
            if is_new && let Ok(said) = serde_json::from_str(&answer.body) {
                self.said.insert(answer.process, (answer.number, now, said));
            }
        }
    }

    /// How many servers have not answered, and may still have followers.
    fn silent(&self) -> usize {
        let beating = self.others.iter().filter(|beat| !self.has_ended(beat)).map(|beat| beat.process);
        beating.chain(self.missing.iter().copied()).filter(|process| !self.said.contains_key(process)).count()
    }

    /// True if a server has ended without a word. Where heartbeats are watched, their times don't matter: clocks differ.
    fn has_ended(&self, beat: &Beating) -> bool {
        let is_old = beat.at < self.collector.clock.unix_now() - ENDED_BY_CLOCK;
        match self.collector.own {
            Some((registry, _)) => {
                let silent = registry.silent_for(beat.process, beat.number);
                silent >= ENDED_AFTER || (is_old && silent >= MOVES_WITHIN)
            }
            None => is_old && !self.moved.contains(&beat.process) && self.began.elapsed() >= WATCHED,
        }
    }

    fn receipt(&mut self) -> Receipt {
        let now = Instant::now();
        let own = self.collector.own.map(|(registry, _)| registry.say(self.generation, self.row.number));
        let mut unnamed = own.as_ref().map_or(0, |said| said.unnamed);
        let mut live: HashMap<Key, Vec<Report>> = HashMap::new();
        let theirs = self.said.values().map(|(_, at, said)| (said, now.saturating_duration_since(*at).as_millis()));
        let theirs = theirs.flat_map(|(said, ms)| {
            unnamed += said.unnamed;
            said.reports.iter().map(move |report| report.clone().later(ms as u64))
        });
        let all: Vec<Report> = theirs.collect();
        for report in own.into_iter().flat_map(|said| said.reports).chain(all) {
            let key = (report.client.clone(), report.service.clone(), report.instance.clone());
            live.entry(key).or_default().push(report);
        }
        let wall = self.collector.clock.unix_millis();
        let mut services: HashMap<Key, FollowerState> = HashMap::new();
        for (key, reports) in live {
            if let Some(report) = merge(reports) {
                services.insert(key.clone(), self.state(key, report, now, wall));
            }
        }
        let (left, left_unnamed) = self.left_behind(wall);
        unnamed += left_unnamed;
        for (key, left) in left {
            match services.remove(&key) {
                None => services.insert(key, left),
                Some(live) => services.insert(key, with_left(live, &left, wall)),
            };
        }
        let mut services: Vec<FollowerState> = services.into_values().collect();
        services.sort_by(|a, b| (&a.service, &a.instance, &a.client).cmp(&(&b.service, &b.instance, &b.client)));
        let silent = self.silent() as u64;
        let refuses = |one: &FollowerState| matches!(one.standing, Standing::Applied | Standing::CutOff);
        let complete = unnamed == 0 && silent == 0 && services.iter().all(refuses);
        Receipt { complete, unnamed, silent, services, about: Some(self.row.to_string()) }
    }

    fn state(&mut self, key: Key, report: Report, now: Instant, wall: i64) -> FollowerState {
        let since = now.saturating_duration_since(self.since).as_millis() as u64;
        let after_ms = report.applied_ago.map(|ago| {
            let after = since.saturating_sub(ago);
            *self.first_applied.entry(key).or_insert(after)
        });
        // One that was never answered here may have been answered elsewhere until it came.
        let answered = report.answered_ago.or(Some(report.seen_ago)).zip(report.lease_seconds);
        let relies = answered.map(|(ago, lease)| wall - ago as i64 + lease as i64 * 1_000);
        // By the lease that it told then, which may have been longer than what it tells now.
        let relied = relies.map(|until| until.max(wall + report.relies_ms.unwrap_or(0) as i64));
        let refuses_at = match report.relies_ms {
            Some(left) if left > 0 => relied,
            _ => relies,
        };
        let refuses_at = refuses_at.filter(|_| !report.accepts_stale);
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

    /// Followers of servers that have stopped, have ended, or don't answer. What they have is not known. Also how many of
    /// those servers had followers without a name.
    fn left_behind(&self, wall: i64) -> (Vec<(Key, FollowerState)>, u64) {
        let own = self.collector.store.process().filter(|_| self.collector.own.is_some());
        let answers = |process: Uuid| Some(process) == own || self.said.contains_key(&process);
        let (mut left, mut unnamed) = (HashMap::<Key, FollowerState>::new(), 0);
        for record in self.saved.iter().filter(|record| !answers(record.process)) {
            // A server that has not said goodbye may have answered it until shortly after its last heartbeat.
            let beat = self.others.iter().find(|beat| beat.process == record.process);
            let answered = beat.map_or(record.seen_at, |beat| record.seen_at.max(beat.at * 1_000 + AFTER_BEAT));
            // By its clock.
            let answered = answered + CLOCKS_DIFFER;
            if record.service.is_empty() {
                unnamed += u64::from(answered + UNKNOWN_LEASE.as_millis() as i64 > wall);
                continue;
            }
            let refuses_at = record.lease_seconds.map(|seconds| answered + seconds * 1_000);
            let refuses_at = refuses_at.filter(|_| !record.accepts_stale);
            let state = FollowerState {
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
            };
            let key = (record.client.clone(), record.service.clone(), record.instance.clone());
            let state = match left.remove(&key) {
                None => state,
                // It has polled several.
                Some(other) => with_left(other, &state, wall),
            };
            left.insert(key, state);
        }
        (left.into_iter().collect(), unnamed)
    }
}

/// A question that is open. It is withdrawn when this is dropped, also if nobody waits for the answers any more.
struct Asked {
    store: Store,
    registry: Option<Arc<Registry>>,
    question: Option<Uuid>,
}

impl Asked {
    async fn withdraw(mut self) {
        if let Some(question) = self.question.take() {
            withdraw(self.store.clone(), self.registry.clone(), question).await;
        }
    }
}

impl Drop for Asked {
    fn drop(&mut self) {
        if let (Some(question), Ok(runtime)) = (self.question.take(), tokio::runtime::Handle::try_current()) {
            runtime.spawn(withdraw(self.store.clone(), self.registry.clone(), question));
        }
    }
}

/// If it fails, maintenance deletes it.
async fn withdraw(store: Store, registry: Option<Arc<Registry>>, question: Uuid) {
    if !matches!(timeout(crate::VOUCH_LIMIT, store.withdraw(question)).await, Ok(Ok(()))) {
        tracing::debug!("a question about followers could not be withdrawn");
    }
    if let Some(registry) = registry {
        registry.forget_asked(question);
    }
}
