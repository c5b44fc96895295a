//! Requests that may be repeated: `Idempotency-Key`. A repeated request makes nothing twice.

use ficha_store::{BoundTo, IdempotencyKey};
use uuid::Uuid;

use super::{Actor, Admin, AdminError};

/// A request that carries a key.
#[derive(Debug, Clone)]
pub struct Repeatable {
    key: IdempotencyKey,
    /// The id of what it creates.
    pub id: Uuid,
    /// True if an earlier request has created it.
    is_created: bool,
}

impl Admin {
    /// Binds a key to the id of what the request creates. `request` is everything that makes it this request: it may
    /// contain a password, so only a keyed hash of it is stored.
    pub async fn repeatable(&self, actor: &Actor, key: &str, request: &[&[u8]]) -> Result<Repeatable, AdminError> {
        let master = self.base.master_key.load_existing()?;
        let parts: Vec<&[u8]> = std::iter::once(&b"idempotency"[..]).chain(request.iter().copied()).collect();
        let key = IdempotencyKey { actor: actor.owner(), key: key.to_owned(), request: master.tag(&parts) };
        let new = self.new_id();
        match self.base.store.bind_key(&key, new, self.now()).await? {
            BoundTo::New(id) => Ok(Repeatable { key, id, is_created: false }),
            BoundTo::Earlier { object, created } => Ok(Repeatable { key, id: object, is_created: created }),
            BoundTo::Other => Err(AdminError::KeyReused),
        }
    }

    /// What the request was to create is there. If this is not noted, a repeated request after its deletion would create
    /// it again.
    pub async fn note_created(&self, repeatable: &Repeatable) {
        if let Err(error) = self.base.store.mark_created(&repeatable.key).await {
            tracing::debug!(%error, "it was not noted that a repeatable request was carried out");
        }
    }
}

impl Repeatable {
    /// Refuses to create something a second time that was deleted.
    pub fn require_new(&self) -> Result<(), AdminError> {
        match self.is_created {
            true => Err(AdminError::Conflict(
                "what the first request with this key has created is not there any more".into(),
            )),
            false => Ok(()),
        }
    }
}
