//! The header on an app's requests, and one more try after a 401.

use async_trait::async_trait;
use oauth2::http::header::{AUTHORIZATION, HeaderValue};
use oauth2::http::{Extensions, StatusCode};
use reqwest::{Request, Response};
use reqwest_middleware::{Middleware, Next};
use url::{Origin, Url};

use crate::endpoints::{Addresses, is_private, redacted};
use crate::source::TokenSource;
use crate::tokens::AccessToken;

/// Sends `Authorization: Bearer …` (RFC 6750 §2.1) to the origins that it was told, for `reqwest_middleware`.
///
/// - A request to another origin goes out untouched, and so does one that has an `Authorization` header already.
///   reqwest takes the header off when it follows a redirect to another host or port.
/// - After a 401 the token is replaced, and the request sent once more, unless that would repeat something: a body that
///   is a stream can't be sent twice, and what was redirected has been done in part. Then the next request has the new
///   token. A 403 is an answer: another token would not change it.
/// - A 401 is handed on as it is while the authorization server does not answer.
/// - Any other [`ficha_client::Error`](crate::Error) arrives as `reqwest_middleware::Error::Middleware` and can be
///   downcast.
///
/// Made by [`TokenSource::middleware`].
#[derive(Debug, Clone)]
pub struct BearerMiddleware {
    source: TokenSource,
    origins: Vec<Origin>,
}

/// An origin that can't be used. User name and password, if it holds any, are left out.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BadOrigin {
    /// A text that is no `https://host` or `http://host:port`.
    #[error("{0} is no origin: it should look like https://api.example.com")]
    NoOrigin(String),
    /// No TLS, and another machine: tokens would travel in clear.
    #[error("{0} has no TLS, and is not on this machine: tokens would travel in clear")]
    PlainHttp(String),
}

impl BearerMiddleware {
    pub(crate) fn new<'a>(
        source: TokenSource,
        origins: impl IntoIterator<Item = &'a str>,
        allowed: Addresses,
    ) -> Result<Self, BadOrigin> {
        let origins = origins.into_iter().map(|text| origin(text, allowed)).collect::<Result<_, _>>()?;
        Ok(Self { source, origins })
    }

    fn covers(&self, url: &Url) -> bool {
        self.origins.contains(&url.origin())
    }
}

fn origin(text: &str, allowed: Addresses) -> Result<Origin, BadOrigin> {
    let bad = || BadOrigin::NoOrigin(redacted(text));
    let url = Url::parse(text).map_err(|_| bad())?;
    let has_user = !url.username().is_empty() || url.password().is_some();
    let is_bare = url.path() == "/" && url.query().is_none() && url.fragment().is_none() && !has_user;
    if !matches!(url.scheme(), "https" | "http") || !is_bare {
        return Err(bad());
    }
    match is_private(&url, allowed) {
        true => Ok(url.origin()),
        false => Err(BadOrigin::PlainHttp(redacted(text))),
    }
}

#[async_trait]
impl Middleware for BearerMiddleware {
    async fn handle(
        &self,
        mut request: Request,
        extensions: &mut Extensions,
        next: Next<'_>,
    ) -> reqwest_middleware::Result<Response> {
        if !self.covers(request.url()) || request.headers().contains_key(AUTHORIZATION) {
            return next.run(request, extensions).await;
        }
        let (asked, again) = (request.url().clone(), request.try_clone());
        let token = self.source.access_token().await.map_err(reqwest_middleware::Error::middleware)?;
        authorize(&mut request, &token)?;
        let response = next.clone().run(request, extensions).await?;
        // A redirect may have led to somebody who was not shown the token, and so can't mean it.
        if response.status() != StatusCode::UNAUTHORIZED || response.url().origin() != asked.origin() {
            return Ok(response);
        }
        let again = again.filter(|_| is_same_page(&asked, response.url()));
        let newer = self.source.replace(&token).await;
        let Some(mut again) = again else { return Ok(response) };
        let newer = match newer {
            Err(error) if error.may_pass() => return Ok(response),
            newer => newer.map_err(reqwest_middleware::Error::middleware)?,
        };
        if newer.secret() == token.secret() {
            return Ok(response);
        }
        authorize(&mut again, &newer)?;
        next.run(again, extensions).await
    }
}

/// False after a redirect: what was asked first has been done.
fn is_same_page(asked: &Url, answered: &Url) -> bool {
    let (mut asked, mut answered) = (asked.clone(), answered.clone());
    asked.set_fragment(None);
    answered.set_fragment(None);
    asked == answered
}

fn authorize(request: &mut Request, token: &AccessToken) -> reqwest_middleware::Result<()> {
    let bad = |_| crate::Error::BadAnswer("the access token can't stand in a header".into());
    let value = HeaderValue::try_from(format!("Bearer {}", token.secret())).map_err(bad);
    let mut value = value.map_err(reqwest_middleware::Error::middleware)?;
    value.set_sensitive(true);
    request.headers_mut().insert(AUTHORIZATION, value);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_has_no_path() {
        for good in ["https://api.example.com", "https://api.example.com/", "http://127.0.0.1:8081"] {
            assert!(origin(good, Addresses::Safe).is_ok(), "{good}");
        }
        let [one, other] = ["https://api.example.com", "https://API.example.com:443/"];
        assert_eq!(origin(one, Addresses::Safe), origin(other, Addresses::Safe));
        for bad in ["api.example.com", "https://api.example.com/v1", "https://x/?a", "file:///etc", "https://u@x", ""] {
            let named = BadOrigin::NoOrigin(redacted(bad));
            assert_eq!(origin(bad, Addresses::Any), Err(named));
        }
        let plain = "http://api.example.com";
        assert_eq!(origin(plain, Addresses::Safe), Err(BadOrigin::PlainHttp(plain.into())));
        assert!(origin(plain, Addresses::Any).is_ok());
    }
}
