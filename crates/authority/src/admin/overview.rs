//! What an administrator sees at a glance, and what needs attention.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use ficha_store::{Activity, ClientRecord, KeyPurpose, KeyRecord, Writes};

use super::powers::{Access, Area};
use super::{Actor, AdminError, key_state};
use crate::Authority;
use crate::followers::standing::{Receipt, Standing};

/// How many live sessions are counted.
const MOST_COUNTED: u64 = 100_000;
/// For how long that count is used, in seconds: with a million sessions it takes a good part of a second.
const COUNT_FOR: i64 = 10;
/// The oldest count that is answered, in seconds.
const COUNT_AT_MOST_FOR: i64 = 60;
/// Secrets that expire within this time need attention, in seconds.
const EXPIRES_SOON: i64 = 14 * 86_400;
/// Jobs that failed within this time need attention, in seconds.
const FAILED_LATELY: i64 = 86_400;
/// A signing key that signs for longer than this needs attention, in seconds.
const OLD_KEY: i64 = 365 * 86_400;

/// The state of the whole.
#[derive(Debug, Clone)]
pub struct Overview {
    /// How many sessions are live; with false, there are at least so many.
    pub live_sessions: (u64, bool),
    /// How many entries the denylist has.
    pub denylist: u64,
    /// All keys, each with its state.
    pub keys: Vec<(KeyRecord, &'static str)>,
    /// Who follows the denylist.
    pub services: Receipt,
    /// What happened in each of the last minutes, the oldest first; counted from 1970.
    pub series: Vec<(i64, Activity)>,
    /// What needs attention.
    pub attention: Vec<Attention>,
}

/// Something that needs attention.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attention {
    /// What it is: a stable name.
    pub kind: &'static str,
    /// What it is about, and what to do.
    pub detail: String,
    /// What it is about alone: a key, a client, a service, a number, or what an error has said. Empty: this server.
    pub subject: String,
    /// Since when, in Unix seconds, if that is known.
    pub since: Option<i64>,
}

/// The last count of live sessions, and when it was made in seconds that have passed.
pub(crate) type LiveCount = Mutex<Option<(i64, u64)>>;

impl Authority {
    /// The state of the whole, with the last so many minutes.
    pub async fn overview(&self, actor: &Actor, minutes: i64) -> Result<Overview, AdminError> {
        actor.require(Access::Read, Area::ResourceServers)?;
        let (store, now) = (self.store(), self.now());
        let all = store.keys().await?;
        let keys: Vec<_> = all.iter().map(|key| (key.clone(), key_state(key, &all, now))).collect();
        let services = self.admin().resource_servers(actor).await?;
        let first = now.div_euclid(60) - minutes;
        let counted = store.activity_since(first).await?;
        // The minute that is not over is left out.
        let counted: HashMap<i64, Activity> = counted.into_iter().collect();
        let series = (first..first + minutes).map(|minute| (minute, counted.get(&minute).copied().unwrap_or_default()));
        let mut attention = self.attention_of_this_server();
        attention.extend(of_keys(&keys, now));
        attention.extend(of_services(&services));
        if actor.require(Access::Read, Area::Clients).is_ok() {
            let clients = store.clients_whose_secrets_expire(now + EXPIRES_SOON).await?;
            attention.extend(clients.iter().filter_map(|client| of_secrets(client, now)));
        }
        let own = actor.job_kinds(Access::Read).unwrap_or_default();
        for (kind, at) in store.failed_jobs(now - FAILED_LATELY).await? {
            if own.iter().any(|own| own.as_str() == kind) {
                let (detail, subject) = (format!("a job ({kind}) has failed: it says why"), kind);
                attention.push(Attention { kind: "job_failed", detail, subject, since: Some(at) });
            }
        }
        let live = self.live_sessions(now).await?;
        Ok(Overview {
            live_sessions: (live.min(MOST_COUNTED), live <= MOST_COUNTED),
            denylist: self.denylist().len() as u64,
            keys,
            series: series.collect(),
            services,
            attention,
        })
    }

