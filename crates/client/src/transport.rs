//! HTTP for the `oauth2` crate: time limits, bounded responses, and whether a failed request may have been carried out.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use oauth2::http::header::RETRY_AFTER;
use oauth2::http::{HeaderMap, Request, StatusCode};
use oauth2::{HttpRequest, HttpResponse};
use url::Url;

use crate::error::{Error, NetworkError};

/// Responses of an authorization server are far smaller, and so is its metadata.
const MAX_BYTES: usize = 256 * 1024;

/// A page of a list may be longer.
#[cfg(feature = "admin")]
pub(crate) const MAX_LIST_BYTES: usize = 4 * 1024 * 1024;

/// Why there is no response that the `oauth2` crate could read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    #[error("{error}")]
    Network {
        error: NetworkError,
        /// The server may have received the request and carried it out.
        was_sent: bool,
    },
    #[error("busy")]
    Busy {
        retry_after: Option<Duration>,
        /// A proxy may return this status although the server has carried out the request.
        may_be_done: bool,
    },
    #[error("{0}")]
    BadAnswer(String),
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Network { error, .. } => Self::Network(error),
            Failure::Busy { retry_after, .. } => Self::Busy { retry_after },
            Failure::BadAnswer(what) => Self::BadAnswer(what),
        }
    }
}

type ResponseFuture = Pin<Box<dyn Future<Output = Result<HttpResponse, Failure>> + Send>>;

/// The HTTP client for the `oauth2` crate. It sends each request to `url` and ignores the request's own URL.
pub(crate) fn sender(
    http: &reqwest::Client,
    url: &Url,
    limit: Duration,
) -> impl Fn(HttpRequest) -> ResponseFuture + use<> {
    let (http, url) = (http.clone(), url.clone());
    move |request| Box::pin(send(http.clone(), url.clone(), request, limit))
}

async fn send(http: reqwest::Client, url: Url, request: HttpRequest, limit: Duration) -> Result<HttpResponse, Failure> {
    send_up_to(http, url, request, limit, MAX_BYTES).await
}

/// Sends a request whose response may be this long.
pub(crate) async fn send_up_to(
    http: reqwest::Client,
    url: Url,
    request: HttpRequest,
    limit: Duration,
    most: usize,
) -> Result<HttpResponse, Failure> {
    let (parts, body) = request.into_parts();
    let request = http.request(parts.method, url.clone()).headers(parts.headers).body(body).timeout(limit);
    let mut answer = request.send().await.map_err(network)?;
    let status = answer.status();
    if status == StatusCode::SERVICE_UNAVAILABLE || status == StatusCode::TOO_MANY_REQUESTS {
        let may_be_done = status == StatusCode::SERVICE_UNAVAILABLE;
        return Err(Failure::Busy { retry_after: retry_after(answer.headers()), may_be_done });
    }
    if status.is_redirection() {
        return Err(Failure::BadAnswer(format!("{url} redirects, and redirects are not followed")));
    }
    // From the server or a proxy in front of it: the request may have been carried out.
    if status.is_server_error() {
        let error = NetworkError::new(format!("{url} failed with {status}"));
        return Err(Failure::Network { error, was_sent: true });
    }
    let mut response = oauth2::http::Response::new(Vec::new());
    *response.status_mut() = status;
    *response.headers_mut() = answer.headers().clone();
    while let Some(chunk) = answer.chunk().await.map_err(network)? {
        if response.body().len() + chunk.len() > most {
            return Err(Failure::BadAnswer(format!("the response of {url} is longer than {most} bytes")));
        }
        response.body_mut().extend_from_slice(&chunk);
    }
    Ok(response)
}

/// Fetches a JSON document.
pub(crate) async fn get(http: &reqwest::Client, url: &Url, limit: Duration) -> Result<HttpResponse, Failure> {
    let request = Request::get(url.as_str()).header("accept", "application/json").body(Vec::new());
    let request = request.map_err(|error| Failure::BadAnswer(error.to_string()))?;
    send(http.clone(), url.clone(), request, limit).await
}

fn network(error: reqwest::Error) -> Failure {
    Failure::Network { was_sent: !error.is_connect(), error: error.into() }
}

/// RFC 9110 §10.2.3, in seconds. A date is ignored, because the server's clock may differ from this one.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok().map(Duration::from_secs)
}
