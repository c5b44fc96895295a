//! What a metrics endpoint wants to know.

use std::fmt;
use std::time::Duration;

use prometheus_client::encoding::{EncodeMetric, MetricEncoder, prometheus_text};
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::metrics::{MetricType, TypedMetric};
use prometheus_client::registry::Registry;

use crate::cache::CacheStats;

/// Statistics about one issuer. Counters begin at the start of the process.
///
/// ```
/// use ficha_resource::TestIssuer;
///
/// let text = TestIssuer::new().oauth2().stats().prometheus();
/// assert!(text.contains("ficha_resource_ready{issuer=\"https://issuer.test\"} 1\n"));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Stats {
    /// The issuer.
    pub issuer: String,
    /// True if the service can decide about tokens at the moment.
    pub ready: bool,
    /// How many keys are known.
    pub keys: usize,
    /// Successful fetches of the key set.
    pub key_fetches_ok: u64,
    /// Failed fetches of the key set.
    pub key_fetches_failed: u64,
    /// Why the issuer's metadata could not be read, if the last attempt failed. Like the other errors here it is text for
    /// people, and contains no secret.
    pub metadata_error: Option<String>,
    /// Why the keys could not be read, if the last attempt failed.
    pub keys_error: Option<String>,
    /// The denylist, if there is one.
    pub denylist: Option<DenylistStats>,
    /// The verified-token cache.
    pub cache: CacheStats,
}

/// The denylist's part of [`Stats`].
///
/// ```
/// # fn example(oauth2: &ficha_resource::OAuth2PasswordBearer) {
/// if let Some(denylist) = oauth2.stats().denylist {
///     println!("{} denied ids, read {:?} ago", denylist.entries, denylist.staleness);
/// }
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct DenylistStats {
    /// Time since the last poll was sent that made the replica current. `None` before the first.
    pub staleness: Option<Duration>,
    /// How many ids are denied.
    pub entries: usize,
    /// How much memory they take, in bytes.
    pub bytes: usize,
    /// Polls that were answered.
    pub polls_ok: u64,
    /// Polls that failed, or whose answer could not be used.
    pub polls_failed: u64,
    /// How often the server did not know the cursor and sent the whole list.
    pub resets: u64,
    /// Why the denylist could not be read, if the last attempt failed.
    pub error: Option<String>,
}

impl Stats {
    /// As Prometheus text (exposition format 0.0.4), each metric with the label `issuer`.
    pub fn prometheus(&self) -> String {
        Self::prometheus_of([self])
    }

    /// The same for several issuers in one text, in which each metric may appear only once.
    pub fn prometheus_of<'s>(all: impl IntoIterator<Item = &'s Self>) -> String {
        let all: Vec<&Self> = all.into_iter().collect();
        let mut registry = Registry::default();
        for (name, help, value) in COUNTERS {
            registry.register(*name, *help, Samples::of(&all, value, ConstCounter::new));
        }
        for (name, help, value) in GAUGES {
            registry.register(*name, *help, Samples::of(&all, value, ConstGauge::new));
        }
        let staleness = |stats: &Self| Some(stats.denylist.as_ref()?.staleness?.as_secs_f64());
        registry.register(
            "ficha_resource_denylist_staleness_seconds",
            "Time since the last poll was sent that made the replica current",
            Samples::of(&all, staleness, ConstGauge::new),
        );
        let mut text = String::new();
        // Writing to a string does not fail.
        let _ = prometheus_text::encode(&mut text, &registry);
        text
    }
}

type Value = fn(&Stats) -> Option<u64>;

