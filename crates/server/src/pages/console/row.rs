//! A session, as a page shows it.

use ficha_authority::{EndedBy, RevokeReason, SearchedState, SessionState, reason_of};
use i18n_embed_fl::fl;
use uuid::Uuid;

use crate::api::sessions::Seen;
use crate::pages::console::clients::path;
use crate::pages::device::device;
use crate::pages::frame::Frame;
use crate::pages::texts::{Texts, isolated};
use crate::pages::when::When;

/// For how long a service may take a token that has expired, in seconds: its clock may be behind.
const LEEWAY: i64 = 60;

/// A session, in words.
pub struct Row {
    pub id: Uuid,
    /// Its user's name, or how else to call it.
    pub user: String,
    /// False for a session of a client that acts for itself.
    pub has_user: bool,
    pub client: String,
    pub device: String,
    pub user_agent: String,
    pub address: String,
    /// `live`, `expired` or `revoked`.
    pub state: &'static str,
    pub state_text: String,
    pub created: When,
    pub used: When,
    /// When it ends unless it is used.
    pub idle: When,
    /// When it ends in any case.
    pub expires: When,
    pub scopes: Vec<String>,
    pub audience: String,
    /// How it ended, if it was ended.
    pub ended: Option<Ended>,
    /// True if there is something to end: it is live, or a token of it may still be valid.
    pub can_end: bool,
    /// True for the session of who asks.
    pub is_this: bool,
    /// The query that lists the sessions of the same user, or of the client.
    pub siblings: String,
}

/// How a session was ended.
pub struct Ended {
    pub at: Option<When>,
    pub reason: String,
    pub by: String,
}

impl Row {
    /// In the language of a page.
    pub fn new(frame: &Frame, own: Uuid, seen: Seen) -> Self {
        let texts = frame.texts;
        let Seen { session, state, name, by } = seen;
        let siblings = match session.user_id {
            Some(id) => format!("user={id}"),
            None => format!("client={}", path(&session.client_id)),
        };
        let user = match (session.user_id, name) {
            (Some(_), Some(name)) => name,
            (Some(id), None) => id.to_string(),
            (None, _) => fl!(texts, "client-itself"),
        };
        let searched = SearchedState::of(state);
        let ended = reason_of(state).map(|reason| Ended {
            at: session.revoked.map(|(at, _)| frame.when(at)),
            reason: reason_text(texts, reason),
            by: by.map(|by| actor_text(texts, by)).unwrap_or_default(),
        });
        Self {
            id: session.id,
            has_user: session.user_id.is_some(),
            user,
            client: session.client_id,
            device: device(session.user_agent.as_deref()).unwrap_or_else(|| fl!(texts, "unknown-device")),
            user_agent: session.user_agent.unwrap_or_default(),
            address: session.address.unwrap_or_else(|| fl!(texts, "unknown-address")),
            state: searched.as_str(),
            state_text: match searched {
                SearchedState::Live => fl!(texts, "state-live"),
                SearchedState::Expired => fl!(texts, "state-expired"),
                SearchedState::Revoked => fl!(texts, "state-revoked"),
            },
            created: frame.when(session.created_at),
            used: frame.when(session.rotated_at),
            idle: frame.when(session.idle_expires_at),
            expires: frame.when(session.expires_at),
            scopes: session.scopes.iter().map(str::to_owned).collect(),
            audience: session.audience,
            ended,
            can_end: reason_of(state).is_none()
                && (state == SessionState::Live || session.access_exp > frame.now - LEEWAY),
            siblings,
            is_this: session.id == own,
        }
    }

    /// The name of its user within a sentence, whatever its direction.
    pub fn isolated(&self) -> String {
        isolated(&self.user)
    }

    /// True if it is live.
    pub fn is_live(&self) -> bool {
        self.state == "live"
    }
}

/// Why sessions may have been ended, each with its text.
pub fn reasons(texts: &Texts) -> Vec<(&'static str, String)> {
    let all = RevokeReason::ALL.map(RevokeReason::as_str).into_iter().chain(["purge"]);
    all.map(|reason| (reason, reason_text(texts, reason))).collect()
}

/// Why a session was ended.
fn reason_text(texts: &Texts, reason: &str) -> String {
    match reason {
        "logout" => fl!(texts, "reason-logout"),
        "replay" => fl!(texts, "reason-replay"),
        "future_generation" => fl!(texts, "reason-future-generation"),
        "admin" => fl!(texts, "reason-admin"),
        "password_changed" => fl!(texts, "reason-password-changed"),
        "rights_changed" => fl!(texts, "reason-rights-changed"),
        "user_disabled" => fl!(texts, "reason-user-disabled"),
        "client_revoked" => fl!(texts, "reason-client-revoked"),
        "purge" => fl!(texts, "reason-purge"),
        other => other.to_owned(),
    }
}

/// Who has done something.
fn actor_text(texts: &Texts, by: EndedBy) -> String {
    let name = by.name.unwrap_or_default();
    match (by.kind.as_str(), name.as_str()) {
        ("cli", _) => fl!(texts, "by-command-line", name = name),
        ("server", _) => fl!(texts, "by-server"),
        (_, "") => fl!(texts, "by-unknown"),
        _ => name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pages::language::Language;
    use crate::pages::texts::texts;

    #[test]
    fn every_reason_has_its_text() {
        for (language, _) in Language::ALL {
            for (reason, text) in reasons(texts(language)) {
                assert_ne!(text, reason, "{language:?}");
            }
        }
    }
}
