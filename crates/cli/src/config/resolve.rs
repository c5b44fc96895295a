//! Turns the settings as written into those of the server and the authority, and checks them against each other.

use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::time::Duration;

use ficha_authority::{
    AdminSettings, Cost, DenylistSettings, Issuer, MasterKeySource, PasswordSettings, SessionSettings, Settings,
    SettingsError, SigningSettings, TokenSettings,
};
use ficha_server::{AdminSite, GateBind, ServerSettings, TlsSettings, WebOrigin, WebOriginError};

use super::error::ConfigProblem;
use super::layer::Layer;
use super::raw::{self, Raw};
use super::setting::Is;
use super::show::Shown;
use super::values::Whole;
use super::{Configuration, LogSettings};
use crate::finding::Finding;

/// Long enough for a load balancer that checks every two seconds.
const DRAIN: Duration = Duration::from_secs(5);

/// Turns `raw` into settings that fit together. `merged` knows where each was set.
pub fn resolve(raw: &Raw, merged: &Layer) -> Result<Configuration, ConfigProblem> {
    let refused = |error: SettingsError| {
        let origin = merged.origin(key_of(&error)).map(str::to_owned);
        ConfigProblem::Settings { error, origin }
    };
    let tls = tls(&raw.server.tls, merged)?;
    let issuer = match &raw.server.issuer {
        Some(Is(text)) => Issuer::parse(&text.0).map_err(refused)?,
        None => issuer_of(raw.server.bind.0, tls.is_some())?,
    };
    check_transport(&issuer, raw, tls.is_some(), merged)?;
    let admin = admin(raw, &issuer, tls.is_some(), merged)?;
    let settings = Settings {
        token: token(&raw.token),
        password: password(&raw.password, merged)?,
        signing: signing(raw),
        denylist: denylist(&raw.denylist),
        admin: AdminSettings {
            session_ttl: raw.admin.session_ttl.0.duration(),
            session_idle_ttl: raw.admin.session_idle_ttl.0.duration(),
            record_reads: raw.audit.reads.0,
        },
        sessions: SessionSettings { keep_ended: raw.sessions.keep_ended.0.duration() },
        issuer,
    };
    settings.check().map_err(refused)?;
    Ok(Configuration {
        warnings: warnings(raw, &settings, admin.as_ref(), tls.is_some()),
        shown: Shown::new(raw, merged, &settings)?,
        server: ServerSettings {
            bind: raw.server.bind.0,
            metrics_bind: raw.server.metrics_bind.as_ref().map(|bind| bind.0),
            gate_bind: gate(raw, merged)?,
            admin,
            tls,
            trusted_proxies: raw.server.trusted_proxies.0.clone(),
            allowed_origins: raw.server.allowed_origins.0.clone(),
            workers: at_least_one(raw.server.workers.as_ref()),
            drain: match &raw.server.drain {
                Some(drain) => drain.0.duration(),
                // Nothing else serves on a loopback issuer.
                None if settings.issuer.is_loopback() => Duration::ZERO,
                None => DRAIN,
            },
            console: raw.console.enabled.0,
            max_connections_per_source: at_least_one(raw.server.max_connections_per_source.as_ref())
                .map(NonZeroUsize::get),
        },
        store_url: raw.store.url.0.0.clone(),
        store_url_file: raw.store.url_file.as_ref().map(|file| file.0.clone()),
        store_connections: raw.store.connections.0.get(),
        master_key: MasterKeySource {
            key: raw.keys.master_key.as_ref().map(|key| key.0.clone()),
            file: raw.keys.master_key_file.0.clone(),
        },
        log: LogSettings { format: raw.log.format.0, level: raw.log.level.0.0.clone(), events: raw.log.events.0 },
        issuer_follows_bind: raw.server.issuer.is_none(),
        admin_origin_follows_bind: raw.admin.origin.is_none(),
        settings,
    })
}

/// The issuer if none is set: the address that the server listens on.
pub fn issuer_of(bind: SocketAddr, tls: bool) -> Result<Issuer, ConfigProblem> {
    if !bind.ip().is_loopback() {
        return Err(ConfigProblem::NoIssuer { bind: bind.to_string() });
    }
    let scheme = if tls { "https" } else { "http" };
    Issuer::parse(&format!("{scheme}://{bind}")).map_err(|error| ConfigProblem::Settings { error, origin: None })
}

/// Where proxies ask about tokens. It tells anybody who can ask what is in a token: it is for this machine alone.
fn gate(raw: &Raw, merged: &Layer) -> Result<Option<GateBind>, ConfigProblem> {
    let Some(Is(bind)) = &raw.server.gate_bind else { return Ok(None) };
    match bind {
        GateBind::Address(address) if !address.ip().is_loopback() => {}
        local => return Ok(Some(local.clone())),
    }
    Err(ConfigProblem::BadValue {
        key: "server.gate_bind".into(),
        problem: format!(
            "is {bind}, which other machines can reach: use a loopback address such as 127.0.0.1:9300 or a socket such as \
             unix:/run/ficha/gate.sock, and a proxy on this machine"
        ),
        origin: merged.origin("server.gate_bind").unwrap_or_default().into(),
    })
}

