//! Sessions and receipts of a server elsewhere, as the local ones are shown.

use ficha_client::admin::{Receipt, Session};

use super::receipt;
use super::view::Shown;

/// As the local database's sessions are shown.
pub fn shown(session: Session) -> Shown {
    let state = match (&*session.state, &session.ended) {
        ("revoked", Some(ended)) => format!("revoked: {}", ended.reason),
        (state, _) => state.to_owned(),
    };
    Shown {
        id: session.id,
        state,
        user: session.user.and_then(|user| user.name),
        client_id: session.client_id,
        subject: None,
        scope: session.scopes.join(" "),
        roles: session.roles,
        audience: session.audience,
        generation: None,
        created_at: session.created_at,
        rotated_at: session.refreshed_at,
        idle_expires_at: session.idle_expires_at,
        expires_at: session.expires_at,
        revoked_at: session.ended.and_then(|ended| ended.at),
        address: session.address,
        user_agent: session.user_agent,
        amr: session.amr,
        acr: None,
        auth_time: None,
    }
}

/// A receipt as the local ones are shown.
pub fn receipt(receipt: &Receipt) -> receipt::Shown<'_> {
    receipt::Shown {
        complete: receipt.complete,
        unnamed: receipt.unnamed,
        silent: receipt.silent,
        services: receipt
            .services
            .iter()
            .map(|one| receipt::Service {
                service: &one.service,
                instance: &one.instance,
                state: &one.state,
                after_ms: one.after_ms,
                refuses_at: one.refuses_at.clone(),
            })
            .collect(),
    }
}
