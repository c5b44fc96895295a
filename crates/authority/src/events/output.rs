//! Where numbered events go besides the database: the log, and a sink that the binary sets.

use std::fmt;
use std::sync::OnceLock;

use ficha_store::EventRecord;

use crate::events::view::EventView;

/// Takes each event as one line of JSON. It must neither block nor fail.
type Sink = Box<dyn Fn(String) + Send + Sync>;

/// Where events go, in the order of their numbers, from the server that numbers them.
#[derive(Default)]
pub struct EventOutput(OnceLock<Sink>);

impl EventOutput {
    /// Sets the sink. Only the first call counts.
    pub fn send_to(&self, sink: impl Fn(String) + Send + Sync + 'static) {
        let _ = self.0.set(Box::new(sink));
    }

    /// Logs an event, and hands it to the sink.
    pub(crate) fn put(&self, event: EventRecord) {
        if self.0.get().is_none() && !tracing::enabled!(tracing::Level::INFO) {
            return;
        }
        let view = EventView::from(event);
        log(&view);
        if let Some(sink) = self.0.get() {
            sink(view.line());
        }
    }
}

impl fmt::Debug for EventOutput {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("EventOutput").field(&self.0.get().is_some()).finish()
    }
}

/// Events that are as frequent as requests are logged at the level `debug` only.
fn log(event: &EventView) {
    let name = &*event.event;
    // A log can't be erased, so it has neither the names of users nor what was changed about them.
    let is_user = event.actor.kind == "user";
    let actor = event.actor.name.as_deref().filter(|_| !is_user).unwrap_or(&event.actor.kind);
    let detail = event.detail.as_ref().filter(|_| !name.starts_with("user."));
    let is_frequent = name.starts_with("login.") || name == "refresh.retried";
    macro_rules! line {
        ($level:ident) => {
            tracing::$level!(
                number = event.number,
                event = name,
                actor = actor,
                user = event.user.map(tracing::field::display),
                client = event.client,
                session = event.session.map(tracing::field::display),
                address = event.address,
                request = event.request_id,
                detail = detail.map(tracing::field::display),
                "audit"
            )
        };
    }
    if is_frequent { line!(debug) } else { line!(info) }
}
