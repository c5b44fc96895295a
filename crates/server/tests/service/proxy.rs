//! A proxy between a service and its server that forwards, goes silent, or replays old responses. It records the
//! requests.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use reqwest::header::{CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

use ficha_testing::client;

/// What happens to a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    Forward,
    /// Connections are accepted and stay open, but get no response, even after the mode has changed.
    Silent,
    /// Polls of the denylist get the last response that was forwarded.
    Replay,
}

/// The proxy; dropping it closes its connections.
pub struct Proxy {
    address: SocketAddr,
    shared: Arc<Shared>,
    task: JoinHandle<()>,
}

struct Shared {
    /// The server.
    to: OnceLock<SocketAddr>,
    http: reqwest::Client,
    mode: watch::Sender<Mode>,
    seen: Mutex<Seen>,
}

#[derive(Default)]
struct Seen {
    /// The path and query of each request.
    asked: Vec<String>,
    /// The last response to a poll of the denylist.
    denylist: Option<Vec<u8>>,
}

impl Proxy {
    /// A proxy without a server yet.
    pub async fn new() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let (mode, seen) = (watch::Sender::new(Mode::Forward), Mutex::default());
        let shared = Arc::new(Shared { to: OnceLock::new(), http: client(), mode, seen });
        let task = tokio::spawn(accept(listener, shared.clone()));
        Self { address, shared, task }
    }

    pub fn forward_to(&self, server: SocketAddr) {
        self.shared.to.set(server).expect("it has one server");
    }

    /// The server's issuer, as services know it.
    pub fn issuer(&self) -> String {
        format!("http://{}", self.address)
    }

    /// From now on, requests are forwarded, except on connections that went silent.
    pub fn forward(&self) {
        self.shared.mode.send_replace(Mode::Forward);
    }

    /// From now on, no response comes back.
    pub fn go_silent(&self) {
        self.shared.mode.send_replace(Mode::Silent);
    }

    /// From now on, it acts as a cache that ignores the query, even for a poll that is being held.
    pub fn replay(&self) {
        assert!(self.shared.seen.lock().expect("no panic").denylist.is_some(), "there is a response to replay");
        self.shared.mode.send_replace(Mode::Replay);
    }

    /// The path and query of each request so far.
    pub fn asked(&self) -> Vec<String> {
        self.shared.seen.lock().expect("no panic").asked.clone()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    // Dropping the task closes the connections.
    let mut connections = JoinSet::new();
    while let Ok((connection, _)) = listener.accept().await {
        connections.spawn(serve(connection, shared.clone()));
    }
}

async fn serve(mut connection: TcpStream, shared: Arc<Shared>) {
    let mut mode = shared.mode.subscribe();
    let mut buffer = Vec::new();
    while let Some(request) = Request::read(&mut connection, &mut buffer).await {
        shared.seen.lock().expect("no panic").asked.push(request.target.clone());
        let answer = loop {
            let now = *mode.borrow_and_update();
            if now == Mode::Silent {
                disconnected(&connection).await;
                return;
            }
            tokio::select! {
                answer = shared.answer(&request, now) => break answer,
                // The mode applies to requests in progress too.
                _ = mode.changed() => {}
                () = disconnected(&connection) => return,
            }
        };
        let Some(answer) = answer else { return };
        if connection.write_all(&answer).await.is_err() {
            return;
        }
    }
}

async fn disconnected(connection: &TcpStream) {
    let mut byte = [0];
    while let Ok(1) = connection.peek(&mut byte).await {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// A GET request.
struct Request {
    target: String,
    authorization: Option<String>,
}

impl Request {
    async fn read(connection: &mut TcpStream, buffer: &mut Vec<u8>) -> Option<Self> {
        let end = loop {
            if let Some(end) = buffer.windows(4).position(|window| window == b"\r\n\r\n") {
                break end;
            }
            if connection.read_buf(buffer).await.ok()? == 0 {
                return None;
            }
        };
        let head = String::from_utf8(buffer.drain(..end + 4).collect()).expect("a head in ASCII");
        let target = head.strip_prefix("GET ").expect("services only read").split(' ').next()?.to_owned();
        let authorization = head.lines().find_map(|line| line.strip_prefix("authorization: ")).map(str::to_owned);
        Some(Self { target, authorization })
    }
}

impl Shared {
    /// The bytes of a response; `None` if the server can't be reached.
    async fn answer(&self, request: &Request, mode: Mode) -> Option<Vec<u8>> {
        let about_denylist = request.target.starts_with("/denylist?");
        if mode == Mode::Replay && about_denylist {
            return self.seen.lock().expect("no panic").denylist.clone();
        }
        let mut forwarded = self.http.get(format!("http://{}{}", self.to.get()?, request.target));
        if let Some(authorization) = &request.authorization {
            forwarded = forwarded.header("authorization", authorization);
        }
        let response = forwarded.send().await.ok()?;
        let status = response.status();
        let mut answer = format!("HTTP/1.1 {status}\r\n").into_bytes();
        for name in [CONTENT_TYPE, CACHE_CONTROL, RETRY_AFTER] {
            if let Some(value) = response.headers().get(&name) {
                answer.extend([name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"].concat());
            }
        }
        let body = response.bytes().await.ok()?;
        answer.extend(format!("content-length: {}\r\n\r\n", body.len()).into_bytes());
        answer.extend(body);
        if about_denylist && status.is_success() {
            self.seen.lock().expect("no panic").denylist = Some(answer.clone());
        }
        Some(answer)
    }
}
