//! Where a request comes from. Forwarding headers count only if a trusted proxy sent them.

use std::net::IpAddr;

use actix_web::http::header::{HeaderMap, USER_AGENT};
use actix_web::{HttpMessage, HttpRequest};
use ficha_authority::RequestSource;
use ipnet::IpNet;

use crate::http::request_id::RequestId;

/// How many characters of a user agent are kept.
const USER_AGENT_CHARS: usize = 200;

/// The proxies whose forwarding headers are trusted.
#[derive(Debug, Clone, Default)]
pub struct TrustedProxies {
    trusted: Vec<IpNet>,
}

/// Where a request comes from, as far as it can be trusted.
pub struct Trace {
    /// The address that sent the request.
    sender: Option<IpAddr>,
    /// The address that the sender says it acts for.
    before: Option<IpAddr>,
    user_agent: Option<String>,
    request_id: Option<String>,
}

impl TrustedProxies {
    /// Trusts the proxies in these networks.
    pub fn new(trusted: Vec<IpNet>) -> Self {
        Self { trusted }
    }

    /// True if the address is one of theirs.
    pub fn trusts(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.trusted.iter().any(|network| network.contains(&address))
    }

    /// Follows the chain of `X-Forwarded-For` (or else `Forwarded`, RFC 7239) back from the peer, as long as each entry
    /// was written by a trusted proxy.
    pub fn trace(&self, request: &HttpRequest) -> Trace {
        let mut chain = forwarded(request.headers()).into_iter().rev();
        let mut sender = request.peer_addr().map(|peer| peer.ip().to_canonical());
        let mut before = chain.next();
        while let (Some(at), Some(next)) = (sender, before) {
            if !self.trusts(at) {
                break;
            }
            sender = next;
            before = chain.next();
        }
        Trace {
            sender,
            before: before.flatten(),
            user_agent: user_agent(request),
            request_id: request.extensions().get::<RequestId>().map(|id| id.0.to_string()),
        }
    }
}

impl Trace {
    /// The sender of the request.
    pub fn sender(&self) -> RequestSource {
        self.source(self.sender)
    }

    /// The user for whom a client acts, if that client is trusted to forward addresses; otherwise the sender.
    pub fn on_behalf(&self, client_forwards: bool) -> RequestSource {
        let address = if client_forwards { self.before.or(self.sender) } else { self.sender };
        self.source(address)
    }

    fn source(&self, address: Option<IpAddr>) -> RequestSource {
        RequestSource { address, user_agent: self.user_agent.clone(), request_id: self.request_id.clone() }
    }
}

fn user_agent(request: &HttpRequest) -> Option<String> {
    let text = request.headers().get(USER_AGENT)?.to_str().ok()?;
    Some(text.chars().take(USER_AGENT_CHARS).collect())
}

/// The forwarded addresses, oldest first. An entry that is not an address is `None`, and ends the chain.
fn forwarded(headers: &HeaderMap) -> Vec<Option<IpAddr>> {
    // A value is never skipped because of what a client put into it: our own proxy may have appended to it.
    let list = |name: &str| -> Vec<String> {
        let values = headers.get_all(name).map(|value| String::from_utf8_lossy(value.as_bytes()));
        values.flat_map(|value| value.split(',').map(|part| part.trim().to_owned()).collect::<Vec<_>>()).collect()
    };
    let plain = list("x-forwarded-for");
    if !plain.is_empty() {
        return plain.iter().map(|part| address(part)).collect();
    }
    list("forwarded").iter().map(|element| forwarded_for(element)).collect()
}

fn forwarded_for(element: &str) -> Option<IpAddr> {
    element.split(';').find_map(|pair| {
        let (name, value) = pair.split_once('=')?;
        name.trim().eq_ignore_ascii_case("for").then(|| address(value.trim().trim_matches('"'))).flatten()
    })
}

/// `192.0.2.1`, `192.0.2.1:80`, `2001:db8::1`, `[2001:db8::1]:80`.
fn address(text: &str) -> Option<IpAddr> {
    let bare = text.strip_prefix('[').and_then(|rest| rest.split_once(']')).map(|(inside, _)| inside);
    bare.unwrap_or(text)
        .parse()
        .or_else(|_| text.parse().map(|socket: std::net::SocketAddr| socket.ip()))
        .map(|address: IpAddr| address.to_canonical())
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::network::parse_network;
    use actix_web::test::TestRequest;

    fn sender(peer: &str, header: (&str, &str), trusted: &[&str]) -> (String, String) {
        let proxies = TrustedProxies::new(trusted.iter().map(|network| parse_network(network).unwrap()).collect());
        let peer: IpAddr = peer.parse().unwrap();
        let request = TestRequest::default().peer_addr((peer, 1234).into()).insert_header(header).to_http_request();
        let trace = proxies.trace(&request);
        let text = |source: RequestSource| source.address.map(|address| address.to_string()).unwrap_or_default();
        (text(trace.sender()), text(trace.on_behalf(true)))
    }

    #[test]
    fn a84_forwarded_headers_count_only_from_configured_proxies() {
        let header = ("x-forwarded-for", "203.0.113.1, 198.51.100.2");
        assert_eq!(sender("192.0.2.9", header, &[]), ("192.0.2.9".into(), "198.51.100.2".into()));
        assert_eq!(sender("192.0.2.9", header, &["192.0.2.0/24"]), ("198.51.100.2".into(), "203.0.113.1".into()));
        let both = &["192.0.2.0/24", "198.51.100.0/24"];
        assert_eq!(sender("192.0.2.9", header, both), ("203.0.113.1".into(), "203.0.113.1".into()));
    }

    #[test]
    fn the_standard_header_is_read_too() {
        let header = ("forwarded", r#"for=203.0.113.1;proto=https, for="[2001:db8::7]:4711""#);
        assert_eq!(sender("192.0.2.9", header, &["192.0.2.9"]).0, "2001:db8::7");
    }

    #[test]
    fn an_entry_that_is_not_an_address_ends_the_chain() {
        let header = ("x-forwarded-for", "203.0.113.1, unknown");
        assert_eq!(sender("192.0.2.9", header, &["192.0.2.9"]).0, "");
    }
}
