//! The types of settings.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use ficha_authority::{Secret, Store};
use ficha_server::{GateBind, IpNet, WebOrigin, parse_network};
use ficha_token::Algorithm;
use tracing_subscriber::EnvFilter;
use url::Url;

use super::duration::{Seconds, whole_number};
use super::setting::{Setting, quoted};
use crate::home;

/// Shown in place of a secret.
pub const HIDDEN: &str = "(set)";
/// Shown in place of a password in a URL.
pub const STARS: &str = "***";

/// A text that is not empty.
pub struct Text(pub String);

impl Setting for Text {
    fn wanted() -> String {
        "a text in quotes, not empty".into()
    }

    fn from_text(text: &str) -> Option<Self> {
        (!text.is_empty()).then(|| Self(text.to_owned()))
    }

    fn show(&self) -> String {
        quoted(&self.0)
    }
}

impl Setting for PathBuf {
    fn wanted() -> String {
        "a path in quotes".into()
    }

    fn from_text(text: &str) -> Option<Self> {
        (!text.is_empty()).then(|| home::expand(text.into()))
    }

    fn show(&self) -> String {
        quoted(&self.display().to_string())
    }
}

impl Setting for Secret {
    const SECRET: bool = true;

    fn wanted() -> String {
        "a text in quotes, not empty".into()
    }

    fn from_text(text: &str) -> Option<Self> {
        (!text.is_empty()).then(|| Self::new(text))
    }

    fn show(&self) -> String {
        HIDDEN.into()
    }
}

impl Setting for bool {
    fn wanted() -> String {
        "true or false".into()
    }

    fn from_text(text: &str) -> Option<Self> {
        text.parse().ok()
    }

    fn from_flag(flag: bool) -> Option<Self> {
        Some(flag)
    }

    fn show(&self) -> String {
        self.to_string()
    }
}

/// A whole number from `LEAST` to `MOST`.
#[derive(Clone, Copy)]
pub struct Whole<const LEAST: u32, const MOST: u32>(u32);

impl<const LEAST: u32, const MOST: u32> Whole<LEAST, MOST> {
    /// The number.
    pub fn get(self) -> u32 {
        self.0
    }
}

impl<const LEAST: u32, const MOST: u32> Setting for Whole<LEAST, MOST> {
    fn wanted() -> String {
        format!("a whole number from {LEAST} to {MOST}")
    }

    fn from_text(text: &str) -> Option<Self> {
        whole_number(text).and_then(Self::from_number)
    }

    fn from_number(number: u64) -> Option<Self> {
        let number = u32::try_from(number).ok()?;
        (LEAST..=MOST).contains(&number).then_some(Self(number))
    }

    fn show(&self) -> String {
        self.0.to_string()
    }
}

impl Setting for Seconds {
    fn wanted() -> String {
        "whole seconds, or a text such as \"15s\", \"10m\", \"12h\" or \"30d\"".into()
    }

    fn from_text(text: &str) -> Option<Self> {
        text.parse().ok()
    }

    fn from_number(number: u64) -> Option<Self> {
        Some(Self(number))
    }

    fn show(&self) -> String {
        quoted(&self.to_string())
    }
}

/// An interval, or never.
pub struct Every(Option<Seconds>);

impl Every {
    /// The interval; `None` means never.
    pub fn duration(&self) -> Option<Duration> {
        self.0.map(Seconds::duration)
    }
}

impl Setting for Every {
    fn wanted() -> String {
        format!("{}, or \"never\"", Seconds::wanted())
    }

    fn from_text(text: &str) -> Option<Self> {
        if text == "never" { Some(Self(None)) } else { Seconds::from_text(text).map(|every| Self(Some(every))) }
    }

    fn from_number(number: u64) -> Option<Self> {
        Some(Self(Some(Seconds(number))))
    }

    fn show(&self) -> String {
        self.0.map_or_else(|| quoted("never"), |every| every.show())
    }
}

impl Setting for SocketAddr {
    fn wanted() -> String {
        "an IP address and a port, such as \"127.0.0.1:8080\" or \"[::1]:8080\"".into()
    }

    fn from_text(text: &str) -> Option<Self> {
        text.parse().ok()
    }

    fn show(&self) -> String {
        quoted(&self.to_string())
    }
}

impl Setting for GateBind {
    fn wanted() -> String {
        "a loopback address and a port, such as \"127.0.0.1:9300\", or a socket, such as \"unix:/run/ficha/gate.sock\""
            .into()
    }

    fn from_text(text: &str) -> Option<Self> {
        match text.strip_prefix("unix:").map(|path| home::expand(path.into())) {
            Some(path) => format!("unix:{}", path.display()).parse().ok(),
            None => text.parse().ok(),
        }
    }

    fn show(&self) -> String {
        quoted(&self.to_string())
    }
}

/// An item of a list, and what a valid list looks like.
trait Item: Sized + fmt::Display {
    const WANTED: &'static str;

    fn from_item(text: &str) -> Option<Self>;
}

impl Item for IpNet {
    const WANTED: &'static str = "a list of addresses or networks, such as [\"10.0.0.0/8\", \"::1\"]";

    fn from_item(text: &str) -> Option<Self> {
        parse_network(text).ok()
    }
}

impl Item for WebOrigin {
    const WANTED: &'static str =
        "a list of origins, each by itself and without patterns, such as [\"https://notes.example.com\"]";

