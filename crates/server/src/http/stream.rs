//! A client's connection, which is closed if the client leaves it unused, whatever it has begun.

use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use actix_web::rt::net::{ActixStream, Ready, TcpStream};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep_until};

use crate::http::connections::Connection;

/// How long a connection may be of no use.
#[derive(Clone, Copy)]
pub struct Patience {
    /// How long a client may be silent while the server waits for it.
    silence: Duration,
    /// How long a connection stays open after an answer that was given before the request had arrived completely.
    linger: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self { silence: Duration::from_secs(20), linger: Duration::from_secs(1) }
    }
}

/// A connection and what is known about it.
pub struct ClientStream<S = TcpStream> {
    stream: S,
    peer: Option<SocketAddr>,
    connection: Arc<Connection>,
    patience: Patience,
    /// When the client last sent or received something.
    last: Instant,
    /// When it is closed after all, once it is closing.
    end: Option<Instant>,
    timer: Pin<Box<Sleep>>,
}

impl<S> ClientStream<S> {
    /// A connection that was just accepted.
    pub fn new(stream: S, peer: Option<SocketAddr>, connection: Arc<Connection>, patience: Patience) -> Self {
        let last = Instant::now();
        let timer = Box::pin(sleep_until(last + patience.silence));
        Self { stream, peer, connection, patience, last, end: None, timer }
    }

    /// The client's address.
    pub fn peer(&self) -> Option<SocketAddr> {
        self.peer
    }

    /// What is known about it.
    pub fn connection(&self) -> &Arc<Connection> {
        &self.connection
    }

    /// True if it is closing and has had its time.
    fn has_ended(&mut self) -> bool {
        if !self.connection.is_closing() {
            return false;
        }
        let end = *self.end.get_or_insert_with(|| Instant::now() + self.patience.linger);
        if end <= Instant::now() {
            return true;
        }
        if self.timer.deadline() > end {
            self.timer.as_mut().reset(end);
        }
        false
    }

    /// Called when nothing can be read or written. Ready once the client has been silent for too long.
    fn poll_silence(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            if self.has_ended() {
                return Poll::Ready(());
            }
            if self.timer.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
            if self.connection.is_busy() {
                self.last = Instant::now();
            }
            // The timer is not moved at each byte, so it may be early.
            let due = self.last + self.patience.silence;
            if due <= Instant::now() {
                return Poll::Ready(());
            }
            self.timer.as_mut().reset(due);
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for ClientStream<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.has_ended() {
            // As if the client had hung up.
            return Poll::Ready(Ok(()));
        }
        let before = buffer.filled().len();
        match Pin::new(&mut this.stream).poll_read(cx, buffer) {
            Poll::Pending => this.poll_silence(cx).map(|()| Ok(())),
            ready => {
                if buffer.filled().len() > before {
                    this.last = Instant::now();
                }
                ready
            }
        }
    }
}

impl<S> ClientStream<S> {
    fn note_written(&mut self, cx: &mut Context<'_>, written: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        match written {
            // It does not read what it asked for.
            Poll::Pending => self.poll_silence(cx).map(|()| Err(io::ErrorKind::TimedOut.into())),
            ready => {
                self.last = Instant::now();
                ready
            }
        }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for ClientStream<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = Pin::new(&mut this.stream).poll_write(cx, bytes);
        this.note_written(cx, written)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = Pin::new(&mut this.stream).poll_write_vectored(cx, parts);
        this.note_written(cx, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(cx)
    }
}

impl<S: ActixStream> ActixStream for ClientStream<S> {
    fn poll_read_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<Ready>> {
        ActixStream::poll_read_ready(&self.stream, cx)
    }

    fn poll_write_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<Ready>> {
        ActixStream::poll_write_ready(&self.stream, cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;
    use crate::http::connections::Connections;

    const PATIENCE: Patience = Patience { silence: Duration::from_millis(100), linger: Duration::from_millis(100) };

    /// The server's end and the client's.
    async fn pair() -> (ClientStream, TcpStream) {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (stream, peer) = listener.accept().await.unwrap();
        let connection = Connections::new(100, None, Vec::new()).admit(Some(peer)).unwrap();
        (ClientStream::new(stream, Some(peer), connection, PATIENCE), client)
    }

    #[tokio::test]
    async fn a_silent_client_is_given_up_but_not_while_the_server_works() {
        let (mut stream, mut client) = pair().await;
        client.write_all(b"x").await.unwrap();
        assert_eq!(stream.read_u8().await.unwrap(), b'x');
        let began = Instant::now();
        assert_eq!(stream.read(&mut [0]).await.unwrap(), 0);
        assert!(began.elapsed() >= PATIENCE.silence, "{:?}", began.elapsed());

        let (mut stream, _client) = pair().await;
        let work = stream.connection().work();
        let began = Instant::now();
        let working = async {
            tokio::time::sleep(3 * PATIENCE.silence).await;
            drop(work);
        };
        let (read, ()) = tokio::join!(async { stream.read(&mut [0]).await.unwrap() }, working);
        assert_eq!(read, 0);
        assert!(began.elapsed() >= 3 * PATIENCE.silence, "{:?}", began.elapsed());
    }

    #[tokio::test]
    async fn a_closing_connection_ends_however_much_arrives() {
        let (mut stream, mut client) = pair().await;
        client.write_all(b"x").await.unwrap();
        stream.connection().close_soon();
        let reading = async {
            while stream.read(&mut [0; 16]).await.unwrap() > 0 {
                client.write_all(b"x").await.unwrap();
                tokio::task::yield_now().await;
            }
        };
        // Its first read begins the time that is left.
        tokio::time::timeout(Duration::from_secs(10), reading).await.expect("it ends");
    }
}
