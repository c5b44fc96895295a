//! A proxy between the server and PostgreSQL that breaks the connection at a chosen message.

use std::io::{self, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

/// The sender of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    Client,
    Server,
}

/// When the connection breaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// Before the message is forwarded.
    Before,
    /// After it is forwarded; the answer to a query is lost.
    After,
}

/// Where the connection breaks.
#[derive(Debug, Clone, Copy)]
pub struct Break {
    pub side: Side,
    pub moment: Moment,
    /// The number of the message of that side, counted from 1 over all connections since arming.
    pub at: u64,
    /// If true, every connection breaks and none can be made until [`Proxy::restore`]; otherwise only this one breaks.
    pub stays: bool,
}

/// Forwards connections to its address to the database.
pub struct Proxy {
    address: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    database: SocketAddr,
    /// What to break; `None` to only count messages.
    plan: Mutex<Option<Break>>,
    is_armed: AtomicBool,
    is_down: AtomicBool,
    is_over: AtomicBool,
    from_client: AtomicU64,
    from_server: AtomicU64,
    hits: AtomicU64,
    open: Mutex<Vec<Arc<Connection>>>,
}

/// Both ends of one connection.
struct Connection {
    client: TcpStream,
    server: TcpStream,
}

impl Connection {
    /// The client receives nothing more; what was already sent to the database still arrives there.
    fn cut(&self) {
        // Either end may be gone.
        let _ = self.client.shutdown(Shutdown::Both);
        let _ = self.server.shutdown(Shutdown::Write);
    }
}

impl Proxy {
    /// A proxy that breaks nothing yet.
    pub fn to(database: SocketAddr) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared {
            database,
            plan: Mutex::new(None),
            is_armed: AtomicBool::new(false),
            is_down: AtomicBool::new(false),
            is_over: AtomicBool::new(false),
            from_client: AtomicU64::new(0),
            from_server: AtomicU64::new(0),
            hits: AtomicU64::new(0),
            open: Mutex::new(Vec::new()),
        });
        let accepting = shared.clone();
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                if accepting.is_over.load(Ordering::Acquire) {
                    return;
                }
                accepting.clone().connect(client);
            }
        });
        Self { address, shared }
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Starts counting messages; one of them breaks the connection if that is planned.
    pub fn arm(&self, plan: Option<Break>) {
        *self.shared.plan.lock().unwrap() = plan;
        self.shared.is_armed.store(true, Ordering::Release);
    }

    /// Forwards everything again.
    pub fn restore(&self) {
        self.shared.is_armed.store(false, Ordering::Release);
        self.shared.is_down.store(false, Ordering::Release);
    }

    /// How often the connection broke.
    pub fn hits(&self) -> u64 {
        self.shared.hits.load(Ordering::Acquire)
    }

    /// How many messages that side sent while armed.
    pub fn seen(&self, side: Side) -> u64 {
        self.shared.count_of(side).load(Ordering::Acquire)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.shared.is_over.store(true, Ordering::Release);
        self.shared.cut_all();
        // Wakes the accepting thread.
        drop(TcpStream::connect(self.address));
    }
}

impl Shared {
    fn count_of(&self, side: Side) -> &AtomicU64 {
        match side {
            Side::Client => &self.from_client,
            Side::Server => &self.from_server,
        }
    }

    /// Connects to the database and forwards in both directions. If that fails, the client's connection is closed.
    fn connect(self: Arc<Self>, client: TcpStream) {
        if self.is_down.load(Ordering::Acquire) {
            return;
        }
        let Ok(server) = TcpStream::connect(self.database) else { return };
        // Messages are forwarded one by one, and none should wait for the next.
        let _ = client.set_nodelay(true);
        let _ = server.set_nodelay(true);
        let connection = Arc::new(Connection { client, server });
        self.open.lock().unwrap().push(connection.clone());
        for side in [Side::Client, Side::Server] {
            let (shared, connection) = (self.clone(), connection.clone());
            thread::spawn(move || {
                let (from, to) = match side {
                    Side::Client => (&connection.client, &connection.server),
                    Side::Server => (&connection.server, &connection.client),
                };
                // An error ends the connection, too.
                let _ = shared.forward(side, from, to, &connection);
                let _ = to.shutdown(Shutdown::Write);
                if side == Side::Server {
                    shared.open.lock().unwrap().retain(|open| !Arc::ptr_eq(open, &connection));
                }
            });
        }
    }

    fn forward(&self, side: Side, from: &TcpStream, mut to: &TcpStream, connection: &Connection) -> io::Result<()> {
        let mut reader = BufReader::new(from);
        // The client's first message has no type byte; the server's first one has.
        let mut has_type = side == Side::Server;
        loop {
            let message = read_message(&mut reader, has_type)?;
            has_type = true;
            let breaks = self.count(side);
            if breaks != Some(Moment::Before)
                && let Err(error) = to.write_all(&message)
            {
                // A sender that finds the connection closed might discard what it has received, so read to the end.
                let _ = io::copy(&mut reader, &mut io::sink());
                return Err(error);
            }
            if breaks.is_some() {
                connection.cut();
                if self.is_down.load(Ordering::Acquire) {
                    self.cut_all();
                }
                let _ = io::copy(&mut reader, &mut io::sink());
                return Ok(());
            }
        }
    }

    /// Counts a message, and returns whether the connection breaks at it.
    fn count(&self, side: Side) -> Option<Moment> {
        if !self.is_armed.load(Ordering::Acquire) {
            return None;
        }
        let number = self.count_of(side).fetch_add(1, Ordering::AcqRel) + 1;
        let plan = (*self.plan.lock().unwrap())?;
        if plan.side != side || plan.at != number {
            return None;
        }
        self.hits.fetch_add(1, Ordering::AcqRel);
        if plan.stays {
            self.is_down.store(true, Ordering::Release);
        }
        Some(plan.moment)
    }

    fn cut_all(&self) {
        self.open.lock().unwrap().iter().for_each(|connection| connection.cut());
    }
}

/// Reads one message: a type byte (not in the first message), a length that includes itself, and the rest.
fn read_message(reader: &mut impl Read, has_type: bool) -> io::Result<Vec<u8>> {
    let head = if has_type { 5 } else { 4 };
    let mut message = vec![0; head];
    reader.read_exact(&mut message)?;
    let mut length = [0; 4];
    length.copy_from_slice(&message[head - 4..]);
    let rest = (u32::from_be_bytes(length) as usize).saturating_sub(4);
    message.resize(head + rest, 0);
    reader.read_exact(&mut message[head..])?;
    Ok(message)
}
