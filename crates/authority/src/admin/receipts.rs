//! Who refuses what was revoked, and who follows the denylist at all.

use std::time::Duration;

use tokio::time::Instant;

use super::powers::{Access, Area};
use super::{Actor, Admin, AdminError};
use crate::followers::collect::{Collector, Receipt, Wanted};

/// How long the other servers may take to say who follows them.
const LIST_WAIT: Duration = Duration::from_millis(500);

/// When a revocation began: what a receipt counts from.
#[derive(Debug, Clone, Copy)]
pub struct Began(Instant);

impl Began {
    /// Now.
    pub fn now() -> Self {
        Self(Instant::now())
    }
}

impl Admin {
    /// Who refuses what was revoked, as soon as that is everybody, or after `wait`. Call it after the revocation: it is
    /// about everything that was revoked until now. It can be dropped at any time.
    pub async fn receipt(&self, began: Began, wait: Duration) -> Receipt {
        let deadline = Instant::now() + wait;
        self.collector().collect(Wanted { since: began.0, deadline, list_only: false }).await
    }

    /// Who follows the denylist, on all servers.
    pub async fn resource_servers(&self, actor: &Actor) -> Result<Receipt, AdminError> {
        actor.require(Access::Read, Area::ResourceServers)?;
        let now = Instant::now();
        Ok(self.collector().collect(Wanted { since: now, deadline: now + LIST_WAIT, list_only: true }).await)
    }

    fn collector(&self) -> Collector<'_> {
        Collector {
            store: &self.base.store,
            clock: &*self.base.clock,
            entropy: &*self.base.entropy,
            own: self.followers.as_ref().map(|followers| (followers, &*self.denylist)),
        }
    }
}
