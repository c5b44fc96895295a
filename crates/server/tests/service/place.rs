//! An address that a server can leave and take again.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::sync::atomic::{AtomicU8, Ordering};

/// Where services look for their authorization server.
#[derive(Debug, Clone, Copy)]
pub struct Place(SocketAddr);

impl Place {
    /// An address that is not in use.
    pub fn free() -> Self {
        let listener = TcpListener::bind((own_address(), 0)).expect("a free port");
        Self(listener.local_addr().expect("an address"))
    }

    pub fn address(self) -> SocketAddr {
        self.0
    }

    pub fn issuer(self) -> String {
        format!("http://{}", self.0)
    }
}

/// On Linux, all of 127.0.0.0/8 is this machine, so each test gets its own address: no other test can take the port
/// while its server is away.
fn own_address() -> IpAddr {
    static NEXT: AtomicU8 = AtomicU8::new(1);
    if !cfg!(target_os = "linux") {
        return Ipv4Addr::LOCALHOST.into();
    }
    let [.., high, low] = std::process::id().to_be_bytes();
    Ipv4Addr::new(127, 64 | high & 63, low, NEXT.fetch_add(1, Ordering::Relaxed).clamp(1, 254)).into()
}
