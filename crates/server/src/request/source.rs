//! Where a request comes from. What a header says about it is believed only from a trusted proxy.

use std::net::IpAddr;

use actix_web::HttpRequest;
use actix_web::http::header::{HeaderMap, USER_AGENT};
use ficha_authority::RequestSource;
use ipnet::IpNet;

/// The longest user agent that is kept, in characters.
const USER_AGENT_CHARS: usize = 200;

/// Finds out where requests come from.
#[derive(Debug, Clone, Default)]
pub struct TrustedProxies {
    trusted: Vec<IpNet>,
}

/// The addresses of a request, nearest first, beginning with the one that is believed to have sent it.
pub struct Trace {
    sender: Option<IpAddr>,
    /// The one that the sender says it acts for.
    before: Option<IpAddr>,
    user_agent: Option<String>,
}

impl TrustedProxies {
    /// Proxies in `trusted` are believed.
    pub fn new(trusted: Vec<IpNet>) -> Self {
        Self { trusted }
    }

    /// Follows the chain of `X-Forwarded-For` (or else `Forwarded`, RFC 7239) back from the peer, as long as whoever
    /// wrote a link is a trusted proxy.
    pub fn trace(&self, request: &HttpRequest) -> Trace {
        let mut chain = forwarded(request.headers()).into_iter().rev();
        let mut sender = request.peer_addr().map(|peer| peer.ip().to_canonical());
        let mut before = chain.next();
        while let (Some(at), Some(next)) = (sender, before) {
            if !self.trusted.iter().any(|network| network.contains(&at.to_canonical())) {
                break;
            }
            sender = next;
            before = chain.next();
        }
        Trace { sender, before: before.flatten(), user_agent: user_agent(request) }
    }
}

impl Trace {
    /// Whoever sent the request.
    pub fn sender(&self) -> RequestSource {
        RequestSource { address: self.sender, user_agent: self.user_agent.clone() }
    }

    /// The user whom a client acts for, if that client is trusted to say so.
    pub fn on_behalf(&self, client_forwards: bool) -> RequestSource {
        let address = if client_forwards { self.before.or(self.sender) } else { self.sender };
        RequestSource { address, user_agent: self.user_agent.clone() }
    }
}

fn user_agent(request: &HttpRequest) -> Option<String> {
    let text = request.headers().get(USER_AGENT)?.to_str().ok()?;
    Some(text.chars().take(USER_AGENT_CHARS).collect())
}

/// The forwarded addresses, oldest first. A link that is no address is `None`: it ends the chain.
fn forwarded(headers: &HeaderMap) -> Vec<Option<IpAddr>> {
    // A value is never skipped for what a client put into it: what a proxy of ours wrote may stand behind that.
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
    fn a_link_that_is_no_address_ends_the_chain() {
        let header = ("x-forwarded-for", "203.0.113.1, unknown");
        assert_eq!(sender("192.0.2.9", header, &["192.0.2.9"]).0, "");
    }
}
