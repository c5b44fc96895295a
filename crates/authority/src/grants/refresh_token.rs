//! Refreshing (RFC 6749 §6, RFC 9700 §4.14): one compare-and-set on one row, in a batch with other refreshes.

use ficha_store::{EventKind, NewEvent, Revocation, RevokeReason, Rotation, SessionRecord, SessionState, Target};
use ficha_token::{DenyId, Grant, Scope, random_uuid};

use crate::Authority;
use crate::clients::AuthenticatedClient;
use crate::error::AuthorityError;
use crate::grants::{is_own, require_grant, without_openid};
use crate::group_commit::event::EventJob;
use crate::request_source::RequestSource;
use crate::tokens::issue::Issued;
use crate::tokens::refresh_token::RefreshToken;

/// What a refresh token is if it did not match its row.
enum Unmatched {
    /// The generation before the row's, within the grace: the response was lost, or a second tab was faster.
    Retry(Box<SessionRecord>),
    /// An older generation: it was used before.
    Replay,
    /// A generation that this database never issued.
    Future,
    /// Not valid, but not a cause for alarm.
    Refused,
}

/// What a refresh asks for.
#[derive(Debug, Default)]
pub struct RefreshAsked<'a> {
    /// Less than the session was granted; `None`: all of it.
    pub scope: Option<Scope>,
    /// Where the token is to be used (RFC 8707).
    pub resource: Option<&'a str>,
}

/// True if a `resource` is an absolute URI without a fragment (RFC 8707 §2), and what tokens with this audience are for.
pub fn is_resource(resource: &str, audience: &str) -> bool {
    let is_absolute = url::Url::parse(resource).is_ok_and(|url| url.fragment().is_none());
    is_absolute && resource == audience
}

impl Authority {
    /// RFC 6749 §6: exchanges a refresh token for its successor and a new access token.
    pub async fn refresh_grant(
        &self,
        client: &AuthenticatedClient,
        source: &RequestSource,
        token: &str,
        asked: RefreshAsked<'_>,
    ) -> Result<Issued, AuthorityError> {
        self.require_fresh()?;
        require_grant(client, Grant::RefreshToken)?;
        self.load_unknown_key(token).await?;
        let token = self.read_refresh_token(token).ok_or(AuthorityError::BadRefreshToken)?;
        if self.denylist().contains(&DenyId::from(token.session), self.earliest_now()) {
            // The database may have lost a revocation that is still known here.
            return Err(AuthorityError::BadRefreshToken);
        }
        if asked.scope.is_some() || asked.resource.is_some() {
            self.check_narrowing(client, &token, &asked).await?;
        }
        let rotation =
            Rotation { session: token.session, generation: token.generation, client_id: client.id().to_owned() };
        match self.inner.rotations.submit(rotation).await? {
            Some(session) => {
                self.inner.metrics.refreshes.count();
                self.answer(client, &session, asked.scope, session.rotated_at).await
            }
            None => self.answer_unmatched(client, source, token, asked).await,
        }
    }

    /// A refresh may narrow the scope, never widen it (RFC 6749 §6). Checked before the rotation, so that asking for
    /// too much does not use the token up. A token of another client is left to the compare-and-set, which refuses it.
    async fn check_narrowing(
        &self,
        client: &AuthenticatedClient,
        token: &RefreshToken,
        asked: &RefreshAsked<'_>,
    ) -> Result<(), AuthorityError> {
        match self.store().live_session(token.session, self.now()).await? {
            // Any token but the current one is left to the compare-and-set: a replay that asks for too much is a
            // replay.
            Some(row) if row.client_id == client.id() && row.generation == token.generation => within(&row, asked),
            _ => Ok(()),
        }
    }

    /// A new access token, valid for one token life but no longer than the row says, and the row's own refresh token.
    /// Without the server's own scopes if the session is of a time when the client needed no flag for them.
    async fn answer(
        &self,
        client: &AuthenticatedClient,
        session: &SessionRecord,
        scope: Option<Scope>,
        now: i64,
    ) -> Result<Issued, AuthorityError> {
        let exp = (now + self.settings().token.access_seconds()).min(session.access_exp).min(session.expires_at);
        let scope = scope.map_or_else(|| session.scopes.clone(), |asked| asked.intersection(&session.scopes));
        let scope = if client.record().own_scopes { scope } else { scope.filter(|name| !is_own(name)) };
        let keys = self.keys_for(session, AuthorityError::BadRefreshToken).await?;
        Ok(Issued {
            access_token: self.sign_access_token(&keys, session, &scope, now, exp)?,
            expires_in: (exp - now).max(1) as u64,
            refresh_token: Some(self.refresh_token_of(&keys, session)?),
            scope,
        })
    }

