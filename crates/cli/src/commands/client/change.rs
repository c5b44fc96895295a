//! `ficha client add`, `ficha client set`

use clap::Args;
use ficha_authority::{ClientChange, ClientScopes, Grant, NewClient};
use ficha_token::Scope;

use super::view;
use crate::declared::{NewScopes, names};
use crate::error::CliError;
use crate::input_error::InputError;
use crate::lists::{self, Grants, Scopes, Words};
use crate::old_spellings::warn;
use crate::output;
use crate::place::Place;
use crate::report::Report;

#[derive(Debug, Args)]
pub struct Add {
    /// The id of the new client
    client: String,
    /// A public client, without a secret: a browser or mobile application
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    public: Option<bool>,
    /// The grants that it may use, separated by spaces; can be repeated: password, refresh_token or client_credentials
    /// [default: the first two; none if it serves an audience]
    #[arg(long, value_name = "GRANTS")]
    grant: Vec<Grants>,
    /// The scopes it may ask for: names separated by spaces, or `any` for all that the user may be granted; can be
    /// repeated; new names are declared
    #[arg(long, value_name = "SCOPES")]
    scope: Vec<Scopes>,
    /// The audience of its tokens [default: the server's own]
    #[arg(long, value_name = "AUDIENCE")]
    audience: Option<String>,
    /// The audiences that it serves, separated by spaces: it may introspect tokens for them and follow the denylist; can
    /// be repeated
    #[arg(long, value_name = "AUDIENCES")]
    serves: Vec<Words>,
    #[command(flatten)]
    flags: Flags,
}

#[derive(Debug, Args)]
// Without the old spellings.
#[command(override_usage = "ficha client set [OPTIONS] <CLIENT>")]
pub struct Set {
    /// The client's id
    client: String,
    /// Remove its secrets, and end its sessions; `=false`: give a public client a secret
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    public: Option<bool>,
    /// The new grants, in place of all others: separated by spaces, "" for none; can be repeated
    #[arg(long, value_name = "GRANTS")]
    grant: Vec<Grants>,
    /// The new scopes, in place of all others: names separated by spaces, "" for none, or `any`; can be repeated
    #[arg(long, value_name = "SCOPES")]
    scope: Vec<Scopes>,
    /// The new audience of its tokens, "" for the server's own
    #[arg(long, value_name = "AUDIENCE")]
    audience: Option<String>,
    /// The new audiences that it serves, in place of all others: separated by spaces, "" for none; can be repeated
    #[arg(long, value_name = "AUDIENCES")]
    serves: Vec<Words>,
    #[command(flatten)]
    flags: Flags,
    /// Old spelling
    #[arg(long, hide = true, conflicts_with = "grant")]
    no_grants: bool,
    /// Old spelling
    #[arg(long, hide = true, conflicts_with = "audience")]
    no_audience: bool,
    /// Old spelling
    #[arg(long, hide = true, conflicts_with = "serves")]
    no_serves: bool,
}

/// What is allowed or not: `--flag`, and `--flag=false`.
#[derive(Debug, Args)]
struct Flags {
    /// Trust it to say which IP address its users come from; `=false`: no longer
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    forwards_address: Option<bool>,
    /// Let it obtain the server's own scopes (ficha:admin and the like), if they are named; `=false`: no longer, and its
    /// sessions end
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    own_scopes: Option<bool>,
}

impl Add {
    /// What is to be created.
    fn parse(self) -> NewClient {
        let serves = lists::questioned(self.serves, "audience").unwrap_or_default();
        let grants = lists::grants(self.grant).unwrap_or_else(|| match serves.is_empty() {
            true => vec![Grant::Password, Grant::RefreshToken],
            // A service that checks tokens needs no grants.
            false => Vec::new(),
        });
        NewClient {
            id: self.client,
            public: self.public.unwrap_or(false),
            grants,
            scopes: lists::client_scopes(self.scope).unwrap_or_else(|| ClientScopes::Only(Scope::empty())),
            audience: self.audience.filter(|name| !name.is_empty()),
            serves,
            forwards_address: self.flags.forwards_address.unwrap_or(false),
            own_scopes: self.flags.own_scopes.unwrap_or(false),
        }
    }
}

