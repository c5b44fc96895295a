//! A scripted authorization server: real sockets and real HTTP, with answers that a test controls.

use std::collections::HashMap;
use std::future::Future;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use ficha_token::SigningKey;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::Instant;
use url::Url;
use uuid::Uuid;

/// The server. A test can change its answers at any time.
pub struct AuthServer {
    pub address: SocketAddr,
    script: Arc<Script>,
    task: Option<JoinHandle<()>>,
}

struct Script {
    state: Mutex<State>,
    changed: watch::Sender<u64>,
}

/// Its answers, and the requests that it has seen.
pub struct State {
    pub issuer: String,
    pub metadata: Option<Value>,
    pub jwks: Answer,
    pub feed: Feed,
    /// The denied ids, in order.
    pub entries: Vec<(Uuid, i64)>,
    /// Part of each cursor. Cursors of another history are unknown.
    pub history: String,
    pub page_size: usize,
    pub metadata_fetches: usize,
    pub jwks_fetches: usize,
    pub polls: Vec<Poll>,
    pub open_polls: usize,
}

/// A poll as it arrived.
#[derive(Clone, Debug)]
pub struct Poll {
    pub after: Option<String>,
    pub wait: Option<u64>,
    pub authorization: Option<String>,
    /// The name that the follower gives itself, and what it says about stale lists.
    pub name: [Option<String>; 3],
    /// When it arrived.
    pub at: Instant,
}

/// An answer, or none.
#[derive(Clone)]
pub enum Answer {
    Reply {
        status: u16,
        headers: String,
        body: String,
    },
    /// This body, sent later by this much.
    Late(Duration, String),
    /// The connection stays open, and nothing comes.
    Silence,
}

/// How the denylist endpoint answers.
#[derive(Clone)]
pub enum Feed {
    /// As a real server does.
    Normal,
    /// The same bytes for every poll, as from a cache that ignores the query.
    Replay(String),
    Other(Answer),
    /// At once, however long the poll asked to wait.
    NeverHolds,
}

impl Answer {
    pub fn json(body: &Value) -> Self {
        Self::Reply { status: 200, headers: String::new(), body: body.to_string() }
    }

    pub fn status(status: u16, headers: &str) -> Self {
        Self::Reply { status, headers: headers.to_owned(), body: String::new() }
    }

    pub fn with_headers(self, more: &str) -> Self {
        match self {
            Self::Reply { status, body, .. } => Self::Reply { status, headers: more.to_owned(), body },
            other => other,
        }
    }

    /// The same answer, but delayed.
    pub fn late(self, by: Duration) -> Self {
        match self {
            Self::Reply { body, .. } => Self::Late(by, body),
            other => other,
        }
    }
}

/// A published key set.
pub fn key_set(keys: &[&SigningKey]) -> Answer {
    Answer::json(&json!({ "keys": keys.iter().map(|key| key.public_jwk().unwrap()).collect::<Vec<_>>() }))
}

impl AuthServer {
    /// Listens on port 0. It has no keys and denies nothing.
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let state = State {
            issuer: format!("http://{address}"),
            metadata: None,
            jwks: key_set(&[]),
            feed: Feed::Normal,
            entries: Vec::new(),
            history: "a".to_owned(),
            page_size: 1_000,
            metadata_fetches: 0,
            jwks_fetches: 0,
            polls: Vec::new(),
            open_polls: 0,
        };
        let script = Arc::new(Script { state: Mutex::new(state), changed: watch::Sender::new(0) });
        let task = Some(tokio::spawn(serve(listener, Arc::clone(&script))));
        Self { address, script, task }
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Gives access to the state without waking held polls.
    pub fn state(&self) -> MutexGuard<'_, State> {
        self.script.state.lock().unwrap()
    }

    /// Changes the state, and wakes held polls.
    pub fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.state());
        self.script.changed.send_modify(|count| *count += 1);
    }

    pub fn deny(&self, id: Uuid, until: i64) {
        self.change(|state| state.entries.push((id, until)));
    }

    pub fn polls(&self) -> Vec<Poll> {
        self.state().polls.clone()
    }

    /// Returns once everything that could run has run. The server, the service and the test share one thread, and each
    /// of these requests takes several turns of it.
    pub async fn settle(&self) {
        let mut connection = TcpStream::connect(self.address).await.unwrap();
        for _ in 0..50 {
            connection.write_all(b"GET /nothing HTTP/1.1\r\n\r\n").await.unwrap();
            let mut answer = Vec::new();
            while !answer.ends_with(b"\r\n\r\n") {
                assert_ne!(connection.read_buf(&mut answer).await.unwrap(), 0);
            }
        }
    }

    /// Stops abruptly: closes the port and cuts every connection.
    pub async fn stop(&mut self) {
        if let Some(task) = self.task.take() {
            task.abort();
            let _ = task.await;
        }
        self.state().open_polls = 0;
    }

    /// Starts again on the same port.
    pub async fn restart(&mut self) {
        let listener = TcpListener::bind(self.address).await.unwrap();
        self.task = Some(tokio::spawn(serve(listener, Arc::clone(&self.script))));
    }
}

