//! Where a request comes from.

use std::net::IpAddr;

/// Where a request comes from.
#[derive(Debug, Clone, Default)]
pub struct RequestSource {
    /// The peer's address, or the one that a trusted proxy or client names.
    pub address: Option<IpAddr>,
    /// The user agent, for the session list.
    pub user_agent: Option<String>,
}

impl RequestSource {
    /// The address as text.
    pub fn address_text(&self) -> Option<String> {
        self.address.map(|address| address.to_string())
    }
}

/// An IPv4 address whole, an IPv6 one by its /64: that is what one subscriber has.
pub(crate) fn network_of(address: Option<IpAddr>) -> Vec<u8> {
    match address.map(|address| address.to_canonical()) {
        None => Vec::new(),
        Some(IpAddr::V4(address)) => address.octets().to_vec(),
        Some(IpAddr::V6(address)) => address.octets()[..8].to_vec(),
    }
}
