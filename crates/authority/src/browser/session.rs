//! A browser that is signed in.

use ficha_password::Password;
use ficha_store::{
    EventActor, EventKind, NewEvent, Revocation, RevokeReason, Rotation, SessionRecord, SessionState, Target,
    UserRecord,
};
use ficha_token::{DenyId, Scope};
use uuid::Uuid;

use crate::admin::Actor;
use crate::authn::outcome::{Authenticated, Outcome};
use crate::clients::{AuthenticatedClient, ClientCredentials};
use crate::error::AuthorityError;
use crate::grants::is_own;
use crate::grants::password::LoggedIn;
use crate::keys::secret::Secret;
use crate::settings::CONSOLE;
use crate::tokens::sealed::{Kind, Sealed};
use crate::{Authority, RequestSource};

/// How long a typed password confirms what follows, in seconds.
const CONFIRMED_FOR: i64 = 600;
/// A session counts as used at most so often, in seconds: each time its row is written.
const USED_EVERY: i64 = 60;

/// A browser that has just signed in.
#[derive(Debug)]
pub struct SignedIn {
    /// Its session.
    pub session: Uuid,
    /// Who it is, and what they may do.
    pub actor: Actor,
    /// The value of its cookie.
    pub cookie: Secret,
}

/// A browser that is signed in.
#[derive(Debug)]
pub struct BrowserSession {
    /// Who it is, and what they may do.
    pub actor: Actor,
    /// The user.
    pub user: UserRecord,
    /// What they may do here: what the session was granted, and the user still holds.
    pub scopes: Scope,
    /// The session.
    pub session: SessionRecord,
}

impl BrowserSession {
    /// Its id.
    pub fn id(&self) -> Uuid {
        self.session.id
    }
}

impl Authority {
    /// Checks a user's password as the password grant does, and signs their browser in: with every scope of the server's
    /// own that they hold.
    pub async fn sign_in(
        &self,
        source: &RequestSource,
        username: &str,
        password: Password,
    ) -> Result<SignedIn, AuthorityError> {
        let client = self.console_client(source).await?;
        let choose = |allowed: &Scope, has_flag: bool| {
            let scope = allowed.filter(is_own);
            if !has_flag || scope.iter().next().is_none() { Err(AuthorityError::ScopeExceeded) } else { Ok(scope) }
        };
        let LoggedIn { session, user: name, .. } =
            self.log_in(&client, source, (username.to_owned(), password), choose).await?;
        let keys = self.keys_for(&session, AuthorityError::Purged).await?.keys;
        let newest = keys.newest_refresh();
        let (key_id, key) = newest.ok_or_else(|| AuthorityError::Key("there is no active refresh key".into()))?;
        self.inner.metrics.logins.count();
        let cookie = Sealed { kind: Kind::BrowserSession, key_id, session: session.id, number: 0 }.seal(key);
        let user = session.subject;
        let actor = Actor::user(user, &name, &session.scopes, source.clone()).in_session(session.id);
        Ok(SignedIn { session: session.id, actor, cookie })
    }

    /// The browser that has this cookie, if its session is still live: the database is asked each time, so one that has
    /// been revoked is refused with its next request. `counts` says whether this is a use, which keeps the session from
    /// becoming idle.
    pub async fn browser_session(
        &self,
        source: &RequestSource,
        cookie: &str,
        counts: bool,
    ) -> Result<Option<BrowserSession>, AuthorityError> {
        self.require_fresh()?;
        let Some(Sealed { session: id, .. }) = self.unseal(Kind::BrowserSession, cookie).await? else {
            return Ok(None);
        };
        if self.denylist().contains(&DenyId::from(id), self.earliest_now()) {
            // The database may have lost a revocation that is still known here.
            return Ok(None);
        }
        let Some(session) = self.live_browser_session(id).await? else { return Ok(None) };
        // Its client may have lost what it needs, and its user have been disabled while their sessions are ended in
        // batches.
        let client = self.client_record(CONSOLE).await?;
        let Some(user) = self.user(session.subject).await?.filter(|user| user.enabled) else { return Ok(None) };
        if client.is_none_or(|client| !client.enabled || !client.own_scopes) {
            return Ok(None);
        }
        let session = if counts { self.used(session).await? } else { Some(session) };
        let Some(session) = session else { return Ok(None) };
        let scopes = session.scopes.intersection(&user.scopes);
        let actor = Actor::user(user.id, &user.name, &scopes, source.clone()).in_session(id);
        Ok(Some(BrowserSession { actor, user, scopes, session }))
    }

