//! `ficha client add`, `ficha client set`

use clap::{ArgAction, ArgGroup, Args};
use ficha_authority::{ClientChange, Grant, NewClient};

use super::{Scopes, grant, show};
use crate::admin_context::{self, ACTOR, AdminContext, Empty};
use crate::config::Configuration;
use crate::error::CliError;
use crate::output;

#[derive(Debug, Args)]
pub struct Add {
    /// The client_id
    id: String,
    /// The client keeps no secret: a browser or mobile application
    #[arg(long)]
    public: bool,
    /// What it may use at the token endpoint: password, refresh_token, client_credentials; can be given several times.
    /// Without it: password and refresh_token; but nothing for a client with --serves
    #[arg(long = "grant", value_name = "GRANT", value_parser = grant)]
    grants: Vec<Grant>,
    /// What it may ask for: names separated by spaces, or `any` for whatever the user may; a new name is declared
    #[arg(long, value_name = "SCOPES", default_value = "")]
    scope: Scopes,
    /// The audience of its tokens; without it, the server's own
    #[arg(long, value_name = "AUDIENCE")]
    audience: Option<String>,
    /// An audience that it serves: it may introspect those tokens and follow their revocation; can be given several times
    #[arg(long, value_name = "AUDIENCE")]
    serves: Vec<String>,
    /// Trust it to say which address its users come from
    #[arg(long)]
    forwards_address: bool,
    /// Print one JSON document, with client_id and client_secret
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
#[command(group = ArgGroup::new("change").required(true).multiple(true).args([
    "grants", "no_grants", "scope", "audience", "no_audience", "serves", "no_serves", "forwards_address",
]))]
pub struct Set {
    /// The client_id
    id: String,
    /// The grants from now on; can be given several times
    #[arg(long = "grant", value_name = "GRANT", value_parser = grant)]
    grants: Vec<Grant>,
    /// No grants from now on
    #[arg(long, conflicts_with = "grants")]
    no_grants: bool,
    /// What it may ask for from now on: names, "" for nothing, or `any`
    #[arg(long, value_name = "SCOPES")]
    scope: Option<Scopes>,
    /// The audience of its tokens from now on
    #[arg(long, value_name = "AUDIENCE")]
    audience: Option<String>,
    /// The server's own audience from now on
    #[arg(long, conflicts_with = "audience")]
    no_audience: bool,
    /// The audiences that it serves from now on; can be given several times
    #[arg(long, value_name = "AUDIENCE")]
    serves: Vec<String>,
    /// It serves no audience from now on
    #[arg(long, conflicts_with = "serves")]
    no_serves: bool,
    /// Whether it is trusted to say which address its users come from
    #[arg(long, value_name = "TRUE_OR_FALSE", action = ArgAction::Set)]
    forwards_address: Option<bool>,
}

/// Makes a client.
pub async fn add(arguments: Add, configuration: &Configuration) -> Result<(), CliError> {
    let context = admin_context::open(configuration, Empty::Make).await?;
    let grants = match arguments.grants.is_empty() {
        false => arguments.grants,
        // A service that checks tokens needs none of its own.
        true if !arguments.serves.is_empty() => Vec::new(),
        true => vec![Grant::Password, Grant::RefreshToken],
    };
    let new = NewClient {
        id: arguments.id,
        public: arguments.public,
        grants,
        scopes: arguments.scope.0,
        audience: arguments.audience,
        serves: arguments.serves,
        forwards_address: arguments.forwards_address,
    };
    let (client, secret) = context.admin.add_client(ACTOR, new).await?;
    show::added(&client, secret.as_ref(), arguments.json)
}

/// Changes a client.
pub async fn set(context: &AdminContext, arguments: Set) -> Result<(), CliError> {
    let list = |given: bool, none: bool| given || none;
    let change = ClientChange {
        grants: list(!arguments.grants.is_empty(), arguments.no_grants).then_some(arguments.grants),
        scopes: arguments.scope.map(|scope| scope.0),
        audience: list(arguments.audience.is_some(), arguments.no_audience).then_some(arguments.audience),
        serves: list(!arguments.serves.is_empty(), arguments.no_serves).then_some(arguments.serves),
        forwards_address: arguments.forwards_address,
    };
    let client = context.admin.change_client(ACTOR, &arguments.id, change).await?;
    output::say(&format!("{} is changed", client.id))
}
