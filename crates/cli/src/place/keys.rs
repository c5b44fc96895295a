//! Keys, and what ends everything.

use std::time::Duration;

use ficha_authority::{Purged, SessionQuery};
use ficha_client::admin::{Key, RotatedKey, SessionFilter};
use ficha_server::views::key_view;
use serde_json::json;
use tokio::time::timeout;

use super::{Place, shown};
use crate::admin_context::{AdminContext, actor};
use crate::ask;
use crate::error::CliError;
use crate::output::time;
use crate::remote::Remote;

/// How long the live sessions are counted before they all end: the number is worth no wait in an emergency.
const COUNTED_WITHIN: Duration = Duration::from_secs(1);

/// What purging does, shown before the confirmation.
const CONSEQUENCE: &str = "New keys replace the old ones at once, every token issued so far is refused, and everybody \
                           has to log in again.";

/// The same if a shared secret signs (HS256): its key id can't be denied, because new tokens carry the same one.
const CONSEQUENCE_SHARED: &str = "Every session ends, every refresh token is refused, and everybody has to log in \
                                  again. Access tokens are signed with token.secret_key, which stays: those already \
                                  issued are valid until they expire, unless you change that secret.";

/// What a purge has ended.
pub struct Ended {
    /// Access tokens that a shared secret has signed are valid for at most this many seconds more.
    pub access_tokens_for: Option<i64>,
    /// How many sessions were live, if they could be counted.
    pub live: Option<u64>,
}

impl Place {
    /// All keys.
    pub async fn keys(&self) -> Result<Vec<Key>, CliError> {
        match self {
            Self::Here(context) => {
                let (keys, now) = (context.admin.keys(&actor()).await?, context.now());
                keys.iter().map(|key| shown(key_view(key, &keys, now))).collect()
            }
            Self::There(remote) => Ok(remote.client.keys().await?),
        }
    }

    /// Publishes a new signing key.
    pub async fn rotate_key(&self) -> Result<RotatedKey, CliError> {
        match self {
            Self::Here(context) => {
                let (kid, from) = context.admin.rotate_key(&actor()).await?;
                shown(json!({ "kid": kid, "sign_from": time(from) }))
            }
            Self::There(remote) => Ok(remote.client.rotate_key().await?),
        }
    }

    /// Replaces all keys and ends every session, unless the question is answered with no.
    pub async fn purge(&self, yes: bool) -> Result<Ended, CliError> {
        match self {
            Self::Here(context) => purge_here(context, yes).await,
            Self::There(remote) => {
                ask::confirm(CONSEQUENCE, yes)?;
                let live = timeout(COUNTED_WITHIN, count_there(remote)).await.ok().flatten();
                let done = remote.client.purge_keys().await?;
                // A server with a shared secret has no admin API.
                Ok(Ended { access_tokens_for: (!done.all).then_some(0), live })
            }
        }
    }
}

/// The same on the configured database.
pub async fn purge_here(context: &AdminContext, yes: bool) -> Result<Ended, CliError> {
    // Nobody should be asked for something that can't be done.
    context.admin.require_purgeable(&actor()).await?;
    let shared = context.base.settings.shares_secret();
    ask::confirm(if shared { CONSEQUENCE_SHARED } else { CONSEQUENCE }, yes)?;
    let query = SessionQuery { user: None, client: None, live_only: true, after: None, limit: 1 };
    let counted = timeout(COUNTED_WITHIN, context.admin.count_sessions(&actor(), query)).await;
    let live = counted.ok().and_then(Result::ok);
    let access_tokens_for = match context.admin.purge_keys(&actor()).await? {
        Purged::All => None,
        Purged::AllButAccessTokens => Some(context.base.settings.token.access_seconds()),
    };
    Ok(Ended { access_tokens_for, live })
}

async fn count_there(remote: &Remote) -> Option<u64> {
    remote.client.count_sessions(&SessionFilter::new().with("state", "live")).await.ok().flatten()
}
