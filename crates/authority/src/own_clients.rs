//! The server's own clients and scopes: what administrators sign in with, and what they may then do.

use ficha_store::{Cause, ClientRecord, ClientScopes, EventActor, OwnClients};
use ficha_token::{Grant, Scope, ordered_uuid};

use crate::error::StartError;
use crate::foundation::Foundation;
use crate::settings::{ACCOUNT_SCOPE, ADMIN_CLI, ADMIN_SCOPE, CONSOLE};

/// The server's own scopes, and what each is for.
pub const OWN_SCOPES: [(&str, &str); 7] = [
    (ACCOUNT_SCOPE, "See and end one's own sessions, and change one's password"),
    (ADMIN_SCOPE, "Administer this server"),
    ("ficha:admin:read", "See everything on this server, and change nothing"),
    ("ficha:audit", "Read the event log"),
    ("ficha:clients", "Manage clients and scopes"),
    ("ficha:sessions", "See and end sessions"),
    ("ficha:users", "Manage users"),
];

/// Adds them, unless that was done before on this database.
pub(crate) async fn add_own_clients(base: &Foundation) -> Result<(), StartError> {
    let own = OwnClients {
        clients: vec![own_client(base, ADMIN_CLI), own_client(base, CONSOLE)],
        scopes: OWN_SCOPES.map(|(name, description)| (name.into(), description.into())).into(),
        scope_of_users: ACCOUNT_SCOPE.into(),
    };
    let cause = Cause {
        actor: EventActor::Server { name: "first start".into() },
        address: None,
        request_id: None,
        at: base.clock.unix_millis(),
        session: None,
    };
    if base.store.add_own_clients(&own, base.clock.unix_now(), &cause).await? {
        tracing::debug!("the clients {ADMIN_CLI} and {CONSOLE} were added");
    }
    Ok(())
}

fn own_client(base: &Foundation, id: &str) -> ClientRecord {
    let scopes: Scope =
        OWN_SCOPES.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(" ").parse().unwrap_or_default();
    ClientRecord {
        id: id.into(),
        subject: ordered_uuid(&*base.clock, &*base.entropy),
        secrets: Vec::new(),
        grants: vec![Grant::Password, Grant::RefreshToken],
        scopes: ClientScopes::Only(scopes),
        audience: None,
        serves: Vec::new(),
        forwards_address: false,
        own_scopes: true,
        enabled: true,
        revoking: false,
        auth_version: 0,
        created_at: base.clock.unix_now(),
    }
}
