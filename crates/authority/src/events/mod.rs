//! The event log: who caused an event, how its rows are numbered and chained, and how it is read and checked.
//!
//! Events are written by the store, in the transaction of what they record. This adds what the store can't know: the
//! key of the chain.

pub(crate) mod chain;
pub(crate) mod live;
pub(crate) mod output;
pub(crate) mod sequencer;
pub(crate) mod verify;
pub(crate) mod view;

use ficha_store::{Cause, EventActor};

use crate::Authority;
use crate::clients::AuthenticatedClient;
use crate::request_source::RequestSource;

impl Authority {
    /// The cause of what happens in a request.
    pub(crate) fn cause(&self, actor: EventActor, source: &RequestSource) -> Cause {
        source.cause(actor, self.clock().unix_millis())
    }

    /// The same if a client does it.
    pub(crate) fn cause_of_client(&self, client: &AuthenticatedClient, source: &RequestSource) -> Cause {
        self.cause(EventActor::Client { id: client.id().to_owned() }, source)
    }

    /// The same if a part of this server does it by itself.
    pub(crate) fn cause_of_server(&self, part: &str) -> Cause {
        self.cause(EventActor::Server { name: part.to_owned() }, &RequestSource::default())
    }
}
