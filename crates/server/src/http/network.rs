//! IP networks, for the list of trusted proxies.

use std::net::IpAddr;

use ipnet::{IpNet, Ipv4Net};

/// The text is not a network.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a network: write it like 10.0.0.0/8 or 2001:db8::/32")]
pub struct NetworkError(String);

/// Parses a network, such as `10.0.0.0/8`. A bare address is a network of one. A network of IPv4-mapped IPv6 addresses is
/// an IPv4 network, since the addresses of requests are compared in their canonical form.
pub fn parse_network(text: &str) -> Result<IpNet, NetworkError> {
    let network = text.parse::<IpNet>().or_else(|_| text.parse::<IpAddr>().map(IpNet::from));
    match network.map_err(|_| NetworkError(text.to_owned()))? {
        IpNet::V6(mapped) => {
            let v4 = mapped.addr().to_ipv4_mapped().zip(mapped.prefix_len().checked_sub(96));
            let v4 = v4.and_then(|(address, prefix)| Ipv4Net::new(address, prefix).ok());
            Ok(v4.map_or(IpNet::V6(mapped), IpNet::V4))
        }
        network => Ok(network),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_contains_its_own_addresses_only() {
        for (network, address, inside) in [
            ("10.0.0.0/8", "10.255.0.1", true),
            ("10.0.0.0/8", "11.0.0.1", false),
            ("10.0.0.0/8", "::ffff:10.1.1.1", true),
            ("::ffff:10.0.0.0/104", "10.1.1.1", true),
            ("::ffff:192.0.2.7", "192.0.2.7", true),
            ("192.0.2.7", "192.0.2.7", true),
            ("192.0.2.7", "192.0.2.8", false),
            ("0.0.0.0/0", "203.0.113.9", true),
            ("0.0.0.0/0", "2001:db8::1", false),
            ("2001:db8::/32", "2001:db8:1::1", true),
            ("2001:db8::/32", "2001:db9::1", false),
            ("::/0", "2001:db9::1", true),
        ] {
            let address: IpAddr = address.parse().unwrap();
            assert_eq!(
                parse_network(network).unwrap().contains(&address.to_canonical()),
                inside,
                "{network} {address}"
            );
        }
        for bad in ["", "x", "10.0.0.0/33", "10.0.0.0/x", "::/129"] {
            assert!(parse_network(bad).is_err(), "{bad}");
        }
    }
}
