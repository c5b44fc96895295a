//! The secrets of clients. Two may be valid, so that one is replaced without a gap.

use ficha_store::{ClientRecord, ClientSecret};
use uuid::Uuid;

use super::clients::no_client;
use super::{Actor, Admin, AdminError};
use crate::keys::secret::Secret;

/// The most secrets that are valid at the same time.
const MOST_VALID: usize = 2;

/// How far away the end of a secret may be.
const MOST_YEARS: i64 = 100;
const MOST_SECONDS: i64 = MOST_YEARS * 366 * 86_400;

/// A secret to be added.
#[derive(Debug, Clone, Copy)]
pub struct NewClientSecret {
    /// From when it is refused; `None`: never.
    pub expires_at: Option<i64>,
    /// What becomes of those that the client has.
    pub others: OtherSecrets,
}

impl NewClientSecret {
    /// A secret that never expires, in place of all others.
    pub const REPLACING: Self = Self { expires_at: None, others: OtherSecrets::Remove };
}

/// What becomes of the secrets that a client has when it gets another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OtherSecrets {
    /// They stay valid.
    Keep,
    /// They stay valid until then, at most.
    KeepUntil(i64),
    /// They are removed.
    Remove,
}

impl Admin {
    /// Gives a client another secret, which is returned only this once. It is valid at once; every server refuses
    /// those that are removed from its next read of the database on (50 ms on SQLite, at most 500 ms on PostgreSQL).
    ///
    /// A conflict if the client keeps two valid secrets already.
    pub async fn add_client_secret(
        &self,
        actor: &Actor,
        id: &str,
        new: NewClientSecret,
    ) -> Result<(ClientSecret, Secret), AdminError> {
        self.add_client_secret_as(actor, id, self.new_id(), new).await
    }

    /// The same with this id of the secret, which is new.
    pub async fn add_client_secret_as(
        &self,
        actor: &Actor,
        id: &str,
        secret_id: Uuid,
        new: NewClientSecret,
    ) -> Result<(ClientSecret, Secret), AdminError> {
        let client = self.changeable_client(actor, id).await?;
        if client.is_public() {
            let text = format!("the client {id:?} is public and has no secret; set `public` to false to give it one");
            return Err(AdminError::Invalid(text));
        }
        if client.secrets.iter().any(|secret| secret.id == secret_id) {
            return Err(AdminError::Conflict("the same request has added this secret a moment ago".into()));
        }
        let now = self.now();
        for (what, at) in [("the secret", new.expires_at), ("the others", new.others.until())] {
            if at.is_some_and(|at| at <= now) {
                return Err(AdminError::Invalid(format!("{what} would have expired already")));
            }
            if at.is_some_and(|at| at > now + MOST_SECONDS) {
                let text =
                    format!("{what} would expire in more than {MOST_YEARS} years: without an end, it never does");
                return Err(AdminError::Invalid(text));
            }
        }
        let mut secrets = new.others.of(&client, now);
        if secrets.len() >= MOST_VALID {
            let text = format!("the client {id:?} has {MOST_VALID} valid secrets; remove one before you add another");
            return Err(AdminError::Conflict(text));
        }
        let secret = Secret::random(&*self.base.entropy);
        let stored = self.stored_secret(secret_id, &secret, new.expires_at);
        secrets.push(stored.clone());
        self.set_secrets(actor, &client, &secrets).await?;
        Ok((stored, secret))
    }

    /// Removes a secret of a client. A conflict if it is the only one that is valid.
    pub async fn remove_client_secret(&self, actor: &Actor, id: &str, secret: Uuid) -> Result<(), AdminError> {
        let client = self.changeable_client(actor, id).await?;
        let (removed, rest): (Vec<_>, Vec<_>) = client.secrets.iter().cloned().partition(|one| one.id == secret);
        let Some(removed) = removed.first() else {
            return Err(AdminError::NoSuch { kind: "secret", name: secret.to_string() });
        };
        let now = self.now();
        let is_last = removed.is_valid(now) && !rest.iter().any(|one| one.is_valid(now));
        if rest.is_empty() || is_last {
            let text = format!("it is the only valid secret of the client {id:?}; add another, or disable the client");
            return Err(AdminError::Conflict(text));
        }
        self.set_secrets(actor, &client, &rest).await
    }

    /// How a new secret is stored.
    pub(super) fn stored_secret(&self, id: Uuid, secret: &Secret, expires_at: Option<i64>) -> ClientSecret {
        ClientSecret { id, hash: secret.digest(), created_at: Some(self.now()), expires_at, last_used_at: None }
    }

    async fn set_secrets(
        &self,
        actor: &Actor,
        client: &ClientRecord,
        secrets: &[ClientSecret],
    ) -> Result<(), AdminError> {
        let is_there = self.base.store.set_client_secrets(client.into(), secrets, &self.cause(actor)).await?;
        if is_there { Ok(()) } else { Err(no_client(&client.id)) }
    }
}

impl OtherSecrets {
    fn until(self) -> Option<i64> {
        if let Self::KeepUntil(at) = self { Some(at) } else { None }
    }

    /// Those that stay.
    fn of(self, client: &ClientRecord, now: i64) -> Vec<ClientSecret> {
        let valid = client.secrets.iter().filter(|secret| secret.is_valid(now)).cloned();
        match self {
            Self::Remove => Vec::new(),
            Self::Keep => valid.collect(),
            Self::KeepUntil(until) => {
                let until = |at: Option<i64>| Some(at.map_or(until, |at| at.min(until)));
                valid.map(|secret| ClientSecret { expires_at: until(secret.expires_at), ..secret }).collect()
            }
        }
    }
}