    /// Counted again after a while: who asks then gets the last count, unless that is old.
    async fn live_sessions(&self, now: i64) -> Result<u64, AdminError> {
        let passed = self.seconds_passed();
        let counted = *self.inner.live_count.lock().unwrap_or_else(PoisonError::into_inner);
        match counted {
            Some((at, count)) if passed - at < COUNT_FOR => Ok(count),
            Some((at, count)) if passed - at < COUNT_AT_MOST_FOR => {
                // Only one counts; for the others, this count is new.
                *self.inner.live_count.lock().unwrap_or_else(PoisonError::into_inner) = Some((passed, count));
                let authority = self.clone();
                tokio::spawn(async move {
                    if let Err(error) = authority.count_live_sessions(now, passed).await {
                        tracing::debug!(%error, "the live sessions could not be counted");
                    }
                });
                Ok(count)
            }
            _ => self.count_live_sessions(now, passed).await,
        }
    }

    async fn count_live_sessions(&self, now: i64, passed: i64) -> Result<u64, AdminError> {
        let count = self.store().count_live_sessions(now, MOST_COUNTED + 1).await?;
        *self.inner.live_count.lock().unwrap_or_else(PoisonError::into_inner) = Some((passed, count));
        Ok(count)
    }

    fn attention_of_this_server(&self) -> Vec<Attention> {
        let mut found = Vec::new();
        let mut add = |kind, detail: &str, subject: &str| {
            let (detail, subject) = (detail.to_owned(), subject.to_owned());
            found.push(Attention { kind, detail, subject, since: None });
        };
        match &*self.inner.writes.borrow() {
            Writes::Kept => {}
            Writes::Refused(why) => {
                add("database_refuses_changes", &format!("the database takes no changes: {why}"), &why.to_string());
            }
            Writes::Lost(why) => {
                add("database_lost_changes", &format!("the database has lost changes: {why}"), &why.to_string());
            }
        }
        if self.doubts_clock() {
            add("clock_changed", "the clock was changed a while ago: check that it is right, and set by NTP", "");
        }
        if self.inner.metrics.event_lines_lost.get() > 0 {
            let detail = "nobody reads the lines of the event log fast enough, and some were left out";
            add("event_lines_lost", detail, "");
        }
        found
    }
}

fn of_keys(keys: &[(KeyRecord, &'static str)], now: i64) -> Option<Attention> {
    let (key, _) = keys.iter().find(|(key, state)| *state == "current" && key.purpose == KeyPurpose::Sign)?;
    let is_old = now - key.sign_from > OLD_KEY;
    let detail = format!("the key {} has signed for more than a year: rotate it, or set keys.rotate_after", key.kid);
    is_old.then(|| Attention {
        kind: "key_old",
        detail,
        subject: key.kid.clone(),
        since: Some(key.sign_from + OLD_KEY),
    })
}

/// The last of a client's secrets ends soon, or has ended.
fn of_secrets(client: &ClientRecord, now: i64) -> Option<Attention> {
    let ends = client.secrets.iter().map(|secret| secret.expires_at.unwrap_or(i64::MAX)).max()?;
    let is_due = client.enabled && ends <= now + EXPIRES_SOON;
    let what = if ends <= now { "has expired" } else { "expires soon" };
    let detail = format!("the last secret of the client {:?} {what}: give its application another", client.id);
    let subject = client.id.clone();
    is_due.then_some(Attention { kind: "secret_expires", detail, subject, since: Some(ends - EXPIRES_SOON) })
}

fn of_services(services: &Receipt) -> Vec<Attention> {
    let mut found = Vec::new();
    let mut add = |kind, detail: String, subject: String| {
        found.push(Attention { kind, detail, subject, since: None });
    };
    for one in &services.services {
        let name = format!("{} ({})", one.service, one.instance);
        match one.standing {
            Standing::Behind => {
                add("service_behind", format!("{name} does not have the newest revocations"), name);
            }
            Standing::AcceptsStale => {
                add("service_accepts_stale", format!("{name} goes on accepting tokens when it is cut off"), name);
            }
            Standing::CutOff | Standing::Applied => {}
        }
    }
    if services.unnamed > 0 {
        let detail = format!("{} followers of the denylist have no name: receipts can't be complete", services.unnamed);
        add("services_unnamed", detail, services.unnamed.to_string());
    }
    if services.silent > 0 {
        let silent = services.silent.to_string();
        add("servers_silent", format!("{silent} servers do not answer"), silent);
    }
    found
}
