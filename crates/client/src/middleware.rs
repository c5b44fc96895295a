//! The header on an app's requests, and one more try after a 401.

use async_trait::async_trait;
use oauth2::http::header::{AUTHORIZATION, HeaderValue};
use oauth2::http::{Extensions, StatusCode};
use reqwest::{Request, Response};
use reqwest_middleware::{Middleware, Next};
use url::{Origin, Url};

use crate::source::TokenSource;
use crate::tokens::AccessToken;

/// Sends `Authorization: Bearer …` (RFC 6750 §2.1) to the origins that it was told, for `reqwest_middleware`.
///
/// - A request to another origin goes out untouched, and so does one that has an `Authorization` header already.
///   reqwest takes the header off when it follows a redirect to another host or port.
/// - After a 401 from such an origin the token is replaced and the request sent once more, if its body can be (a stream
///   can't). A 403 is an answer: another token would not change it.
/// - A [`ficha_client::Error`](crate::Error) arrives as `reqwest_middleware::Error::Middleware` and can be downcast.
///
/// Made by [`TokenSource::middleware`].
#[derive(Debug, Clone)]
pub struct BearerMiddleware {
    source: TokenSource,
    origins: Vec<Origin>,
}

/// A text that is no `https://host` or `http://host:port`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0} is no origin: it should look like https://api.example.com")]
pub struct BadOrigin(pub String);

impl BearerMiddleware {
    pub(crate) fn new<'a>(source: TokenSource, origins: impl IntoIterator<Item = &'a str>) -> Result<Self, BadOrigin> {
        let origins = origins.into_iter().map(origin).collect::<Result<_, _>>()?;
        Ok(Self { source, origins })
    }

    fn covers(&self, url: &Url) -> bool {
        self.origins.contains(&url.origin())
    }
}

fn origin(text: &str) -> Result<Origin, BadOrigin> {
    let bad = || BadOrigin(text.to_owned());
    let url = Url::parse(text).map_err(|_| bad())?;
    let is_bare = url.path() == "/" && url.query().is_none() && url.fragment().is_none() && url.username().is_empty();
    match matches!(url.scheme(), "https" | "http") && is_bare {
        true => Ok(url.origin()),
        false => Err(bad()),
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
        let again = request.try_clone();
        let token = self.source.access_token().await.map_err(reqwest_middleware::Error::middleware)?;
        authorize(&mut request, &token)?;
        let response = next.clone().run(request, extensions).await?;
        // A redirect may have led to somebody who was not shown the token, and so can't mean it.
        if response.status() != StatusCode::UNAUTHORIZED || !self.covers(response.url()) {
            return Ok(response);
        }
        let Some(mut again) = again else { return Ok(response) };
        let newer = self.source.replace(&token).await.map_err(reqwest_middleware::Error::middleware)?;
        if newer.secret() == token.secret() {
            return Ok(response);
        }
        authorize(&mut again, &newer)?;
        next.run(again, extensions).await
    }
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
            assert!(origin(good).is_ok(), "{good}");
        }
        assert_eq!(origin("https://api.example.com"), origin("https://API.example.com:443/"));
        for bad in ["api.example.com", "https://api.example.com/v1", "https://x/?a", "file:///etc", "https://u@x", ""] {
            assert_eq!(origin(bad), Err(BadOrigin(bad.into())));
        }
    }
}