const COUNTERS: &[(&str, &str, Value)] = &[
    ("ficha_resource_denylist_polls", "Polls of the denylist, the failed ones included", |stats| {
        stats.denylist.as_ref().map(|list| list.polls_ok + list.polls_failed)
    }),
    (
        "ficha_resource_denylist_polls_failed",
        "Polls of the denylist that failed, or whose answer could not be used",
        |stats| Some(stats.denylist.as_ref()?.polls_failed),
    ),
    (
        "ficha_resource_denylist_resets",
        "How often the server did not know the cursor and sent the whole list",
        |stats| Some(stats.denylist.as_ref()?.resets),
    ),
    ("ficha_resource_key_fetches", "Successful fetches of the key set", |stats| Some(stats.key_fetches_ok)),
    ("ficha_resource_key_fetches_failed", "Failed fetches of the key set", |stats| Some(stats.key_fetches_failed)),
    ("ficha_resource_token_cache_hits", "Tokens found in the cache", |stats| Some(stats.cache.hits)),
    ("ficha_resource_token_cache_misses", "Tokens not found in the cache, invalid ones included", |stats| {
        Some(stats.cache.misses)
    }),
    ("ficha_resource_token_cache_evictions", "Tokens evicted from the cache before they expired", |stats| {
        Some(stats.cache.evictions)
    }),
];

const GAUGES: &[(&str, &str, Value)] = &[
    ("ficha_resource_ready", "1 if the service can decide about tokens", |stats| Some(u64::from(stats.ready))),
    ("ficha_resource_denylist_entries", "Denied ids", |stats| Some(stats.denylist.as_ref()?.entries as u64)),
    ("ficha_resource_denylist_bytes", "Memory used by the replica", |stats| {
        Some(stats.denylist.as_ref()?.bytes as u64)
    }),
    ("ficha_resource_keys", "Known signing keys", |stats| Some(stats.keys as u64)),
    ("ficha_resource_token_cache_entries", "Tokens in the cache", |stats| Some(stats.cache.entries as u64)),
    ("ficha_resource_token_cache_bytes", "Memory used by the cache, estimated", |stats| Some(stats.cache.bytes as u64)),
];

/// One metric of every issuer that has it, with the label `issuer`.
#[derive(Debug)]
struct Samples<M>(Vec<([(&'static str, String); 1], M)>);

impl<M> Samples<M> {
    fn of<T>(all: &[&Stats], value: impl Fn(&Stats) -> Option<T>, metric: impl Fn(T) -> M) -> Self {
        let sample = |stats: &&Stats| Some(([("issuer", stats.issuer.clone())], metric(value(stats)?)));
        Self(all.iter().filter_map(sample).collect())
    }
}

impl<M: EncodeMetric + TypedMetric> EncodeMetric for Samples<M> {
    fn encode(&self, mut encoder: MetricEncoder<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|(labels, metric)| metric.encode(encoder.encode_family(labels)?))
    }

    fn metric_type(&self) -> MetricType {
        M::TYPE
    }

    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stats(issuer: &str) -> Stats {
        let denylist =
            DenylistStats { staleness: Some(Duration::from_millis(1_500)), entries: 7, ..Default::default() };
        Stats { issuer: issuer.to_owned(), ready: true, keys: 2, denylist: Some(denylist), ..Stats::default() }
    }

    #[test]
    fn each_metric_stands_once_whatever_the_number_of_issuers() {
        let text = Stats::prometheus_of([&stats("https://a"), &stats("https://b\"\\\n")]);
        assert_eq!(text.matches("# TYPE ficha_resource_denylist_entries gauge\n").count(), 1);
        assert!(text.contains("ficha_resource_denylist_entries{issuer=\"https://a\"} 7\n"), "{text}");
        assert!(text.contains(r#"ficha_resource_denylist_staleness_seconds{issuer="https://b\"\\\n"} 1.5"#), "{text}");
        assert!(text.contains("# TYPE ficha_resource_denylist_polls_total counter\n"));
        assert!(text.contains("ficha_resource_ready{issuer=\"https://a\"} 1\n"));
    }

    #[test]
    fn what_is_not_there_is_left_out() {
        let text = Stats { denylist: None, ..stats("https://a") }.prometheus();
        assert!(!text.contains("denylist") && text.contains("ficha_resource_keys"), "{text}");
    }
}
