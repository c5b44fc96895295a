//! Network failures between an app and its server: a relay that loses or delays responses, and a stub server that
//! records requests.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// Forwards requests to a server, and its responses to the app.
pub struct Relay {
    pub address: SocketAddr,
    /// How many of the next responses are lost after the server has sent them.
    pub lose: Arc<AtomicUsize>,
    /// No request is forwarded while this is true.
    pub refuse: Arc<AtomicBool>,
    /// Responses are held back while this is false.
    pub open: watch::Sender<bool>,
    /// How many responses the server has sent.
    pub answered: watch::Sender<usize>,
}

impl Relay {
    pub async fn to(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let relay = Self {
            address: listener.local_addr().unwrap(),
            lose: Arc::default(),
            refuse: Arc::default(),
            open: watch::Sender::new(true),
            answered: watch::Sender::new(0),
        };
        let (lose, open, answered) = (relay.lose.clone(), relay.open.clone(), relay.answered.clone());
        let refuse = relay.refuse.clone();
        tokio::spawn(async move {
            while let Ok((app, _)) = listener.accept().await {
                let upstream = TcpStream::connect(server).await.unwrap();
                tokio::spawn(forward(app, upstream, lose.clone(), refuse.clone(), open.subscribe(), answered.clone()));
            }
        });
        relay
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Waits until the server has sent `count` responses in all.
    pub async fn answers(&self, count: usize) {
        self.answered.subscribe().wait_for(|answered| *answered >= count).await.unwrap();
    }
}

async fn forward(
    app: TcpStream,
    upstream: TcpStream,
    lose: Arc<AtomicUsize>,
    refuse: Arc<AtomicBool>,
    mut open: watch::Receiver<bool>,
    answered: watch::Sender<usize>,
) {
    let (mut from_app, mut to_app) = app.into_split();
    let (mut from_server, mut to_server) = upstream.into_split();
    let requests = tokio::spawn(async move {
        let mut buffer = vec![0; 65_536];
        while let Ok(length @ 1..) = from_app.read(&mut buffer).await {
            // This ends both directions.
            if refuse.load(Ordering::SeqCst) || to_server.write_all(&buffer[..length]).await.is_err() {
                break;
            }
        }
    });
    let mut buffer = vec![0; 65_536];
    // In these tests every response fits into one read.
    while let Ok(length @ 1..) = from_server.read(&mut buffer).await {
        answered.send_modify(|count| *count += 1);
        let is_lost = lose.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok();
        if is_lost || open.wait_for(|open| *open).await.is_err() || to_app.write_all(&buffer[..length]).await.is_err() {
            break;
        }
    }
    requests.abort();
}

/// Sends prepared responses, and records the requests.
pub struct StubServer {
    pub address: SocketAddr,
    requests: Arc<Mutex<Vec<String>>>,
}

impl StubServer {
    /// Always sends `answer`: the status line and the headers, each with its line end.
    pub async fn responding(answer: &str) -> Self {
        let answer = answer.to_owned();
        Self::responding_by(move |_| answer.clone()).await
    }

    /// Sends what `answer` returns for each request, which it gets in lower case: a status line and headers, or a whole
    /// response such as [`json`] makes. If it is empty, the connection is closed without a response.
    pub async fn responding_by(answer: impl Fn(&str) -> String + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let requests: Arc<Mutex<Vec<String>>> = Arc::default();
        let recorded = requests.clone();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut head = Vec::new();
                while !head.windows(4).any(|four| four == b"\r\n\r\n") {
                    let mut buffer = [0; 4_096];
                    match stream.read(&mut buffer).await {
                        Ok(length @ 1..) => head.extend_from_slice(&buffer[..length]),
                        _ => break,
                    }
                }
                let head = String::from_utf8(head).unwrap().to_lowercase();
                let answer = answer(&head);
                let answer = match answer.as_str() {
                    "" => String::new(),
                    whole if whole.contains("\r\n\r\n") => format!("HTTP/1.1 {whole}"),
                    head => format!("HTTP/1.1 {head}Content-Length: 0\r\nConnection: close\r\n\r\n"),
                };
                recorded.lock().unwrap().push(head);
                let _ = stream.write_all(answer.as_bytes()).await;
                let _ = stream.shutdown().await;
                // Closing with unread input would reset the connection.
                let _ = tokio::io::copy(&mut stream, &mut tokio::io::sink()).await;
            }
        });
        Self { address, requests }
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// The requests, in lower case.
    pub fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }
}

/// A whole response with a body, for a stub server.
pub fn json(status: &str, body: &Value) -> String {
    let (kind, body) = ("Content-Type: application/json\r\nConnection: close", body.to_string());
    format!("{status}\r\n{kind}\r\nContent-Length: {}\r\n\r\n{body}", body.len())
}

/// The metadata of the stub server that got the request `head`.
pub fn metadata(head: &str) -> String {
    let host = head.lines().find_map(|line| line.strip_prefix("host: ")).unwrap();
    json("200 OK", &json!({ "issuer": format!("http://{host}"), "token_endpoint": format!("http://{host}/token") }))
}

/// A token response, with tokens that are due at once.
pub fn tokens() -> String {
    let (access, refresh) = ("the-access", "the-refresh");
    let body = json!({ "access_token": access, "refresh_token": refresh, "token_type": "Bearer", "expires_in": 0 });
    json("200 OK", &body)
}
