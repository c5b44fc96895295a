//! Refreshing tokens: concurrent callers share one refresh, and it continues when they stop waiting.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{OnceCell, watch};
use tokio::time::Instant;

use crate::clock::Clock;
use crate::endpoints::{self, Addresses, Endpoints};
use crate::error::Error;
use crate::exchange::{Exchange, LOGIN_LIMIT, RetryHooks};
use crate::retry;
use crate::runtime;
use crate::state::{Refresh, State, Unsaved, is_same};
use crate::store::{StoreLock, TokenStore};
use crate::tokens::{AccessToken, Answer, Grant, Tokens};

/// Everything behind a [`TokenSource`](crate::TokenSource).
pub(crate) struct Refresher {
    pub(crate) issuer: String,
    pub(crate) allowed: Addresses,
    endpoints: OnceCell<Endpoints>,
    pub(crate) exchange: Exchange,
    pub(crate) grant: Grant,
    pub(crate) store: Arc<dyn TokenStore>,
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
    /// Held during anything that changes the session: a refresh, a login, a logout.
    pub(crate) turn: tokio::sync::Mutex<()>,
    /// How many logins and logouts hold `turn` or wait for it.
    pub(crate) waiting: watch::Sender<usize>,
}

impl Refresher {
    pub fn new(
        issuer: String,
        allowed: Addresses,
        endpoints: OnceCell<Endpoints>,
        exchange: Exchange,
        grant: Grant,
        store: Arc<dyn TokenStore>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let (state, turn, waiting) = (Mutex::default(), tokio::sync::Mutex::default(), watch::Sender::new(0));
        Self { issuer, allowed, endpoints, exchange, grant, store, clock, state, turn, waiting }
    }

    /// A valid access token, and not the `rejected` one if another can be obtained.
    pub async fn token(self: &Arc<Self>, rejected: Option<&AccessToken>) -> Result<AccessToken, Error> {
        let mut result = Err(Error::Interrupted);
        // A refresh under way may have started before the token was rejected. The second one takes that into account.
        for _ in 0..2 {
            let refresh = match self.join_or_start(rejected)? {
                Joined::NotNeeded(token) => return Ok(token),
                Joined::Refresh(refresh) => refresh,
            };
            result = match rejected {
                Some(_) => result_of(&refresh).await,
                None => self.result_or_unexpired(&refresh).await,
            };
            if !matches!(&result, Ok(token) if is_same(rejected, token)) {
                break;
            }
        }
        result
    }

    /// Waits until no refresh is under way.
    pub async fn settled(&self) {
        loop {
            let refresh = self.state().under_way().cloned();
            let Some(mut refresh) = refresh else { return };
            while refresh.result.changed().await.is_ok() {}
        }
    }

    /// The result of the refresh, or the current token if it has not expired and the refresh takes long or fails.
    async fn result_or_unexpired(&self, refresh: &Refresh) -> Result<AccessToken, Error> {
        let wait = self.state().caller_wait(self.clock.now()).saturating_sub(refresh.started.elapsed());
        let result = match tokio::time::timeout(wait, result_of(refresh)).await {
            Ok(result) => result,
            Err(_) => match self.unexpired() {
                Some(token) => return Ok(token),
                None => result_of(refresh).await,
            },
        };
        match result {
            Err(error) if error.is_inconclusive() => self.unexpired().ok_or(error),
            result => result,
        }
    }

    fn unexpired(&self) -> Option<AccessToken> {
        self.state().unexpired(self.clock.now())
    }

