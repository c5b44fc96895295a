//! What the settings alone tell.

use std::net::IpAddr;
use std::time::Duration;

use ficha_authority::SigningSettings;
use ficha_server::IpNet;

use crate::config::Configuration;
use crate::finding::Finding;

const HOUR: Duration = Duration::from_secs(3_600);
const DAY: Duration = Duration::from_secs(86_400);

/// Every finding about the settings.
pub fn check(configuration: &Configuration) -> Vec<Finding> {
    let is_loopback = configuration.settings.issuer.is_loopback();
    let mut found = match is_loopback {
        // The others follow from it.
        true => vec![loopback(configuration)],
        false => in_production(configuration),
    };
    found.extend(in_any_case(configuration));
    let known: Vec<&str> = found.iter().map(|finding| finding.name).collect();
    let logged = configuration.warnings.iter().filter(|finding| !known.contains(&finding.name));
    let logged: Vec<Finding> = logged.cloned().collect();
    found.extend(logged);
    found
}

fn loopback(configuration: &Configuration) -> Finding {
    let issuer = configuration.settings.issuer.as_str();
    Finding::error(
        "issuer.loopback",
        format!("the issuer is {issuer}: only this machine can use it, and it allows what is for development"),
        "set server.issuer to the URL that clients use",
    )
}

/// What is fine for development.
fn in_production(configuration: &Configuration) -> Vec<Finding> {
    let (settings, server) = (&configuration.settings, &configuration.server);
    let issuer = settings.issuer.as_str();
    let mut found = Vec::new();
    if settings.issuer.is_plain_http() {
        found.push(Finding::error(
            "issuer.plain_http",
            format!("the issuer {issuer} is plain HTTP: passwords and tokens are sent unencrypted, and the console is not served"),
            "write https:// into server.issuer, before the first token is issued",
        ));
    }
    let host = issuer.split("://").nth(1).unwrap_or_default().split(['/', ':']).next().unwrap_or_default();
    if host.starts_with('[') || host.parse::<IpAddr>().is_ok() {
        found.push(Finding::warning(
            "issuer.address",
            format!("the issuer {issuer} is an address and not a name: it is in every token, and a change ends every session"),
            "use a name",
        ));
    }
    if server.drain.is_zero() {
        found.push(Finding::warning(
            "drain.none",
            "server.drain is 0: a load balancer that has not noticed the stop sends requests that fail",
            "use 5s, or longer than its checks take",
        ));
    }
    // An issuer with HTTPS, and none here: a proxy is in front, which passes it on unless it is told not to.
    let is_proxied = !settings.issuer.is_plain_http() && server.tls.is_none();
    if server.metrics_bind.is_none() && (is_proxied || !server.bind.ip().is_loopback()) {
        found.push(Finding::warning(
            "metrics.exposed",
            "/metrics is at server.bind, and needs no login",
            "set server.metrics_bind to an address that only your monitoring reaches",
        ));
    }
    if let Some(client) = settings.token.default_client.as_deref().filter(|client| !client.is_empty()) {
        found.push(Finding::warning(
            "token.default_client",
            format!("token.default_client is {client}: requests without a client count as its own"),
            "leave it out, and let each app name its client",
        ));
    }
    found
}

fn in_any_case(configuration: &Configuration) -> Vec<Finding> {
    let mut found = networks(&configuration.server.trusted_proxies);
    found.extend(lifetimes(configuration));
    let settings = &configuration.settings;
    let password = &settings.password;
    if password.bcrypt_cost.get() >= 15 {
        found.push(Finding::warning(
            "password.expensive",
            format!("password.bcrypt_cost is {}: a login takes seconds of a core", password.bcrypt_cost.get()),
            "use 10 to 13",
        ));
    }
    if password.min_length < 15 {
        found.push(Finding::warning(
            "password.short",
            format!(
                "password.min_length is {}: NIST SP 800-63B-4 asks for 15 where the password is the only factor",
                password.min_length
            ),
            "use 15",
        ));
    }
    if matches!(settings.signing, SigningSettings::KeyPair { rotate_after: None, .. }) {
        found.push(Finding::warning(
            "keys.never_rotated",
            "keys.rotate_after is \"never\": a key that leaked unnoticed works for ever",
            "use 90d, or run `ficha key rotate` at least once a year",
        ));
    }
    if let Some(address) = configuration.server.metrics_bind.filter(|address| is_public(address.ip())) {
        found.push(Finding::error(
            "metrics.public",
            format!("server.metrics_bind {address} is a public address, and /metrics needs no login"),
            "use a loopback or a private address",
        ));
    }
    let level = configuration.log.level.split(',').find(|part| !part.contains('=')).unwrap_or_default();
    match level.trim().to_ascii_lowercase().as_str() {
        level @ ("off" | "error" | "warn") => found.push(Finding::warning(
            "log.quiet",
            format!("log.level is {level}: the lines `audit`, `newest event` and those about failovers are at info"),
            "use info",
        )),
        level @ ("debug" | "trace") => found.push(Finding::warning(
            "log.verbose",
            format!("log.level is {level}: the log grows fast, and names what clients sent"),
            "use info",
        )),
        _ => {}
    }
    found
}

