//! The rules of issuing, refreshing and revoking: an OAuth2 authorization server without its HTTP.
//!
//! [`Authority`] is what a server asks; [`Admin`] is what an administrator asks. Both hand out plain records.
#![forbid(unsafe_code)]

mod admin;
mod audit;
mod authority;
mod background;
mod bootstrap;
mod clients;
mod database_clock;
mod denylist;
mod error;
mod feed;
mod gather;
mod grant;
mod heartbeat;
mod introspection;
mod issue;
mod issuer_clock;
mod key_ring;
mod listen;
mod login;
mod metrics;
mod outage;
mod refresh;
mod refresh_token;
mod revocation;
mod seal;
mod secret;
mod secret_failures;
mod settings;
mod steady;
mod supervise;
mod throttle;

pub use admin::{Admin, AdminError, ClientChange, NewClient, NewPassword, NewUser, Purged, SessionQuery};
pub use authority::{Authority, DatabaseHealth, Foundation};
pub use background::Background;
pub use bootstrap::{FirstStart, check_master_key, first_start};
pub use clients::{AuthenticatedClient, ClientCredentials};
pub use database_clock::DatabaseClock;
pub use denylist::{Denylist, VOUCH_LIMIT, Verdict};
pub use error::{AuthorityError, SettingsError, StartError};
pub use feed::{FeedPage, Follower, LONGEST_WAIT, Poll};
pub use grant::PasswordRequest;
pub use issue::Issued;
pub use issuer_clock::IssuerClock;
pub use key_ring::{KeyRing, Keys};
pub use metrics::{Counter, Metrics};
pub use seal::MasterKeySource;
pub use secret::Secret;
pub use settings::{
    ADMIN, ADMIN_SCOPE, DenylistSettings, FIRST_PARTY, Issuer, JWKS_MAX_AGE, PasswordSettings, Settings,
    SigningSettings, TokenSettings,
};
pub use supervise::Tasks;
pub use throttle::Origin;

// What the rules are told and what they tell, so that nobody above names the crates below.
pub use ficha_password::policy::{PasswordPolicy, PolicyError};
pub use ficha_password::{Cost, Password, StoredHash};
pub use ficha_store::{
    AuditRecord, ClientRecord, ClientScopes, DatabaseKind, Grant, KeyPurpose, KeyRecord, RevokeReason, SessionRecord,
    Store, StoreError, StoreOptions, UserRecord,
};