    /// Joins the refresh under way, or starts one, unless there is a valid token. Both need a runtime.
    fn join_or_start(self: &Arc<Self>, rejected: Option<&AccessToken>) -> Result<Joined, Error> {
        let now = self.clock.now();
        let mut state = self.state();
        if let Some(token) = state.usable(now, rejected) {
            return Ok(Joined::NotNeeded(token));
        }
        let runtime = runtime::complete().map_err(Error::no_runtime)?;
        if let Some(refresh) = state.under_way() {
            return Ok(Joined::Refresh(refresh.clone()));
        }
        let (sender, result) = watch::channel(None);
        let refresh = Refresh { started: Instant::now(), result };
        state.refresh = Some(refresh.clone());
        let (refresher, rejected) = (self.clone(), rejected.cloned());
        // In its own task: the result is saved even if every caller stops waiting.
        runtime.spawn(async move {
            let early = sender.clone();
            let on_delay = Box::new(move |error: &Error| drop(early.send_replace(Some(Err(error.clone())))));
            let hooks = RetryHooks { on_delay, waiting: refresher.waiting.subscribe() };
            let result = refresher.refresh(rejected.as_ref(), hooks).await;
            sender.send_replace(Some(result));
            // It would keep the token after a logout.
            refresher.state().refresh = None;
        });
        Ok(Joined::Refresh(refresh))
    }

    async fn refresh(&self, rejected: Option<&AccessToken>, hooks: RetryHooks) -> Result<AccessToken, Error> {
        let _turn = self.turn.lock().await;
        // Without the store's lock: another process may hold it while it waits for the server.
        if self.state().unsaved.is_none()
            && let Some(token) = self.fresh(self.stored().await?.as_ref(), rejected)
        {
            return Ok(token);
        }
        if let Some(error) = self.state().recent_failure() {
            return Err(error.clone());
        }
        let _lock = self.lock().await?;
        self.save_unsaved().await?;
        let stored = self.stored().await?;
        if let Some(token) = self.fresh(stored.as_ref(), rejected) {
            // Another process has refreshed meanwhile.
            return Ok(token);
        }
        if let Some(tokens) = stored.as_ref().filter(|tokens| !self.is_app_only() && !tokens.can_be_refreshed()) {
            return self.use_until_expired(tokens, rejected);
        }
        let result = self.obtain(stored.as_ref(), &hooks).await;
        if rejected.is_some() {
            self.state().forced_at = Some(Instant::now());
        }
        match result {
            Ok(answer) => {
                self.state().record_success();
                self.save(answer, stored).await
            }
            Err(error) => {
                if error.needs_back_off() {
                    tracing::warn!(%error, "could not obtain a new token");
                    self.state().record_failure(&error);
                }
                if error.needs_login() {
                    self.state().current = None;
                }
                // If that fails, the session is over all the same, and only a login leads on.
                if matches!(error, Error::SessionOver)
                    && let Err(error) = self.store.clear().await
                {
                    tracing::warn!(%error, "could not delete the tokens of a session that is over");
                }
                Err(error)
            }
        }
    }

    /// The stored token, if it needs no refresh. If it does, it is still the current token until there is a new one.
    fn fresh(&self, stored: Option<&Tokens>, rejected: Option<&AccessToken>) -> Option<AccessToken> {
        let token = self.hand_out(stored?);
        let is_due = token.tokens().is_due(self.clock.now());
        (!is_due && !is_same(rejected, &token)).then_some(token)
    }

    /// For tokens that cannot be refreshed: the access token is used until it expires.
    fn use_until_expired(&self, tokens: &Tokens, rejected: Option<&AccessToken>) -> Result<AccessToken, Error> {
        let token = tokens.access_token();
        let is_expired = tokens.is_expired(self.clock.now());
        match is_expired || (is_same(rejected, &token) && self.state().gives_up(tokens)) {
            true => Err(Error::SessionOver),
            false => Ok(token),
        }
    }

    async fn obtain(&self, stored: Option<&Tokens>, hooks: &RetryHooks) -> Result<Answer, Error> {
        if self.is_app_only() {
            return self.exchange.client_credentials(self.endpoints_unless(Some(hooks)).await?).await;
        }
        let stored = stored.ok_or(Error::NotLoggedIn)?;
        let refresh = stored.refresh_token.as_ref().ok_or(Error::SessionOver)?;
        let mut answer = self.exchange.refresh(self.endpoints_unless(Some(hooks)).await?, refresh, hooks).await?;
        // RFC 6749 §6: a server that does not rotate refresh tokens returns none, and the old one stays valid. The same
        // goes for the scope.
        answer.refresh_token.get_or_insert_with(|| refresh.clone());
        answer.scope = answer.scope.or_else(|| stored.scope.clone());
        Ok(answer)
    }

