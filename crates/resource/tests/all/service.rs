//! A service on a port of its own, and a client that speaks HTTP to it.

use actix_web::dev::ServerHandle;
use actix_web::{App, HttpServer, rt, web};
use reqwest::header::{AUTHORIZATION, CACHE_CONTROL, RETRY_AFTER, WWW_AUTHENTICATE};
use reqwest::{Method, RequestBuilder, Response};
use serde_json::Value;

pub struct Service {
    url: String,
    http: reqwest::Client,
    handle: ServerHandle,
}

impl Service {
    /// Serves what `configure` adds, until it is dropped.
    pub fn start(configure: impl Fn(&mut web::ServiceConfig) + Clone + Send + 'static) -> Self {
        // The first test to get here installs it.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let server = HttpServer::new(move || App::new().configure(configure.clone()))
            .workers(1)
            .disable_signals()
            .bind(("127.0.0.1", 0))
            .unwrap();
        let url = format!("http://{}", server.addrs()[0]);
        let server = server.run();
        let handle = server.handle();
        drop(rt::spawn(server));
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        Self { url, http, handle }
    }

    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, format!("{}{path}", self.url))
    }

    /// `GET path` with these `Authorization` headers.
    pub async fn get_with(&self, path: &str, authorization: &[&str]) -> Answer {
        let request = self.request(Method::GET, path);
        let request = authorization.iter().fold(request, |request, value| request.header(AUTHORIZATION, *value));
        Answer::of(request.send().await.unwrap()).await
    }

    /// `GET path` with this token.
    pub async fn get(&self, path: &str, token: &str) -> Answer {
        self.get_with(path, &[&format!("Bearer {token}")]).await
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        drop(rt::spawn(self.handle.stop(false)));
    }
}

/// The parts of a response.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub challenge: Option<String>,
    pub retry_after: Option<String>,
    pub cache_control: Option<String>,
    pub body: String,
}

impl Answer {
    pub async fn of(response: Response) -> Self {
        assert!(response.headers().get_all(WWW_AUTHENTICATE).iter().count() <= 1);
        let header = |name| response.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
        let (challenge, retry_after, cache_control) =
            (header(WWW_AUTHENTICATE), header(RETRY_AFTER), header(CACHE_CONTROL));
        let status = response.status().as_u16();
        Self { status, challenge, retry_after, cache_control, body: response.text().await.unwrap() }
    }

    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("not JSON: {self:?}"))
    }

    #[track_caller]
    pub fn assert_ok(&self) {
        assert_eq!(self.status, 200, "{self:?}");
    }

    /// RFC 6750 §3: the code in the challenge and in the body.
    #[track_caller]
    pub fn assert_error(&self, status: u16, code: &str) {
        assert_eq!(self.status, status, "{self:?}");
        assert_eq!(self.json()["error"], code, "{self:?}");
        assert!(self.json()["error_description"].is_string(), "{self:?}");
        assert_eq!(self.cache_control.as_deref(), Some("no-store"));
        let challenge = self.challenge.as_deref().unwrap_or_default();
        let start = format!(r#"Bearer realm="test", error="{code}", error_description=""#);
        assert!(challenge.starts_with(&start), "{self:?}");
    }

    /// RFC 6750 §3.1: no code in the challenge for a request without a token.
    #[track_caller]
    pub fn assert_asks_for_a_token(&self) {
        assert_eq!((self.status, self.challenge.as_deref()), (401, Some(r#"Bearer realm="test""#)), "{self:?}");
        assert_eq!(self.json()["error"], "invalid_request");
        assert_eq!(self.cache_control.as_deref(), Some("no-store"));
    }

    #[track_caller]
    pub fn assert_try_later(&self) {
        assert_eq!((self.status, self.retry_after.as_deref()), (503, Some("1")), "{self:?}");
        assert_eq!(self.challenge, None);
        assert_eq!(self.json()["error"], "temporarily_unavailable");
    }
}
