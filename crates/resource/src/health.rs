//! What a health endpoint and a metrics endpoint want to know.

use std::fmt::{self, Write as _};
use std::time::Duration;

use crate::cache::CacheStats;

/// Why a service can't vouch for any token now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum NotReady {
    /// The issuer's metadata have not been read yet.
    NoMetadata,
    /// The signing keys have not been read yet.
    NoKeys,
    /// The signing keys could not be read for longer than the outage limit.
    KeysTooOld,
    /// The denylist has not been read to its end yet.
    NoDenylist,
    /// The lease is over: nobody has vouched for the denylist for too long. It does not count where stale lists are
    /// accepted ([`OnStale::Accept`](crate::OnStale::Accept)).
    LeaseOver,
}

/// Whether a service can decide about tokens now, and if not, why not.
///
/// ```
/// # async fn example(oauth2: ficha_resource::OAuth2PasswordBearer) {
/// let readiness = oauth2.ready();
/// let (status, body) = if readiness.is_ready() { (200, "ready".to_owned()) } else { (503, readiness.to_string()) };
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Readiness {
    reasons: Vec<NotReady>,
}

/// How following has gone so far. Counters start at the start of the process.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Stats {
    /// Whose tokens these are about.
    pub issuer: String,
    /// True if tokens can be decided about now.
    pub ready: bool,
    /// How many keys are known.
    pub keys: usize,
    /// Fetches of the key set that brought one.
    pub key_fetches_ok: u64,
    /// Fetches of the key set that failed.
    pub key_fetches_failed: u64,
    /// The denylist, if there is one.
    pub denylist: Option<DenylistStats>,
    /// The verified-token cache.
    pub cache: CacheStats,
}

/// The denylist's part of [`Stats`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct DenylistStats {
    /// How long ago the last poll was sent that made the list current. None before the first.
    pub staleness: Option<Duration>,
    /// How many ids are denied.
    pub entries: usize,
    /// How many bytes they take.
    pub bytes: usize,
    /// Polls that were answered.
    pub polls_ok: u64,
    /// Polls that failed, or whose answer did not count.
    pub polls_failed: u64,
    /// How often the server did not know our place in the list and sent all of it.
    pub resets: u64,
}

impl Readiness {
    pub(crate) fn new(reasons: Vec<NotReady>) -> Self {
        Self { reasons }
    }

    /// True if tokens can be decided about.
    pub fn is_ready(&self) -> bool {
        self.reasons.is_empty()
    }

    /// Why not.
    pub fn reasons(&self) -> &[NotReady] {
        &self.reasons
    }
}

impl fmt::Display for Readiness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_ready() {
            return f.write_str("ready");
        }
        for (position, reason) in self.reasons.iter().enumerate() {
            let separator = if position == 0 { "not ready: " } else { "; " };
            write!(f, "{separator}{reason}")?;
        }
        Ok(())
    }
}

impl fmt::Display for NotReady {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoMetadata => "the issuer's metadata have not been read yet",
            Self::NoKeys => "the signing keys have not been read yet",
            Self::KeysTooOld => "the signing keys could not be read for too long",
            Self::NoDenylist => "the denylist has not been read to its end yet",
            Self::LeaseOver => "the denylist is stale",
        })
    }
}

impl Stats {
    /// As Prometheus text (exposition format 0.0.4), each metric with the label `issuer`.
    pub fn prometheus(&self) -> String {
        Self::prometheus_of([self])
    }

    /// The same for several issuers in one text, in which each metric must stand once.
    pub fn prometheus_of<'s>(all: impl IntoIterator<Item = &'s Self>) -> String {
        let all: Vec<&Self> = all.into_iter().collect();
        let mut out = String::new();
        for metric in METRICS {
            let samples: Vec<_> = all.iter().filter_map(|one| Some((one, (metric.value)(one)?))).collect();
            if samples.is_empty() {
                continue;
            }
            let (name, kind) = (metric.name, if metric.name.ends_with("_total") { "counter" } else { "gauge" });
            // Writing to a string can't fail.
            let _ = writeln!(out, "# HELP {name} {}\n# TYPE {name} {kind}", metric.help);
            for (one, value) in samples {
                let _ = writeln!(out, "{name}{{issuer=\"{}\"}} {value}", escaped(&one.issuer));
            }
        }
        out
    }
}

