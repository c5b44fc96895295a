//! The password check: one answer for every failure, in the same time.

use ficha_password::{Busy, Password, StoredHash};
use ficha_store::{Authentication, EventActor, FailedLogin, LoginHistory, PasswordHashText, UserRecord};
use ficha_token::random_uuid;
use tokio::time::Instant;

use crate::Authority;
use crate::authn::outcome::{Authenticated, Outcome};
use crate::authn::throttle::{Attempt, is_throttled};
use crate::clients::AuthenticatedClient;
use crate::error::AuthorityError;
use crate::group_commit::refusal::RefusalJob;
use crate::request_source::RequestSource;
use crate::user_name::{counted_name, find_user};

/// How far the clocks of two servers may differ, in seconds.
const CLOCKS_DIFFER: i64 = 5;

/// How long a source that logged in counts as known before it is recorded again, in seconds.
const KNOWN_SOURCE_REFRESH: i64 = 86_400;

impl Authority {
    /// Finds the user and checks the password. An unknown, disabled or throttled user and a wrong password give the
    /// same error after the same work.
    pub(crate) async fn check_password(
        &self,
        client: &AuthenticatedClient,
        source: &RequestSource,
        username: &str,
        password: Password,
    ) -> Result<Outcome, AuthorityError> {
        let found_user = find_user(self.store(), username).await?;
        let attempt = self.attempt(client, source, &counted_name(found_user.as_ref(), username));
        let history = self.history(&attempt).await?;
        if is_throttled(&history, self.now()) {
            self.inner.metrics.logins_throttled.count();
            self.inner.metrics.login_failures.count();
            return self.refuse_throttled(client, source, found_user.as_ref(), &attempt, &history).await;
        }
        let failed = self.failed_login(client, source, &attempt, found_user.as_ref());
        let user = found_user.filter(|user| user.enabled);
        let stored = user.as_ref().and_then(parse_stored);
        let again = password.clone();
        let right = self.inner.hashing.verify(attempt.share(), password, stored.clone(), self.floor_cost()).await;
        let right = right.map_err(|busy| self.busy(busy))?;
        // Guesses sent at the same time all saw the counts from before them. If the others have throttled this source
        // meanwhile, a right password fails too.
        let right = right && {
            let since = self.history(&attempt).await?;
            !is_throttled(&since, self.now())
        };
        match (user, stored) {
            (Some(user), Some(stored)) if right => {
                let known = history.source_succeeded + KNOWN_SOURCE_REFRESH > self.now();
                if !known || history.source_failures > 0 || history.account_failures > 0 {
                    self.store().login_succeeded(attempt.account, attempt.source, self.now()).await?;
                }
                self.rehash_if_outdated(&user, &stored, again, attempt.share());
                if user.must_change {
                    return Ok(Outcome::PasswordChangeRequired(user));
                }
                Ok(Outcome::Authenticated(Authenticated { user, how: self.by_password() }))
            }
            _ => {
                self.inner.metrics.login_failures.count();
                let began = Instant::now();
                self.store().login_failed(&failed, self.now()).await?;
                self.inner.counting.note(began.elapsed());
                Err(AuthorityError::BadCredentials)
            }
        }
    }

    /// Refuses an attempt without hashing it: it waits as long as hashing and counting take at the moment. It is counted
    /// for the event log, and not for the throttle.
    async fn refuse_throttled(
        &self,
        client: &AuthenticatedClient,
        source: &RequestSource,
        user: Option<&UserRecord>,
        attempt: &Attempt,
        history: &LoginHistory,
    ) -> Result<Outcome, AuthorityError> {
        let typical = self.inner.hashing.typical(attempt.share(), self.floor_cost()) + self.inner.counting.typical();
        // A name that this source has not tried before is counted for the source as a whole: with other names each time,
        // it would otherwise write a row for each.
        let (account, user) = match history.source_failures > 0 {
            true => (attempt.account, user),
            false => (FailedLogin::ANY_ACCOUNT, None),
        };
        let attempt = Attempt { account, ..*attempt };
        let counted = self.record_refused(client, source, &attempt, user);
        let ((), counted) = tokio::join!(tokio::time::sleep(typical), counted);
        counted?;
        Err(AuthorityError::BadCredentials)
    }

