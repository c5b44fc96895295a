//! Who follows the denylist, and how far each has come: what a receipt of a revocation is made of.
//!
//! A follower names itself with its polls. What it has applied is what the cursor of a poll covers, never what was sent
//! to it: the server can't know whether an answer arrived. Each server knows its own followers ([`registry`]); while
//! somebody waits for a receipt, all servers on the database are asked ([`collect`], [`answers`]).

pub(crate) mod answers;
pub(crate) mod collect;
pub(crate) mod declared;
pub(crate) mod entry;
pub(crate) mod merge;
pub(crate) mod registry;
pub(crate) mod report;
pub(crate) mod save;
pub(crate) mod standing;