/// Says what most likely was not meant, after the client was added: nobody should change another that has its id.
fn question(new: &NewClient) {
    let id = &new.id;
    let useless = match &new.scopes {
        ClientScopes::Only(scopes) if !new.own_scopes => scopes.iter().find(|name| name.starts_with("ficha:")),
        _ => None,
    };
    if let Some(name) = useless {
        output::warn(&format!("{id} never gets the scope {name} without --own-scopes"));
    }
    if !new.grants.is_empty() && matches!(&new.scopes, ClientScopes::Only(scopes) if scopes.is_empty()) {
        output::note(&format!(
            "{id} may ask for no scope, so its tokens have none: `ficha client set {id} --scope any` lets it ask for \
             whatever its user may be granted"
        ));
    }
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._*".contains(&byte);
    if !new.public && !id.bytes().all(is_plain) {
        output::warn(
            "some libraries do not form-encode a client id in Basic (RFC 6749 §2.3.1), and fail with this one: letters, \
             digits and hyphens are safe",
        );
    }
}

impl Set {
    /// Refuses a command that names nothing to change.
    pub fn check(&self) -> Result<(), InputError> {
        if self.named().is_empty() { Err(InputError::NothingToChange) } else { Ok(()) }
    }

    /// The names of the fields that are to change, as a client is shown.
    fn named(&self) -> Vec<&'static str> {
        let all = [
            ("public", self.public.is_some()),
            ("grants", !self.grant.is_empty() || self.no_grants),
            ("scopes", !self.scope.is_empty()),
            ("audience", self.audience.is_some() || self.no_audience),
            ("serves", !self.serves.is_empty() || self.no_serves),
            ("forwards address", self.flags.forwards_address.is_some()),
            ("own scopes", self.flags.own_scopes.is_some()),
        ];
        all.into_iter().filter_map(|(name, is_given)| is_given.then_some(name)).collect()
    }

    /// The client, and what is changed about it.
    fn parse(self) -> (String, ClientChange) {
        let change = ClientChange {
            public: self.public,
            grants: lists::grants(self.grant).or(none(self.no_grants, "--no-grants", "--grant")),
            scopes: lists::client_scopes(self.scope),
            audience: lists::removable(self.audience).or(none(self.no_audience, "--no-audience", "--audience")),
            serves: lists::questioned(self.serves, "audience").or(none(self.no_serves, "--no-serves", "--serves")),
            forwards_address: self.flags.forwards_address,
            own_scopes: self.flags.own_scopes,
        };
        (self.client, change)
    }
}

/// What an old `--no-…` stands for, if it was given.
fn none<T: Default>(is_given: bool, old: &str, now: &str) -> Option<T> {
    is_given.then(|| {
        warn(old, &format!("{now} \"\""));
        T::default()
    })
}

/// Adds a client.
pub async fn add(place: &Place, report: Report, arguments: Add) -> Result<(), CliError> {
    let new = arguments.parse();
    let declared = NewScopes::before(place, names(&new.scopes)).await;
    let (client, secret) = place.add_client(new.clone()).await?;
    declared.announce();
    question(&new);
    view::added(report, &client, secret.as_deref().map(String::as_str))
}

/// Changes a client.
pub async fn set(place: &Place, report: Report, arguments: Set) -> Result<(), CliError> {
    let named = arguments.named();
    let (id, change) = arguments.parse();
    let declared = NewScopes::before(place, change.scopes.as_ref().and_then(names)).await;
    let changed = place.change_client(&id, change).await?;
    declared.announce();
    view::changed(report, &id, &named, &changed)
}
