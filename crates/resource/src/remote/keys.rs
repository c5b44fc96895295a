//! The issuer's public keys, fetched over HTTP.
//!
//! One task fetches, and requests only read what it has stored: no request waits for a fetch under a lock, and there is
//! never more than one fetch under way. An unknown `kid` causes a fetch, at most once in [`COOL_DOWN`]; a bad signature
//! causes none. A known key that is denied causes one at once (`purges.rs`).

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};
use std::time::Duration;

use ficha_token::MAX_SET_BYTES;
use ficha_token::{Clock, JwkSet, KeyProblem, VerifyingKey};
use reqwest::Client;
use reqwest::header::{AGE, CACHE_CONTROL, HeaderMap};
use serde::Deserialize;
use serde_json::Value;
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep, timeout_at};
use url::Url;

use super::backoff::{Backoff, jittered};
use super::failure_log::{FailureLog, LastError};
use super::http::{Ask, FetchError, fetch, seconds};
use super::lease::{Moment, micros};
use crate::source::{KeyLookup, KeySource};

/// The shortest time between two fetches that unknown keys cause.
pub(crate) const COOL_DOWN: Duration = Duration::from_secs(5);
/// The longest that a fetch may take.
const FETCH_LIMIT: Duration = Duration::from_secs(5);
const DEFAULT_MAX_AGE: Duration = Duration::from_secs(300);
const LEAST_MAX_AGE: Duration = Duration::from_secs(60);
const MOST_MAX_AGE: Duration = Duration::from_secs(86_400);
pub(super) const MAX_PAUSE: Duration = Duration::from_secs(5);
const MAX_RETRY_AFTER: Duration = Duration::from_secs(60);
/// The `Retry-After` if a key can't be looked up.
const RETRY_AFTER: Duration = Duration::from_secs(1);
/// How often the clock is checked between fetches: the runtime's own timers do not advance while a machine is
/// suspended.
const LOOK_EVERY: Duration = Duration::from_secs(1);
const NEVER: i64 = i64::MIN;

/// The keys of one issuer.
pub(crate) struct RemoteKeys {
    clock: Arc<dyn Clock>,
    outage_limit: Duration,
    loaded: RwLock<Loaded>,
    generation: AtomicU64,
    /// When the last good set was requested, in microseconds of elapsed time.
    last_good: AtomicI64,
    /// The `last_good` of the set that was last found to be older than the outage limit.
    outdated: AtomicI64,
    /// True if the last fetch failed: then an unknown key may be a new one.
    failing: AtomicBool,
    /// True while the set names a key that is denied: another one signs, which is not known yet.
    replaced: watch::Sender<bool>,
    /// True from the request for a fetch until its end.
    under_way: AtomicBool,
    /// When an unknown key may cause a fetch again.
    next_allowed: AtomicI64,
    wanted: Notify,
    /// How many fetches have ended.
    ended: watch::Sender<u64>,
    pub(crate) last_error: Arc<LastError>,
    pub(crate) counts: Counts,
}

/// Counters for the statistics.
#[derive(Default)]
pub(crate) struct Counts {
    pub fetches_ok: AtomicU64,
    pub fetches_failed: AtomicU64,
}

#[derive(Default)]
struct Loaded {
    keys: HashMap<String, VerifyingKey>,
    /// The set as published, key by key and sorted, to see whether another one differs. `None` before the first one,
    /// and if not all of it was used.
    published: Option<Vec<String>>,
}