    pub(super) async fn live_browser_session(&self, id: Uuid) -> Result<Option<SessionRecord>, AuthorityError> {
        let Some((session, state)) = self.store().session_and_state(id, self.now()).await? else { return Ok(None) };
        match state {
            _ if session.client_id != CONSOLE => Ok(None),
            SessionState::Live => Ok(Some(session)),
            // Not by the time from before the clock was set.
            SessionState::Expired if session.state(self.earliest_now(), session.epoch) == SessionState::Live => {
                Err(AuthorityError::ClockInDoubt)
            }
            SessionState::Expired | SessionState::Revoked(_) | SessionState::Purged => Ok(None),
        }
    }

    /// Notes that a session is used: a refresh without a token, by the same compare-and-set. If another request was
    /// faster, that one has noted it.
    async fn used(&self, session: SessionRecord) -> Result<Option<SessionRecord>, AuthorityError> {
        let often = session.idle_seconds.map_or(USED_EVERY, |idle| (idle / 4).min(USED_EVERY));
        if self.now() < session.rotated_at + often {
            return Ok(Some(session));
        }
        let (id, generation) = (session.id, session.generation);
        let rotation = Rotation { session: id, generation, client_id: CONSOLE.to_owned() };
        match self.inner.rotations.submit(rotation).await {
            Ok(Some(session)) => Ok(Some(session)),
            Ok(None) => self.live_browser_session(id).await,
            // With a full disk, for example, the pages must still say so: the session was read, and is live. It is not
            // extended, and what changes something fails by itself.
            Err(error) => {
                tracing::debug!(%error, "the use of a browser's session could not be noted");
                Ok(Some(session))
            }
        }
    }

    /// Ends the session of a browser that signs out.
    pub async fn sign_out(&self, source: &RequestSource, browser: &BrowserSession) -> Result<(), AuthorityError> {
        let actor = EventActor::User { id: browser.user.id, name: Some(browser.user.name.clone()) };
        let event = NewEvent::new(EventKind::SessionLoggedOut, &self.cause(actor, source)).user(browser.user.id);
        let event = event.client(CONSOLE).session(browser.id());
        let target = Target::Session(browser.id(), RevokeReason::Logout);
        self.submit_revocation(Revocation { target, event }).await
    }

    /// What the forms of this browser's pages send back.
    pub fn form_token(&self, session: Uuid) -> Result<Secret, AuthorityError> {
        self.sealed(Kind::FormToken, session, 0)
    }

    /// True if a form sends back what was made for this session.
    pub async fn is_form_token(&self, session: Uuid, token: &str) -> Result<bool, AuthorityError> {
        Ok(self.unseal(Kind::FormToken, token).await?.is_some_and(|sealed| sealed.session == session))
    }

    /// Checks the password of a user who is signed in, throttled like a login. Returns the proof, which their browser
    /// keeps as a cookie.
    pub async fn confirm_password(
        &self,
        source: &RequestSource,
        browser: &BrowserSession,
        password: Password,
    ) -> Result<Secret, AuthorityError> {
        let client = self.console_client(source).await?;
        self.require_room(&client, source, &browser.user.name)?;
        let checked = self.check_password(&client, source, &browser.user.name, password).await?;
        let (Outcome::Authenticated(Authenticated { user, .. }) | Outcome::PasswordChangeRequired(user)) = checked;
        if user.id != browser.user.id {
            return Err(AuthorityError::BadCredentials);
        }
        self.sealed(Kind::Confirmation, browser.id(), self.now())
    }

    /// True if the password was typed within the last ten minutes: at the sign-in, or since. `proof` is the cookie.
    pub async fn is_confirmed(&self, browser: &BrowserSession, proof: Option<&str>) -> Result<bool, AuthorityError> {
        let now = self.now();
        let is_recent = |at: i64| (0..CONFIRMED_FOR).contains(&(now - at));
        if is_recent(browser.session.created_at) {
            return Ok(true);
        }
        let Some(proof) = proof else { return Ok(false) };
        let sealed = self.unseal(Kind::Confirmation, proof).await?;
        Ok(sealed.is_some_and(|sealed| sealed.session == browser.id() && is_recent(sealed.number)))
    }

    async fn console_client(&self, source: &RequestSource) -> Result<AuthenticatedClient, AuthorityError> {
        self.authenticate_client(&ClientCredentials::Public(CONSOLE.to_owned()), source).await
    }
}
