//! Revoking (RFC 7009): a token, or a session with everything issued under it.

use std::sync::Arc;

use ficha_store::{Revocation, RevokeReason, Store, StoreError};
use ficha_token::AccessClaims;
use ficha_token::Unverified;
use ficha_token::{Clock, DENY_MARGIN_SECONDS, DenyEntry, DenyId};

use crate::Authority;
use crate::authn::throttle::Origin;
use crate::authority::Foundation;
use crate::clients::AuthenticatedClient;
use crate::denylist::replica::Denylist;
use crate::error::AuthorityError;
use crate::events::Event;
use crate::group_commit::Batch;

/// Revokes many things in one transaction.
pub(crate) struct RevocationBatch {
    store: Store,
    clock: Arc<dyn Clock>,
    denylist: Arc<Denylist>,
}

impl RevocationBatch {
    pub(crate) fn new(base: &Foundation, denylist: Arc<Denylist>) -> Self {
        Self { store: base.store.clone(), clock: base.clock.clone(), denylist }
    }
}

impl Batch for RevocationBatch {
    type Job = Revocation;
    /// True if it was not revoked before.
    type Outcome = bool;
    type Key = [u8; 16];

    fn key(job: &Revocation) -> [u8; 16] {
        match job {
            Revocation::Session(id, _) => id.into_bytes(),
            Revocation::Token(entry) => *entry.id.as_bytes(),
        }
    }

    async fn run(&self, jobs: Vec<Revocation>) -> Result<Vec<bool>, StoreError> {
        // By the earliest time that it may be: what a clock that is ahead calls expired is denied all the same.
        let applied = self.store.apply(&jobs, self.denylist.steady_now(&*self.clock)).await?;
        // In memory before anybody is told, so that after the answer this server refuses at once.
        self.denylist.add(&applied.revoked.entries);
        Ok(applied.newly)
    }
}

impl Authority {
    /// RFC 7009: an access token ends that token, a refresh token ends its session. What is unknown, expired or
    /// revoked already is a success (§2.2).
    pub async fn revoke(
        &self,
        client: &AuthenticatedClient,
        origin: &Origin,
        token: &str,
    ) -> Result<(), AuthorityError> {
        // "Unknown" is a success, so it must not be said of a token that another server has just issued.
        self.learn_key_of(token).await?;
        // What a token is follows from the token; the hint is not asked (§2.1 lets it be wrong).
        if let Some(claims) = self.read_access_token(token) {
            return self.revoke_access_token(client, origin, &claims).await;
        }
        let Some(token) = self.read_refresh_token(token) else { return Ok(()) };
        let Some(session) = self.store().session(token.session).await? else { return Ok(()) };
        if session.client_id != client.id() {
            return Err(AuthorityError::NotYours);
        }
        self.submit_revocation(Revocation::Session(session.id, RevokeReason::Logout)).await?;
        self.audit(Event::new(origin).named("session.revoked").client(client.id()).session(session.id));
        Ok(())
    }

    async fn revoke_access_token(
        &self,
        client: &AuthenticatedClient,
        origin: &Origin,
        claims: &AccessClaims,
    ) -> Result<(), AuthorityError> {
        if claims.client_id != client.id() {
            return Err(AuthorityError::NotYours);
        }
        let until = claims.exp.saturating_add(DENY_MARGIN_SECONDS);
        // Until then a token counts as live, here too: somebody's clock may lag or their leeway be wide, or ours be ahead.
        if until <= self.denylist().steady_now(&**self.clock()) {
            return Ok(());
        }
        self.submit_revocation(Revocation::Token(DenyEntry { id: claims.jti.into(), until })).await?;
        self.audit(Event::new(origin).named("token.revoked").client(client.id()).session(claims.sid));
        Ok(())
    }

    /// Ends the session of the token presented. A token that a client obtained for itself ends alone: its session is
    /// shared with every other token of that client.
    pub async fn logout(&self, origin: &Origin, claims: &AccessClaims) -> Result<(), AuthorityError> {
        let until = claims.exp.saturating_add(DENY_MARGIN_SECONDS);
        let own = self.inner.clients.find(self.store(), &claims.client_id).await?;
        if own.is_some_and(|client| client.subject == claims.sub) {
            self.submit_revocation(Revocation::Token(DenyEntry { id: claims.jti.into(), until })).await?;
        } else {
            self.submit_revocation(Revocation::Session(claims.sid, RevokeReason::Logout)).await?;
            // A session that the database does not know (it was put back) is denied by its id all the same.
            let sid = DenyId::from(claims.sid);
            if !self.inner.denylist.contains(&sid, self.now()) {
                // It may have had later tokens than this one; none reaches further than a life from now.
                let furthest = self.now() + self.settings().token.access_seconds() + DENY_MARGIN_SECONDS;
                let entry = DenyEntry { id: sid, until: until.max(furthest) };
                self.submit_revocation(Revocation::Token(entry)).await?;
            }
        }
        self.audit(Event::new(origin).named("session.logged_out").client(&claims.client_id).session(claims.sid));
        Ok(())
    }

    /// Commits a revocation, together with whatever else waits. From its answer on this server refuses what it covers.
    pub(crate) async fn submit_revocation(&self, revocation: Revocation) -> Result<(), AuthorityError> {
        if self.inner.revocations.submit(revocation).await? {
            self.inner.metrics.revocations.count();
        } else {
            // Another server may have committed it a moment ago: take its rows up before we say that it is done.
            self.follow().await?;
        }
        Ok(())
    }

    /// The claims of a token that one of our keys signed. Neither expiry nor the denylist is looked at.
    pub(crate) fn read_access_token(&self, text: &str) -> Option<AccessClaims> {
        let unverified = Unverified::parse(text).ok()?;
        let key = self.inner.keys.current().verifying(unverified.kid(), self.earliest_now())?;
        let claims = unverified.verify_signature(&key).ok()?;
        (claims.iss == self.settings().issuer.as_str()).then_some(claims)
    }
}
