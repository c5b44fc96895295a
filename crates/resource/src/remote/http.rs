//! Requests to the authorization server, without redirects and with limits on time and size.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use ficha_token::Secret;
use reqwest::header::{ACCEPT, CACHE_CONTROL, HeaderMap, HeaderName, RETRY_AFTER};
use reqwest::{Client, StatusCode, redirect};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};
use rustls_platform_verifier::Verifier as PlatformVerifier;
use serde_json::error::Category;
use tokio::time::{Instant, timeout_at};
use url::Url;
use url::form_urlencoded::byte_serialize;

use crate::build_error::BuildError;

const USER_AGENT: &str = concat!("ficha-resource/", env!("CARGO_PKG_VERSION"));
const CONNECT_LIMIT: Duration = Duration::from_secs(2);

/// The client that follows the denylist.
#[derive(Clone)]
pub(crate) struct Credentials {
    pub client_id: String,
    pub secret: Secret,
}

impl Credentials {
    /// True if a part is empty.
    pub fn are_incomplete(&self) -> bool {
        self.client_id.is_empty() || self.secret.expose().is_empty()
    }
}

/// One request.
pub(crate) struct Ask<'a> {
    pub url: Url,
    pub credentials: Option<&'a Credentials>,
    /// How long the status line and headers may take.
    pub head_within: Duration,
    /// How long the whole response may take.
    pub all_within: Duration,
    /// The largest allowed body.
    pub most_bytes: usize,
}

/// A successful response.
pub(crate) struct Fetched {
    pub headers: HeaderMap,
    pub body: Vec<u8>,
}

/// Why a request failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FetchError {
    #[error("no complete answer arrived in time")]
    TooSlow,
    #[error("the connection failed: {0}")]
    Connection(String),
    #[error("the server answered {status}")]
    Status { status: StatusCode, retry_after: Option<Duration> },
    #[error("the answer is larger than {0} bytes")]
    TooLarge(usize),
}

/// The built-in client. It ignores proxy settings in the environment, so that the denylist does not pass through a
/// proxy by accident.
pub(crate) fn client(root_certificates: &[Vec<u8>]) -> Result<Client, BuildError> {
    Client::builder()
        .tls_backend_preconfigured(tls(root_certificates)?)
        .no_proxy()
        .redirect(redirect::Policy::none())
        .connect_timeout(CONNECT_LIMIT)
        .tcp_keepalive(Duration::from_secs(15))
        .build()
        .map_err(|error| BuildError::HttpClient(error.without_url().to_string()))
}

/// TLS with aws-lc-rs, set here rather than installed for the whole process: that choice is the application's.
fn tls(root_certificates: &[Vec<u8>]) -> Result<ClientConfig, BuildError> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut roots = Vec::new();
    for pem in root_certificates {
        let before = roots.len();
        for certificate in CertificateDer::pem_slice_iter(pem) {
            roots.push(certificate.map_err(|_| BuildError::BadCertificate)?);
        }
        if roots.len() == before {
            return Err(BuildError::BadCertificate);
        }
    }
    for root in &roots {
        RootCertStore::empty().add(root.clone()).map_err(|_| BuildError::BadCertificate)?;
    }
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| BuildError::HttpClient(error.to_string()))?;
    let mut config = match PlatformVerifier::new_with_extra_roots(roots, provider) {
        Ok(verifier) => builder.dangerous().with_custom_certificate_verifier(Arc::new(verifier)).with_no_client_auth(),
        Err(error) => {
            // Perhaps a container without certificates, with an authorization server on the same machine.
            tracing::warn!(%error, "no certificate authorities found on this machine, so no https server is trusted");
            builder.with_root_certificates(RootCertStore::empty()).with_no_client_auth()
        }
    };
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

/// Sends a request, and reads the whole response.
pub(crate) async fn fetch(client: &Client, ask: Ask<'_>) -> Result<Fetched, FetchError> {
    let start = Instant::now();
    let mut request = client
        .get(ask.url)
        .header(reqwest::header::USER_AGENT, USER_AGENT)
        .header(ACCEPT, "application/json")
        // The current state is needed: a cache in between would hide a new key.
        .header(CACHE_CONTROL, "no-cache")
        // Overrides the timeout of a client that the application has supplied: a long poll may take longer.
        .timeout(ask.all_within + Duration::from_secs(1));
    if let Some(credentials) = ask.credentials {
        // RFC 6749 §2.3.1: each is form-encoded before they are joined.
        let encoded = |text: &str| byte_serialize(text.as_bytes()).collect::<String>();
        request = request.basic_auth(encoded(&credentials.client_id), Some(encoded(credentials.secret.expose())));
    }
    let answered = timeout_at(start + ask.head_within, request.send()).await;
    let mut response = answered.map_err(|_| FetchError::TooSlow)?.map_err(connection)?;
    if response.status() != StatusCode::OK {
        let retry_after = seconds(response.headers(), &RETRY_AFTER).map(Duration::from_secs);
        return Err(FetchError::Status { status: response.status(), retry_after });
    }
    let headers = std::mem::take(response.headers_mut());
    let mut body = Vec::new();
    loop {
        let chunk = timeout_at(start + ask.all_within, response.chunk()).await;
        let Some(chunk) = chunk.map_err(|_| FetchError::TooSlow)?.map_err(connection)? else { break };
        if body.len() + chunk.len() > ask.most_bytes {
            return Err(FetchError::TooLarge(ask.most_bytes));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(Fetched { headers, body })
}

/// What is wrong with a body. serde's own words may quote it, and whatever it quotes would stand in logs.
pub(crate) fn unreadable(error: &serde_json::Error) -> String {
    let what = match error.classify() {
        Category::Data => "it is JSON of another shape",
        Category::Eof => "it ends too early",
        Category::Io | Category::Syntax => "it is not JSON",
    };
    format!("{what} (line {}, column {})", error.line(), error.column())
}

/// A header with a whole number of seconds.
pub(crate) fn seconds(headers: &HeaderMap, name: &HeaderName) -> Option<u64> {
    headers.get(name)?.to_str().ok()?.trim().parse().ok()
}

fn connection(error: reqwest::Error) -> FetchError {
    if error.is_timeout() {
        return FetchError::TooSlow;
    }
    // The innermost error says most. The URL is known anyway, and contains nonce and cursor.
    let error = error.without_url();
    let mut source: &dyn std::error::Error = &error;
    while let Some(inner) = source.source() {
        source = inner;
    }
    FetchError::Connection(source.to_string())
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").field("client_id", &self.client_id).finish_non_exhaustive()
    }
}