struct Metric {
    name: &'static str,
    help: &'static str,
    value: fn(&Stats) -> Option<f64>,
}

const METRICS: &[Metric] = &[
    Metric {
        name: "ficha_resource_ready",
        help: "1 if tokens can be decided about now.",
        value: |stats| Some(f64::from(u8::from(stats.ready))),
    },
    Metric {
        name: "ficha_resource_denylist_staleness_seconds",
        help: "Time since the last poll was sent that made the denylist current.",
        value: |stats| Some(stats.denylist?.staleness?.as_secs_f64()),
    },
    Metric {
        name: "ficha_resource_denylist_entries",
        help: "Ids on the denylist.",
        value: |stats| Some(stats.denylist?.entries as f64),
    },
    Metric {
        name: "ficha_resource_denylist_bytes",
        help: "Memory that the denylist takes.",
        value: |stats| Some(stats.denylist?.bytes as f64),
    },
    Metric {
        name: "ficha_resource_polls_total",
        help: "Polls of the denylist that were answered.",
        value: |stats| Some(stats.denylist?.polls_ok as f64),
    },
    Metric {
        name: "ficha_resource_polls_failed_total",
        help: "Polls of the denylist that failed, or whose answer did not count.",
        value: |stats| Some(stats.denylist?.polls_failed as f64),
    },
    Metric {
        name: "ficha_resource_denylist_resets_total",
        help: "How often the server sent the whole list because it did not know our place in it.",
        value: |stats| Some(stats.denylist?.resets as f64),
    },
    Metric {
        name: "ficha_resource_keys",
        help: "Signing keys that are known.",
        value: |stats| Some(stats.keys as f64),
    },
    Metric {
        name: "ficha_resource_key_fetches_total",
        help: "Fetches of the key set that brought one.",
        value: |stats| Some(stats.key_fetches_ok as f64),
    },
    Metric {
        name: "ficha_resource_key_fetches_failed_total",
        help: "Fetches of the key set that failed.",
        value: |stats| Some(stats.key_fetches_failed as f64),
    },
    Metric {
        name: "ficha_resource_token_cache_hits_total",
        help: "Checks that found their token in the cache.",
        value: |stats| Some(stats.cache.hits as f64),
    },
    Metric {
        name: "ficha_resource_token_cache_misses_total",
        help: "Checks that did not, bad tokens among them.",
        value: |stats| Some(stats.cache.misses as f64),
    },
    Metric {
        name: "ficha_resource_token_cache_evictions_total",
        help: "Tokens that had to make room before they expired.",
        value: |stats| Some(stats.cache.evictions as f64),
    },
    Metric {
        name: "ficha_resource_token_cache_entries",
        help: "Tokens in the cache.",
        value: |stats| Some(stats.cache.entries as f64),
    },
    Metric {
        name: "ficha_resource_token_cache_bytes",
        help: "Memory that the cache takes, by estimate.",
        value: |stats| Some(stats.cache.bytes as f64),
    },
];

fn escaped(label: &str) -> String {
    label.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
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
        assert!(text.contains("# TYPE ficha_resource_polls_total counter\n"));
        assert!(text.contains("ficha_resource_ready{issuer=\"https://a\"} 1\n"));
    }

    #[test]
    fn what_is_not_there_is_left_out() {
        let text = Stats { denylist: None, ..stats("https://a") }.prometheus();
        assert!(!text.contains("denylist") && text.contains("ficha_resource_keys"), "{text}");
    }

    #[test]
    fn not_being_ready_says_why() {
        assert_eq!(Readiness::default().to_string(), "ready");
        let readiness = Readiness::new(vec![NotReady::NoKeys, NotReady::LeaseOver]);
        assert!(!readiness.is_ready());
        let said = readiness.to_string();
        assert_eq!(said, "not ready: the signing keys have not been read yet; the denylist is stale");
    }
}
