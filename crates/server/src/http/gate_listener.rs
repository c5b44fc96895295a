//! Where proxies ask about tokens: a loopback address, or a Unix socket.

use std::fmt;
use std::fs::File;
use std::io::{self, ErrorKind};
use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// Before the path of a socket, as nginx writes it.
const PREFIX: &str = "unix:";

/// Who may ask at the socket: its owner and its group.
const MODE: u32 = 0o660;

/// Where the gate listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GateBind {
    /// At an address; with port 0, at any free one.
    Address(SocketAddr),
    /// At a Unix socket with this path.
    Socket(PathBuf),
}

impl FromStr for GateBind {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        match text.strip_prefix(PREFIX).map(Path::new) {
            Some(path) if path.is_absolute() => Ok(Self::Socket(path.to_owned())),
            Some(_) => Err(()),
            None => text.parse().map(Self::Address).map_err(drop),
        }
    }
}

impl fmt::Display for GateBind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(address) => address.fmt(f),
            Self::Socket(path) => write!(f, "{PREFIX}{}", path.display()),
        }
    }
}

/// The gate's listener, bound.
#[derive(Debug)]
pub enum GateListener {
    Address(TcpListener),
    Socket(UnixListener, PathBuf),
}

impl GateListener {
    /// Where it listens.
    pub fn bind(&self) -> Option<GateBind> {
        match self {
            Self::Address(listener) => listener.local_addr().ok().map(GateBind::Address),
            Self::Socket(_, path) => Some(GateBind::Socket(path.clone())),
        }
    }
}

/// Listens at a Unix socket. One that a server has left behind is replaced; one at which somebody listens is not, nor any
/// other kind of file. Of two servers that start at once, one waits for the other: it would remove its socket otherwise.
pub fn listen_at(path: &Path) -> io::Result<UnixListener> {
    let lock = File::options().create(true).append(true).open(path.with_added_extension("lock"))?;
    lock.lock()?;
    let listener = match UnixListener::bind(path) {
        Err(error) if error.kind() == ErrorKind::AddrInUse && is_left_behind(path)? => {
            std::fs::remove_file(path)?;
            UnixListener::bind(path)?
        }
        bound => bound?,
    };
    std::fs::set_permissions(path, PermissionsExt::from_mode(MODE))?;
    Ok(listener)
}

fn is_left_behind(path: &Path) -> io::Result<bool> {
    if !std::fs::symlink_metadata(path)?.file_type().is_socket() {
        return Ok(false);
    }
    Ok(UnixStream::connect(path).is_err_and(|error| error.kind() == ErrorKind::ConnectionRefused))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_socket_that_was_left_behind_is_replaced_and_nothing_else_is() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("gate.sock");
        let first = listen_at(&path).expect("it is bound");
        let mode = std::fs::metadata(&path).expect("it is there").permissions().mode();
        assert_eq!(mode & 0o777, MODE);
        assert_eq!(listen_at(&path).map(drop).map_err(|error| error.kind()), Err(ErrorKind::AddrInUse));
        assert!(UnixStream::connect(&path).is_ok(), "the first one still listens");
        drop(first);
        let again = listen_at(&path).expect("what is left is replaced");
        assert!(UnixStream::connect(&path).is_ok());
        drop(again);
        std::fs::remove_file(&path).expect("it is removed");
        std::fs::write(&path, "mine").expect("it is written");
        assert!(listen_at(&path).is_err());
        assert_eq!(std::fs::read_to_string(&path).expect("it is there"), "mine");
    }

    #[test]
    fn a_bind_is_read_as_it_is_written() {
        for text in ["127.0.0.1:9300", "[::1]:0", "unix:/run/ficha/gate.sock"] {
            assert_eq!(text.parse::<GateBind>().map(|bind| bind.to_string()).as_deref(), Ok(text));
        }
        for wrong in ["unix:gate.sock", "unix:", "/run/gate.sock", "localhost:9300", ""] {
            assert!(wrong.parse::<GateBind>().is_err(), "{wrong:?}");
        }
    }
}
