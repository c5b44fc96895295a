//! `/console/clients`.

pub mod actions;
pub mod edit;
pub mod list;
pub mod new;
pub mod secrets;
pub mod show;
mod snippets;
mod typed;

use ficha_authority::{ClientRecord, ClientScopes};

use crate::api::clients::version;
use crate::pages::frame::Frame;
use crate::pages::when::When;

/// A client, as a page shows it.
pub struct Row {
    pub id: String,
    pub is_public: bool,
    pub is_enabled: bool,
    pub grants: Vec<&'static str>,
    /// What it may ask for; `None`: anything that its user may have.
    pub scopes: Option<Vec<String>>,
    pub audience: String,
    pub serves: Vec<String>,
    pub forwards_address: bool,
    pub own_scopes: bool,
    pub created: When,
    pub secrets: Vec<SecretRow>,
    /// Which state of the client this is: a change is refused if it is another one by then.
    pub version: String,
}

/// A secret of a client, without itself.
pub struct SecretRow {
    pub id: String,
    pub created: Option<When>,
    pub used: Option<When>,
    pub expires: Option<When>,
}

impl Row {
    pub fn new(frame: &Frame, client: ClientRecord) -> Self {
        let secrets = client.secrets.iter().map(|secret| SecretRow {
            id: secret.id.to_string(),
            created: secret.created_at.map(|at| frame.when(at)),
            used: secret.last_used_at.map(|at| frame.when(at)),
            expires: secret.expires_at.map(|at| frame.when(at)),
        });
        Self {
            version: version(&client),
            is_public: client.is_public(),
            secrets: secrets.collect(),
            grants: client.grants.iter().map(|grant| grant.as_str()).collect(),
            scopes: match &client.scopes {
                ClientScopes::Any => None,
                ClientScopes::Only(scopes) => Some(scopes.iter().map(str::to_owned).collect()),
            },
            id: client.id,
            is_enabled: client.enabled,
            audience: client.audience.unwrap_or_default(),
            serves: client.serves,
            forwards_address: client.forwards_address,
            own_scopes: client.own_scopes,
            created: frame.when(client.created_at),
        }
    }

    /// True if it may use this grant.
    pub fn has(&self, grant: &str) -> bool {
        self.grants.contains(&grant)
    }

    /// The id as a part of a path.
    pub fn path(&self) -> String {
        path(&self.id)
    }
}

/// The id of a client as a part of a path.
pub fn path(id: &str) -> String {
    percent_encoding::utf8_percent_encode(id, percent_encoding::NON_ALPHANUMERIC).to_string()
}
