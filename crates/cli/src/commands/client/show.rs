//! `ficha client list`, `ficha client show`, and showing a secret once.

use ficha_authority::{ClientRecord, ClientScopes, ClientSecret};
use ficha_client::admin;
use serde::Serialize;
use serde_json::json;

use crate::admin_context::{AdminContext, actor, all_pages};
use crate::error::CliError;
use crate::output::{self, or_dash, time, yes_no};

/// A client as shown, without its secret's hash.
#[derive(Serialize)]
pub struct Shown {
    client_id: String,
    public: bool,
    grants: Vec<String>,
    scope: String,
    audience: Option<String>,
    serves: Vec<String>,
    forwards_address: bool,
    own_scopes: bool,
    enabled: bool,
    /// Its sessions are being ended, and it gets no token until that is done. Only the local database tells.
    #[serde(skip_serializing_if = "Option::is_none")]
    revoking: Option<bool>,
    created_at: String,
    secrets: Vec<ShownSecret>,
}

/// A secret, without the secret itself.
#[derive(Serialize)]
struct ShownSecret {
    id: String,
    created_at: Option<String>,
    last_used_at: Option<String>,
    expires_at: Option<String>,
}

impl From<&ClientRecord> for Shown {
    fn from(client: &ClientRecord) -> Self {
        Self {
            client_id: client.id.clone(),
            public: client.is_public(),
            grants: client.grants.iter().map(|grant| grant.as_str().to_owned()).collect(),
            scope: match &client.scopes {
                ClientScopes::Any => "any".into(),
                ClientScopes::Only(scopes) => scopes.to_string(),
            },
            audience: client.audience.clone(),
            serves: client.serves.clone(),
            forwards_address: client.forwards_address,
            own_scopes: client.own_scopes,
            enabled: client.enabled,
            revoking: Some(client.revoking),
            created_at: time(client.created_at),
            secrets: client.secrets.iter().map(ShownSecret::of).collect(),
        }
    }
}

impl From<admin::Client> for Shown {
    fn from(client: admin::Client) -> Self {
        Self {
            client_id: client.id,
            public: client.public,
            grants: client.grants,
            scope: match client.scopes {
                admin::ClientScopes::Any(_) => "any".into(),
                admin::ClientScopes::Only(names) => names.join(" "),
            },
            audience: client.audience,
            serves: client.serves,
            forwards_address: client.forwards_address,
            own_scopes: client.own_scopes,
            enabled: client.enabled,
            revoking: None,
            created_at: client.created_at,
            secrets: client.secrets.into_iter().map(ShownSecret::from).collect(),
        }
    }
}

impl From<admin::ClientSecret> for ShownSecret {
    fn from(secret: admin::ClientSecret) -> Self {
        let admin::ClientSecret { id, created_at, last_used_at, expires_at, .. } = secret;
        Self { id, created_at, last_used_at, expires_at }
    }
}

impl ShownSecret {
    fn of(secret: &ClientSecret) -> Self {
        Self {
            id: secret.id.to_string(),
            created_at: secret.created_at.map(time),
            last_used_at: secret.last_used_at.map(time),
            expires_at: secret.expires_at.map(time),
        }
    }

    fn line(&self) -> String {
        let Self { id, created_at, last_used_at, expires_at } = self;
        let or = |time: &Option<String>, without: &str| time.clone().unwrap_or_else(|| without.to_owned());
        let (created, used) = (or(created_at, "at an unknown time"), or(last_used_at, "not seen"));
        format!("{id}, created {created}, last used {used}, expires {}", or(expires_at, "never"))
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
pub fn added(client: Shown, secret: Option<&str>, json: bool) -> Result<(), CliError> {
    if json {
        return output::json(&Added { client, client_secret: secret });
    }
    output::say(&format!("client {} added", client.client_id))?;
    match secret {
        Some(secret) => show_secret(&client.client_id, secret),
        None => output::say("it is a public client and has no secret"),
    }
}

/// Shows a new secret.
pub fn secret(id: &str, secret: &str, json: bool) -> Result<(), CliError> {
    if json {
        return output::json(&json!({ "client_id": id, "client_secret": secret }));
    }
    show_secret(id, secret)
}

fn show_secret(id: &str, secret: &str) -> Result<(), CliError> {
    output::fields(&[("client_id", id.to_owned()), ("client_secret", secret.to_owned())])?;
    output::say("the secret is shown only once")
}

/// All clients of the configured database.
pub async fn all(context: &AdminContext) -> Result<Vec<ClientRecord>, CliError> {
    let clients = all_pages(async |last: Option<&ClientRecord>, limit| {
        context.admin.clients(&actor(), last.map(|client| client.id.as_str()), limit).await
    });
    Ok(clients.await?)
}

/// Lists clients.
pub fn list(clients: impl Iterator<Item = Shown>, json: bool) -> Result<(), CliError> {
    if json {
        return output::json(&clients.collect::<Vec<_>>());
    }
    let row = |client: Shown| {
        let kind = if client.public { "public" } else { "confidential" };
        let scope = or_dash(Some(&client.scope));
        let (grants, serves) = (or_dash(Some(&client.grants.join(" "))), or_dash(Some(&client.serves.join(" "))));
        [client.client_id, kind.into(), grants, scope, serves, yes_no(client.enabled), client.created_at]
    };
    let rows: Vec<_> = clients.map(row).collect();
    output::table(["CLIENT", "KIND", "GRANTS", "SCOPES", "SERVES", "ENABLED", "CREATED"], &rows)
}

impl Shown {
    /// Prints one client.
    pub fn print(self, json: bool) -> Result<(), CliError> {
        if json {
            return output::json(&self);
        }
        let secrets = self.secrets.iter().map(|secret| ("secret", secret.line()));
        let fields = [
            ("client_id", self.client_id),
            ("public", yes_no(self.public)),
            ("grants", or_dash(Some(&self.grants.join(" ")))),
            ("scopes", or_dash(Some(&self.scope))),
            ("audience", or_dash(self.audience.as_deref())),
            ("serves", or_dash(Some(&self.serves.join(" ")))),
            ("forwards address", yes_no(self.forwards_address)),
            ("own scopes", yes_no(self.own_scopes)),
            ("enabled", yes_no(self.enabled)),
            ("sessions are being ended", self.revoking.map_or_else(|| "-".into(), yes_no)),
            ("created", self.created_at),
        ];
        output::fields(&fields.into_iter().chain(secrets).collect::<Vec<_>>())
    }
}
