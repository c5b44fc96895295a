//! Keys: rotation, and the purge after a leak or a restored database.

use ficha_store::{KeyPurpose, KeyRecord, NewKeys};
use ficha_token::DENY_MARGIN_SECONDS;

use super::powers::{Access, Area};
use super::{Actor, Admin, AdminError};
use crate::keys::key_ring::{new_refresh_key, new_signing_key};
use crate::keys::master_key::MasterKey;
use crate::settings::{PUBLISH_AHEAD, SigningSettings};

/// What a purge has revoked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purged {
    /// Every token that was ever issued.
    All,
    /// Every session and refresh token. Access tokens signed with a shared secret stay valid until they expire or the
    /// secret is changed.
    AllButAccessTokens,
}

/// How a key stands. `next`: published, but not yet in use. `current`: in use. `old`: its tokens are still valid. `purged`:
/// they are refused.
pub fn key_state(key: &KeyRecord, all: &[KeyRecord], now: i64) -> &'static str {
    let usable =
        |other: &&KeyRecord| other.purpose == key.purpose && other.purged_at.is_none() && other.sign_from <= now;
    if key.purged_at.is_some() {
        return "purged";
    }
    if key.purpose == KeyPurpose::Sign && key.sign_from > now {
        return "next";
    }
    let newest = all.iter().filter(usable).max_by_key(|other| (other.sign_from, other.id));
    if newest.is_some_and(|newest| newest.id == key.id) { "current" } else { "old" }
}

impl Admin {
    /// Every stored key.
    pub async fn keys(&self, actor: &Actor) -> Result<Vec<KeyRecord>, AdminError> {
        actor.require(Access::Read, Area::Keys)?;
        Ok(self.base.store.keys().await?)
    }

    /// Publishes a new signing key. It signs once every cached key set has it; the old one stays published until its
    /// last token has expired. Returns the new key's `kid` and when it begins to sign.
    pub async fn rotate_key(&self, actor: &Actor) -> Result<(String, i64), AdminError> {
        actor.require(Access::Write, Area::Keys)?;
        let newest = self.newest_signing_key().await?;
        if newest.sign_from > self.now() {
            return Err(AdminError::Conflict(format!(
                "the key {} was published a moment ago and does not sign yet; rotate again after it does",
                newest.kid
            )));
        }
        self.rotate_after(actor, &newest).await
    }

    pub(crate) async fn rotate_key_if_older_than(&self, seconds: i64) -> Result<(), AdminError> {
        let newest = self.newest_signing_key().await?;
        if newest.sign_from + seconds > self.now() {
            return Ok(());
        }
        match self.rotate_after(&Actor::server("rotate_after"), &newest).await {
            // Another server on this database was faster.
            Ok(_) | Err(AdminError::Conflict(_)) => Ok(()),
            Err(error) => Err(error),
        }
    }

    async fn rotate_after(&self, actor: &Actor, newest: &KeyRecord) -> Result<(String, i64), AdminError> {
        let SigningSettings::KeyPair { algorithm, .. } = &self.base.settings.signing else {
            return Err(AdminError::Invalid(
                "HS256 signs with token.secret_key: change that setting on the server and on every service".into(),
            ));
        };
        let base = &self.base;
        let sign_from = self.now() + PUBLISH_AHEAD;
        let new = new_signing_key(*algorithm, &self.master()?, &*base.clock, &*base.entropy, sign_from)?;
        let kid = new.kid.clone();
        let last_token = sign_from + base.settings.token.access_seconds() + DENY_MARGIN_SECONDS;
        if !base.store.rotate_key(new, &newest.kid, last_token, &self.cause(actor)).await? {
            return Err(AdminError::Conflict("another process has just rotated the key".into()));
        }
        Ok((kid, sign_from))
    }

    /// For use after a leak: replaces the signing and refresh keys at once, denies every token of the old keys and ends
    /// every session, in one transaction however many there are.
    ///
    /// A shared secret (HS256) stays as it is, and so does its `kid`: denying that would refuse all future tokens. What
    /// it has signed stays valid until it expires: [`Purged::AllButAccessTokens`].
    pub async fn purge_keys(&self, actor: &Actor) -> Result<Purged, AdminError> {
        actor.require(Access::Write, Area::Keys)?;
        let base = &self.base;
        // Without a first start there is nothing to purge, and no master key either.
        self.newest_signing_key().await?;
        let revoked = base.store.purge(self.new_keys()?, &self.cause(actor)).await?;
        self.publish(&revoked);
        Ok(if base.settings.shares_secret() { Purged::AllButAccessTokens } else { Purged::All })
    }

    /// Refuses a purge that could not be made, before anybody is asked whether they want it.
    pub async fn require_purgeable(&self, actor: &Actor) -> Result<(), AdminError> {
        actor.require(Access::Write, Area::Keys)?;
        // Without a first start there is nothing to purge, and no master key either.
        self.newest_signing_key().await?;
        self.master().map(drop)
    }

    /// Repeats a purge that the database has lost, unless none of `kids` signs any more: another server was faster.
    pub(crate) async fn repeat_purge(&self, kids: &[String]) -> Result<bool, AdminError> {
        let cause = self.cause(&Actor::server("rejoin"));
        let Some(revoked) = self.base.store.purge_again(kids, self.new_keys()?, &cause).await? else {
            return Ok(false);
        };
        self.publish(&revoked);
        Ok(true)
    }

    fn new_keys(&self) -> Result<NewKeys, AdminError> {
        let base = &self.base;
        let (master, now) = (self.master()?, self.now());
        let algorithm = base.settings.signing.pair_algorithm();
        let sign = new_signing_key(algorithm, &master, &*base.clock, &*base.entropy, now)?;
        let refresh = new_refresh_key(&master, &*base.clock, &*base.entropy);
        Ok(NewKeys { sign, refresh, now, until: now + base.settings.token.access_seconds() + DENY_MARGIN_SECONDS })
    }

    async fn newest_signing_key(&self) -> Result<KeyRecord, AdminError> {
        let keys = self.base.store.keys().await?;
        keys.into_iter()
            .filter(|key| key.purpose == KeyPurpose::Sign && key.purged_at.is_none())
            .max_by_key(|key| (key.sign_from, key.id))
            .ok_or_else(|| AdminError::Invalid("there is no signing key yet: start the server once".into()))
    }

    pub(super) fn master(&self) -> Result<MasterKey, AdminError> {
        Ok(self.base.master_key.load_existing()?)
    }

    /// Refuses what needs the keys before the first start, when there are none: that is not a lost master key.
    pub(super) async fn require_started(&self) -> Result<(), AdminError> {
        self.newest_signing_key().await.map(drop)
    }
}
