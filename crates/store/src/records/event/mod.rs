//! The event log: what happened, to whom, by whom, from where and in which request.

mod cause;
mod commitment;
mod kind;
mod time_text;

use serde_json::Value;
use uuid::Uuid;

pub use cause::{Cause, EventActor};
pub use commitment::Commitment;
pub use kind::EventKind;
pub use time_text::time_text;

/// An event to be written in the transaction of what it records. It never contains a password, a secret or a token.
#[derive(Debug, Clone, PartialEq)]
pub struct NewEvent {
    /// What happened.
    pub kind: EventKind,
    /// Who did it, from where, in which request and when.
    pub cause: Cause,
    /// The user it happened to.
    pub user_id: Option<Uuid>,
    /// The client it happened to, or through which it happened.
    pub client_id: Option<String>,
    /// The session it happened to.
    pub session_id: Option<Uuid>,
    /// More, as a JSON object. What was changed stands in `before` and `after`.
    pub detail: Option<Value>,
}

impl NewEvent {
    /// An event without a subject.
    pub fn new(kind: EventKind, cause: &Cause) -> Self {
        Self { kind, cause: cause.clone(), user_id: None, client_id: None, session_id: None, detail: None }
    }

    /// Sets the user, if there is one.
    pub fn user(self, id: impl Into<Option<Uuid>>) -> Self {
        Self { user_id: id.into(), ..self }
    }

    /// Sets the client.
    pub fn client(self, id: &str) -> Self {
        Self { client_id: Some(id.to_owned()), ..self }
    }

    /// Sets the session.
    pub fn session(self, id: Uuid) -> Self {
        Self { session_id: Some(id), ..self }
    }

    /// Sets the detail.
    pub fn detail(self, detail: Value) -> Self {
        Self { detail: Some(detail), ..self }
    }
}

/// An event as it is stored.
///
/// It has a number and a hash once the sequencer has seen it, which is within a second of its commit. If a person was
/// erased, their values and salts are gone, and what was committed to stands in their place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventRecord {
    /// UUIDv7, given when it happened.
    pub id: Uuid,
    /// Its place in the log, from 1 without gaps. `None` until the sequencer has seen it.
    pub number: Option<i64>,
    /// When it happened, in Unix milliseconds.
    pub at: i64,
    /// The name of what happened: an [`EventKind`], or one of a later version.
    pub event: String,
    /// `user`, `client`, `cli`, `server` or `anonymous`.
    pub actor_kind: String,
    /// The user who did it, if a user did.
    pub actor_id: Option<Uuid>,
    /// The user it happened to.
    pub user_id: Option<Uuid>,
    /// The client.
    pub client_id: Option<String>,
    /// The session.
    pub session_id: Option<Uuid>,
    /// The request, as in the header `X-Request-Id` of its answer.
    pub request_id: Option<String>,
    /// The name of who did it.
    pub actor_name: Option<String>,
    /// The address from which it was done.
    pub address: Option<String>,
    /// Commits to name and address.
    pub origin: Commitment,
    /// More, as the text of a JSON object.
    pub detail: Option<String>,
    /// Commits to `detail`.
    pub detail_commitment: Commitment,
    /// The hash of this event and all before it.
    pub hash: Option<[u8; 32]>,
}

impl EventRecord {
    /// True if there are values that no commitment covers, or a commitment that can't be read: somebody else has written
    /// them.
    pub fn has_uncovered_values(&self) -> bool {
        let uncovered = |commitment: &Commitment, values: bool| match commitment {
            Commitment::Salted(_) => false,
            Commitment::Unreadable => true,
            Commitment::Nothing | Commitment::Erased(_) => values,
        };
        uncovered(&self.origin, self.actor_name.is_some() || self.address.is_some())
            || uncovered(&self.detail_commitment, self.detail.is_some())
    }

    /// What the chain's hash covers in place of name and address.
    pub fn origin_digest(&self) -> Option<[u8; 32]> {
        self.origin.digest(&[self.actor_name.as_deref(), self.address.as_deref()])
    }

    /// What the chain's hash covers in place of the detail.
    pub fn detail_digest(&self) -> Option<[u8; 32]> {
        self.detail_commitment.digest(&[self.detail.as_deref()])
    }
}

/// The newest number and who gives the next one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EventChain {
    /// The newest event that has a number; 0 if none has.
    pub newest: ChainEnd,
    /// The newest event that was pruned; 0 if none was.
    pub pruned: ChainEnd,
    /// The process that numbers events. Another takes over if it stops.
    pub sequencer: Option<Uuid>,
}

/// An end of the chain.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ChainEnd {
    /// The number of the event.
    pub number: i64,
    /// Its hash; zeros for number 0.
    pub hash: [u8; 32],
    /// A code over both, which only the master key's holder can make. `None` for number 0.
    pub seal: Option<[u8; 32]>,
}

/// The number and the hash that an event gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Numbered {
    /// The event.
    pub id: Uuid,
    /// Its number.
    pub number: i64,
    /// Its hash.
    pub hash: [u8; 32],
}