    fn from_item(text: &str) -> Option<Self> {
        text.parse().ok()
    }
}

impl<T: Item> Setting for Vec<T> {
    fn wanted() -> String {
        T::WANTED.into()
    }

    /// From the environment, items are separated by spaces or commas.
    fn from_text(text: &str) -> Option<Self> {
        text.split([',', ' ', '\t', '\n']).map(str::trim).filter(|item| !item.is_empty()).map(T::from_item).collect()
    }

    fn from_list(list: &[String]) -> Option<Self> {
        list.iter().map(|item| T::from_item(item)).collect()
    }

    fn show(&self) -> String {
        let items: Vec<String> = self.iter().map(|item| quoted(&item.to_string())).collect();
        format!("[{}]", items.join(", "))
    }
}

impl Setting for Algorithm {
    fn wanted() -> String {
        "ES256, EdDSA or RS256 (token.secret_key chooses HS256)".into()
    }

    fn from_text(text: &str) -> Option<Self> {
        let algorithm = text.parse().ok()?;
        matches!(algorithm, Self::ES256 | Self::EdDSA | Self::RS256).then_some(algorithm)
    }

    fn show(&self) -> String {
        quoted(self.as_str())
    }
}

/// `store.url`: shown without its password.
pub struct StoreUrl(pub Secret);

impl Setting for StoreUrl {
    const SECRET: bool = true;

    fn wanted() -> String {
        "a URL that begins with sqlite:// or postgres://".into()
    }

    fn from_text(text: &str) -> Option<Self> {
        let scheme = text.split_once("://")?.0;
        let path = text.strip_prefix("sqlite://").filter(|path| path.starts_with("~/"));
        let expanded = path.map(|path| format!("sqlite://{}", home::expand(path.into()).display()));
        let text = expanded.as_deref().unwrap_or(text);
        matches!(scheme, "sqlite" | "postgres" | "postgresql").then(|| Self(Secret::new(text)))
    }

    fn show(&self) -> String {
        let text = self.0.expose();
        if text.starts_with("sqlite:") {
            return quoted(&without_unknown_options(text));
        }
        // A URL that could be misread is not shown at all: what looks like the database may be the end of a password.
        let readable = Url::parse(text).ok().filter(|_| Store::is_postgres_url(text));
        quoted(&readable.and_then(without_password).unwrap_or_else(|| "postgres://…".to_owned()))
    }
}

/// A `sqlite://` URL, without its options if SQLite does not have all of them: another one is never used, and may be a
/// secret.
fn without_unknown_options(url: &str) -> String {
    const KNOWN: [&str; 4] = ["mode", "cache", "immutable", "vfs"];
    let Some((path, options)) = url.split_once('?') else { return url.to_owned() };
    let is_known = |option: &str| option.split_once('=').is_some_and(|(name, _)| KNOWN.contains(&name));
    if options.split('&').all(is_known) { url.to_owned() } else { format!("{path}?…") }
}

fn without_password(mut url: Url) -> Option<String> {
    if url.password().is_some() && url.set_password(Some(STARS)).is_err() {
        return None;
    }
    if url.query().is_some() {
        let pairs: Vec<(String, String)> = url.query_pairs().into_owned().collect();
        let shown = |(name, value): (String, String)| {
            // `sslkey` may be the key itself instead of a file name.
            let is_secret = matches!(name.as_str(), "password" | "sslkey" | "ssl-key");
            let value = if is_secret { STARS.to_owned() } else { value };
            (name, value)
        };
        url.query_pairs_mut().clear().extend_pairs(pairs.into_iter().map(shown));
    }
    Some(url.into())
}

/// `log.format`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object per line.
    Json,
}

impl Setting for LogFormat {
    fn wanted() -> String {
        "text or json".into()
    }

    fn from_text(text: &str) -> Option<Self> {
        match text {
            "text" => Some(Self::Text),
            "json" => Some(Self::Json),
            _ => None,
        }
    }

    fn show(&self) -> String {
        quoted(match self {
            Self::Text => "text",
            Self::Json => "json",
        })
    }
}

/// `log.events`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EventLines {
    /// They are in the database only.
    Off,
    /// They are lines of JSON on standard output as well.
    Stdout,
}

impl Setting for EventLines {
    fn wanted() -> String {
        "off or stdout".into()
    }

    fn from_text(text: &str) -> Option<Self> {
        match text {
            "off" => Some(Self::Off),
            "stdout" => Some(Self::Stdout),
            _ => None,
        }
    }

    fn show(&self) -> String {
        quoted(match self {
            Self::Off => "off",
            Self::Stdout => "stdout",
        })
    }
}

/// `log.level`
pub struct LogLevel(pub String);

impl Setting for LogLevel {
    fn wanted() -> String {
        "off, error, warn, info, debug or trace, also per module, as in \"info,ficha_store=debug\"".into()
    }

    fn from_text(text: &str) -> Option<Self> {
        // A bare word that is not a level would count as a module's name, and silence everything else.
        const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];
        let parts = || text.split(',').map(str::trim);
        let known = parts().all(|part| part.contains('=') || LEVELS.contains(&part.to_ascii_lowercase().as_str()));
        (known && EnvFilter::try_new(text).is_ok()).then(|| Self(text.to_owned()))
    }

    fn show(&self) -> String {
        quoted(&self.0)
    }
}
