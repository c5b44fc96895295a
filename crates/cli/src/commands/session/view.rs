//! How sessions are shown.

use ficha_client::admin::Session;

use crate::output::or_dash;
use crate::report::Fields;

impl Fields for Session {
    fn fields(&self) -> Vec<(&'static str, String)> {
        let ended = self.ended.as_ref();
        let by = ended.and_then(|ended| ended.by.as_ref()).map(|by| match &by.name {
            Some(name) => format!("{}:{name}", by.kind),
            None => by.kind.clone(),
        });
        vec![
            ("id", self.id.clone()),
            ("state", state(self)),
            ("user", or_dash(user(self))),
            ("client", self.client_id.clone()),
            ("subject", or_dash(self.subject.as_deref())),
            ("scopes", or_dash(Some(&self.scopes.join(" ")))),
            ("roles", or_dash(Some(&self.roles.join(" ")))),
            ("audience", self.audience.clone()),
            ("created", self.created_at.clone()),
            ("refreshed", self.refreshed_at.clone()),
            ("ends unless refreshed", self.idle_expires_at.clone()),
            ("ends", self.expires_at.clone()),
            ("revoked", or_dash(ended.and_then(|ended| ended.at.as_deref()))),
            ("revoked by", or_dash(by.as_deref())),
            ("address", or_dash(self.address.as_deref())),
            ("user agent", or_dash(self.user_agent.as_deref())),
            ("authenticated", or_dash(self.auth_time.as_deref())),
            ("methods", or_dash(Some(&self.amr.join(" ")))),
        ]
    }
}

/// `live`, `expired`, or `revoked` and why.
pub fn state(session: &Session) -> String {
    match &session.ended {
        Some(ended) => format!("{}: {}", session.state, ended.reason),
        None => session.state.clone(),
    }
}

/// The name of its user; the id of one who was deleted.
pub fn user(session: &Session) -> Option<&str> {
    session.user.as_ref().map(|user| user.name.as_deref().unwrap_or(&user.id))
}
