//! Plain records, by aggregate: what the store takes and returns. Database rows never leave it.
//!
//! All times are whole Unix seconds.

mod bulk_revocation;
mod client;
mod denylist;
mod event;
mod job;
mod key;
mod session;
mod user;

pub use bulk_revocation::{BulkRevocation, BulkStep, BulkWork, SessionsOf};
pub use client::{ClientAt, ClientRecord, ClientScopes, ClientSecret};
pub use denylist::{DenyRow, Head, History};
pub use event::{
    Cause, ChainEnd, Commitment, EventActor, EventChain, EventKind, EventRecord, NewEvent, Numbered, time_text,
};
pub use job::{JobKind, JobRecord, JobState, JobStep, JobWork, NewJob};
pub use key::{KeyPurpose, KeyRecord, NewKey, SealedKey};
pub use session::{
    Authentication, InsertOutcome, NewSession, RevokeReason, Revoked, Rotation, RotationTerms, SessionRecord,
};
pub use user::{AccountFailures, FailedLogin, LoginHistory, PasswordHashText, UserAt, UserChange, UserRecord};
