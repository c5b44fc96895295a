//! Requests to a server, and what its responses contain.

use reqwest::{Response, StatusCode};
use serde_json::Value;

/// An HTTP client that does not follow redirects.
pub fn client() -> reqwest::Client {
    // The first test installs it; for later ones this fails, which is fine.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).no_proxy().build().expect("a client")
}

/// A client's id and secret.
#[derive(Clone)]
pub struct Client {
    pub id: String,
    pub secret: String,
}

/// A response of the token endpoint.
pub struct Tokens {
    pub access: String,
    pub refresh: String,
    pub body: Value,
}

impl Tokens {
    pub async fn of(response: Response) -> Self {
        let status = response.status();
        let body: Value = response.json().await.expect("a JSON response");
        assert_eq!(status, StatusCode::OK, "{body}");
        let text = |name: &str| body[name].as_str().unwrap_or_default().to_owned();
        Self { access: text("access_token"), refresh: text("refresh_token"), body }
    }

    /// The claims of the access token, unverified.
    pub fn claims(&self) -> Value {
        claims(&self.access)
    }
}

/// The claims of a token, unverified.
pub fn claims(token: &str) -> Value {
    part(token, 1)
}

/// The header (0) or the claims (1) of a token, unverified.
pub fn part(token: &str, index: usize) -> Value {
    use base64::Engine;
    let text = token.split('.').nth(index).expect("a token has three parts");
    let bytes = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(text).expect("base64url");
    serde_json::from_slice(&bytes).expect("JSON")
}

/// Expects an OAuth error, and returns its description.
pub async fn error(response: Response, status: u16, code: &str) -> String {
    let got = response.status().as_u16();
    let body: Value = response.json().await.expect("a JSON response");
    assert_eq!((got, body["error"].as_str()), (status, Some(code)), "{body}");
    body["error_description"].as_str().unwrap_or_default().to_owned()
}
