//! `ficha client list`, `ficha client show`, and showing a secret once.

use ficha_authority::{ClientRecord, ClientScopes, Secret};
use serde::Serialize;
use serde_json::json;

use crate::admin_context::{AdminContext, actor, all_pages};
use crate::error::CliError;
use crate::output::{self, or_dash, time, yes_no};

/// A client as shown, without its secret's hash.
#[derive(Serialize)]
struct Shown {
    client_id: String,
    public: bool,
    grants: Vec<&'static str>,
    scope: String,
    audience: Option<String>,
    serves: Vec<String>,
    forwards_address: bool,
    own_scopes: bool,
    enabled: bool,
    /// Its sessions are being ended, and it gets no token until that is done.
    revoking: bool,
    created_at: String,
}

impl Shown {
    fn of(client: &ClientRecord) -> Self {
        Self {
            client_id: client.id.clone(),
            public: client.secret_hash.is_none(),
            grants: client.grants.iter().map(|grant| grant.as_str()).collect(),
            scope: match &client.scopes {
                ClientScopes::Any => "any".into(),
                ClientScopes::Only(scopes) => scopes.to_string(),
            },
            audience: client.audience.clone(),
            serves: client.serves.clone(),
            forwards_address: client.forwards_address,
            own_scopes: client.own_scopes,
            enabled: client.enabled,
            revoking: client.revoking,
            created_at: time(client.created_at),
        }
    }
}

/// A new client, with its secret.
#[derive(Serialize)]
struct Added<'a> {
    #[serde(flatten)]
    client: Shown,
    client_secret: Option<&'a str>,
}

/// Shows a client that was just added.
pub fn added(client: &ClientRecord, secret: Option<&Secret>, json: bool) -> Result<(), CliError> {
    if json {
        return output::json(&Added { client: Shown::of(client), client_secret: secret.map(Secret::expose) });
    }
    output::say(&format!("client {} added", client.id))?;
    match secret {
        Some(secret) => show_secret(&client.id, secret),
        None => output::say("it is a public client and has no secret"),
    }
}

/// Shows a new secret.
pub fn secret(id: &str, secret: &Secret, json: bool) -> Result<(), CliError> {
    if json {
        return output::json(&json!({ "client_id": id, "client_secret": secret.expose() }));
    }
    show_secret(id, secret)
}

fn show_secret(id: &str, secret: &Secret) -> Result<(), CliError> {
    output::fields(&[("client_id", id.to_owned()), ("client_secret", secret.expose().to_owned())])?;
    output::say("the secret is shown only once")
}

/// Lists all clients.
pub async fn list(context: &AdminContext, json: bool) -> Result<(), CliError> {
    let clients = all_pages(async |last: Option<&ClientRecord>, limit| {
        context.admin.clients(&actor(), last.map(|client| client.id.as_str()), limit).await
    });
    let clients = clients.await?;
    let shown = clients.iter().map(Shown::of);
    if json {
        return output::json(&shown.collect::<Vec<_>>());
    }
    let row = |client: Shown| {
        let kind = if client.public { "public" } else { "confidential" };
        let scope = or_dash(Some(&client.scope));
        let (grants, serves) = (or_dash(Some(&client.grants.join(" "))), or_dash(Some(&client.serves.join(" "))));
        [client.client_id, kind.into(), grants, scope, serves, yes_no(client.enabled), client.created_at]
    };
    let rows: Vec<_> = shown.map(row).collect();
    output::table(["CLIENT", "KIND", "GRANTS", "SCOPES", "SERVES", "ENABLED", "CREATED"], &rows)
}

/// Shows one client.
pub fn one(client: &ClientRecord, json: bool) -> Result<(), CliError> {
    let client = Shown::of(client);
    if json {
        return output::json(&client);
    }
    output::fields(&[
        ("client_id", client.client_id),
        ("public", yes_no(client.public)),
        ("grants", or_dash(Some(&client.grants.join(" ")))),
        ("scopes", or_dash(Some(&client.scope))),
        ("audience", or_dash(client.audience.as_deref())),
        ("serves", or_dash(Some(&client.serves.join(" ")))),
        ("forwards address", yes_no(client.forwards_address)),
        ("own scopes", yes_no(client.own_scopes)),
        ("enabled", yes_no(client.enabled)),
        ("sessions are being ended", yes_no(client.revoking)),
        ("created", client.created_at),
    ])
}