/// Why a fetch failed.
#[derive(Debug, thiserror::Error)]
enum LoadError {
    #[error("{0}")]
    Fetch(#[from] FetchError),
    #[error("{0}")]
    NotASet(#[from] ficha_token::KeySetError),
    #[error("none of the {0} published keys can be used")]
    NoneUsable(usize),
}

impl RemoteKeys {
    pub(crate) fn new(clock: Arc<dyn Clock>, outage_limit: Duration) -> Self {
        Self {
            clock,
            outage_limit,
            loaded: RwLock::default(),
            generation: AtomicU64::new(0),
            last_good: AtomicI64::new(NEVER),
            outdated: AtomicI64::new(NEVER),
            failing: AtomicBool::new(false),
            replaced: watch::Sender::new(false),
            under_way: AtomicBool::new(false),
            next_allowed: AtomicI64::new(0),
            wanted: Notify::new(),
            ended: watch::Sender::new(0),
            last_error: Arc::default(),
            counts: Counts::default(),
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.read().keys.len()
    }

    pub(crate) fn is_loaded(&self) -> bool {
        self.last_good.load(Ordering::Acquire) != NEVER
    }

    /// Waits until a set has been read.
    pub(crate) async fn loaded(&self) {
        let mut ended = self.ended.subscribe();
        while !self.is_loaded() {
            // It can't fail, because the sender belongs to `self`.
            let _ = ended.changed().await;
        }
    }

    /// True from the request for a fetch until its end.
    pub(crate) fn is_under_way(&self) -> bool {
        self.under_way.load(Ordering::Acquire)
    }

    /// Waits for the fetch that is under way, if there is one. False if it is not done by `deadline`.
    pub(crate) async fn settled(&self, deadline: Instant) -> bool {
        let mut ended = self.ended.subscribe();
        !self.is_under_way() || timeout_at(deadline, ended.changed()).await.is_ok()
    }

    /// True if the last good set is too old to be used. The first call that finds it so makes caches drop the tokens
    /// that it verified.
    pub(crate) fn is_too_old(&self) -> bool {
        let last_good = self.last_good.load(Ordering::Acquire);
        let age = micros(self.clock.elapsed()).saturating_sub(last_good);
        let too_old = last_good != NEVER && age >= micros(self.outage_limit);
        if too_old && self.outdated.swap(last_good, Ordering::AcqRel) != last_good {
            self.generation.fetch_add(1, Ordering::AcqRel);
            tracing::error!(
                "the signing keys could not be read for longer than the outage limit, so every token is refused"
            );
        }
        too_old
    }

    /// Fetches the keys without end.
    pub(super) async fn run(&self, client: Client, url: Url) {
        let mut backoff = Backoff::new(MAX_PAUSE);
        let mut failures = FailureLog::new(Arc::clone(&self.last_error));
        loop {
            self.under_way.store(true, Ordering::Release);
            let start = self.clock.elapsed();
            let due = match self.load(&client, &url, micros(start)).await {
                Ok(max_age) => {
                    self.counts.fetches_ok.fetch_add(1, Ordering::Relaxed);
                    backoff.reset();
                    failures.recovered();
                    // Before the set expires, and not all services at once. Its age counts from the request, like
                    // that of the denylist: a slow answer may be as old as that.
                    start + jittered(max_age.min(self.outage_limit / 2) * 4 / 5)
                }
                Err(error) => {
                    self.counts.fetches_failed.fetch_add(1, Ordering::Relaxed);
                    self.failing.store(true, Ordering::Release);
                    failures.failed(Moment::now(&*self.clock), "reading the signing keys", url.as_str(), &error, "");
                    self.is_too_old();
                    let pause = match error {
                        LoadError::Fetch(FetchError::Status { retry_after, .. }) => {
                            backoff.next().max(retry_after.unwrap_or_default().min(MAX_RETRY_AFTER))
                        }
                        _ => backoff.next(),
                    };
                    self.clock.elapsed() + pause
                }
            };
            self.under_way.store(false, Ordering::Release);
            self.ended.send_modify(|count| *count += 1);
            self.pause_until(due).await;
        }
    }

    /// Waits until the next fetch is due or wanted.
    async fn pause_until(&self, due: Duration) {
        let timer = sleep(due.saturating_sub(self.clock.elapsed()));
        tokio::pin!(timer);
        while self.clock.elapsed() < due {
            tokio::select! {
                // If none is under way, this was for the fetch that has just ended.
                () = self.wanted.notified() => if self.under_way.load(Ordering::Acquire) { return },
                () = &mut timer => return,
                () = sleep(LOOK_EVERY) => {}
            }
        }
    }

    /// Fetches the set once, and returns how long it is valid.
    async fn load(&self, client: &Client, url: &Url, start: i64) -> Result<Duration, LoadError> {
        let ask = Ask {
            url: url.clone(),
            credentials: None,
            head_within: FETCH_LIMIT,
            all_within: FETCH_LIMIT,
            most_bytes: MAX_SET_BYTES,
        };
        let fetched = fetch(client, ask).await?;
        self.take(&fetched.body)?;
        self.failing.store(false, Ordering::Release);
        self.last_good.store(start, Ordering::Release);
        Ok(max_age(&fetched.headers))
    }

    /// Replaces the last set by a published one.
    fn take(&self, body: &[u8]) -> Result<(), LoadError> {
        let (keys, problems) = JwkSet::parse(body)?;
        let published = published(body);
        if self.read().published.as_ref() == Some(&published) {
            return if keys.is_empty() && !problems.is_empty() { Err(none_usable(&problems)) } else { Ok(()) };
        }
        for problem in &problems {
            tracing::warn!(kid = problem.kid, error = %problem.error, "a published key can't be used");
        }
        if keys.is_empty() && !problems.is_empty() {
            self.keep_named(&problems);
            return Err(none_usable(&problems));
        }
        let keys = keys.into_iter().map(|key| (key.kid().to_owned(), key)).collect();
        self.replace(|loaded| *loaded = Loaded { keys, published: Some(published) });
        Ok(())
    }

    /// Called if none of a set's keys can be used: the known keys stay, except those that the set no longer names,
    /// because they have been removed on purpose.
    fn keep_named(&self, problems: &[KeyProblem]) {
        let named: Option<Vec<&str>> = problems.iter().map(|problem| problem.kid.as_deref()).collect();
        let Some(named) = named else { return };
        if self.read().keys.keys().any(|kid| !named.contains(&kid.as_str())) {
            self.replace(|loaded| {
                loaded.keys.retain(|kid, _| named.contains(&kid.as_str()));
                loaded.published = None;
            });
        }
    }

    fn replace(&self, change: impl FnOnce(&mut Loaded)) {
        change(&mut self.loaded.write().unwrap_or_else(PoisonError::into_inner));
        // Only after the change is visible: see `KeySource::generation`.
        self.generation.fetch_add(1, Ordering::AcqRel);
        tracing::info!(keys = self.len(), "the signing keys have changed");
    }

    fn read(&self) -> RwLockReadGuard<'_, Loaded> {
        self.loaded.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes whether one of the keys is denied.
    pub(super) fn look_for_denied(&self, denies: impl Fn(&str) -> bool) -> bool {
        let denied = self.read().keys.keys().any(|kid| denies(kid));
        self.replaced.send_if_modified(|replaced| std::mem::replace(replaced, denied) != denied);
        denied
    }

    /// True while the set names a key that is denied.
    pub(crate) fn is_replaced(&self) -> bool {
        *self.replaced.borrow()
    }

    /// Waits until the set names no key that is denied. False if that is not so by `deadline`.
    pub(crate) async fn renewed(&self, deadline: Instant) -> bool {
        let mut replaced = self.replaced.subscribe();
        timeout_at(deadline, replaced.wait_for(|replaced| !replaced)).await.is_ok()
    }

    /// Changes with the end of each fetch.
    pub(super) fn ended(&self) -> watch::Receiver<u64> {
        self.ended.subscribe()
    }

    /// Requests a fetch, whatever was fetched a moment ago.
    pub(super) fn fetch_now(&self) {
        if !self.under_way.swap(true, Ordering::AcqRel) {
            self.wanted.notify_one();
        }
    }

    /// Requests a fetch, unless one is under way or was requested a moment ago.
    fn request_fetch(&self) {
        let now = micros(self.clock.elapsed());
        if self.under_way.load(Ordering::Acquire) || now < self.next_allowed.load(Ordering::Acquire) {
            return;
        }
        if !self.under_way.swap(true, Ordering::AcqRel) {
            // Only these fetches count, so that a key rotated just after a scheduled fetch is not refused.
            self.next_allowed.store(now.saturating_add(micros(COOL_DOWN)), Ordering::Release);
            self.wanted.notify_one();
        }
    }
}

impl KeySource for RemoteKeys {
    fn find(&self, kid: &str) -> KeyLookup {
        if !self.is_loaded() || self.is_too_old() {
            return KeyLookup::Unavailable { retry_after: RETRY_AFTER };
        }
        if let Some(key) = self.read().keys.get(kid) {
            return KeyLookup::Found(key.clone());
        }
        self.request_fetch();
        if self.failing.load(Ordering::Acquire) || self.is_replaced() {
            // The key may have been published after the last good set.
            return KeyLookup::Unavailable { retry_after: RETRY_AFTER };
        }
        KeyLookup::Unknown
    }

    fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }
}

fn none_usable(problems: &[KeyProblem]) -> LoadError {
    LoadError::NoneUsable(problems.len())
}

fn published(body: &[u8]) -> Vec<String> {
    #[derive(Deserialize)]
    struct Set {
        keys: Vec<Value>,
    }
    let set = serde_json::from_slice::<Set>(body);
    let mut keys: Vec<_> = set.map(|set| set.keys.iter().map(Value::to_string).collect()).unwrap_or_default();
    keys.sort_unstable();
    keys
}

/// How long a response is valid (RFC 9111 §5.2.2.1), within bounds.
fn max_age(headers: &HeaderMap) -> Duration {
    let mut directives = headers.get_all(CACHE_CONTROL).iter().filter_map(|value| value.to_str().ok());
    let stated = directives.find_map(|value| value.split(',').find_map(stated_max_age));
    let age = seconds(headers, &AGE).unwrap_or_default();
    let left = stated.map_or(DEFAULT_MAX_AGE, |stated| Duration::from_secs(stated.saturating_sub(age)));
    left.clamp(LEAST_MAX_AGE, MOST_MAX_AGE)
}

fn stated_max_age(directive: &str) -> Option<u64> {
    let (name, value) = directive.split_once('=').unwrap_or((directive, ""));
    match name.trim().to_ascii_lowercase().as_str() {
        "max-age" => value.trim().trim_matches('"').parse().ok(),
        "no-store" | "no-cache" => Some(0),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use reqwest::header::HeaderValue;

    use super::*;

    #[test]
    fn a_response_is_valid_for_its_max_age_within_bounds() {
        for (cache_control, age, expected) in [
            (None, None, 300),
            (Some("public, max-age=600"), None, 600),
            (Some("public, max-age=600"), Some("100"), 500),
            (Some("Max-Age=\"600\""), None, 600),
            (Some("max-age=1"), None, 60),
            (Some("no-store"), None, 60),
            (Some("max-age=99999999"), None, 86_400),
            (Some("max-age=x"), None, 300),
            (Some("s-maxage=9"), None, 300),
        ] {
            let mut headers = HeaderMap::new();
            if let Some(value) = cache_control {
                headers.insert(CACHE_CONTROL, HeaderValue::from_static(value));
            }
            if let Some(value) = age {
                headers.insert(AGE, HeaderValue::from_static(value));
            }
            assert_eq!(max_age(&headers), Duration::from_secs(expected), "{cache_control:?} {age:?}");
        }
    }
}
