//! Renewing tokens: one flight at a time, whoever waits for it, and whoever has stopped waiting.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{OnceCell, watch};
use tokio::time::Instant;

use crate::clock::Clock;
use crate::endpoints::{self, Addresses, Endpoints};
use crate::error::Error;
use crate::exchange::{Exchange, HeldUp, LOGIN_LIMIT};
use crate::retry;
use crate::state::{Flight, State, Unsaved, is_same};
use crate::store::{StoreLock, TokenStore};
use crate::tokens::{AccessToken, Answer, Grant, Tokens};

/// Everything behind a [`TokenSource`](crate::TokenSource).
pub(crate) struct Renewal {
    pub(crate) issuer: String,
    pub(crate) allowed: Addresses,
    endpoints: OnceCell<Endpoints>,
    pub(crate) exchange: Exchange,
    pub(crate) grant: Grant,
    pub(crate) store: Arc<dyn TokenStore>,
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
    /// Held by whoever changes the session: a flight, a login, a logout.
    pub(crate) turn: tokio::sync::Mutex<()>,
    /// How many logins and logouts wait for their turn, or have it.
    pub(crate) waiting: watch::Sender<usize>,
}

impl Renewal {
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

    /// An access token that is good, and not the one that was `rejected`, if another can be had.
    pub async fn token(self: &Arc<Self>, rejected: Option<&AccessToken>) -> Result<AccessToken, Error> {
        let mut outcome = Err(Error::Interrupted);
        // A flight that was under way may have begun before the token was rejected; the next one knows of it.
        for _ in 0..2 {
            let flight = match self.board(rejected) {
                Boarded::Unneeded(token) => return Ok(token),
                Boarded::Flight(flight) => flight,
            };
            outcome = match rejected {
                Some(_) => arrival(&flight).await,
                None => self.arrival_or_old(&flight).await,
            };
            if !matches!(&outcome, Ok(token) if is_same(rejected, token)) {
                break;
            }
        }
        outcome
    }

    /// Waits until no flight is under way.
    pub async fn settled(&self) {
        loop {
            let flight = self.state().flight.clone();
            let Some(mut flight) = flight.filter(Flight::is_under_way) else { return };
            while flight.outcome.changed().await.is_ok() {}
        }
    }

    /// The flight's outcome, or the token that is still good, if the flight takes long or fails.
    async fn arrival_or_old(&self, flight: &Flight) -> Result<AccessToken, Error> {
        let courtesy = self.state().courtesy(self.clock.now()).saturating_sub(flight.began.elapsed());
        let outcome = match tokio::time::timeout(courtesy, arrival(flight)).await {
            Ok(outcome) => outcome,
            Err(_) => match self.still_good() {
                Some(token) => return Ok(token),
                None => arrival(flight).await,
            },
        };
        match outcome {
            Err(error) if error.may_pass() => self.still_good().ok_or(error),
            outcome => outcome,
        }
    }

    fn still_good(&self) -> Option<AccessToken> {
        self.state().still_good(self.clock.now())
    }

    /// Joins the flight under way, or begins one, unless there is a good token.
    fn board(self: &Arc<Self>, rejected: Option<&AccessToken>) -> Boarded {
        let now = self.clock.now();
        let mut state = self.state();
        if let Some(token) = state.to_hand_out(now, rejected) {
            return Boarded::Unneeded(token);
        }
        if let Some(flight) = state.flight.as_ref().filter(|flight| flight.is_under_way()) {
            return Boarded::Flight(flight.clone());
        }
        let (report, outcome) = watch::channel(None);
        let flight = Flight { began: Instant::now(), outcome };
        state.flight = Some(flight.clone());
        let (renewal, rejected) = (self.clone(), rejected.cloned());
        // Its own task: whoever waits may go away, and the answer is still saved.
        tokio::spawn(async move {
            let early = report.clone();
            let tell = Box::new(move |error: &Error| drop(early.send_replace(Some(Err(error.clone())))));
            let held_up = HeldUp { tell, waiting: renewal.waiting.subscribe() };
            let result = renewal.renew(rejected.as_ref(), held_up).await;
            report.send_replace(Some(result));
            // It would keep the token after a logout.
            renewal.state().flight = None;
        });
        Boarded::Flight(flight)
    }

    async fn renew(&self, rejected: Option<&AccessToken>, held_up: HeldUp) -> Result<AccessToken, Error> {
        let _turn = self.turn.lock().await;
        // Without the lock, which may be held by a process that waits for the server.
        if self.state().unsaved.is_none()
            && let Some(token) = self.fresh(self.stored().await?.as_ref(), rejected)
        {
            return Ok(token);
        }
        if let Some(error) = self.state().has_failed_lately() {
            return Err(error.clone());
        }
        let _lock = self.lock().await?;
        self.save_what_was_not().await?;
        let stored = self.stored().await?;
        if let Some(token) = self.fresh(stored.as_ref(), rejected) {
            // Another process was here before us.
            return Ok(token);
        }
        if let Some(tokens) = stored.as_ref().filter(|tokens| !self.is_for_itself() && !tokens.can_be_refreshed()) {
            return self.to_its_end(tokens, rejected);
        }
        let result = self.obtain(stored.as_ref(), &held_up).await;
        if rejected.is_some() {
            self.state().forced_at = Some(Instant::now());
        }
        match result {
            Ok(answer) => {
                self.state().has_succeeded();
                self.keep(answer, stored).await
            }
            Err(error) => {
                if error.is_of_the_server() {
                    tracing::warn!(%error, "no new token was obtained");
                    self.state().has_failed(&error);
                }
                if error.needs_login() {
                    self.state().current = None;
                }
                if matches!(error, Error::SessionOver) {
                    self.store.clear().await?;
                }
                Err(error)
            }
        }
    }