/// Where the admin API and the pages are, if they have an address of their own.
fn admin(raw: &Raw, issuer: &Issuer, tls: bool, merged: &Layer) -> Result<Option<AdminSite>, ConfigProblem> {
    let origin = merged.origin("admin.origin").unwrap_or_default();
    let Some(Is(bind)) = raw.admin.bind else {
        if raw.admin.origin.is_none() {
            return Ok(None);
        }
        return Err(ConfigProblem::AdminOriginAlone { origin: origin.into() });
    };
    let Some(Is(text)) = &raw.admin.origin else { return Ok(Some(admin_at(bind, issuer, tls)?)) };
    let bad = |problem: String| ConfigProblem::BadValue { key: "admin.origin".into(), problem, origin: origin.into() };
    let known: WebOrigin = text.0.parse().map_err(|error: WebOriginError| bad(format!("can't be used: {error}")))?;
    let site = issuer.at_origin(&known.to_string()).map_err(|error| bad(format!("can't be used: {error}")))?;
    if site.is_plain_http() && !site.is_loopback() {
        let problem =
            "is plain HTTP and not a loopback address: passwords would cross the network unencrypted; use https://";
        return Err(bad(problem.into()));
    }
    Ok(Some(AdminSite { bind, site }))
}

/// The same if no origin is set: the issuer's, or a loopback address if the issuer is one.
pub fn admin_at(bind: SocketAddr, issuer: &Issuer, tls: bool) -> Result<AdminSite, ConfigProblem> {
    let scheme = if tls { "https" } else { "http" };
    let site = match issuer.is_loopback() && bind.ip().is_loopback() {
        true => issuer.at_origin(&format!("{scheme}://{bind}")),
        false => Ok(issuer.clone()),
    };
    let site = site.map_err(|error| ConfigProblem::Settings { error, origin: None })?;
    Ok(AdminSite { bind, site })
}

fn tls(raw: &raw::Tls, merged: &Layer) -> Result<Option<TlsSettings>, ConfigProblem> {
    let half = |set: &'static str, missing: &'static str| {
        let origin = merged.origin(set).unwrap_or_default().to_owned();
        Err(ConfigProblem::OneOfTwo { missing, set, origin })
    };
    match (&raw.certificate, &raw.key) {
        (None, None) => Ok(None),
        (Some(_), None) => half("server.tls.certificate", "server.tls.key"),
        (None, Some(_)) => half("server.tls.key", "server.tls.certificate"),
        (Some(Is(certificate)), Some(Is(key))) => {
            Ok(Some(TlsSettings { certificate: certificate.clone(), key: key.clone() }))
        }
    }
}

/// Refuses a plain-HTTP issuer off loopback: passwords and tokens would cross the network unencrypted.
fn check_transport(issuer: &Issuer, raw: &Raw, tls: bool, merged: &Layer) -> Result<(), ConfigProblem> {
    let name = format!("server.issuer {}", issuer.as_str());
    let origin = merged.origin("server.issuer").unwrap_or("follows server.bind").to_owned();
    if issuer.is_plain_http() && !issuer.is_loopback() && !raw.server.behind_tls_proxy.0 {
        return Err(ConfigProblem::PlainHttp { name, origin });
    }
    if issuer.is_plain_http() && tls {
        return Err(ConfigProblem::PlainHttpWithTls { name, origin });
    }
    Ok(())
}

fn token(raw: &raw::Token) -> TokenSettings {
    TokenSettings {
        access_ttl: raw.access_ttl.0.duration(),
        refresh_idle_ttl: raw.refresh_idle_ttl.0.duration(),
        session_ttl: raw.session_ttl.0.duration(),
        refresh_grace: raw.refresh_grace.0.duration(),
        audience: raw.audience.as_ref().map(|text| text.0.0.clone()),
        default_client: raw.default_client.as_ref().map(|text| text.0.0.clone()),
    }
}

fn denylist(raw: &raw::Denylist) -> DenylistSettings {
    DenylistSettings {
        anonymous: raw.anonymous.as_ref().map(|flag| flag.0),
        max_waiting: raw.max_waiting.0.get() as usize,
        max_waiting_per_source: raw.max_waiting_per_source.0.get() as usize,
    }
}

