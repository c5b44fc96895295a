//! Events in tests.

use uuid::Uuid;

use crate::{
    Cause, EventActor, EventFilter, EventKind, EventRecord, NewEvent, Revocation, RevokeReason, Store, Target,
};

/// Why a test changes something.
pub fn cause() -> Cause {
    let actor = EventActor::Cli { name: "tester".into() };
    Cause { actor, address: None, request_id: None, at: 0, session: None }
}

/// A revocation of a session, as an administrator would.
pub fn revocation(session: Uuid) -> Revocation {
    let event = NewEvent::new(EventKind::SessionRevoked, &cause());
    Revocation { target: Target::Session(session, RevokeReason::Admin), event }
}

impl Store {
    /// Every committed event: those with a number by number, then the others.
    pub async fn all_events(&self) -> Vec<EventRecord> {
        // The ones without a number first: an event may get one in between, and is then found twice.
        let mut pending = self.pending_events(100_000).await.expect("the database answers");
        let mut all = self.events_after(&EventFilter::default(), 0, 100_000).await.expect("the database answers");
        pending.retain(|event| all.iter().all(|other| other.id != event.id));
        all.extend(pending);
        all
    }
}
