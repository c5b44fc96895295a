//! A wire between a server and its PostgreSQL that a test can hold, or cut at the worst moment.

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

/// What becomes of what is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    Forward,
    /// Nothing arrives, and no connection ends.
    Silent,
    /// The answer with this tag (a command's `CommandComplete`) does not arrive, and its connection ends.
    Lose(&'static str),
}

/// The wire; it goes with its value.
pub struct Wire {
    url: String,
    mode: Arc<watch::Sender<Mode>>,
    listeners: Arc<Listeners>,
    accepting: JoinHandle<()>,
}

/// Connections that have said LISTEN, in the order in which they did. The first `deaf` of them hear nothing any more.
#[derive(Default)]
struct Listeners {
    count: AtomicUsize,
    deaf: watch::Sender<usize>,
}

impl Wire {
    /// To the PostgreSQL that this test's database is on.
    pub async fn to(database: &TestDatabase) -> Self {
        let mut url = Url::parse(database.url()).expect("a URL");
        let server = (url.host_str().expect("a host").to_owned(), url.port().unwrap_or(5432));
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a free port");
        let address: SocketAddr = listener.local_addr().expect("an address");
        url.set_host(Some("127.0.0.1")).expect("a host");
        url.set_port(Some(address.port())).expect("a port");
        let mode = Arc::new(watch::Sender::new(Mode::Forward));
        let listeners = Arc::new(Listeners::default());
        let accepting = tokio::spawn(accept(listener, server, mode.clone(), listeners.clone()));
        Self { url: url.into(), mode, listeners, accepting }
    }

    /// What a server's configuration takes as the database's URL.
    pub fn url(&self) -> String {
        self.url.clone()
    }

    /// From now on nothing arrives.
    pub fn silence(&self) {
        self.mode.send_replace(Mode::Silent);
    }

    /// How many connections have said LISTEN so far.
    pub fn listeners(&self) -> usize {
        self.listeners.count.load(Ordering::SeqCst)
    }

    /// Those that have hear nothing from now on, and do not end. All else goes on.
    pub fn deafen(&self) {
        self.listeners.deaf.send_replace(self.listeners());
    }

    /// What was held arrives now.
    pub fn resume(&self) {
        self.mode.send_replace(Mode::Forward);
    }

    /// The next answer to a command with this tag, such as `COMMIT`, is lost after the database has done it.
    pub fn lose(&self, tag: &'static str) {
        self.mode.send_replace(Mode::Lose(tag));
    }

    /// True if there was such an answer.
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
    server: (String, u16),
    mode: Arc<watch::Sender<Mode>>,
    listeners: Arc<Listeners>,
) {
    // Dropped with this task, and every connection with it.
    let mut connections = tokio::task::JoinSet::new();
    while let Ok((client, _)) = listener.accept().await {
        let (server, mode, listeners) = (server.clone(), mode.clone(), listeners.clone());
        connections.spawn(async move {
            let server = TcpStream::connect(server).await.expect("PostgreSQL takes the connection");
            let listens_as = AtomicUsize::new(usize::MAX);
            let ((from_client, to_client), (from_server, to_server)) = (client.into_split(), server.into_split());
            // Whichever ends first takes the connection with it, both ways.
            tokio::select! {
                () = questions(from_client, to_server, mode.subscribe(), &listeners, &listens_as) => {}
                () = answers(from_server, to_client, &mode, &listeners, &listens_as) => {}
            }
        });
    }
}

async fn questions(
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

async fn answers(
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
            && holds(&chunk[..count], tag)
        {
            // A command that commits by itself has committed once `ReadyForQuery` has come.
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
    }
}

/// A `CommandComplete` message: its length, the tag, and a NUL.
fn holds(answer: &[u8], tag: &str) -> bool {
    let length = (tag.len() as u32 + 5).to_be_bytes();
    let message = [b"C", &length[..], tag.as_bytes(), b"\0"].concat();
    answer.windows(message.len()).any(|window| window == message)
}