fn password(raw: &raw::Password, merged: &Layer) -> Result<PasswordSettings, ConfigProblem> {
    let (cost, most) = (raw.bcrypt_cost.0.get(), raw.max_stored_cost.0.get());
    let bad_cost = |problem: String| ConfigProblem::BadValue {
        key: "password.bcrypt_cost".into(),
        problem,
        origin: merged.origin("password.bcrypt_cost").unwrap_or_default().into(),
    };
    if cost > most {
        let problem =
            format!("is {cost}, above password.max_stored_cost {most}: new hashes would be refused; raise the latter");
        return Err(bad_cost(problem));
    }
    Ok(PasswordSettings {
        bcrypt_cost: Cost::try_from(cost).map_err(|error| bad_cost(format!("can't be used: {error}")))?,
        max_stored_cost: most,
        min_length: raw.min_length.0.get() as usize,
        threads: at_least_one(raw.threads.as_ref()),
        max_queue: raw.max_queue.0.get() as usize,
        max_queue_per_source: raw.max_queue_per_source.0.get() as usize,
    })
}

fn signing(raw: &Raw) -> SigningSettings {
    match &raw.token.secret_key {
        Some(Is(secret)) => SigningSettings::SharedSecret(secret.clone()),
        None => SigningSettings::KeyPair {
            algorithm: raw.keys.algorithm.0,
            rotate_after: raw.keys.rotate_after.0.duration(),
        },
    }
}

fn at_least_one<const LEAST: u32, const MOST: u32>(number: Option<&Is<Whole<LEAST, MOST>>>) -> Option<NonZeroUsize> {
    number.and_then(|number| NonZeroUsize::new(number.0.get() as usize))
}

/// Allowed settings that may be mistakes.
fn warnings(raw: &Raw, settings: &Settings, admin: Option<&AdminSite>, tls: bool) -> Vec<Finding> {
    let mut found = Vec::new();
    let bind = raw.server.bind.0;
    let proxied = raw.server.behind_tls_proxy.0;
    let issuer = &settings.issuer;
    if !issuer.is_plain_http() && !tls && !proxied {
        found.push(Finding::error(
            "transport.none",
            format!("the issuer {} is HTTPS, but this server speaks plain HTTP", issuer.as_str()),
            "set server.behind_tls_proxy = true if a proxy terminates TLS, or set server.tls",
        ));
    } else if !bind.ip().is_loopback() && !tls && !proxied {
        found.push(Finding::error(
            "transport.plain_bind",
            format!(
                "server.bind {bind} accepts plain HTTP from other machines: passwords cross the network unencrypted"
            ),
            "set server.tls, or bind a loopback address behind a proxy",
        ));
    }
    found.extend(admin.and_then(|site| of_admin(raw, site, tls)));
    if proxied && raw.server.trusted_proxies.0.is_empty() {
        found.push(Finding::error(
            "proxies.missing",
            "server.behind_tls_proxy is set, but server.trusted_proxies is empty: all requests seem to come from the proxy and \
             are throttled together",
            "list the proxy's address in server.trusted_proxies",
        ));
    }
    if settings.password.bcrypt_cost.get() < 10 {
        found.push(Finding::error(
            "password.cheap",
            "password.bcrypt_cost is below 10",
            "use that for tests only, and 12 elsewhere",
        ));
    }
    if settings.shares_secret() {
        found.push(Finding::warning(
            "signing.shared_secret",
            "token.secret_key is set: every service that has it can make tokens itself",
            "leave it out, and let services verify with public keys",
        ));
    }
    found
}

/// The same of an address of its own for the admin API and the console.
fn of_admin(raw: &Raw, AdminSite { bind, site }: &AdminSite, tls: bool) -> Option<Finding> {
    let proxied = raw.server.behind_tls_proxy.0;
    if !bind.ip().is_loopback() && (site.is_plain_http() || (!tls && !proxied)) {
        return Some(Finding::error(
            "admin.plain",
            format!(
                "admin.bind {bind} accepts plain HTTP from other machines: administrators' passwords cross the network \
                 unencrypted"
            ),
            "set server.tls, or bind a loopback address",
        ));
    }
    let is_unreachable = bind.ip().is_loopback() && !site.is_loopback() && raw.admin.origin.is_none() && !proxied;
    is_unreachable.then(|| {
        Finding::warning(
            "admin.unreachable",
            format!(
                "admin.bind {bind} is a loopback address, but the console there answers to {} alone",
                site.as_str()
            ),
            format!("set admin.origin, such as http://{bind}, or let a proxy pass that host's requests on"),
        )
    })
}

/// The setting that an error of the authority is about.
fn key_of(error: &SettingsError) -> &str {
    match error {
        SettingsError::OutOfRange { key, .. } => key,
        SettingsError::Algorithm(_) => "keys.algorithm",
        SettingsError::ShortSecret => "token.secret_key",
        SettingsError::Anonymous(_) => "denylist.anonymous",
        SettingsError::Audience { .. } => "token.audience",
        SettingsError::Issuer { .. } => "server.issuer",
    }
}
