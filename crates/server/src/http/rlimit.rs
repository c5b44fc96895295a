//! The limit of open files, and so of connections.

use rustix::process::{Resource, getrlimit, setrlimit};

/// Raises the soft limit to the hard limit. The usual soft limit of 1024 exists for programs that use `select`, and is
/// too low for 2,000 followers.
pub fn raise_limit() {
    let mut limit = getrlimit(Resource::Nofile);
    if limit.current == limit.maximum {
        return;
    }
    let before = limit.current;
    limit.current = limit.maximum;
    if let Err(error) = setrlimit(Resource::Nofile, limit) {
        tracing::warn!(%error, limit = before, "can't raise the limit of open files; each connection needs one");
    }
}