fn networks(proxies: &[IpNet]) -> Vec<Finding> {
    let finding = |network: &IpNet| {
        let widest = if network.addr().is_ipv4() { 8 } else { 19 };
        match network.prefix_len() {
            0 => Some(Finding::error(
                "proxies.everybody",
                format!(
                    "server.trusted_proxies has {network}: every client may claim any address, so nobody is throttled"
                ),
                "list the proxies only",
            )),
            length if length < widest => Some(Finding::warning(
                "proxies.wide",
                format!("server.trusted_proxies has {network}: every host in it may claim any address"),
                "list the proxies only",
            )),
            _ => None,
        }
    };
    proxies.iter().filter_map(finding).collect()
}

fn lifetimes(configuration: &Configuration) -> Vec<Finding> {
    let (token, admin) = (&configuration.settings.token, &configuration.settings.admin);
    let mut found = Vec::new();
    let mut warn = |is: bool, name, what: &str, to_do: &str| {
        if is {
            found.push(Finding::warning(name, what, to_do));
        }
    };
    warn(
        token.access_ttl > HOUR,
        "token.long_access",
        "token.access_ttl is longer than an hour: a service that does not follow the denylist accepts a revoked token for that long",
        "use 10m, and refresh tokens",
    );
    warn(
        token.refresh_grace.is_zero(),
        "token.no_grace",
        "token.refresh_grace is 0: an app that loses one answer is logged out",
        "use 30s",
    );
    warn(
        token.refresh_grace > Duration::from_secs(120),
        "token.long_grace",
        "token.refresh_grace is longer than two minutes: for that long, a stolen refresh token looks like a retry",
        "use 30s",
    );
    warn(
        token.refresh_idle_ttl > token.session_ttl,
        "token.idle_without_effect",
        "token.refresh_idle_ttl is longer than token.session_ttl: it never takes effect",
        "make it shorter",
    );
    warn(
        token.session_ttl > 365 * DAY,
        "token.endless_session",
        "token.session_ttl is longer than a year",
        "let users log in again from time to time",
    );
    warn(
        admin.session_ttl > DAY || admin.session_idle_ttl > HOUR,
        "admin.long_session",
        "an administrator stays signed in for longer than a day, or idle for longer than an hour",
        "use a shorter admin.session_ttl and admin.session_idle_ttl",
    );
    found
}

/// Neither this machine's, nor of a network that is not routed on the Internet.
fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => {
            let is_shared = v4.octets()[0] == 100 && v4.octets()[1] & 0xc0 == 64;
            !(v4.is_loopback() || v4.is_private() || v4.is_link_local() || v4.is_unspecified() || is_shared)
        }
        IpAddr::V6(v6) => {
            !(v6.is_loopback() || v6.is_unique_local() || v6.is_unicast_link_local() || v6.is_unspecified())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn private_and_shared_addresses_are_not_public() {
        for (address, expected) in [
            ("127.0.0.1", false),
            ("10.1.2.3", false),
            ("100.64.0.1", false),
            ("169.254.1.1", false),
            ("0.0.0.0", false),
            ("192.0.2.1", true),
            ("100.128.0.1", true),
            ("fd00::1", false),
            ("fe80::1", false),
            ("2001:db8::1", true),
        ] {
            assert_eq!(is_public(address.parse().unwrap()), expected, "{address}");
        }
    }
}
