//! HTTP written by hand, for requests that no client library would send.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// How long the server may take to answer, or to close.
const LIMIT: Duration = Duration::from_secs(20);

/// What came back on a connection before the server closed it.
#[derive(Debug)]
pub struct Answer {
    pub text: String,
}

impl Answer {
    /// The statuses of all responses, in order.
    pub fn statuses(&self) -> Vec<u16> {
        let heads = self.text.split("HTTP/1.1 ").skip(1);
        heads.map(|head| head[..3].parse().expect("a status is three digits")).collect()
    }

    /// The head of the first response.
    pub fn head(&self) -> &str {
        self.text.split("\r\n\r\n").next().unwrap_or_default()
    }

    /// Everything after the first head.
    pub fn body(&self) -> &str {
        self.text.split_once("\r\n\r\n").map(|(_, body)| body).unwrap_or_default()
    }
}

/// Sends these bytes, and reads until the server closes. A server that leaves the connection open fails the test.
pub async fn exchange(address: SocketAddr, request: &[u8]) -> Answer {
    let mut stream = connect(address).await;
    // The server may reject the request and close before it has read everything.
    let _ = stream.write_all(request).await;
    Answer { text: read_to_end(&mut stream).await }
}

pub async fn connect(address: SocketAddr) -> TcpStream {
    TcpStream::connect(address).await.expect("the server accepts the connection")
}

/// Everything until the server closes.
pub async fn read_to_end(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    let reading = async {
        let mut chunk = [0; 4096];
        // A reset ends it too: what came before it still counts.
        while let Ok(count @ 1..) = stream.read(&mut chunk).await {
            bytes.extend_from_slice(&chunk[..count]);
        }
    };
    let closed = tokio::time::timeout(LIMIT, reading).await.is_ok();
    let text = String::from_utf8_lossy(&bytes).into_owned();
    assert!(closed, "the server left the connection open after {text:?}");
    text
}

/// Reads until `end` has arrived.
pub async fn read_until(stream: &mut TcpStream, end: &str) -> String {
    let mut bytes = Vec::new();
    let reading = async {
        let mut byte = [0];
        while !bytes.ends_with(end.as_bytes()) {
            stream.read_exact(&mut byte).await.expect("the server keeps sending");
            bytes.push(byte[0]);
        }
    };
    tokio::time::timeout(LIMIT, reading).await.expect("the server answers");
    String::from_utf8_lossy(&bytes).into_owned()
}
