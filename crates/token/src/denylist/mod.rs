//! Denied ids: of tokens, sessions and keys, the set of them in memory, and a page of the feed.

pub mod deny_id;
pub mod page;
pub mod set;
