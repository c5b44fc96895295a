//! Where a request comes from.

use std::net::IpAddr;

use ficha_store::{Cause, EventActor};

/// Where a request comes from.
#[derive(Debug, Clone, Default)]
pub struct RequestSource {
    /// The peer's address, or the one that a trusted proxy or client forwards.
    pub address: Option<IpAddr>,
    /// The user agent, for the session list.
    pub user_agent: Option<String>,
    /// The request's id, as in the header `X-Request-Id` of its answer.
    pub request_id: Option<String>,
}

impl RequestSource {
    /// The address as text.
    pub fn address_text(&self) -> Option<String> {
        self.address.map(|address| address.to_string())
    }

    /// The cause of what `actor` does from here. `at` is the time in Unix milliseconds.
    pub(crate) fn cause(&self, actor: EventActor, at: i64) -> Cause {
        Cause { actor, address: self.address_text(), request_id: self.request_id.clone(), at, session: None }
    }
}

/// The whole IPv4 address, or the /64 of an IPv6 address, because one subscriber has a whole /64.
pub(crate) fn network_of(address: Option<IpAddr>) -> Vec<u8> {
    match address.map(|address| address.to_canonical()) {
        None => Vec::new(),
        Some(IpAddr::V4(address)) => address.octets().to_vec(),
        Some(IpAddr::V6(address)) => address.octets()[..8].to_vec(),
    }
}