impl Drop for AuthServer {
    fn drop(&mut self) {
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}

async fn serve(listener: TcpListener, script: Arc<Script>) {
    // Connections end with the task.
    let mut connections = JoinSet::new();
    loop {
        let (connection, _) = listener.accept().await.unwrap();
        connections.spawn(serve_connection(connection, Arc::clone(&script)));
    }
}

async fn serve_connection(mut connection: TcpStream, script: Arc<Script>) {
    let mut buffer = Vec::new();
    while let Some(request) = read_request(&mut connection, &mut buffer).await {
        let answer = tokio::select! {
            answer = respond(&request, &script) => answer,
            // The other side hung up.
            () = hung_up(&connection) => return,
        };
        let (status, headers, body) = match answer {
            Answer::Reply { status, headers, body } => (status, headers, body),
            Answer::Late(by, body) => {
                tokio::time::sleep(by).await;
                (200, String::new(), body)
            }
            Answer::Silence => return hung_up(&connection).await,
        };
        let length = body.len();
        let head = format!("HTTP/1.1 {status} X\r\ncontent-length: {length}\r\n{headers}\r\n");
        if connection.write_all(head.as_bytes()).await.is_err() || connection.write_all(body.as_bytes()).await.is_err()
        {
            return;
        }
    }
}

async fn hung_up(connection: &TcpStream) {
    let mut byte = [0];
    while let Ok(read) = connection.peek(&mut byte).await {
        if read == 0 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

struct Request {
    url: Url,
    headers: HashMap<String, String>,
}

async fn read_request(connection: &mut TcpStream, buffer: &mut Vec<u8>) -> Option<Request> {
    let end = loop {
        if let Some(end) = buffer.windows(4).position(|window| window == b"\r\n\r\n") {
            break end;
        }
        if connection.read_buf(buffer).await.ok()? == 0 {
            return None;
        }
    };
    let head = String::from_utf8(buffer.drain(..end + 4).collect()).unwrap();
    let mut lines = head.lines();
    let target = lines.next()?.split(' ').nth(1)?;
    let url = Url::parse("http://server").unwrap().join(target).unwrap();
    let headers = lines
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
        .collect();
    Some(Request { url, headers })
}

async fn respond(request: &Request, script: &Script) -> Answer {
    match request.url.path() {
        "/denylist" => poll(request, script).await,
        "/jwks" => {
            let mut state = script.state.lock().unwrap();
            state.jwks_fetches += 1;
            state.jwks.clone()
        }
        path if path.starts_with("/.well-known/oauth-authorization-server") => {
            let mut state = script.state.lock().unwrap();
            state.metadata_fetches += 1;
            let base = state.issuer.trim_end_matches("/tenant").to_owned();
            let default = json!({
                "issuer": state.issuer,
                "token_endpoint": format!("{base}/token"),
                "jwks_uri": format!("{base}/jwks"),
                "denylist_endpoint": format!("{base}/denylist"),
            });
            let suffix = path.strip_prefix("/.well-known/oauth-authorization-server").unwrap();
            if !state.issuer.ends_with(suffix) {
                return Answer::status(404, "");
            }
            Answer::json(state.metadata.as_ref().unwrap_or(&default))
        }
        _ => Answer::status(404, ""),
    }
}

async fn poll(request: &Request, script: &Script) -> Answer {
    let query: HashMap<_, _> = request.url.query_pairs().into_owned().collect();
    let wait = query.get("wait").map(|wait| wait.parse::<u64>().unwrap());
    let authorization = request.headers.get("authorization").cloned();
    let name = ["service", "instance", "stale"].map(|name| query.get(name).cloned());
    let seen = Poll { after: query.get("after").cloned(), wait, authorization, name, at: Instant::now() };
    let mut changed = script.changed.subscribe();
    {
        let mut state = script.state.lock().unwrap();
        state.polls.push(seen);
        state.open_polls += 1;
    }
    let _open = Open(script);
    let held = async {
        loop {
            if let Some(answer) = script.state.lock().unwrap().page(&query) {
                return answer;
            }
            changed.changed().await.unwrap();
        }
    };
    within(Duration::from_secs(wait.unwrap_or(0)), held)
        .await
        .unwrap_or_else(|| script.state.lock().unwrap().empty(&query))
}

/// Counts an open poll until it is dropped.
struct Open<'s>(&'s Script);

impl Drop for Open<'_> {
    fn drop(&mut self) {
        let mut state = self.0.state.lock().unwrap();
        state.open_polls = state.open_polls.saturating_sub(1);
    }
}

async fn within<F: Future>(limit: Duration, future: F) -> Option<F::Output> {
    tokio::time::timeout(limit, future).await.ok()
}

impl State {
    /// The answer to give now. `None` if there is no news and the poll may wait.
    fn page(&self, query: &HashMap<String, String>) -> Option<Answer> {
        match &self.feed {
            Feed::Replay(body) => {
                return Some(Answer::Reply { status: 200, headers: String::new(), body: body.clone() });
            }
            Feed::Other(Answer::Silence) => return Some(Answer::Silence),
            Feed::Other(answer) => return Some(answer.clone()),
            Feed::NeverHolds => {}
            Feed::Normal => {}
        }
        let place = query.get("after").and_then(|after| after.strip_prefix(&format!("{}.", self.history)));
        let place = place.and_then(|place| place.parse::<usize>().ok());
        let reset = place.is_none() && query.contains_key("after");
        let start = place.unwrap_or(0);
        if start >= self.entries.len() && place.is_some() && !matches!(self.feed, Feed::NeverHolds) {
            return None;
        }
        let end = (start + self.page_size).min(self.entries.len());
        Some(self.answer(query, start, end, reset))
    }

    fn empty(&self, query: &HashMap<String, String>) -> Answer {
        let all = self.entries.len();
        self.page(query).unwrap_or_else(|| self.answer(query, all, all, false))
    }

    fn answer(&self, query: &HashMap<String, String>, start: usize, end: usize, reset: bool) -> Answer {
        Answer::json(&json!({
            "cursor": format!("{}.{end}", self.history),
            "nonce": query["nonce"],
            "reset": reset,
            "more": end < self.entries.len(),
            "entries": &self.entries[start..end],
        }))
    }
}