    /// What is stored, if it need not be renewed. If it must be, it is still what is handed out meanwhile.
    fn fresh(&self, stored: Option<&Tokens>, rejected: Option<&AccessToken>) -> Option<AccessToken> {
        let token = self.hand_out(stored?);
        let is_due = token.tokens().is_due(self.clock.now());
        (!is_due && !is_same(rejected, &token)).then_some(token)
    }

    /// Nothing better can be had than these tokens, so they are used until they expire.
    fn to_its_end(&self, tokens: &Tokens, rejected: Option<&AccessToken>) -> Result<AccessToken, Error> {
        let token = tokens.access_token();
        let is_over = tokens.is_expired(self.clock.now());
        match is_over || (is_same(rejected, &token) && self.state().gives_up(tokens)) {
            true => Err(Error::SessionOver),
            false => Ok(token),
        }
    }

    async fn obtain(&self, stored: Option<&Tokens>, held_up: &HeldUp) -> Result<Answer, Error> {
        if self.is_for_itself() {
            return self.exchange.for_itself(self.endpoints().await?).await;
        }
        let stored = stored.ok_or(Error::NotLoggedIn)?;
        let refresh = stored.refresh_token.as_ref().ok_or(Error::SessionOver)?;
        let mut answer = self.exchange.refresh(self.endpoints().await?, refresh, held_up).await?;
        // RFC 6749 §6: a server that does not rotate answers none, and the old one stays. Scope is kept alike.
        answer.refresh_token.get_or_insert_with(|| refresh.clone());
        answer.scope = answer.scope.or_else(|| stored.scope.clone());
        Ok(answer)
    }

    /// Saves first, and hands out then: whoever has the new token may rely on the session surviving this process.
    async fn keep(&self, answer: Answer, previous: Option<Tokens>) -> Result<AccessToken, Error> {
        let tokens = self.tokens_of(answer);
        self.state().unsaved = Some(Unsaved { tokens: tokens.clone(), previous });
        self.store.save(&tokens).await?;
        self.state().unsaved = None;
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
        self.store.load().await?.map(|tokens| self.if_ours(tokens)).transpose()
    }

    pub(crate) fn if_ours(&self, tokens: Tokens) -> Result<Tokens, Error> {
        if self.is_ours(&tokens) && tokens.grant == self.grant {
            return Ok(tokens);
        }
        Err(Error::StoredForAnother { issuer: tokens.issuer, client_id: tokens.client_id, grant: tokens.grant })
    }

    /// True if they are of our server, and for our client.
    pub(crate) fn is_ours(&self, tokens: &Tokens) -> bool {
        tokens.issuer == self.issuer && tokens.client_id == self.exchange.client_id
    }

    /// They have been saved.
    pub(crate) fn hand_out(&self, tokens: &Tokens) -> AccessToken {
        let token = tokens.access_token();
        self.state().current = Some(token.clone());
        token
    }

    pub(crate) fn tokens_of(&self, answer: Answer) -> Tokens {
        Tokens::new(&self.issuer, &self.exchange.client_id, self.grant, answer)
    }

    pub(crate) fn is_for_itself(&self) -> bool {
        self.grant == Grant::ClientCredentials
    }

    /// The store's lock, for longer than anybody with our time limits holds it: a login, or a refresh that is sent until
    /// the server's grace ends, after looking for the endpoints; or a logout with all its attempts.
    pub(crate) async fn lock(&self) -> Result<StoreLock, Error> {
        let limit = LOGIN_LIMIT.max(retry::LONGEST).saturating_add(self.exchange.limit.saturating_mul(4));
        Ok(self.store.lock(limit.min(Duration::from_secs(86_400))).await?)
    }

    pub(crate) async fn endpoints(&self) -> Result<&Endpoints, Error> {
        let ask = || endpoints::discover(&self.exchange.http, &self.issuer, self.allowed, self.exchange.limit);
        self.endpoints.get_or_try_init(ask).await
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

enum Boarded {
    Unneeded(AccessToken),
    Flight(Flight),
}

async fn arrival(flight: &Flight) -> Result<AccessToken, Error> {
    match flight.outcome.clone().wait_for(Option::is_some).await {
        Ok(outcome) => outcome.clone().unwrap_or(Err(Error::Interrupted)),
        Err(_) => Err(Error::Interrupted),
    }
}
