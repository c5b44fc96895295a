//! A browser whose page stays open.

use ficha_token::DenyId;
use tokio::time::Instant;

use super::session::BrowserSession;
use crate::Authority;

/// How often the session is read again from the database, in seconds: what is denied or purged is known here sooner.
const READ_EVERY: u64 = 1;

/// The session of a page that stays open.
#[derive(Debug)]
pub struct BrowserWatch {
    session: BrowserSession,
    read: Instant,
}

impl BrowserWatch {
    /// Of a browser that has just been looked up.
    pub fn new(session: BrowserSession) -> Self {
        Self { session, read: Instant::now() }
    }
}

impl Authority {
    /// True while the session of a page is live. An open page does not count as use.
    ///
    /// What is revoked is usually denied, and so known here with the next read of the database's head. A session that
    /// was not used for as long as a token lives has nothing to deny, so its row is read as well.
    pub async fn is_still_signed_in(&self, watch: &mut BrowserWatch) -> bool {
        let session = &watch.session.session;
        if self.denylist().contains(&DenyId::from(session.id), self.earliest_now())
            || self.keys().current().epoch() != session.epoch
        {
            return false;
        }
        if watch.read.elapsed().as_secs() < READ_EVERY {
            return true;
        }
        let id = session.id;
        if self.require_fresh().is_err() {
            return false;
        }
        match self.live_browser_session(id).await {
            Ok(Some(row)) => {
                watch.session.session = row;
                // Only now: the read may have been cancelled in between.
                watch.read = Instant::now();
                true
            }
            // Also while the database does not answer: the page asks again.
            Ok(None) | Err(_) => false,
        }
    }
}
