//! Renewing tokens: one flight at a time, whoever waits for it, and whoever has stopped waiting.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use tokio::sync::{OnceCell, watch};

use crate::clock::Clock;
use crate::endpoints::{self, Addresses, Endpoints};
use crate::error::Error;
use crate::exchange::Exchange;
use crate::store::TokenStore;
use crate::tokens::{AccessToken, Answer, Tokens};

/// After a refresh that failed, a token that is still good is handed out this long before the next attempt.
const PAUSE: Duration = Duration::from_secs(5);

/// A service that refuses even a new token is not answered with another one each time.
const FORCED_PAUSE: Duration = Duration::from_secs(10);

/// A flight's outcome, once it is there.
type Flight = watch::Receiver<Option<Result<AccessToken, Error>>>;

/// Everything behind a [`TokenSource`](crate::TokenSource).
pub(crate) struct Renewal {
    issuer: String,
    allowed: Addresses,
    endpoints: OnceCell<Endpoints>,
    exchange: Exchange,
    for_itself: bool,
    store: Arc<dyn TokenStore>,
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
    /// Held by whoever changes the session: a flight, a login, a logout.
    turn: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct State {
    /// What is handed out. It has been saved.
    current: Option<AccessToken>,
    /// What the server gave and the store did not take.
    unsaved: Option<Unsaved>,
    flight: Option<Flight>,
    /// Until then a good token is handed out although it is due.
    paused_until: Option<SystemTime>,
    /// When a token was last replaced because a service refused it.
    forced_at: Option<SystemTime>,
}

/// Tokens that replace `previous`, and are not stored yet.
#[derive(Clone)]
struct Unsaved {
    tokens: Tokens,
    previous: Option<Tokens>,
}

impl Renewal {
    pub fn new(
        issuer: String,
        allowed: Addresses,
        endpoints: OnceCell<Endpoints>,
        exchange: Exchange,
        for_itself: bool,
        store: Arc<dyn TokenStore>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let (state, turn) = (Mutex::default(), tokio::sync::Mutex::default());
        Self { issuer, allowed, endpoints, exchange, for_itself, store, clock, state, turn }
    }

    /// The issuer, as the app named it.
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// An access token that is good, and not the one that was `rejected`, if another can be had.
    pub async fn token(self: &Arc<Self>, rejected: Option<&AccessToken>) -> Result<AccessToken, Error> {
        let mut outcome = Err(Error::Interrupted);
        // A flight that was under way may have begun before the token was rejected; the next one knows of it.
        for _ in 0..2 {
            let mut flight = match self.board(rejected) {
                Boarded::Unneeded(token) => return Ok(token),
                Boarded::Flight(flight) => flight,
            };
            outcome = match flight.wait_for(Option::is_some).await {
                Ok(outcome) => outcome.clone().unwrap_or(Err(Error::Interrupted)),
                Err(_) => Err(Error::Interrupted),
            };
            if !matches!(&outcome, Ok(token) if is_same(rejected, token)) {
                break;
            }
        }
        outcome
    }

    /// Joins the flight under way, or begins one, unless there is a good token.
    fn board(self: &Arc<Self>, rejected: Option<&AccessToken>) -> Boarded {
        let now = self.clock.now();
        let mut state = self.state();
        if let Some(token) = state.to_hand_out(now, rejected) {
            return Boarded::Unneeded(token);
        }
        if let Some(flight) = state.flight.as_ref().filter(|flight| is_under_way(flight)) {
            return Boarded::Flight(flight.clone());
        }
        let (outcome, flight) = watch::channel(None);
        state.flight = Some(flight.clone());
        let (renewal, rejected) = (self.clone(), rejected.cloned());
        // Its own task: whoever waits may go away, and the answer is still saved.
        tokio::spawn(async move {
            let result = renewal.renew(rejected.as_ref()).await;
            outcome.send_replace(Some(result));
        });
        Boarded::Flight(flight)
    }

    async fn renew(&self, rejected: Option<&AccessToken>) -> Result<AccessToken, Error> {
        let _turn = self.turn.lock().await;
        let _lock = self.store.lock().await?;
        self.save_what_was_not().await?;
        let now = self.clock.now();
        let stored = self.stored().await?;
        if let Some(tokens) = &stored
            && !tokens.is_due(now)
            && !is_same(rejected, &tokens.access_token())
        {
            // Another process was here before us.
            return Ok(self.hand_out(tokens));
        }
        if let Some(tokens) = stored.as_ref().filter(|tokens| !self.for_itself && !tokens.can_be_refreshed()) {
            // Nothing better can be had, so it is used to its end.
            let is_good = !tokens.is_expired(now) && !is_same(rejected, &tokens.access_token());
            return if is_good { Ok(self.hand_out(tokens)) } else { Err(Error::SessionOver) };
        }
        match self.obtain(stored.as_ref()).await {
            Ok(answer) => {
                let token = self.keep(answer, stored).await?;
                if rejected.is_some() {
                    self.state().forced_at = Some(self.clock.now());
                }
                Ok(token)
            }
            Err(Error::SessionOver) => {
                self.state().current = None;
                self.store.clear().await?;
                Err(Error::SessionOver)
            }
            Err(error) => match stored {
                Some(tokens) if may_pass(&error) && rejected.is_none() && !tokens.is_expired(self.clock.now()) => {
                    tracing::warn!(%error, "the token was not refreshed; it is still good for a while");
                    self.state().paused_until = Some(self.clock.now() + PAUSE);
                    Ok(self.hand_out(&tokens))
                }
                _ => Err(error),
            },
        }
    }

