//! How this service names itself to the authorization server, which can then say who refuses a revoked token.

use std::time::Duration;

use ficha_token::{SystemEntropy, random_uuid};
use url::form_urlencoded::Serializer;
use url::{Url, UrlQuery};

use crate::source::OnStale;

/// The longest name, in bytes.
const LONGEST: usize = 64;
/// The parameters of each poll.
const NAMES: [&str; 5] = ["service", "instance", "lease", "stale", "version"];
/// How much of the machine's name is shown.
const LONGEST_HOST: usize = 40;

/// The name of this follower, and what it does if it is cut off.
#[derive(Debug, Clone)]
pub(crate) struct Name {
    service: String,
    instance: String,
    lease: Duration,
    accepts_stale: bool,
}

impl Name {
    /// `service` may be an audience, that is a URL: what a name can't have in it is left out or replaced.
    pub(crate) fn new(service: &str, instance: Option<&str>, lease: Duration, on_stale: OnStale) -> Self {
        let service = service.split_once("://").map_or(service, |(_, rest)| rest).trim_end_matches('/');
        let instance = instance.map_or_else(new_instance, |given| cleaned(given, LONGEST));
        let accepts_stale = on_stale != OnStale::Refuse;
        Self { service: cleaned(service, LONGEST), instance, lease, accepts_stale }
    }

    /// The parameters of each poll.
    pub(super) fn append(&self, query: &mut Serializer<'_, UrlQuery<'_>>, accepts_stale: bool) {
        query.append_pair("service", &self.service).append_pair("instance", &self.instance);
        // Rounded up: the server must not take this service for one that refuses everything already.
        let lease = self.lease.as_secs() + u64::from(self.lease.subsec_nanos() > 0);
        query.append_pair("lease", &lease.to_string());
        query.append_pair("stale", if self.accepts_stale || accepts_stale { "accept" } else { "refuse" });
        query.append_pair("version", &cleaned(env!("CARGO_PKG_VERSION"), LONGEST));
    }

    /// The denylist's address without parameters of the same names, which a server would refuse as repeated.
    pub(super) fn room_in(url: &Url) -> Url {
        let is_ours = |name: &str| NAMES.contains(&name);
        if !url.query_pairs().any(|(name, _)| is_ours(&name)) {
            return url.clone();
        }
        let mut free = url.clone();
        free.set_query(None);
        free.query_pairs_mut().extend_pairs(url.query_pairs().filter(|(name, _)| !is_ours(name)));
        free
    }

    /// The denylist's address with these parameters.
    #[cfg(test)]
    fn on(&self, url: &str) -> Url {
        let mut url: Url = url.parse().unwrap();
        self.append(&mut url.query_pairs_mut(), false);
        url
    }
}

/// Unique: a name that two followers share says less than none.
fn new_instance() -> String {
    let unique = random_uuid(&SystemEntropy).simple().to_string();
    // Only for whoever reads it; if the system does not tell, the rest is enough.
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    match host.trim() {
        "" => unique,
        host => format!("{}-{}", cleaned(host, LONGEST_HOST), &unique[..16]),
    }
}

/// Only what a name may have in it, and something.
fn cleaned(text: &str, longest: usize) -> String {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | ':' | '-');
    let name: String = text.chars().map(|c| if allowed(c) { c } else { '-' }).take(longest).collect();
    if name.is_empty() { "-".to_owned() } else { name }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEASE: Duration = Duration::from_millis(30_500);

    #[test]
    fn an_audience_becomes_a_name() {
        let name = |audience: &str| Name::new(audience, Some("i"), LEASE, OnStale::Refuse).service;
        assert_eq!(name("notes"), "notes");
        assert_eq!(name("https://notes.example.com/"), "notes.example.com");
        assert_eq!(name("https://example.com/api v1"), "example.com-api-v1");
        assert_eq!(name("日本"), "--");
        assert_eq!((name("").as_str(), name(&"x".repeat(99)).len()), ("-", 64));
    }

    #[test]
    fn each_follower_has_a_name_of_its_own() {
        let instance = || Name::new("s", None, LEASE, OnStale::Refuse).instance;
        let (one, other) = (instance(), instance());
        assert!(one != other && one.len() <= LONGEST && one == cleaned(&one, LONGEST), "{one} {other}");
        assert_eq!(Name::new("s", Some("pod/7"), LEASE, OnStale::Refuse).instance, "pod-7");
    }

    #[test]
    fn the_poll_tells_lease_and_choice() {
        let url = Name::new("s", Some("i"), LEASE, OnStale::Refuse).on("http://127.0.0.1/denylist?a=b");
        let version = env!("CARGO_PKG_VERSION");
        assert_eq!(url.query().unwrap(), format!("a=b&service=s&instance=i&lease=31&stale=refuse&version={version}"));
    }
}
