//! How many connections each source may hold, so that one host can't shut out the others.
//!
//! Descriptors are what a server runs out of first. A source (an IPv4 address, or an IPv6 /64) holds at most a quarter of
//! them with connections on which nobody has authenticated, and at most half of them in all. When nearly all are taken,
//! only sources that hold a few get another: health checks, for example. The last ones are kept for the server itself.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use ipnet::IpNet;
use tokio::sync::watch;

/// This part of the descriptors is kept for sources that hold only a few connections; half of it for the database and
/// files.
const RESERVED_SHARE: usize = 8;
/// More connections than this need more memory than a server has.
const MOST: usize = 65_536;
/// What counts as a few.
const A_FEW: usize = 4;

/// All connections of a server.
#[derive(Debug)]
pub struct Connections {
    /// The most of one source on which nobody has authenticated, and the most of one source.
    per_source: (usize, usize),
    /// The most of all sources, except for those that hold a few; and the most of all.
    in_all: (usize, usize),
    /// Their connections carry the requests of many, so they are not limited.
    trusted: Vec<IpNet>,
    open: Mutex<Open>,
    refused: AtomicUsize,
}

#[derive(Debug, Default)]
struct Open {
    all: usize,
    by_source: HashMap<IpAddr, Held>,
}

/// The connections of one source.
#[derive(Debug, Default, Clone, Copy)]
struct Held {
    all: usize,
    /// Those on which nobody has authenticated.
    anonymous: usize,
}

/// One of them. It counts until it is dropped.
#[derive(Debug)]
pub struct Connection {
    all: Arc<Connections>,
    source: Option<IpAddr>,
    /// True while it counts for its source.
    anonymous: AtomicBool,
    /// Requests on it that the server is working on.
    busy: AtomicUsize,
    closing: AtomicBool,
    gone: watch::Sender<bool>,
}

/// Marks a connection as busy until it is dropped.
pub struct Busy(Arc<Connection>);

impl Connections {
    /// `descriptors` is how many files this process may open. `per_source` of them: a quarter, if not set.
    pub fn new(descriptors: usize, per_source: Option<usize>, trusted: Vec<IpNet>) -> Arc<Self> {
        let descriptors = descriptors.min(MOST);
        let reserved = descriptors / RESERVED_SHARE;
        let anonymous = per_source.unwrap_or(descriptors / 4).max(1);
        Arc::new(Self {
            per_source: (anonymous, anonymous.max(descriptors / 2)),
            in_all: (descriptors - reserved, descriptors - reserved / 2),
            trusted,
            open: Mutex::default(),
            refused: AtomicUsize::new(0),
        })
    }

    /// Counts a new connection; `None` if its source holds too many, and it must be closed.
    pub fn admit(self: &Arc<Self>, peer: Option<SocketAddr>) -> Option<Arc<Connection>> {
        let source = peer.map(|peer| peer.ip().to_canonical());
        let source = source.filter(|ip| !self.trusted.iter().any(|network| network.contains(ip))).map(network_of);
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let held = source.map(|source| open.by_source.get(&source).copied().unwrap_or_default());
        let is_full = open.all >= self.in_all.1
            || held.is_some_and(|held| {
                held.anonymous >= self.per_source.0
                    || held.all >= self.per_source.1
                    || (open.all >= self.in_all.0 && held.all >= A_FEW)
            });
        if is_full {
            self.refused.fetch_add(1, Ordering::Relaxed);
            return None;
        }
        if let Some(source) = source {
            let held = open.by_source.entry(source).or_default();
            held.all += 1;
            held.anonymous += 1;
        }
        open.all += 1;
        drop(open);
        Some(Arc::new(Connection {
            all: Arc::clone(self),
            source,
            anonymous: AtomicBool::new(source.is_some()),
            busy: AtomicUsize::new(0),
            closing: AtomicBool::new(false),
            gone: watch::Sender::new(false),
        }))
    }

    /// How many are open.
    pub fn open(&self) -> usize {
        self.open.lock().unwrap_or_else(PoisonError::into_inner).all
    }

    /// How many were refused so far.
    pub fn refused(&self) -> usize {
        self.refused.load(Ordering::Relaxed)
    }

    /// How many there may be at once.
    pub fn most(&self) -> usize {
        self.in_all.1
    }

    fn change(&self, source: IpAddr, change: impl FnOnce(&mut Held)) {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(held) = open.by_source.get_mut(&source) {
            change(held);
            if held.all == 0 {
                open.by_source.remove(&source);
            }
        }
    }
}

impl Connection {
    /// Somebody has authenticated on it: from now on it does not count for its source.
    pub fn authenticated(&self) {
        if self.anonymous.swap(false, Ordering::AcqRel)
            && let Some(source) = self.source
        {
            self.all.change(source, |held| held.anonymous -= 1);
        }
    }

    /// The server is working on a request until the result is dropped, so the client may be silent.
    pub fn work(self: &Arc<Self>) -> Busy {
        self.busy.fetch_add(1, Ordering::AcqRel);
        Busy(Arc::clone(self))
    }

