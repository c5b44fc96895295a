//! An event as it is shown: by `ficha audit`, on standard output, and over HTTP.

use ficha_store::{EventRecord, time_text};
use serde::Serialize;
use serde_json::Value;
use uuid::Uuid;

/// An event as JSON.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct EventView {
    /// Its number; `null` until it has one.
    pub number: Option<i64>,
    /// When it happened: RFC 3339, UTC, with milliseconds.
    pub at: String,
    /// Its name.
    pub event: String,
    /// Who did it.
    pub actor: ActorView,
    /// The user it happened to.
    pub user: Option<Uuid>,
    /// The client.
    pub client: Option<String>,
    /// The session.
    pub session: Option<Uuid>,
    /// The address from which it was done.
    pub address: Option<String>,
    /// The request, as in the header `X-Request-Id` of its answer.
    pub request_id: Option<String>,
    /// More.
    pub detail: Option<Value>,
    /// The hash of this event and all before it, as hexadecimal digits.
    pub hash: Option<String>,
}

/// Who did it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ActorView {
    /// `user`, `client`, `cli`, `server` or `anonymous`.
    pub kind: String,
    /// The name; `null` if it is not known, or was erased.
    pub name: Option<String>,
    /// The id, if it is a user.
    pub id: Option<Uuid>,
}

impl From<EventRecord> for EventView {
    fn from(event: EventRecord) -> Self {
        Self {
            number: event.number,
            at: time_text(event.at),
            event: event.event,
            actor: ActorView { kind: event.actor_kind, name: event.actor_name, id: event.actor_id },
            user: event.user_id,
            client: event.client_id,
            session: event.session_id,
            address: event.address,
            request_id: event.request_id,
            // Text that is not JSON was changed by somebody else, and is shown as it is.
            detail: event.detail.map(|text| serde_json::from_str(&text).unwrap_or(Value::String(text))),
            hash: event.hash.as_ref().map(hex),
        }
    }
}

impl EventView {
    /// One line of JSON, with its newline.
    pub fn line(&self) -> String {
        // Texts, numbers and maps with text keys: nothing in it can fail.
        let mut line = serde_json::to_string(self).unwrap_or_default();
        line.push('\n');
        line
    }
}

/// Lower-case hexadecimal digits.
pub fn hex(bytes: &[u8; 32]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::events::chain::tests::event;

    #[test]
    fn an_event_is_one_line_with_the_documented_fields() {
        let mut record = event();
        (record.number, record.hash) = (Some(7), Some([0xab; 32]));
        record.detail = Some("{\"text\":\"two\\nlines\"}".into());
        let line = EventView::from(record).line();
        assert_eq!(line.matches('\n').count(), 1);
        let read: Value = serde_json::from_str(&line).unwrap();
        let mut fields: Vec<_> = read.as_object().unwrap().keys().cloned().collect();
        fields.sort_unstable();
        let all = "actor address at client detail event hash number request_id session user";
        assert_eq!(fields.join(" "), all);
        assert_eq!(read["at"], "2027-01-15T08:00:00.000Z");
        assert_eq!(read["actor"]["name"], "alice");
        assert_eq!(read["detail"]["text"], "two\nlines");
        assert_eq!(read["hash"].as_str().unwrap().len(), 64);
    }
}
