//! `ficha client add`, `ficha client set`

use clap::{ArgAction, ArgGroup, Args};
use ficha_authority::{ClientChange, ClientScopes, Grant, NewClient, Secret};

use super::{Scopes, grant, show};
use crate::admin_context::{AdminContext, actor};
use crate::declared::{NewScopes, names};
use crate::error::CliError;
use crate::output;

#[derive(Debug, Args)]
pub struct Add {
    /// The client_id
    id: String,
    /// A public client, without a secret: a browser or mobile application
    #[arg(long)]
    public: bool,
    /// A grant that it may use: password, refresh_token or client_credentials; can be repeated [default: password and
    /// refresh_token, but none for a client with --serves]
    #[arg(long = "grant", value_name = "GRANT", value_parser = grant)]
    grants: Vec<Grant>,
    /// The scopes it may ask for: names separated by spaces, or `any` for all that the user may be granted; new names
    /// are declared
    #[arg(long, value_name = "SCOPES", default_value = "")]
    scope: Scopes,
    /// The audience of its tokens [default: the server's own]
    #[arg(long, value_name = "AUDIENCE")]
    audience: Option<String>,
    /// An audience that it serves: it may introspect tokens for it and follow the denylist; can be repeated
    #[arg(long, value_name = "AUDIENCE")]
    serves: Vec<String>,
    /// Trust it to say which IP address its users come from
    #[arg(long)]
    forwards_address: bool,
    /// Let it obtain the server's own scopes (ficha:admin and the like), if they are named
    #[arg(long)]
    own_scopes: bool,
    /// Print one JSON document, with client_id and client_secret
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
#[command(group = ArgGroup::new("change").required(true).multiple(true).args([
    "grants", "no_grants", "scope", "audience", "no_audience", "serves", "no_serves", "forwards_address", "own_scopes",
]))]
pub struct Set {
    /// The client_id
    id: String,
    /// The new grants, replacing the whole list; can be repeated
    #[arg(long = "grant", value_name = "GRANT", value_parser = grant)]
    grants: Vec<Grant>,
    /// Remove all grants
    #[arg(long, conflicts_with = "grants")]
    no_grants: bool,
    /// The new scopes: names separated by spaces, "" for nothing, or `any`
    #[arg(long, value_name = "SCOPES")]
    scope: Option<Scopes>,
    /// The new audience of its tokens
    #[arg(long, value_name = "AUDIENCE")]
    audience: Option<String>,
    /// Use the server's own audience
    #[arg(long, conflicts_with = "audience")]
    no_audience: bool,
    /// The new audiences that it serves, replacing the whole list; can be repeated
    #[arg(long, value_name = "AUDIENCE")]
    serves: Vec<String>,
    /// Serve no audience
    #[arg(long, conflicts_with = "serves")]
    no_serves: bool,
    /// Whether it is trusted to say which IP address its users come from
    #[arg(long, value_name = "TRUE_OR_FALSE", action = ArgAction::Set)]
    forwards_address: Option<bool>,
    /// Whether it may obtain the server's own scopes (ficha:admin and the like); if it loses that, its sessions end
    #[arg(long, value_name = "TRUE_OR_FALSE", action = ArgAction::Set)]
    own_scopes: Option<bool>,
}

impl Add {
    /// What is to be created.
    pub fn parse(self) -> (NewClient, bool) {
        let grants = match self.grants.is_empty() {
            false => self.grants,
            // A service that checks tokens needs no grants.
            true if !self.serves.is_empty() => Vec::new(),
            true => vec![Grant::Password, Grant::RefreshToken],
        };
        let new = NewClient {
            id: self.id,
            public: self.public,
            grants,
            scopes: self.scope.0,
            audience: self.audience,
            serves: self.serves,
            forwards_address: self.forwards_address,
            own_scopes: self.own_scopes,
        };
        let useless = match &new.scopes {
            ClientScopes::Only(scopes) if !new.own_scopes => scopes.iter().find(|name| name.starts_with("ficha:")),
            _ => None,
        };
        if let Some(name) = useless {
            output::warn(&format!("{} never gets the scope {name} without --own-scopes", new.id));
        }
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._*".contains(&byte);
        if !new.public && !new.id.bytes().all(is_plain) {
            output::warn(
                "some libraries do not form-encode a client id in Basic (RFC 6749 §2.3.1), and fail with this one: letters, \
                 digits and hyphens are safe",
            );
        }
        (new, self.json)
    }
}

impl Set {
    /// The client, and what is changed about it.
    pub fn parse(self) -> (String, ClientChange) {
        let list = |given: bool, none: bool| given || none;
        let change = ClientChange {
            grants: list(!self.grants.is_empty(), self.no_grants).then_some(self.grants),
            scopes: self.scope.map(|scope| scope.0),
            audience: list(self.audience.is_some(), self.no_audience).then_some(self.audience),
            serves: list(!self.serves.is_empty(), self.no_serves).then_some(self.serves),
            forwards_address: self.forwards_address,
            own_scopes: self.own_scopes,
        };
        (self.id, change)
    }
}

/// Adds a client to the configured database.
pub async fn add(context: &AdminContext, arguments: Add) -> Result<(), CliError> {
    let (new, json) = arguments.parse();
    let declared = NewScopes::here(context, names(&new.scopes)).await;
    let (client, secret) = context.admin.add_client(&actor(), new).await?;
    declared.announce();
    show::added(show::Shown::from(&client), secret.as_ref().map(Secret::expose), json)
}

/// Changes a client of the configured database.
pub async fn set(context: &AdminContext, arguments: Set) -> Result<(), CliError> {
    let (id, change) = arguments.parse();
    let declared = NewScopes::here(context, change.scopes.as_ref().and_then(names)).await;
    let client = context.admin.change_client(&actor(), &id, change).await?;
    declared.announce();
    output::say(&format!("client {} changed", client.id))
}