    async fn answer_unmatched(
        &self,
        client: &AuthenticatedClient,
        source: &RequestSource,
        token: RefreshToken,
        asked: RefreshAsked<'_>,
    ) -> Result<Issued, AuthorityError> {
        let cause = self.cause_of_client(client, source);
        let (reason, kind) = match self.classify(client, &token).await? {
            Unmatched::Refused => return Err(AuthorityError::BadRefreshToken),
            Unmatched::Retry(session) => {
                within(&session, &asked)?;
                self.inner.metrics.refresh_retries.count();
                let event = NewEvent::new(EventKind::RefreshRetried, &cause).user(session.user_id);
                let event = event.client(&session.client_id).session(session.id);
                let key = random_uuid(&*self.inner.base.entropy);
                // Within the grace a thief looks like a retry, so none is answered that is not recorded.
                self.inner.event_batches.submit(EventJob { key, event }).await?;
                // It expires no later than the row says, so a revocation of the session covers it.
                return self.answer(client, &session, asked.scope, self.now()).await;
            }
            Unmatched::Replay => {
                self.inner.metrics.refresh_replays.count();
                (RevokeReason::Replay, EventKind::RefreshReplayed)
            }
            Unmatched::Future => {
                self.inner.metrics.future_generations.count();
                tracing::error!(
                    session = %token.session,
                    "a refresh token is newer than the database, which was restored from a backup; run `ficha recover`"
                );
                (RevokeReason::FutureGeneration, EventKind::RefreshAheadOfDatabase)
            }
        };
        let target = Target::Session(token.session, reason);
        self.submit_revocation(Revocation { target, event: NewEvent::new(kind, &cause) }).await?;
        Err(AuthorityError::BadRefreshToken)
    }

    async fn classify(&self, client: &AuthenticatedClient, token: &RefreshToken) -> Result<Unmatched, AuthorityError> {
        let now = self.now();
        // From the database, as in the compare-and-set: another server may have just purged everything.
        let Some((row, state)) = self.store().session_and_state(token.session, now).await? else {
            return Ok(Unmatched::Refused);
        };
        // Another client's use of a token is refused and changes nothing: it does not prove a theft from the token's
        // client.
        if row.client_id != client.id() {
            return Ok(Unmatched::Refused);
        }
        match state {
            SessionState::Live => {}
            // Not by the time from before the clock was set.
            SessionState::Expired if row.state(self.earliest_now(), row.epoch) == SessionState::Live => {
                return Err(AuthorityError::ClockInDoubt);
            }
            SessionState::Expired | SessionState::Revoked(_) | SessionState::Purged => return Ok(Unmatched::Refused),
        }
        let grace = self.settings().token.refresh_grace.as_secs() as i64;
        // A clock that was set forward since must not turn a retry into a replay.
        let earliest = self.earliest_now();
        let now = if row.rotated_at <= earliest { earliest } else { now };
        Ok(match row.generation - token.generation {
            1 if now < row.rotated_at + grace && row.access_exp > now => Unmatched::Retry(Box::new(row)),
            behind if behind > 0 => Unmatched::Replay,
            // The statement did not match, but the row does now: it changed in between. The client may try again.
            0 => Unmatched::Refused,
            _ => Unmatched::Future,
        })
    }
}

/// Refuses a scope beyond what the session was granted, and a resource that its tokens are not for.
fn within(session: &SessionRecord, asked: &RefreshAsked<'_>) -> Result<(), AuthorityError> {
    if asked.resource.is_some_and(|resource| !is_resource(resource, &session.audience)) {
        return Err(AuthorityError::WrongResource);
    }
    match &asked.scope {
        Some(asked) if !without_openid(asked.clone(), &session.scopes).is_subset(&session.scopes) => {
            Err(AuthorityError::ScopeExceeded)
        }
        _ => Ok(()),
    }
}
