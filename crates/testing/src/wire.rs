//! A TCP proxy between a server and its PostgreSQL that can go silent, or lose a response at the worst moment.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use ficha_store::testing::TestDatabase;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use url::Url;

/// What happens to the traffic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    Forward,
    /// Nothing arrives, and no connection is closed.
    Silent,
    /// The response with this tag (a command's `CommandComplete`) does not arrive, and its connection is closed.
    Lose(&'static str),
}

/// The proxy; dropping it closes its connections.
pub struct Wire {
    url: String,
    /// Where new connections go.
    target: watch::Sender<(String, u16)>,
    /// Raised to close every connection.
    cuts: watch::Sender<usize>,
    mode: Arc<watch::Sender<Mode>>,
    listeners: Arc<Listeners>,
    accepting: JoinHandle<()>,
}

/// The connections that have sent LISTEN, in that order. The first `deaf` of them receive nothing any more.
#[derive(Default)]
struct Listeners {
    count: AtomicUsize,
    /// The highest number, from 1, of those that have received a notification.
    heard: AtomicUsize,
    deaf: watch::Sender<usize>,
}

impl Wire {
    /// A proxy to the PostgreSQL of this test's database.
    pub async fn to(database: &TestDatabase) -> Self {
        let mut url = Url::parse(database.url()).expect("a URL");
        let server = (url.host_str().expect("a host").to_owned(), url.port().unwrap_or(5432));
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a free port");
        let address: SocketAddr = listener.local_addr().expect("an address");
        url.set_host(Some("127.0.0.1")).expect("a host");
        url.set_port(Some(address.port())).expect("a port");
        let mode = Arc::new(watch::Sender::new(Mode::Forward));
        let listeners = Arc::new(Listeners::default());
        let (target, cuts) = (watch::Sender::new(server), watch::Sender::new(0));
        let connections = accept(listener, target.subscribe(), cuts.subscribe(), mode.clone(), listeners.clone());
        let accepting = tokio::spawn(connections);
        Self { url: url.into(), target, cuts, mode, listeners, accepting }
    }

    /// From now on, new connections go to another server, as after a failover. The existing ones stay.
    pub fn move_to(&self, server: (String, u16)) {
        self.target.send_replace(server);
    }

    /// Closes every connection.
    pub fn cut(&self) {
        self.cuts.send_modify(|cuts| *cuts += 1);
    }

    /// The URL of the database through this proxy.
    pub fn url(&self) -> String {
        self.url.clone()
    }

    /// From now on, nothing arrives.
    pub fn silence(&self) {
        self.mode.send_replace(Mode::Silent);
    }

    /// How many connections have sent LISTEN so far.
    pub fn listeners(&self) -> usize {
        self.listeners.count.load(Ordering::SeqCst)
    }

    /// True once the newest of them has received a notification.
    pub fn hears(&self) -> bool {
        self.listeners.heard.load(Ordering::SeqCst) == self.listeners()
    }

    /// From now on, those connections receive nothing, and stay open. All others work as before.
    pub fn deafen(&self) {
        self.listeners.deaf.send_replace(self.listeners());
    }

    /// Delivers what was held back, and forwards again.
    pub fn resume(&self) {
        self.mode.send_replace(Mode::Forward);
    }

    /// Loses the next response to a command with this tag, such as `COMMIT`, after the database has executed it.
    pub fn lose(&self, tag: &'static str) {
        self.mode.send_replace(Mode::Lose(tag));
    }

    /// True once such a response was lost.
    pub fn has_lost(&self) -> bool {
        *self.mode.borrow() == Mode::Forward
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn accept(
    listener: TcpListener,
    target: watch::Receiver<(String, u16)>,
    cuts: watch::Receiver<usize>,
    mode: Arc<watch::Sender<Mode>>,
    listeners: Arc<Listeners>,
) {
    // Dropping this task closes every connection.
    let mut connections = tokio::task::JoinSet::new();
    while let Ok((client, _)) = listener.accept().await {
        let (server, mode, listeners) = (target.borrow().clone(), mode.clone(), listeners.clone());
        let mut cuts = cuts.clone();
        cuts.mark_unchanged();
        connections.spawn(async move {
            // While a server is being replaced, the port may be closed.
            let Ok(server) = TcpStream::connect(server).await else { return };
            let listens_as = AtomicUsize::new(usize::MAX);
            let ((from_client, to_client), (from_server, to_server)) = (client.into_split(), server.into_split());
            // When one direction ends, so does the other.
            tokio::select! {
                () = requests(from_client, to_server, mode.subscribe(), &listeners, &listens_as) => {}
                () = responses(from_server, to_client, &mode, &listeners, &listens_as) => {}
                _ = cuts.changed() => {}
            }
        });
    }
}

async fn requests(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    mut mode: watch::Receiver<Mode>,
    listeners: &Listeners,
    listens_as: &AtomicUsize,
) {
    let mut chunk = vec![0; 65_536];
    while let Ok(count @ 1..) = from.read(&mut chunk).await {
        if chunk[..count].windows(6).any(|word| word == b"LISTEN") && listens_as.load(Ordering::SeqCst) == usize::MAX {
            listens_as.store(listeners.count.fetch_add(1, Ordering::SeqCst), Ordering::SeqCst);
        }
        if mode.wait_for(|mode| *mode != Mode::Silent).await.is_err() || to.write_all(&chunk[..count]).await.is_err() {
            return;
        }
    }
}

async fn responses(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    mode: &watch::Sender<Mode>,
    listeners: &Listeners,
    listens_as: &AtomicUsize,
) {
    let (mut watched, mut deaf) = (mode.subscribe(), listeners.deaf.subscribe());
    let mut chunk = vec![0; 65_536];
    while let Ok(count @ 1..) = from.read(&mut chunk).await {
        let Ok(now) = watched.wait_for(|mode| *mode != Mode::Silent).await.map(|mode| *mode) else { return };
        if deaf.wait_for(|deaf| listens_as.load(Ordering::SeqCst) >= *deaf).await.is_err() {
            return;
        }
        if let Mode::Lose(tag) = now
            && completes(&chunk[..count], tag)
        {
            // A command outside a transaction has committed once `ReadyForQuery` arrives.
            let mut text = chunk[..count].to_vec();
            while !text.ends_with(b"Z\0\0\0\x05I") {
                let Ok(count @ 1..) = from.read(&mut chunk).await else { break };
                text.extend_from_slice(&chunk[..count]);
            }
            mode.send_replace(Mode::Forward);
            return;
        }
        if to.write_all(&chunk[..count]).await.is_err() {
            return;
        }
        let listener = listens_as.load(Ordering::SeqCst);
        // A NotificationResponse begins with `A` and its length.
        if listener != usize::MAX && chunk[..count].windows(4).any(|window| window == b"A\0\0\0") {
            listeners.heard.fetch_max(listener + 1, Ordering::SeqCst);
        }
    }
}

/// True if there is a `CommandComplete` message with this tag: its length, the tag, and a NUL.
fn completes(response: &[u8], tag: &str) -> bool {
    let length = (tag.len() as u32 + 5).to_be_bytes();
    let message = [b"C", &length[..], tag.as_bytes(), b"\0"].concat();
    response.windows(message.len()).any(|window| window == message)
}
