//! The audit log. It never contains a password, a secret or a token.

pub(crate) mod writer;

use ficha_store::{AuditRecord, SessionRecord};
use ficha_token::{Clock, Entropy, ordered_uuid};
use uuid::Uuid;

use crate::Authority;
use crate::request_source::RequestSource;

/// An audit event to be stored.
#[derive(Debug, Clone, Default)]
pub(crate) struct Event {
    name: &'static str,
    actor: Option<String>,
    user_id: Option<Uuid>,
    client_id: Option<String>,
    session_id: Option<Uuid>,
    address: Option<String>,
    detail: Option<String>,
}

impl Event {
    pub(crate) fn new(source: &RequestSource) -> Self {
        Self { address: source.address_text(), ..Self::default() }
    }

    pub(crate) fn by(actor: &str, name: &'static str) -> Self {
        Self { name, actor: Some(actor.to_owned()), ..Self::default() }
    }

    pub(crate) fn named(self, name: &'static str) -> Self {
        Self { name, ..self }
    }

    pub(crate) fn user(self, id: Uuid) -> Self {
        Self { user_id: Some(id), ..self }
    }

    pub(crate) fn maybe_user(self, id: Option<Uuid>) -> Self {
        Self { user_id: id, ..self }
    }

    pub(crate) fn client(self, id: &str) -> Self {
        Self { client_id: Some(id.to_owned()), ..self }
    }

    /// About a session, its user and its client.
    pub(crate) fn session_of(self, session: &SessionRecord) -> Self {
        let client_id = Some(session.client_id.clone());
        Self { session_id: Some(session.id), client_id, user_id: session.user_id, ..self }
    }

    pub(crate) fn session(self, id: Uuid) -> Self {
        Self { session_id: Some(id), ..self }
    }

    pub(crate) fn detail(self, detail: impl Into<String>) -> Self {
        Self { detail: Some(detail.into()), ..self }
    }

    pub(crate) fn record(self, clock: &dyn Clock, entropy: &dyn Entropy) -> AuditRecord {
        AuditRecord {
            id: ordered_uuid(clock, entropy),
            at: clock.unix_now(),
            event: self.name.to_owned(),
            actor: self.actor,
            user_id: self.user_id,
            client_id: self.client_id,
            session_id: self.session_id,
            address: self.address,
            detail: self.detail,
        }
    }
}

impl Authority {
    /// Passes an event to the task that stores it. What it records has already happened, so it must neither fail nor
    /// wait for a row in a log. If the queue is full, the event is dropped with a warning.
    pub(crate) fn audit(&self, event: Event) {
        let base = &self.inner.base;
        let record = event.record(&*base.clock, &*base.entropy);
        tracing::info!(
            event = record.event,
            user = record.user_id.map(tracing::field::display),
            client = record.client_id,
            session = record.session_id.map(tracing::field::display),
            address = record.address,
            "audit"
        );
        if self.inner.audit.try_send(record).is_err() {
            tracing::warn!("the audit queue is full; this event is only in the log");
        }
    }
}
