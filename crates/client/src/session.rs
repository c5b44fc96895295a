//! Login and logout.

use tokio::sync::watch;

use crate::error::{Error, NetworkError};
use crate::single_flight::Refresher;
use crate::tokens::Tokens;

impl Refresher {
    /// Starts a session for a user, stores it, and ends the previous one.
    pub async fn log_in(&self, username: &str, password: &str) -> Result<Tokens, Error> {
        if self.is_app_only() {
            return Err(Error::Setting(
                "an app with client_credentials acts for itself and cannot log users in".into(),
            ));
        }
        let (turn, lock) = (self.take_turn().await, self.lock().await?);
        // Reads the store before the login: if that fails, no session is started that could not be stored.
        let previous = self.newest().await?;
        let answer = self.exchange.password(self.endpoints().await?, username, password).await?;
        let tokens = self.tokens_of(answer);
        if let Err(error) = self.store.save(&tokens).await {
            self.end_if_possible(&tokens).await;
            return Err(error.into());
        }
        {
            let mut state = self.state();
            state.unsaved = None;
            state.current = Some(tokens.access_token());
            state.record_success();
        }
        drop((lock, turn));
        if let Some(previous) = previous.filter(|previous| self.is_ours(previous)) {
            self.end_if_possible(&previous).await;
        }
        Ok(tokens)
    }

    /// Revokes the session at the server, and deletes the tokens only after that.
    pub async fn log_out(&self) -> Result<(), Error> {
        let _turn = self.take_turn().await;
        let _lock = self.lock().await?;
        if let Some(tokens) = self.newest().await? {
            let tokens = self.ensure_ours(tokens)?;
            self.exchange.revoke(self.endpoints().await?, &tokens).await?;
        }
        self.drop_everything().await
    }

    /// Deletes the tokens without contacting the server.
    pub async fn forget(&self) -> Result<(), Error> {
        let _turn = self.take_turn().await;
        let _lock = self.lock().await?;
        self.drop_everything().await
    }

    /// The stored tokens, or those that should replace them but could not be saved.
    async fn newest(&self) -> Result<Option<Tokens>, Error> {
        let stored = self.store.load().await?;
        let unsaved = self.state().unsaved.clone();
        Ok(unsaved.filter(|unsaved| unsaved.previous == stored).map(|unsaved| unsaved.tokens).or(stored))
    }

    /// Revokes tokens that are no longer used. If that fails, their session lasts until it expires.
    async fn end_if_possible(&self, tokens: &Tokens) {
        let end = async { self.exchange.revoke(self.endpoints().await?, tokens).await };
        let ended = tokio::time::timeout(self.exchange.limit, end).await;
        if let Err(error) = ended.unwrap_or_else(|_| Err(NetworkError::new("the request timed out").into())) {
            tracing::warn!(%error, "could not end a session that is no longer used");
        }
    }

    async fn drop_everything(&self) -> Result<(), Error> {
        self.store.clear().await?;
        let mut state = self.state();
        (state.current, state.unsaved) = (None, None);
        state.record_success();
        Ok(())
    }

    /// A refresh that is being retried gives way, because its result is no longer needed.
    async fn take_turn(&self) -> Turn<'_> {
        let waiting = Waiting::new(&self.waiting);
        Turn { _held: self.turn.lock().await, _waiting: waiting }
    }
}

struct Turn<'a> {
    _held: tokio::sync::MutexGuard<'a, ()>,
    _waiting: Waiting<'a>,
}

/// Counts as waiting until it is dropped.
struct Waiting<'a>(&'a watch::Sender<usize>);

impl<'a> Waiting<'a> {
    fn new(count: &'a watch::Sender<usize>) -> Self {
        count.send_modify(|count| *count += 1);
        Self(count)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.send_modify(|count| *count -= 1);
    }
}
