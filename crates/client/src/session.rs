//! Beginning and ending a session.

use tokio::sync::watch;

use crate::error::Error;
use crate::single_flight::Renewal;
use crate::tokens::Tokens;

impl Renewal {
    /// Obtains a session for a user, in place of the one that was stored, and ends that one.
    pub async fn log_in(&self, username: &str, password: &str) -> Result<Tokens, Error> {
        if self.is_for_itself() {
            return Err(Error::Setting("an app that acts for itself (client_credentials) logs nobody in".into()));
        }
        let (turn, lock) = (self.take_turn().await, self.lock().await?);
        // Nothing is worth a session at the server that can't be stored.
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
            state.has_succeeded();
        }
        drop((lock, turn));
        if let Some(previous) = previous.filter(|previous| self.is_ours(previous)) {
            self.end_if_possible(&previous).await;
        }
        Ok(tokens)
    }

    /// Revokes at the server, and forgets only then.
    pub async fn log_out(&self) -> Result<(), Error> {
        let _turn = self.take_turn().await;
        let _lock = self.lock().await?;
        if let Some(tokens) = self.newest().await? {
            let tokens = self.if_ours(tokens)?;
            self.exchange.revoke(self.endpoints().await?, &tokens).await?;
        }
        self.drop_everything().await
    }

    /// Forgets, and tells nobody.
    pub async fn forget(&self) -> Result<(), Error> {
        let _turn = self.take_turn().await;
        let _lock = self.lock().await?;
        self.drop_everything().await
    }

    /// What is stored, or what should be stored in its place and was not taken.
    async fn newest(&self) -> Result<Option<Tokens>, Error> {
        let stored = self.store.load().await?;
        let unsaved = self.state().unsaved.clone();
        Ok(unsaved.filter(|unsaved| unsaved.previous == stored).map(|unsaved| unsaved.tokens).or(stored))
    }

    /// Nobody will use these tokens. A server that does not hear of it ends their session when it expires.
    async fn end_if_possible(&self, tokens: &Tokens) {
        let end = async { self.exchange.revoke(self.endpoints().await?, tokens).await };
        let ended = tokio::time::timeout(self.exchange.limit, end).await;
        if let Err(error) = ended.unwrap_or_else(|_| Err(Error::Network("it took too long".into()))) {
            tracing::warn!(%error, "a session that nobody uses any more could not be ended");
        }
    }

    async fn drop_everything(&self) -> Result<(), Error> {
        self.store.clear().await?;
        let mut state = self.state();
        (state.current, state.unsaved) = (None, None);
        state.has_succeeded();
        Ok(())
    }

    /// A refresh that is sent again and again gives way: what it would get is not needed any more.
    async fn take_turn(&self) -> Turn<'_> {
        let waiting = Waiting::begin(&self.waiting);
        Turn { _held: self.turn.lock().await, _waiting: waiting }
    }
}

struct Turn<'a> {
    _held: tokio::sync::MutexGuard<'a, ()>,
    _waiting: Waiting<'a>,
}

/// Counted as long as it lives.
struct Waiting<'a>(&'a watch::Sender<usize>);

impl<'a> Waiting<'a> {
    fn begin(count: &'a watch::Sender<usize>) -> Self {
        count.send_modify(|count| *count += 1);
        Self(count)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.send_modify(|count| *count -= 1);
    }
}
