//! The limit of open files, and so of connections.

use rustix::process::{Resource, getrlimit, setrlimit};

const UNLIMITED: usize = 1 << 20;

/// Raises the soft limit to the hard limit. The usual soft limit of 1024 exists for programs that use `select`, and is
/// too low for 2,000 followers. Returns the limit.
pub fn raise_limit() -> usize {
    let mut limit = getrlimit(Resource::Nofile);
    let before = limit.current;
    if limit.current != limit.maximum {
        limit.current = limit.maximum;
        if let Err(error) = setrlimit(Resource::Nofile, limit) {
            tracing::warn!(%error, limit = before, "can't raise the limit of open files; each connection needs one");
            limit.current = before;
        }
    }
    // No limit at all is as many as there are connections of one address.
    limit.current.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(UNLIMITED)
}