    async fn obtain(&self, stored: Option<&Tokens>) -> Result<Answer, Error> {
        if self.for_itself {
            return self.exchange.for_itself(self.endpoints().await?).await;
        }
        let stored = stored.ok_or(Error::NotLoggedIn)?;
        let refresh = stored.refresh_token.as_ref().ok_or(Error::SessionOver)?;
        let mut answer = self.exchange.refresh(self.endpoints().await?, refresh).await?;
        // RFC 6749 §6: a server that does not rotate answers none, and the old one stays. Scope is kept alike.
        answer.refresh_token.get_or_insert_with(|| refresh.clone());
        answer.scope = answer.scope.or_else(|| stored.scope.clone());
        Ok(answer)
    }

    /// Saves first, and hands out then: whoever has the new token may rely on the session surviving this process.
    async fn keep(&self, answer: Answer, previous: Option<Tokens>) -> Result<AccessToken, Error> {
        let tokens = Tokens::new(&self.issuer, &self.exchange.client_id, answer);
        self.state().unsaved = Some(Unsaved { tokens: tokens.clone(), previous });
        self.store.save(&tokens).await?;
        Ok(self.hand_out(&tokens))
    }

    /// A store that failed is tried again before anything is asked of the server: the old refresh token in it has only
    /// the server's grace to live.
    async fn save_what_was_not(&self) -> Result<(), Error> {
        let Some(unsaved) = self.state().unsaved.clone() else { return Ok(()) };
        // Somebody may have logged in or out meanwhile; what they stored stays.
        if self.store.load().await? == unsaved.previous {
            self.store.save(&unsaved.tokens).await?;
        }
        self.state().unsaved = None;
        Ok(())
    }

    /// What is stored, if it is ours. Another server's or client's tokens are not sent to this one.
    async fn stored(&self) -> Result<Option<Tokens>, Error> {
        let stored = self.store.load().await?;
        match stored {
            Some(tokens) if tokens.issuer != self.issuer || tokens.client_id != self.exchange.client_id => {
                Err(Error::StoredForAnother { issuer: tokens.issuer, client_id: tokens.client_id })
            }
            ours => Ok(ours),
        }
    }

    fn hand_out(&self, tokens: &Tokens) -> AccessToken {
        let token = tokens.access_token();
        let mut state = self.state();
        state.unsaved = None;
        state.current = Some(token.clone());
        token
    }

    /// Obtains a session for a user, in place of the one that was stored.
    pub async fn log_in(&self, username: &str, password: &str) -> Result<Tokens, Error> {
        let _turn = self.turn.lock().await;
        let _lock = self.store.lock().await?;
        // Nothing is worth a session at the server that can't be stored.
        let previous = self.store.load().await?;
        let answer = self.exchange.password(self.endpoints().await?, username, password).await?;
        let tokens = Tokens::new(&self.issuer, &self.exchange.client_id, answer);
        self.state().unsaved = Some(Unsaved { tokens: tokens.clone(), previous });
        self.store.save(&tokens).await?;
        self.hand_out(&tokens);
        self.state().paused_until = None;
        Ok(tokens)
    }

    /// Revokes at the server, and forgets only then.
    pub async fn log_out(&self) -> Result<(), Error> {
        let _turn = self.turn.lock().await;
        let _lock = self.store.lock().await?;
        self.save_what_was_not().await?;
        if let Some(tokens) = self.stored().await? {
            self.exchange.revoke(self.endpoints().await?, &tokens).await?;
        }
        self.drop_everything().await
    }

    /// Forgets, and tells nobody.
    pub async fn forget(&self) -> Result<(), Error> {
        let _turn = self.turn.lock().await;
        let _lock = self.store.lock().await?;
        self.drop_everything().await
    }

    async fn drop_everything(&self) -> Result<(), Error> {
        self.store.clear().await?;
        let mut state = self.state();
        (state.current, state.unsaved) = (None, None);
        Ok(())
    }

    async fn endpoints(&self) -> Result<&Endpoints, Error> {
        let ask = || endpoints::discover(&self.exchange.http, &self.issuer, self.allowed, self.exchange.limit);
        self.endpoints.get_or_try_init(ask).await
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

enum Boarded {
    Unneeded(AccessToken),
    Flight(Flight),
}

impl State {
    fn to_hand_out(&self, now: SystemTime, rejected: Option<&AccessToken>) -> Option<AccessToken> {
        let token = self.current.as_ref()?;
        let tokens = token.tokens();
        let is_rejected = is_same(rejected, token);
        let forced_lately = self.forced_at.is_some_and(|at| now < at + FORCED_PAUSE);
        let is_paused = self.paused_until.is_some_and(|until| now < until);
        let is_good = !tokens.is_due(now) || (is_paused && !tokens.is_expired(now));
        (is_good && (!is_rejected || forced_lately)).then(|| token.clone())
    }
}

/// What says nothing about the session: a captive portal's page is no reason to stop an app whose token is good.
fn may_pass(error: &Error) -> bool {
    error.is_transient() || matches!(error, Error::BadAnswer(_) | Error::Metadata(_) | Error::Refused(_))
}

fn is_same(rejected: Option<&AccessToken>, token: &AccessToken) -> bool {
    rejected.is_some_and(|rejected| rejected.secret() == token.secret())
}

/// A flight whose task was stopped with its runtime is none.
fn is_under_way(flight: &Flight) -> bool {
    flight.borrow().is_none() && flight.has_changed().is_ok()
}
