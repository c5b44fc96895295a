//! Who refuses what was revoked, and who follows the denylist at all.

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use super::powers::{Access, Area};
use super::{Actor, Admin, AdminError};
use crate::followers::collect::{Collector, Wanted};
use crate::followers::standing::Receipt;

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

    /// As long ago as this.
    pub fn ago(elapsed: Duration) -> Self {
        let now = Instant::now();
        Self(now.checked_sub(elapsed).unwrap_or(now))
    }

    /// How long ago that was.
    pub fn elapsed(self) -> Duration {
        self.0.elapsed()
    }
}

impl Admin {
    /// Who refuses what was revoked, as soon as that is everybody, or after `wait`. Call it after the revocation: it is
    /// about everything that was revoked until now. It can be dropped at any time.
    pub async fn receipt(&self, began: Began, wait: Duration) -> Receipt {
        let deadline = Instant::now() + wait;
        self.collector().collect(Wanted { row: None, since: began.0, deadline, list_only: false }).await
    }

    /// A receipt as it changes, until it is complete or `wait` is over; then the sender is gone. `about` is what an earlier
    /// receipt of the same revocation is about ([`Receipt::about`]); without it, or if that is not known here any more, it
    /// is about everything that was revoked until now. Needs a runtime; it ends when the receiver is dropped.
    pub fn watch_receipt(&self, began: Began, about: Option<&str>, wait: Duration) -> watch::Receiver<Option<Receipt>> {
        let row = about.and_then(|text| text.parse().ok());
        let wanted = Wanted { row, since: began.0, deadline: Instant::now() + wait, list_only: false };
        let (sender, receiver) = watch::channel(None);
        let admin = self.clone();
        tokio::spawn(async move {
            let tell = |receipt: &Receipt| {
                sender.send_if_modified(|told| {
                    let is_new = told.as_ref() != Some(receipt);
                    if is_new {
                        *told = Some(receipt.clone());
                    }
                    is_new
                });
            };
            let collector = admin.collector();
            let collected = async {
                let last = collector.collect_and_tell(wanted, tell).await;
                // Also what could not be learned.
                tell(&last);
            };
            tokio::select! {
                () = collected => {}
                () = sender.closed() => {}
            }
        });
        receiver
    }

    /// Who follows the denylist, on all servers.
    pub async fn resource_servers(&self, actor: &Actor) -> Result<Receipt, AdminError> {
        actor.require(Access::Read, Area::ResourceServers)?;
        let now = Instant::now();
        Ok(self.collector().collect(Wanted { row: None, since: now, deadline: now + LIST_WAIT, list_only: true }).await)
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
