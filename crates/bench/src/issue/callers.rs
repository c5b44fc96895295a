//! What callers do.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::Outcome;
use crate::drive::{Caller, Connection};
use crate::setup::login_form;

/// Logs one user in, again and again.
pub struct Login {
    pub connection: Connection,
    pub user: usize,
    /// Counts what a full queue turned away, and keeps how long that took.
    pub refused: Arc<Mutex<Vec<Duration>>>,
    /// How long it waits after it was turned away.
    pub pause: Duration,
}

impl Caller for Login {
    async fn call(&mut self) -> Outcome<bool> {
        loop {
            let sent = Instant::now();
            match self.connection.post("/token", None, &login_form(self.user)).await?.status {
                200 => return Ok(true),
                503 => {
                    self.refused.lock().unwrap_or_else(PoisonError::into_inner).push(sent.elapsed());
                    tokio::time::sleep(self.pause).await;
                }
                status => return Err(format!("a login was answered {status}").into()),
            }
        }
    }
}

/// Refreshes one session along its chain, and keeps the access tokens.
pub struct Refresh {
    pub connection: Connection,
    pub token: String,
    pub access: Vec<String>,
}

impl Caller for Refresh {
    async fn call(&mut self) -> Outcome<bool> {
        let form = format!("grant_type=refresh_token&refresh_token={}", self.token);
        let answer = self.connection.post("/token", None, &form).await?;
        self.token = answer.text("refresh_token")?;
        self.access.push(answer.text("access_token")?);
        Ok(true)
    }
}

/// Revokes tokens until none is left.
pub struct Revoke {
    pub connection: Connection,
    pub tokens: VecDeque<String>,
}

impl Caller for Revoke {
    async fn call(&mut self) -> Outcome<bool> {
        let Some(token) = self.tokens.pop_front() else { return Ok(false) };
        match self.connection.post("/revoke", None, &format!("token={token}")).await?.status {
            200 => Ok(true),
            status => Err(format!("a revocation was answered {status}").into()),
        }
    }
}

/// Introspects tokens in turn.
pub struct Introspect {
    pub connection: Connection,
    pub authorization: String,
    pub tokens: Vec<String>,
    pub next: usize,
}

impl Caller for Introspect {
    async fn call(&mut self) -> Outcome<bool> {
        let token = &self.tokens[self.next % self.tokens.len()];
        self.next += 1;
        let answer = self.connection.post("/introspect", Some(&self.authorization), &format!("token={token}")).await?;
        if !answer.body.starts_with(b"{\"active\":true") {
            return Err("a good token was called inactive".into());
        }
        Ok(true)
    }
}

/// Any caller, with a pause before each request that its answer time does not count.
pub struct Paced<C> {
    pub caller: C,
    pub pause: Duration,
    pub times: Vec<Duration>,
    pub calls: Arc<AtomicU64>,
}

impl<C: Caller> Caller for Paced<C> {
    async fn call(&mut self) -> Outcome<bool> {
        tokio::time::sleep(self.pause).await;
        let sent = Instant::now();
        let more = self.caller.call().await?;
        self.times.push(sent.elapsed());
        self.calls.fetch_add(1, Ordering::Relaxed);
        Ok(more)
    }
}
