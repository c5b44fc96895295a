//! The denylist: this server's replica of it, and the feed that other services follow.

pub(crate) mod cursor;
pub(crate) mod feed;
pub(crate) mod pages;
pub(crate) mod poll_slots;
pub(crate) mod recent;
pub(crate) mod replica;
