//! The callers of the authorization server.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::Outcome;
use crate::drive::{Caller, Connection};
use crate::setup::login_form;

/// Logs in one user repeatedly.
pub struct Login {
    pub connection: Connection,
    pub user: usize,
    /// The answer times of logins that a full queue refused.
    pub refused: Arc<Mutex<Vec<Duration>>>,
    /// How long to wait after a refused login.
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
                status => return Err(format!("a login got {status}").into()),
            }
        }
    }
}

/// Refreshes one session repeatedly, and collects the access tokens.
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
            status => Err(format!("a revocation got {status}").into()),
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
            return Err("a valid token was reported as inactive".into());
        }
        Ok(true)
    }
}

/// Adds a pause before each request, which does not count towards its answer time.
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