    /// Saves before handing out: a caller with the new token can rely on the session surviving this process.
    async fn save(&self, answer: Answer, previous: Option<Tokens>) -> Result<AccessToken, Error> {
        let tokens = self.tokens_of(answer);
        self.state().unsaved = Some(Unsaved { tokens: tokens.clone(), previous });
        self.store.save(&tokens).await?;
        self.state().unsaved = None;
        Ok(self.hand_out(&tokens))
    }

    /// A failed save is repeated before the server is asked for anything: the old refresh token, which is still in the
    /// store, is accepted only within the server's grace period.
    async fn save_unsaved(&self) -> Result<(), Error> {
        let Some(unsaved) = self.state().unsaved.clone() else { return Ok(()) };
        // If there was a login or logout meanwhile, what it stored stays.
        if self.store.load().await? == unsaved.previous {
            self.store.save(&unsaved.tokens).await?;
        }
        self.state().unsaved = None;
        Ok(())
    }

    /// The stored tokens, if they are ours. Tokens of another server or client are not sent to this server.
    async fn stored(&self) -> Result<Option<Tokens>, Error> {
        self.store.load().await?.map(|tokens| self.ensure_ours(tokens)).transpose()
    }

    pub(crate) fn ensure_ours(&self, tokens: Tokens) -> Result<Tokens, Error> {
        if self.is_ours(&tokens) && tokens.grant == self.grant {
            return Ok(tokens);
        }
        let Tokens { issuer, client_id, grant, .. } = tokens;
        Err(Error::StoredForAnother { issuer, client_id, grant, expected: self.grant })
    }

    /// True if they were issued by our server to our client.
    pub(crate) fn is_ours(&self, tokens: &Tokens) -> bool {
        tokens.issuer == self.issuer && tokens.client_id == self.exchange.client_id
    }

    /// Only for tokens that have been saved.
    pub(crate) fn hand_out(&self, tokens: &Tokens) -> AccessToken {
        let token = tokens.access_token();
        self.state().current = Some(token.clone());
        token
    }

    pub(crate) fn tokens_of(&self, answer: Answer) -> Tokens {
        Tokens::new(&self.issuer, &self.exchange.client_id, self.grant, answer)
    }

    /// True if the app acts for itself, without a user.
    pub(crate) fn is_app_only(&self) -> bool {
        self.grant == Grant::ClientCredentials
    }

    /// The store's lock. It waits for longer than any holder with the same time limits needs: one that first looks up
    /// the endpoints, and then logs in and ends a session that it cannot store, refreshes until the server's grace
    /// period ends, or logs out with all attempts.
    pub(crate) async fn lock(&self) -> Result<StoreLock, Error> {
        let (limit, all_attempts) = (self.exchange.limit, retry::longest(self.exchange.limit));
        let work = LOGIN_LIMIT.max(retry::MAX_ELAPSED).saturating_add(limit).max(all_attempts);
        Ok(self.store.lock(all_attempts.saturating_add(work).min(Duration::from_secs(86_400))).await?)
    }

    pub(crate) async fn endpoints(&self) -> Result<&Endpoints, Error> {
        self.endpoints_unless(None).await
    }

    /// With `hooks`, looking them up gives way to a login or logout.
    async fn endpoints_unless(&self, hooks: Option<&RetryHooks>) -> Result<&Endpoints, Error> {
        let Exchange { http, limit, .. } = &self.exchange;
        let discover = || endpoints::discover(http, &self.issuer, self.allowed, *limit, hooks);
        self.endpoints.get_or_try_init(discover).await
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a caller gets from [`Refresher::join_or_start`].
enum Joined {
    NotNeeded(AccessToken),
    Refresh(Refresh),
}

/// Waits for the result of a refresh, or for the error that delays it.
async fn result_of(refresh: &Refresh) -> Result<AccessToken, Error> {
    match refresh.result.clone().wait_for(Option::is_some).await {
        Ok(result) => result.clone().unwrap_or(Err(Error::Interrupted)),
        Err(_) => Err(Error::Interrupted),
    }
}
