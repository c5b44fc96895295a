//! What can happen between an app and its server: a relay that loses answers or holds them back, and a listener that
//! answers what it is told and remembers what it was sent.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// Passes requests on to a server, and its answers back.
pub struct Relay {
    pub address: SocketAddr,
    /// So many answers still get lost, after the server has sent them.
    pub lose: Arc<AtomicUsize>,
    /// Answers wait while this is false.
    pub open: watch::Sender<bool>,
    /// Answers that the server has sent.
    pub answered: watch::Sender<usize>,
}

impl Relay {
    pub async fn to(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let relay = Self {
            address: listener.local_addr().unwrap(),
            lose: Arc::default(),
            open: watch::Sender::new(true),
            answered: watch::Sender::new(0),
        };
        let (lose, open, answered) = (relay.lose.clone(), relay.open.clone(), relay.answered.clone());
        tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                let far = TcpStream::connect(server).await.unwrap();
                tokio::spawn(carry(near, far, lose.clone(), open.subscribe(), answered.clone()));
            }
        });
        relay
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Waits until the server has sent `count` answers in all.
    pub async fn answers(&self, count: usize) {
        self.answered.subscribe().wait_for(|answered| *answered >= count).await.unwrap();
    }
}

async fn carry(
    near: TcpStream,
    far: TcpStream,
    lose: Arc<AtomicUsize>,
    mut open: watch::Receiver<bool>,
    answered: watch::Sender<usize>,
) {
    let (mut from_app, mut to_app) = near.into_split();
    let (mut from_server, mut to_server) = far.into_split();
    let requests = tokio::spawn(async move { tokio::io::copy(&mut from_app, &mut to_server).await });
    let mut buffer = vec![0; 65_536];
    // Every answer here fits into one piece.
    while let Ok(length @ 1..) = from_server.read(&mut buffer).await {
        answered.send_modify(|count| *count += 1);
        let is_lost = lose.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok();
        if is_lost || open.wait_for(|open| *open).await.is_err() || to_app.write_all(&buffer[..length]).await.is_err() {
            break;
        }
    }
    requests.abort();
}

/// Answers every request with the same words.
pub struct Parrot {
    pub address: SocketAddr,
    heads: Arc<Mutex<Vec<String>>>,
}

impl Parrot {
    /// `answer` is the status line and the headers, each with its line end.
    pub async fn saying(answer: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let answer = format!("HTTP/1.1 {answer}Content-Length: 0\r\nConnection: close\r\n\r\n");
        let heads: Arc<Mutex<Vec<String>>> = Arc::default();
        let heard = heads.clone();
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
                heard.lock().unwrap().push(String::from_utf8(head).unwrap().to_lowercase());
                let _ = stream.write_all(answer.as_bytes()).await;
                let _ = stream.shutdown().await;
                // A close with unread input would reset the connection.
                let _ = tokio::io::copy(&mut stream, &mut tokio::io::sink()).await;
            }
        });
        Self { address, heads }
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// The requests, in lower case.
    pub fn heard(&self) -> Vec<String> {
        self.heads.lock().unwrap().clone()
    }
}