    /// True while the server is working on a request.
    pub fn is_busy(&self) -> bool {
        self.busy.load(Ordering::Acquire) > 0
    }

    /// It is to be closed soon: what the client is still sending is not read.
    pub fn close_soon(&self) {
        self.closing.store(true, Ordering::Release);
    }

    /// The client sends nothing more: it has hung up, or at least shut down its side.
    pub fn hang_up(&self) {
        self.gone.send_replace(true);
    }

    /// Ready once the client has hung up.
    pub async fn hung_up(&self) {
        // The sender is ours.
        let _ = self.gone.subscribe().wait_for(|gone| *gone).await;
    }

    /// True after [`Connection::close_soon`].
    pub fn is_closing(&self) -> bool {
        self.closing.load(Ordering::Acquire)
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.busy.fetch_sub(1, Ordering::AcqRel);
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.authenticated();
        if let Some(source) = self.source {
            self.all.change(source, |held| held.all -= 1);
        }
        self.all.open.lock().unwrap_or_else(PoisonError::into_inner).all -= 1;
    }
}

/// A host has one IPv4 address, but usually a whole IPv6 /64.
fn network_of(ip: IpAddr) -> IpAddr {
    match ip {
        IpAddr::V4(_) => ip,
        IpAddr::V6(v6) => {
            let [a, b, c, d, ..] = v6.segments();
            IpAddr::from([a, b, c, d, 0, 0, 0, 0])
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from(ip: &str) -> Option<SocketAddr> {
        Some((ip.parse::<IpAddr>().unwrap(), 5000).into())
    }

    #[test]
    fn a_source_is_limited_and_others_are_not() {
        let all = Connections::new(1_000, Some(3), Vec::new());
        let held: Vec<_> = (0..5).filter_map(|_| all.admit(from("192.0.2.1"))).collect();
        assert_eq!((held.len(), all.open(), all.refused()), (3, 3, 2));
        assert!(all.admit(from("192.0.2.2")).is_some());
        held[0].authenticated();
        held[0].authenticated();
        let more = all.admit(from("192.0.2.1"));
        assert!(more.is_some() && all.admit(from("192.0.2.1")).is_none());
        drop((held, more));
        assert_eq!(all.open(), 0);
        assert!(all.open.lock().unwrap().by_source.is_empty());
    }

    #[test]
    fn an_ipv6_network_is_one_source_and_a_mapped_address_is_ipv4() {
        let all = Connections::new(1_000, Some(1), Vec::new());
        let first = (all.admit(from("2001:db8::1")), all.admit(from("::ffff:192.0.2.1")));
        assert!(first.0.is_some() && first.1.is_some());
        assert!(all.admit(from("2001:db8::ffff:2")).is_none() && all.admit(from("192.0.2.1")).is_none());
        assert!(all.admit(from("2001:db8:0:1::1")).is_some());
    }

    #[test]
    fn a_trusted_proxy_is_not_limited() {
        let all = Connections::new(1_000, Some(1), vec!["10.0.0.0/8".parse().unwrap()]);
        let held: Vec<_> = (0..50).filter_map(|_| all.admit(from("10.1.2.3"))).collect();
        assert_eq!((held.len(), all.open()), (50, 50));
    }

    #[test]
    fn when_nearly_all_are_taken_only_a_few_more_are_given_to_each() {
        let all = Connections::new(80, Some(40), Vec::new());
        let held: Vec<_> = ["192.0.2.1", "192.0.2.2"]
            .iter()
            .flat_map(|ip| (0..35).filter_map(|_| all.admit(from(ip))).collect::<Vec<_>>())
            .collect();
        assert_eq!(held.len(), 70);
        let few: Vec<_> = (0..10).filter_map(|_| all.admit(from("192.0.2.3"))).collect();
        assert_eq!(few.len(), A_FEW);
    }

    #[test]
    fn authenticating_on_each_connection_does_not_take_all_of_them() {
        let all = Connections::new(80, None, Vec::new());
        let hold = |ip: &str| {
            let admitted = all.admit(from(ip));
            if let Some(connection) = &admitted {
                connection.authenticated();
            }
            admitted
        };
        let held: Vec<_> = (0..100).filter_map(|_| hold("192.0.2.1")).collect();
        assert_eq!(held.len(), 40, "half");
        let more: Vec<_> = (0..100).filter_map(|_| hold("192.0.2.2")).collect();
        assert_eq!(more.len(), 30, "until only the reserve is left");
        let few: Vec<_> = (0..24).filter_map(|n| hold(&format!("192.0.2.{}", 3 + n / 4))).collect();
        assert_eq!(few.len(), 5, "and never the last ones");
    }

    #[test]
    fn a_connection_is_busy_until_the_last_request_ends() {
        let all = Connections::new(80, None, Vec::new());
        let connection = all.admit(from("192.0.2.1")).unwrap();
        let (first, second) = (connection.work(), connection.work());
        drop(first);
        assert!(connection.is_busy());
        drop(second);
        assert!(!connection.is_busy());
    }
}
