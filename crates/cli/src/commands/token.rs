//! `ficha token …`

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use clap::{Args, Subcommand};
use ficha_client::{Error, TokenStore, Tokens};
use ficha_token::{Clock, SystemClock};
use serde_json::{Value, json};

use super::login::{Loaded, log_warnings, source_of};
use crate::error::CliError;
use crate::output::{self, or_dash, system_time, yes_no};
use crate::report::JsonArgument;
use crate::token_file::TokenFile;

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Show the claims of the stored access token, without the token itself
    Show(Show),
}

#[derive(Debug, Args)]
pub struct Show {
    /// Print only the access token, refreshed if needed: for `curl -H "Authorization: Bearer $(…)"`
    #[arg(long, conflicts_with = "json")]
    access_token: bool,
    #[command(flatten)]
    json: JsonArgument,
    #[command(flatten)]
    file: TokenFile,
}

/// Runs the command.
pub async fn run(command: Command, configuration: Loaded) -> Result<(), CliError> {
    log_warnings(&configuration);
    let Command::Show(arguments) = command;
    let store = arguments.file.store()?;
    let tokens = store.load().await.map_err(Error::from)?.ok_or(Error::NotLoggedIn)?;
    if arguments.access_token {
        let source = source_of(&tokens, store)?;
        let token = source.access_token().await?;
        output::say(token.secret())?;
        // A refresh may still be running, and would be aborted with this process.
        source.settled().await;
        return Ok(());
    }
    let claims = claims(tokens.access_token().secret());
    if arguments.json.report().is_json() {
        show_json(&tokens, claims)
    } else {
        show(&tokens, claims.unwrap_or_default())
    }
}

fn show_json(tokens: &Tokens, claims: Option<Value>) -> Result<(), CliError> {
    output::json(&json!({
        "issuer": tokens.issuer(),
        "client_id": tokens.client_id(),
        "scope": tokens.scope(),
        "issued_at": system_time(tokens.issued_at()),
        "expires_at": system_time(tokens.expires_at()),
        "expired": is_expired(tokens),
        "refreshable": tokens.can_be_refreshed(),
        "claims": claims,
    }))
}

fn show(tokens: &Tokens, claims: Value) -> Result<(), CliError> {
    let claim = |name: &str| match &claims[name] {
        Value::Null => "-".to_owned(),
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" "),
        other => other.to_string(),
    };
    output::fields(&[
        ("issuer", tokens.issuer().to_owned()),
        ("client", tokens.client_id().to_owned()),
        ("subject", claim("sub")),
        ("audience", claim("aud")),
        ("session", claim("sid")),
        ("scope", or_dash(tokens.scope())),
        ("roles", claim("roles")),
        ("issued", system_time(tokens.issued_at())),
        ("expires", system_time(tokens.expires_at())),
        ("expired", yes_no(is_expired(tokens))),
        ("refreshable", yes_no(tokens.can_be_refreshed())),
    ])
}

fn is_expired(tokens: &Tokens) -> bool {
    SystemClock.now() >= tokens.expires_at()
}

/// For whom a token is, as its claims say.
pub fn audience(tokens: &Tokens) -> Option<String> {
    match &claims(tokens.access_token().secret())?["aud"] {
        Value::String(one) => Some(one.clone()),
        Value::Array(several) => Some(several.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" ")),
        _ => None,
    }
}

/// The claims, without verifying the signature: they are only displayed. `None` if the token is not a JWT.
fn claims(token: &str) -> Option<Value> {
    let payload = token.split('.').nth(1)?;
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).ok()?).ok()
}
