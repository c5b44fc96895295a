//! How clients are shown, and a secret once.

use ficha_client::admin::{Client, ClientScopes, ClientSecret};
use serde::Serialize;

use crate::error::CliError;
use crate::output::{self, or_dash, yes_no};
use crate::place::ChangedClient;
use crate::report::{Fields, Report};

impl Fields for Client {
    fn fields(&self) -> Vec<(&'static str, String)> {
        let fields = [
            ("client", self.id.clone()),
            ("public", yes_no(self.public)),
            ("grants", or_dash(Some(&self.grants.join(" ")))),
            ("scopes", or_dash(Some(&scopes(self)))),
            ("audience", or_dash(self.audience.as_deref())),
            ("serves", or_dash(Some(&self.serves.join(" ")))),
            ("forwards address", yes_no(self.forwards_address)),
            ("own scopes", yes_no(self.own_scopes)),
            ("enabled", yes_no(self.enabled)),
            ("sessions are being ended", yes_no(self.revoking)),
            ("created", self.created_at.clone()),
        ];
        fields.into_iter().chain(self.secrets.iter().map(|one| ("secret", line(one)))).collect()
    }
}

/// Prints many clients.
pub fn list(report: Report, clients: &[Client]) -> Result<(), CliError> {
    report.list(["CLIENT", "KIND", "GRANTS", "SCOPES", "SERVES", "ENABLED", "CREATED"], clients, |client| {
        let kind = if client.public { "public" } else { "confidential" };
        let (grants, serves) = (or_dash(Some(&client.grants.join(" "))), or_dash(Some(&client.serves.join(" "))));
        let (scopes, enabled) = (or_dash(Some(&scopes(client))), yes_no(client.enabled));
        [client.id.clone(), kind.into(), grants, scopes, serves, enabled, client.created_at.clone()]
    })
}

fn scopes(client: &Client) -> String {
    match &client.scopes {
        ClientScopes::Any(_) => "any".into(),
        ClientScopes::Only(names) => names.join(" "),
    }
}

fn line(secret: &ClientSecret) -> String {
    let ClientSecret { id, created_at, last_used_at, expires_at, .. } = secret;
    let or = |time: &Option<String>, without: &str| time.clone().unwrap_or_else(|| without.to_owned());
    let (created, used) = (or(created_at, "at an unknown time"), or(last_used_at, "not seen"));
    format!("{id}, created {created}, last used {used}, expires {}", or(expires_at, "never"))
}

/// A new client, with its secret under the names that OAuth has for both (RFC 7591 §3.2.1).
#[derive(Serialize)]
struct Added<'a> {
    #[serde(flatten)]
    client: &'a Client,
    #[serde(skip_serializing_if = "Option::is_none")]
    secret: Option<&'a str>,
    client_id: &'a str,
    client_secret: Option<&'a str>,
}

/// A client that was public before a change.
#[derive(Serialize)]
struct MadeConfidential<'a> {
    #[serde(flatten)]
    added: Added<'a>,
    revoked: u64,
}

/// The same of a new secret.
#[derive(Serialize)]
struct AddedSecret<'a> {
    #[serde(flatten)]
    about: &'a ClientSecret,
    secret: &'a str,
    client_id: &'a str,
    client_secret: &'a str,
}

/// Shows a client that was just added.
pub fn added(report: Report, client: &Client, secret: Option<&str>) -> Result<(), CliError> {
    let line = format!("client {} added", client.id);
    report.say(&line, &Added { client, secret, client_id: &client.id, client_secret: secret })?;
    match secret {
        _ if report.is_json() => Ok(()),
        Some(secret) => show_secret(&client.id, secret),
        None => output::say("it is a public client and has no secret"),
    }
}

/// Shows what a change has made of a client, and the secret that it has got by that.
pub fn changed(report: Report, id: &str, named: &[&str], changed: &ChangedClient) -> Result<(), CliError> {
    let ChangedClient { before, now, secret, revoked } = changed;
    let secret = secret.as_deref().map(String::as_str);
    match secret {
        Some(_) if report.is_json() => {
            let added = Added { client: now, secret, client_id: id, client_secret: secret };
            output::json(&MadeConfidential { added, revoked: *revoked })
        }
        Some(secret) => {
            report.changed(&format!("client {id}"), named, (before, now), *revoked)?;
            show_secret(id, secret)
        }
        None => report.changed(&format!("client {id}"), named, (before, now), *revoked),
    }
}

/// Shows a new secret.
pub fn secret(
    report: Report,
    client: &str,
    about: &ClientSecret,
    secret: &str,
    keeps_old: bool,
) -> Result<(), CliError> {
    if report.is_json() {
        return output::json(&AddedSecret { about, secret, client_id: client, client_secret: secret });
    }
    let old = match keeps_old {
        true => format!("`ficha client show {client}` says until when the old one works"),
        false => "every other one was removed".into(),
    };
    output::say(&format!("secret {} of client {client} added; {old}", about.id))?;
    if let Some(end) = &about.expires_at {
        output::say(&format!("it expires on {end}"))?;
    }
    show_secret(client, secret)
}

fn show_secret(client: &str, secret: &str) -> Result<(), CliError> {
    output::fields(&[("client_id", client.to_owned()), ("client_secret", secret.to_owned())])?;
    output::say("the secret is shown only once")
}