    /// Records a login that was refused for another reason than its password. It does not count for the throttle.
    pub(crate) async fn record_refusal(
        &self,
        client: &AuthenticatedClient,
        source: &RequestSource,
        username: &str,
    ) -> Result<(), AuthorityError> {
        let user = find_user(self.store(), username).await?;
        let attempt = self.attempt(client, source, &counted_name(user.as_ref(), username));
        self.record_refused(client, source, &attempt, user.as_ref()).await
    }

    async fn record_refused(
        &self,
        client: &AuthenticatedClient,
        source: &RequestSource,
        attempt: &Attempt,
        user: Option<&UserRecord>,
    ) -> Result<(), AuthorityError> {
        let login = self.failed_login(client, source, attempt, user);
        let key = random_uuid(&*self.inner.base.entropy);
        Ok(self.inner.refusals.submit(RefusalJob { key, login }).await?)
    }

    fn failed_login(
        &self,
        client: &AuthenticatedClient,
        source: &RequestSource,
        attempt: &Attempt,
        user: Option<&UserRecord>,
    ) -> FailedLogin {
        FailedLogin {
            account: attempt.account,
            source: attempt.source,
            user_id: user.map(|user| user.id),
            client_id: client.id().to_owned(),
            cause: self.cause(EventActor::Anonymous, source),
        }
    }

    /// RFC 8176.
    fn by_password(&self) -> Authentication {
        Authentication { amr: vec!["pwd".into()], acr: None, at: self.now() }
    }

    /// Refuses a login for which the hashing queue has no room, before the database is asked anything: a flood of logins
    /// must not slow down what needs the database. It may still be refused later.
    pub(crate) fn require_room(
        &self,
        client: &AuthenticatedClient,
        source: &RequestSource,
        username: &str,
    ) -> Result<(), AuthorityError> {
        let share = self.attempt(client, source, username).share();
        self.inner.hashing.require_room(share, self.floor_cost()).map_err(|busy| self.busy(busy))
    }

    fn attempt(&self, client: &AuthenticatedClient, source: &RequestSource, username: &str) -> Attempt {
        let confidential = client.is_confidential().then(|| client.id());
        let attempt = Attempt::new(&self.inner.master, username, confidential, source.address);
        Attempt { is_one_host: attempt.is_one_host || client.record().forwards_address, ..attempt }
    }

    fn busy(&self, busy: Busy) -> AuthorityError {
        self.inner.metrics.logins_busy.count();
        AuthorityError::Busy { retry_after: busy.retry_after }
    }

    /// The login history of an account and a source. A failure that lies in the future, because it was counted while
    /// the clock was ahead, counts as a failure of now.
    async fn history(&self, attempt: &Attempt) -> Result<LoginHistory, AuthorityError> {
        let now = self.now();
        let mut history = self.store().login_history(attempt.account, attempt.source).await?;
        if !attempt.is_one_host {
            history.all_failures = 0;
        }
        let last = history.source_last_failure.max(history.account_last_failure).max(history.all_last_failure);
        if last > now + CLOCKS_DIFFER {
            self.store().clamp_login_failures(attempt.account, attempt.source, now).await?;
            history.source_last_failure = history.source_last_failure.min(now);
            history.account_last_failure = history.account_last_failure.min(now);
            history.all_last_failure = history.all_last_failure.min(now);
        }
        Ok(history)
    }

    /// After a successful login with an imported or cheaper hash, the password is rehashed in the background.
    fn rehash_if_outdated(&self, user: &UserRecord, stored: &StoredHash, password: Password, share: u64) {
        let cost = self.settings().password.bcrypt_cost;
        if stored.is_current(cost.get()) {
            return;
        }
        let (authority, id, old) = (self.clone(), user.id, user.password_hash.clone());
        tokio::spawn(async move {
            let Ok(hash) = authority.inner.hashing.hash(share, password, cost).await else { return };
            let new = PasswordHashText(hash.to_string());
            // Compare-and-set on the old text: a password that was changed meanwhile is not overwritten.
            match authority.store().rehash_password(id, &old, &new, cost.get()).await {
                Ok(_) => tracing::info!(user = %id, "the password was rehashed in the current format"),
                Err(error) => tracing::warn!(user = %id, %error, "the password could not be rehashed"),
            }
        });
    }
}

/// A hash that can't be parsed fails the login like a wrong password, and is logged.
fn parse_stored(user: &UserRecord) -> Option<StoredHash> {
    match user.password_hash.0.parse() {
        Ok(stored) => Some(stored),
        Err(error) => {
            tracing::warn!(user = %user.id, %error, "a stored password hash can't be read; the user can't log in");
            None
        }
    }
}
