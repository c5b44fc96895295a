//! What happened last to a user or a client, beside it; and how an event reads.

use ficha_authority::{EventQuery, EventRecord, EventsFrom, Sight};
use i18n_embed_fl::fl;

use crate::pages::answer::PageError;
use crate::pages::frame::Frame;
use crate::pages::texts::Texts;
use crate::pages::visitor::Visitor;
use crate::pages::when::When;
use crate::state::State;

/// How many events are shown beside something.
const LATEST: usize = 8;

/// An event, in words.
pub struct Happened {
    pub number: String,
    pub when: When,
    /// The stable name.
    pub event: String,
    /// The same in words.
    pub text: String,
    pub actor: String,
    pub user: String,
    pub client: String,
    pub session: String,
    pub address: String,
    pub detail: String,
}

impl Happened {
    /// In the language of a page.
    pub fn new(frame: &Frame, event: EventRecord) -> Self {
        let texts = frame.texts;
        let actor = match (event.actor_kind.as_str(), event.actor_name) {
            ("cli", name) => fl!(texts, "by-command-line", name = name.unwrap_or_default()),
            ("server", _) => fl!(texts, "by-server"),
            (_, Some(name)) => name,
            (_, None) => fl!(texts, "by-unknown"),
        };
        Self {
            number: event.number.map(|number| number.to_string()).unwrap_or_default(),
            when: frame.when(event.at.div_euclid(1_000)),
            text: event_text(texts, &event.event),
            event: event.event,
            actor,
            user: event.user_id.map(|id| id.to_string()).unwrap_or_default(),
            client: event.client_id.unwrap_or_default(),
            session: event.session_id.map(|id| id.to_string()).unwrap_or_default(),
            address: event.address.unwrap_or_default(),
            detail: event.detail.unwrap_or_default(),
        }
    }
}

/// The last events that a change of `query` selects, if who asks may see the event log.
pub async fn latest(
    visitor: &Visitor,
    state: &State,
    select: impl FnOnce(&mut EventQuery),
) -> Result<Vec<Happened>, PageError> {
    let Ok(Sight::All) = visitor.actor().sight_of_log() else { return Ok(Vec::new()) };
    let mut query = EventQuery::default();
    select(&mut query);
    let admin = state.authority.admin();
    let search = admin.event_search(visitor.actor(), &query, Sight::All).await?;
    let page = admin.search_events(&search, EventsFrom::Newest, LATEST).await?;
    Ok(page.events.into_iter().map(|event| Happened::new(&visitor.frame, event)).collect())
}

/// What an event is, in words; its name if there are none.
pub fn event_text(texts: &Texts, event: &str) -> String {
    match event {
        "login.succeeded" => fl!(texts, "event-login-succeeded"),
        "login.failed" => fl!(texts, "event-login-failed"),
        "refresh.retried" => fl!(texts, "event-refresh-retried"),
        "refresh.replayed" => fl!(texts, "event-refresh-replayed"),
        "refresh.ahead_of_database" => fl!(texts, "event-refresh-ahead"),
        "session.revoked" => fl!(texts, "event-session-revoked"),
        "sessions.revoked" => fl!(texts, "event-sessions-revoked"),
        "session.logged_out" => fl!(texts, "event-logged-out"),
        "token.revoked" => fl!(texts, "event-token-revoked"),
        "user.created" => fl!(texts, "event-user-created"),
        "user.changed" => fl!(texts, "event-user-changed"),
        "user.disabled" => fl!(texts, "event-user-disabled"),
        "user.enabled" => fl!(texts, "event-user-enabled"),
        "user.deleted" => fl!(texts, "event-user-deleted"),
        "user.erased" => fl!(texts, "event-user-erased"),
        "user.password_changed" => fl!(texts, "event-password-changed"),
        "user.unlocked" => fl!(texts, "event-user-unlocked"),
        "client.created" => fl!(texts, "event-client-created"),
        "client.changed" => fl!(texts, "event-client-changed"),
        "client.disabled" => fl!(texts, "event-client-disabled"),
        "client.enabled" => fl!(texts, "event-client-enabled"),
        "client.deleted" => fl!(texts, "event-client-deleted"),
        "client.secret_added" => fl!(texts, "event-secret-added"),
        "client.secret_removed" => fl!(texts, "event-secret-removed"),
        "scope.declared" => fl!(texts, "event-scope-declared"),
        "scope.removed" => fl!(texts, "event-scope-removed"),
        "key.rotated" => fl!(texts, "event-key-rotated"),
        "key.purged" => fl!(texts, "event-key-purged"),
        "admin.read" => fl!(texts, "event-admin-read"),
        "server.history_changed" => fl!(texts, "event-history-changed"),
        "job.accepted" => fl!(texts, "event-job-accepted"),
        "job.stopped" => fl!(texts, "event-job-stopped"),
        other => other.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pages::language::Language;
    use crate::pages::texts::texts;

    #[test]
    fn every_event_reads_well_in_every_language() {
        for (language, _) in Language::ALL {
            for kind in ficha_authority::EventKind::ALL {
                let name = kind.as_str();
                assert_ne!(event_text(texts(language), name), name, "{language:?}");
            }
        }
    }
}
