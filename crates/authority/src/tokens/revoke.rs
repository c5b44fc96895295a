//! Revocation (RFC 7009) of a token, or of a session with everything issued under it.

use std::sync::atomic::{AtomicI64, Ordering};

use ficha_store::{EventActor, EventKind, NewEvent, Revocation, RevokeReason, Target};
use ficha_token::AccessClaims;
use ficha_token::{DENY_MARGIN_SECONDS, DenyEntry, DenyId};

use crate::Authority;
use crate::clients::AuthenticatedClient;
use crate::error::AuthorityError;
use crate::request_source::RequestSource;

/// How often it is logged that something was revoked that can't be a token, in seconds.
const TELL_MALFORMED_EVERY: i64 = 60;
/// When it was logged, in seconds that have passed; 0: never.
static TOLD_MALFORMED: AtomicI64 = AtomicI64::new(0);

impl Authority {
    /// RFC 7009: an access token is revoked alone, a refresh token together with its session. A token that is unknown,
    /// expired or already revoked is a success (§2.2).
    pub async fn revoke(
        &self,
        client: &AuthenticatedClient,
        source: &RequestSource,
        token: &str,
    ) -> Result<(), AuthorityError> {
        // An unknown token is a success, so a token that another server has just issued must not count as unknown.
        self.load_unknown_key(token).await?;
        // The kind of token follows from the token; the hint is ignored (§2.1 allows it to be wrong).
        if let Some(claims) = self.read_access_token(token) {
            return self.revoke_access_token(client, source, &claims).await;
        }
        let Some(token) = self.read_refresh_token(token) else {
            self.note_malformed(client, token);
            return Ok(());
        };
        let Some(session) = self.store().session(token.session).await? else {
            // We have issued it, so the database has lost its session; an access token of it may still be valid.
            let event = self.revoked(EventKind::SessionRevoked, client, source).session(token.session);
            return self.deny_lost_session(token.session.into(), self.now(), event).await;
        };
        if session.client_id != client.id() {
            return Err(AuthorityError::NotYours);
        }
        let event = self.revoked(EventKind::SessionRevoked, client, source);
        let target = Target::Session(session.id, RevokeReason::Logout);
        self.submit_revocation(Revocation { target, event }).await
    }

    /// A success all the same (§2.2), but its sender may believe that a token is revoked which is not: it came with a
    /// line break from a file, or with `Bearer ` in front.
    fn note_malformed(&self, client: &AuthenticatedClient, token: &str) {
        // RFC 6750 §2.1: what a token consists of.
        let may_be_one = token.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~+/=".contains(&byte));
        if !may_be_one {
            self.inner.metrics.revocations_malformed.count();
            // Anybody can send such a thing.
            let (now, told) = (self.seconds_passed(), TOLD_MALFORMED.load(Ordering::Relaxed));
            let is_time = told == 0 || now - told >= TELL_MALFORMED_EVERY;
            if !is_time
                || TOLD_MALFORMED.compare_exchange(told, now.max(1), Ordering::Relaxed, Ordering::Relaxed).is_err()
            {
                return;
            }
            tracing::warn!(
                client = client.id(),
                "a client has revoked something that can't be a token: it has white space or other characters, so the \
                 token that was meant is still valid"
            );
        }
    }

    fn revoked(&self, kind: EventKind, client: &AuthenticatedClient, source: &RequestSource) -> NewEvent {
        NewEvent::new(kind, &self.cause_of_client(client, source)).client(client.id())
    }

    async fn revoke_access_token(
        &self,
        client: &AuthenticatedClient,
        source: &RequestSource,
        claims: &AccessClaims,
    ) -> Result<(), AuthorityError> {
        if claims.client_id != client.id() {
            return Err(AuthorityError::NotYours);
        }
        let until = claims.exp.saturating_add(DENY_MARGIN_SECONDS);
        // Until then the token counts as live, here too: a service's clock may lag or its leeway be wide, or ours be
        // ahead.
        if until <= self.denylist().expiry_now(&**self.clock()) {
            return Ok(());
        }
        let is_own = client.record().subject == claims.sub;
        let event = self.revoked(EventKind::TokenRevoked, client, source).session(claims.sid);
        let event = event.user((!is_own).then_some(claims.sub));
        let target = Target::Token(DenyEntry::new(claims.jti, until));
        self.submit_revocation(Revocation { target, event }).await
    }

    /// Ends the session of the presented token. A token that a client obtained for itself is revoked alone: its session
    /// is shared with every other token of that client.
    pub async fn logout(&self, source: &RequestSource, claims: &AccessClaims) -> Result<(), AuthorityError> {
        let until = claims.exp.saturating_add(DENY_MARGIN_SECONDS);
        let own = self.inner.clients.find(self.store(), &claims.client_id).await?;
        let is_own = own.is_some_and(|client| client.subject == claims.sub);
        let actor = match is_own {
            true => EventActor::Client { id: claims.client_id.clone() },
            false => EventActor::User { id: claims.sub, name: None },
        };
        let kind = if is_own { EventKind::TokenRevoked } else { EventKind::SessionLoggedOut };
        let event = NewEvent::new(kind, &self.cause(actor, source)).client(&claims.client_id).session(claims.sid);
        if is_own {
            let target = Target::Token(DenyEntry::new(claims.jti, until));
            return self.submit_revocation(Revocation { target, event }).await;
        }
        let event = event.user(claims.sub);
        let target = Target::Session(claims.sid, RevokeReason::Logout);
        self.submit_revocation(Revocation { target, event: event.clone() }).await?;
        // A session that the database does not know (it was restored from a backup) is still denied by its id.
        self.deny_lost_session(claims.sid.into(), until, event).await
    }

    /// Denies a session by its id, unless it is denied: until `until` at least.
    async fn deny_lost_session(&self, session: DenyId, until: i64, event: NewEvent) -> Result<(), AuthorityError> {
        if self.inner.denylist.contains(&session, self.now()) {
            return Ok(());
        }
        // Of all its tokens, none expires later than one token life from now.
        let furthest = self.now() + self.settings().token.access_seconds() + DENY_MARGIN_SECONDS;
        let target = Target::Token(DenyEntry::new(session, until.max(furthest)));
        self.submit_revocation(Revocation { target, event }).await
    }

    /// Commits a revocation, together with others that wait. Once it returns, this server refuses what it covers.
    pub(crate) async fn submit_revocation(&self, revocation: Revocation) -> Result<(), AuthorityError> {
        if self.inner.revocations.submit(revocation).await? == Some(true) {
            self.inner.metrics.revocations.count();
        } else {
            // Another server may have just committed it: load its rows before reporting success.
            self.follow().await?;
        }
        Ok(())
    }
}
