//! The settings as written. `config/default.toml` mirrors this file key by key, which a test checks.

use std::net::SocketAddr;
use std::path::PathBuf;

use ficha_authority::Secret;
use ficha_server::{GateBind, IpNet, WebOrigin};
use ficha_token::Algorithm;
use serde::{Deserialize, Serialize};

use super::duration::Seconds;
use super::setting::Is;
use super::values::{EventLines, Every, LogFormat, LogLevel, StoreUrl, Text, Whole};

/// All settings. An `Option` has no value of its own if it is not set.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Raw {
    pub server: Server,
    pub store: Store,
    pub keys: Keys,
    pub token: Token,
    pub denylist: Denylist,
    pub admin: Admin,
    pub sessions: Sessions,
    pub audit: Audit,
    pub console: Console,
    pub password: Password,
    pub log: Log,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Server {
    pub bind: Is<SocketAddr>,
    pub metrics_bind: Option<Is<SocketAddr>>,
    pub gate_bind: Option<Is<GateBind>>,
    pub issuer: Option<Is<Text>>,
    pub behind_tls_proxy: Is<bool>,
    pub trusted_proxies: Is<Vec<IpNet>>,
    pub allowed_origins: Is<Vec<WebOrigin>>,
    pub workers: Option<Is<Whole<1, 1024>>>,
    pub drain: Option<Is<Seconds>>,
    pub max_connections_per_source: Option<Is<Whole<1, 1_000_000>>>,
    #[serde(default)]
    pub tls: Tls,
}

#[derive(Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tls {
    pub certificate: Option<Is<PathBuf>>,
    pub key: Option<Is<PathBuf>>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Store {
    pub url: Is<StoreUrl>,
    pub url_file: Option<Is<PathBuf>>,
    pub connections: Is<Whole<4, 1000>>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Keys {
    pub master_key: Option<Is<Secret>>,
    pub master_key_file: Is<PathBuf>,
    pub algorithm: Is<Algorithm>,
    pub rotate_after: Is<Every>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Token {
    pub access_ttl: Is<Seconds>,
    pub refresh_idle_ttl: Is<Seconds>,
    pub session_ttl: Is<Seconds>,
    pub refresh_grace: Is<Seconds>,
    pub audience: Option<Is<Text>>,
    pub default_client: Option<Is<Text>>,
    pub secret_key: Option<Is<Secret>>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Denylist {
    pub anonymous: Option<Is<bool>>,
    pub max_waiting: Is<Whole<1, 1_000_000>>,
    pub max_waiting_per_source: Is<Whole<1, 1_000_000>>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Admin {
    pub bind: Option<Is<SocketAddr>>,
    pub origin: Option<Is<Text>>,
    pub session_ttl: Is<Seconds>,
    pub session_idle_ttl: Is<Seconds>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sessions {
    pub keep_ended: Is<Seconds>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Audit {
    pub reads: Is<bool>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Console {
    pub enabled: Is<bool>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Password {
    pub bcrypt_cost: Is<Whole<4, 16>>,
    pub max_stored_cost: Is<Whole<4, 31>>,
    pub min_length: Is<Whole<8, 64>>,
    pub threads: Option<Is<Whole<1, 1024>>>,
    pub max_queue: Is<Whole<1, 100_000>>,
    pub max_queue_per_source: Is<Whole<1, 100_000>>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Log {
    pub format: Is<LogFormat>,
    pub level: Is<LogLevel>,
    pub events: Is<EventLines>,
}
