//! The rules of issuing, refreshing and revoking: an OAuth2 authorization server without HTTP.
//!
//! [`Authority`] serves the endpoints, [`Admin`] the administrators. Both return plain records.
#![forbid(unsafe_code)]

mod admin;
mod audience;
mod authn;
mod authority;
mod bootstrap;
mod browser;
mod clients;
mod clock;
mod denylist;
mod directory;
mod error;
mod events;
mod followers;
mod foundation;
mod grants;
mod group_commit;
mod keys;
mod metrics;
mod own_clients;
mod own_password;
mod request_source;
mod settings;
mod tasks;
mod tokens;
mod user_name;

pub use admin::{
    Actor, Admin, AdminError, Attention, Began, ChangedClient, ClientChange, Erased, EventPage, EventQuery,
    EventSearch, EventsFrom, FailedLogins, ImportFormat, JobReport, NewClient, NewClientSecret, NewPassword, NewUser,
    OtherSecrets, Overview, PageFrom, Purged, Repeatable, RevokeMatching, RevokePreview, RevokedMatching,
    SearchedState, SessionCount, SessionPage, SessionQuery, SessionSearch, Sight, UserExport, UserPage, UserSearch,
    key_state, reason_of,
};
pub use authority::{Authority, DatabaseHealth};
pub use bootstrap::{FirstStart, check_master_key, first_start};
pub use browser::form::SignInForm;
pub use browser::session::{BrowserSession, SignedIn};
pub use browser::watch::BrowserWatch;
pub use clients::{AuthenticatedClient, ClientCredentials};
pub use clock::database::DatabaseClock;
pub use clock::issuer::IssuerClock;
pub use denylist::feed::{FeedPage, Follower, LONGEST_WAIT, Poll};
pub use denylist::replica::{Denylist, VOUCH_LIMIT, Verdict};
pub use error::{AuthorityError, SettingsError, StartError};
pub use events::live::{EventWatch, Gap};
pub use events::output::EventOutput;
pub use events::verify::{Damage, Verified};
pub use events::view::{ActorView, EventView, hex};
pub use followers::declared::{Declared, Parameters as DeclaredParameters};
pub use followers::registry::FollowerPoll;
pub use followers::standing::{FollowerState, Receipt, Standing};
pub use foundation::Foundation;
pub use grants::password::PasswordRequest;
pub use grants::refresh_token::{RefreshAsked, is_resource};
pub use keys::key_ring::{KeyRing, Keys};
pub use keys::master_key::MasterKeySource;
pub use keys::secret::Secret;
pub use metrics::{Counter, Gauge, Metrics};
pub use own_clients::OWN_SCOPES;
pub use own_password::OwnPassword;
pub use request_source::RequestSource;
pub use settings::{
    ACCOUNT_SCOPE, ADMIN, ADMIN_CLI, ADMIN_SCOPE, AdminSettings, CONSOLE, DenylistSettings, FIRST_PARTY, Issuer,
    JWKS_MAX_AGE, PasswordSettings, SessionSettings, Settings, SigningSettings, TokenSettings,
};
pub use tasks::Background;
pub use tasks::supervise::Tasks;
pub use tokens::issue::Issued;

// Types of the crates below that callers need, so that they depend on this crate only.
pub use ficha_password::policy::{PasswordPolicy, PolicyError};
pub use ficha_password::{Cost, Password, StoredHash};
pub use ficha_store::{
    Activity, ClientRecord, ClientScopes, ClientSecret, DatabaseKind, EndedBy, EventKind, EventRecord, JobKind,
    JobRecord, JobState, KeyPurpose, KeyRecord, PostgresFacts, RevokeReason, SessionRecord, SessionState, Store,
    StoreError, StoreOptions, UserChange, UserRecord,
};
pub use ficha_token::Grant;

/// Internals for the targets of `fuzz/`. Not part of the API.
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing {
    pub use crate::tokens::refresh_token::RefreshToken;
}
