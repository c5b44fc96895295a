//! Shared by both peers: the command line, and exiting with the parent.

use std::io::Read;

/// What a token must be, from the command line: `JWKS-FILE ISSUER AUDIENCE`.
pub struct Expected {
    /// The key set.
    pub jwks: String,
    /// `iss`.
    pub issuer: String,
    /// `aud`.
    pub audience: String,
}

impl Expected {
    /// Reads the command line and the file.
    pub fn from_arguments() -> Self {
        let mut arguments = std::env::args().skip(1);
        let mut next = || arguments.next().expect("usage: JWKS-FILE ISSUER AUDIENCE");
        let jwks = std::fs::read_to_string(next()).expect("the key set can be read");
        Self { jwks, issuer: next(), audience: next() }
    }
}

/// Exits when standard input ends, and so with the parent process.
pub fn end_with_parent() {
    std::thread::spawn(|| {
        let _ = std::io::stdin().read_to_end(&mut Vec::new());
        std::process::exit(0);
    });
}
