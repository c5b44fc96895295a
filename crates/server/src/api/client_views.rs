//! What the API of clients reads and answers.

use ficha_authority::{ClientRecord, ClientScopes};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;
use zeroize::Zeroizing;

use super::body::patched;
use super::client_secrets::SecretView;
use super::receipt::ReceiptView;
use super::schemas::scopes_or_any;
use super::sessions::time_text;

/// A client, without its secret.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AdminClient)]
pub struct ClientView {
    pub(super) id: String,
    /// True if it has no secret.
    pub(super) public: bool,
    /// `password`, `refresh_token`, `client_credentials`.
    pub(super) grants: Vec<String>,
    /// What it may ask for: a list, or `"any"`.
    #[schema(schema_with = scopes_or_any)]
    pub(super) scopes: Value,
    /// The `aud` of its tokens; null is the server's default.
    #[schema(required = true)]
    pub(super) audience: Option<String>,
    /// The audiences for which it may introspect and follow the denylist.
    pub(super) serves: Vec<String>,
    /// True if it may forward the user's address.
    pub(super) forwards_address: bool,
    /// True if it may obtain the server's own scopes.
    pub(super) own_scopes: bool,
    pub(super) enabled: bool,
    /// True while all its sessions are being ended: until that is done, it gets no token.
    pub(super) revoking: bool,
    pub(super) created_at: String,
    /// Oldest first.
    pub(super) secrets: Vec<SecretView>,
}

/// A page of clients, sorted by id.
#[derive(Serialize, ToSchema)]
#[schema(as = AdminClientPage)]
pub struct ClientList {
    pub(super) items: Vec<ClientView>,
    /// `after` for the next page; null at the end.
    #[schema(required = true)]
    pub(super) next: Option<String>,
}

/// A client to be created.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = AdminNewClient)]
pub struct NewClientBody {
    #[schema(example = "shop")]
    pub(super) id: String,
    #[serde(default)]
    pub(super) public: bool,
    pub(super) grants: Vec<String>,
    /// A list, or `"any"`.
    #[schema(schema_with = scopes_or_any)]
    pub(super) scopes: Value,
    pub(super) audience: Option<String>,
    #[serde(default)]
    pub(super) serves: Vec<String>,
    #[serde(default)]
    pub(super) forwards_address: bool,
    #[serde(default)]
    pub(super) own_scopes: bool,
}

/// A client that was created.
#[derive(Serialize, ToSchema)]
#[schema(as = AdminCreatedClient)]
pub struct CreatedClient {
    #[serde(flatten)]
    pub(super) client: ClientView,
    /// Its secret, if it has one. It is shown only here.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, value_type = Option<String>)]
    pub(super) secret: Option<Zeroizing<String>>,
}

/// What is changed about a client (RFC 7396): members that are missing stay as they are.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = AdminClientPatch)]
pub struct ClientPatch {
    /// False gives a public client a secret, which the answer shows. True removes the secrets of a client, and ends its
    /// sessions.
    #[serde(default, deserialize_with = "patched")]
    #[schema(value_type = Option<bool>, nullable = false)]
    pub(super) public: Option<Option<bool>>,
    #[serde(default, deserialize_with = "patched")]
    #[schema(value_type = Option<Vec<String>>, nullable = false)]
    pub(super) grants: Option<Option<Vec<String>>>,
    /// A list, or `"any"`. Null removes all.
    #[serde(default, deserialize_with = "patched")]
    #[schema(schema_with = super::schemas::scopes_or_any_or_null, required = false)]
    pub(super) scopes: Option<Option<Value>>,
    /// Null stands for the server's default.
    #[serde(default, deserialize_with = "patched")]
    #[schema(value_type = Option<String>)]
    pub(super) audience: Option<Option<String>>,
    /// Null removes all.
    #[serde(default, deserialize_with = "patched")]
    #[schema(value_type = Option<Vec<String>>)]
    pub(super) serves: Option<Option<Vec<String>>>,
    #[serde(default, deserialize_with = "patched")]
    #[schema(value_type = Option<bool>, nullable = false)]
    pub(super) forwards_address: Option<Option<bool>>,
    #[serde(default, deserialize_with = "patched")]
    #[schema(value_type = Option<bool>, nullable = false)]
    pub(super) own_scopes: Option<Option<bool>>,
    /// To be given alone.
    #[serde(default, deserialize_with = "patched")]
    #[schema(value_type = Option<bool>, nullable = false)]
    pub(super) enabled: Option<Option<bool>>,
}

/// What became of a client.
#[derive(Serialize, ToSchema)]
#[schema(as = AdminClientDeleted)]
pub struct Deleted {
    /// How many sessions have ended.
    pub(super) revoked: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub(super) receipt: Option<ReceiptView>,
}

/// A client after a change.
#[derive(Serialize, ToSchema)]
#[schema(as = AdminChangedClient)]
pub struct ChangedClient {
    #[serde(flatten)]
    pub(super) client: ClientView,
    /// The secret of a client that was public before. It is shown only here.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, value_type = Option<String>)]
    pub(super) secret: Option<Zeroizing<String>>,
    /// How many sessions have ended.
    pub(super) revoked: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub(super) receipt: Option<ReceiptView>,
}

impl From<ClientRecord> for ClientView {
    fn from(client: ClientRecord) -> Self {
        Self {
            public: client.is_public(),
            grants: client.grants.iter().map(|grant| grant.as_str().to_owned()).collect(),
            scopes: match &client.scopes {
                ClientScopes::Any => json!("any"),
                ClientScopes::Only(scopes) => json!(scopes.iter().collect::<Vec<_>>()),
            },
            audience: client.audience,
            serves: client.serves,
            forwards_address: client.forwards_address,
            own_scopes: client.own_scopes,
            enabled: client.enabled,
            revoking: client.revoking,
            created_at: time_text(client.created_at),
            secrets: client.secrets.iter().map(SecretView::from).collect(),
            id: client.id,
        }
    }
}
