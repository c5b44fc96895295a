//! Finds the addresses in an issuer's metadata (RFC 8414).

use std::sync::Arc;
use std::time::Duration;

use ficha_token::{Clock, ServerMetadata};
use reqwest::Client;
use tokio::time::sleep;
use url::Url;

use super::address;
use super::backoff::Backoff;
use super::failure_log::{FailureLog, LastError};
use super::http::{Ask, FetchError, fetch, unreadable};
use super::lease::Moment;
use crate::build_error::BuildError;

const FETCH_LIMIT: Duration = Duration::from_secs(5);
const MAX_BYTES: usize = 1024 * 1024;
const MAX_PAUSE: Duration = Duration::from_secs(5);
/// The pause after metadata that was read but is wrong.
const LONG_PAUSE: Duration = Duration::from_secs(10);

/// What to look for.
#[derive(Clone)]
pub(crate) struct Search {
    /// The issuer, as in `iss`.
    pub issuer: String,
    /// The same, parsed.
    pub issuer_url: Url,
    pub allow_plain_http: bool,
    pub needs_keys: bool,
    pub needs_denylist: bool,
    /// The addresses that are given. They take precedence over those in the metadata.
    pub given: Endpoints,
    pub last_error: Arc<LastError>,
}

/// The addresses found.
#[derive(Debug, Clone, Default)]
pub(crate) struct Endpoints {
    pub token_url: Option<String>,
    pub jwks_url: Option<Url>,
    pub denylist_url: Option<Url>,
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum SearchError {
    #[error("{0}")]
    Fetch(#[from] FetchError),
    #[error("the metadata can't be parsed: {}", unreadable(.0))]
    Unreadable(#[from] serde_json::Error),
    #[error("{0}")]
    Wrong(BuildError),
}

impl Search {
    /// Retries until the addresses are found. With `give_up`, wrong metadata ends the search with an error.
    pub(crate) async fn run(&self, client: &Client, clock: &dyn Clock, give_up: bool) -> Result<Endpoints, BuildError> {
        let url = address::metadata(&self.issuer_url);
        let mut backoff = Backoff::new(MAX_PAUSE);
        let mut failures = FailureLog::new(Arc::clone(&self.last_error));
        loop {
            let error = match self.look(client, &url).await {
                Ok(endpoints) => {
                    failures.recovered();
                    return Ok(endpoints);
                }
                Err(SearchError::Wrong(error)) if give_up => return Err(error),
                Err(error) => error,
            };
            failures.failed(Moment::now(clock), "reading the issuer's metadata", url.as_str(), &error, "");
            let pause = if matches!(error, SearchError::Wrong(_)) { LONG_PAUSE } else { backoff.next() };
            sleep(pause).await;
        }
    }

    async fn look(&self, client: &Client, url: &Url) -> Result<Endpoints, SearchError> {
        let ask = Ask {
            url: url.clone(),
            credentials: None,
            head_within: FETCH_LIMIT,
            all_within: FETCH_LIMIT,
            most_bytes: MAX_BYTES,
        };
        let metadata = serde_json::from_slice(&fetch(client, ask).await?.body)?;
        self.read(metadata).map_err(SearchError::Wrong)
    }

    fn read(&self, metadata: ServerMetadata) -> Result<Endpoints, BuildError> {
        // RFC 8414 §3.3: the text must be identical, or the metadata must not be used.
        if metadata.issuer != self.issuer {
            return Err(BuildError::WrongIssuer { expected: self.issuer.clone(), found: metadata.issuer });
        }
        let read = |what, text: &str| address::parse(what, text, self.allow_plain_http).map(Some);
        // Only what is needed is checked.
        let Endpoints { token_url, mut jwks_url, mut denylist_url } = self.given.clone();
        if self.needs_keys {
            jwks_url = read("the metadata's jwks_uri", &metadata.jwks_uri.ok_or(BuildError::NoKeys)?)?;
        }
        if self.needs_denylist {
            let url = metadata.denylist_endpoint.ok_or(BuildError::NoDenylist)?;
            denylist_url = read("the metadata's denylist_endpoint", &url)?;
        }
        Ok(Endpoints { token_url: token_url.or(metadata.token_endpoint), jwks_url, denylist_url })
    }
}
