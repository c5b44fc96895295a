//! Callers: each has one connection, sends a request, waits for the answer, and sends the next one.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::Outcome;
use crate::child::ServerProcess;
use crate::measure::{Usage, cpu_time};
use crate::result::Figure;

/// One keep-alive connection that speaks just enough HTTP/1.1.
pub struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

/// An answer.
pub struct Answer {
    /// Its status.
    pub status: u16,
    /// Its body.
    pub body: Vec<u8>,
}

impl Answer {
    /// A member of a JSON body.
    pub fn text(&self, member: &str) -> Outcome<String> {
        let body: serde_json::Value = serde_json::from_slice(&self.body)?;
        Ok(body[member].as_str().ok_or_else(|| format!("no {member} in {body}"))?.to_owned())
    }
}

impl Connection {
    /// Connects.
    pub async fn open(address: SocketAddr) -> Outcome<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, buffer: Vec::with_capacity(8192) })
    }

    /// Sends a form, and reads the answer.
    pub async fn post(&mut self, path: &str, authorization: Option<&str>, form: &str) -> Outcome<Answer> {
        let authorization = authorization.map(|value| format!("authorization: {value}\r\n")).unwrap_or_default();
        let request = format!(
            "POST {path} HTTP/1.1\r\nhost: localhost\r\n{authorization}content-type: application/x-www-form-urlencoded\r\n\
             content-length: {}\r\n\r\n{form}",
            form.len()
        );
        self.send(request.as_bytes()).await
    }

    /// Sends a GET, and reads the answer.
    pub async fn get(&mut self, path: &str, authorization: Option<&str>) -> Outcome<Answer> {
        self.send(get_request(path, authorization).as_bytes()).await
    }

    /// Sends a raw request, and reads the answer.
    pub async fn send(&mut self, request: &[u8]) -> Outcome<Answer> {
        self.stream.write_all(request).await?;
        self.answer().await
    }

    async fn answer(&mut self) -> Outcome<Answer> {
        self.buffer.clear();
        let head_end = loop {
            if let Some(at) = self.buffer.windows(4).position(|window| window == b"\r\n\r\n") {
                break at + 4;
            }
            if self.stream.read_buf(&mut self.buffer).await? == 0 {
                return Err("the server closed the connection".into());
            }
        };
        let head = std::str::from_utf8(&self.buffer[..head_end])?.to_ascii_lowercase();
        let status = head.get(9..12).ok_or("no status")?.parse()?;
        let length = head.lines().find_map(|line| line.strip_prefix("content-length:")).unwrap_or("0").trim();
        let end = head_end + length.parse::<usize>()?;
        while self.buffer.len() < end {
            if self.stream.read_buf(&mut self.buffer).await? == 0 {
                return Err("the server closed the connection".into());
            }
        }
        Ok(Answer { status, body: self.buffer[head_end..end].to_vec() })
    }
}

/// A raw GET request.
pub fn get_request(path: &str, authorization: Option<&str>) -> String {
    let authorization = authorization.map(|value| format!("authorization: {value}\r\n")).unwrap_or_default();
    format!("GET {path} HTTP/1.1\r\nhost: localhost\r\n{authorization}\r\n")
}

/// The request that a caller repeats.
pub trait Caller: Send + 'static {
    /// Sends one request. `false` if there is nothing left to do.
    fn call(&mut self) -> impl Future<Output = Outcome<bool>> + Send;
}

/// Runs all `callers` for `length`. Returns the figures, and the callers with what they have collected.
pub async fn drive<C: Caller>(server: &ServerProcess, callers: Vec<C>, length: Duration) -> Outcome<(Figure, Vec<C>)> {
    let stop = Arc::new(AtomicBool::new(false));
    let stopper = tokio::spawn({
        let stop = stop.clone();
        async move {
            tokio::time::sleep(length).await;
            stop.store(true, Ordering::Relaxed);
        }
    });
    let seen = drive_until(server, callers, stop).await;
    stopper.abort();
    seen
}

/// The same, until `stop` is set.
pub async fn drive_until<C: Caller>(
    server: &ServerProcess,
    callers: Vec<C>,
    stop: Arc<AtomicBool>,
) -> Outcome<(Figure, Vec<C>)> {
    let count = callers.len();
    let cpu = cpu_time(server.id()?)?;
    let began = Instant::now();
    let mut tasks = JoinSet::new();
    for mut caller in callers {
        let stop = stop.clone();
        tasks.spawn(async move {
            let mut times = Vec::new();
            while !stop.load(Ordering::Relaxed) {
                let sent = Instant::now();
                if !caller.call().await? {
                    break;
                }
                times.push(sent.elapsed());
            }
            Ok::<_, Box<dyn std::error::Error + Send + Sync>>((caller, times))
        });
    }
    let (mut finished, mut times) = (Vec::new(), Vec::new());
    while let Some(done) = tasks.join_next().await {
        let (caller, its_times) = done??;
        finished.push(caller);
        times.extend(its_times);
    }
    let usage = Usage { wall: began.elapsed(), cpu: cpu_time(server.id()?)? - cpu };
    Ok((Figure::of(count, times, usage), finished))
}
