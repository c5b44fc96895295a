//! A follower of the denylist's feed that only uses its protocol (docs/src/reference/denylist.md).

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use ficha_token::{DenyEntry, DenyId, DenyPage, DenySet};
use form_urlencoded::byte_serialize;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::JoinSet;

use crate::Outcome;
use crate::drive::Connection;

/// How long a poll waits, in seconds: a third of the usual lease.
pub const WAIT: u64 = 10;
/// A follower that has not received a revocation by then never will.
const GIVE_UP: Duration = Duration::from_secs(20);

/// One connection, and its position in the list.
pub struct Follower {
    connection: Connection,
    authorization: String,
    cursor: Option<String>,
    polls: u64,
}

impl Follower {
    /// Connects, without reading anything yet.
    pub async fn open(address: SocketAddr, authorization: &str) -> Outcome<Self> {
        let connection = Connection::open(address).await?;
        Ok(Self { connection, authorization: authorization.into(), cursor: None, polls: 0 })
    }

    /// Polls once. At the end of the list, the answer waits for the next revocation, up to `wait` seconds.
    pub async fn poll(&mut self, wait: u64) -> Outcome<DenyPage> {
        self.polls += 1;
        let nonce = format!("{:016x}", self.polls);
        let after = self.cursor.as_ref().map(|cursor| byte_serialize(cursor.as_bytes()).collect::<String>());
        let after = after.map(|cursor| format!("after={cursor}&wait={wait}&")).unwrap_or_default();
        let path = format!("/denylist?{after}nonce={nonce}");
        let answer = self.connection.get(&path, Some(&self.authorization)).await?;
        if answer.status != 200 {
            return Err(format!("a follower got {}", answer.status).into());
        }
        let page: DenyPage = serde_json::from_slice(&answer.body)?;
        if page.nonce.as_deref() != Some(nonce.as_str()) {
            return Err("the answer did not repeat the follower's nonce".into());
        }
        self.cursor = Some(page.cursor.clone());
        Ok(page)
    }

    /// Reads to the end of the list, and returns the number of entries.
    pub async fn catch_up(&mut self, mut apply: impl FnMut(DenyEntry)) -> Outcome<usize> {
        let mut count = 0;
        loop {
            let page = self.poll(0).await?;
            count += page.entries.len();
            page.entries.into_iter().for_each(&mut apply);
            if !page.more {
                return Ok(count);
            }
        }
    }
}

/// Waiting followers, and a channel of the entries that they receive.
pub struct Crowd {
    count: usize,
    news: UnboundedReceiver<(DenyId, Instant)>,
    tasks: JoinSet<Outcome<()>>,
}

impl Crowd {
    /// Lets `count` followers read the list and wait. With `sets`, each has its own denylist and reports an id once it
    /// is in there.
    pub async fn gather(address: SocketAddr, authorization: &str, count: usize, sets: bool) -> Outcome<Self> {
        let (sender, news) = unbounded_channel();
        let mut tasks = JoinSet::new();
        for _ in 0..count {
            let mut follower = Follower::open(address, authorization).await?;
            let set = sets.then(DenySet::new);
            let apply = |entry| {
                if let Some(set) = &set {
                    set.insert(entry);
                }
            };
            follower.catch_up(apply).await?;
            tasks.spawn(follow(follower, set, sender.clone()));
        }
        Ok(Self { count, news, tasks })
    }

    /// When each of them had applied `id`, in order.
    pub async fn applied(&mut self, id: DenyId) -> Outcome<Vec<Instant>> {
        let mut times = Vec::with_capacity(self.count);
        let all = async {
            while times.len() < self.count {
                let (seen, at) = self.news.recv().await.ok_or("the followers are gone")?;
                if seen == id {
                    times.push(at);
                }
            }
            Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
        };
        let seen = tokio::time::timeout(GIVE_UP, all).await;
        // A follower only ends with an error, which says more than the timeout.
        if let Some(ended) = self.tasks.try_join_next() {
            ended??;
        }
        seen.map_err(|_| format!("only {} of {} followers received a revocation", times.len(), self.count))??;
        times.sort_unstable();
        Ok(times)
    }
}

async fn follow(
    mut follower: Follower,
    set: Option<DenySet>,
    sender: UnboundedSender<(DenyId, Instant)>,
) -> Outcome<()> {
    loop {
        let page = follower.poll(WAIT).await?;
        for entry in page.entries {
            if let Some(set) = &set {
                set.insert(entry);
            }
            if sender.send((entry.id, Instant::now())).is_err() {
                return Ok(());
            }
        }
    }
}
