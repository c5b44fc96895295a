//! The middleware: it adds the token to an app's requests, and retries once after a 401.

use async_trait::async_trait;
use oauth2::http::header::{AUTHORIZATION, HeaderValue};
use oauth2::http::{Extensions, StatusCode};
use reqwest::{Request, Response};
use reqwest_middleware::{Middleware, Next};
use url::{Origin, Url};

use crate::endpoints::Addresses;
use crate::origin::{BadOrigin, bare_origin};
use crate::source::TokenSource;
use crate::tokens::AccessToken;

/// A middleware for `reqwest_middleware` that sends `Authorization: Bearer …` (RFC 6750 §2.1) to the origins that you
/// name.
///
/// - Requests to other origins are unchanged, and so are requests that already have an `Authorization` header. reqwest
///   removes the header when it follows a redirect to another host or port.
/// - After a 401 it replaces the token and repeats the request once. A request that cannot safely be repeated, because
///   its body is a stream or because it was redirected, returns the 401, and the next request has the new token. A 403
///   is returned as it is, because another token would not change it.
/// - While the authorization server does not answer, a 401 is returned as it is.
/// - Any other [`ficha_client::Error`](crate::Error) is returned as `reqwest_middleware::Error::Middleware` and can be
///   downcast.
///
/// Created by [`TokenSource::middleware`].
///
/// ```no_run
/// # async fn example(tokens: ficha_client::TokenSource) -> Result<(), Box<dyn std::error::Error>> {
/// use ficha_client::http_client;
///
/// let http = reqwest_middleware::ClientBuilder::new(http_client()?.build()?)
///     .with(tokens.middleware(["https://notes.example.com"])?)
///     .build();
/// let notes = http.get("https://notes.example.com/notes").send().await?.text().await?;
/// # drop(notes);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct BearerMiddleware {
    source: TokenSource,
    origins: Vec<Origin>,
}

impl BearerMiddleware {
    pub(crate) fn new<'a>(
        source: TokenSource,
        origins: impl IntoIterator<Item = &'a str>,
        allowed: Addresses,
    ) -> Result<Self, BadOrigin> {
        let origin = |text| bare_origin(text, allowed).map(|url| url.origin());
        let origins = origins.into_iter().map(origin).collect::<Result<_, _>>()?;
        Ok(Self { source, origins })
    }

    fn covers(&self, url: &Url) -> bool {
        self.origins.contains(&url.origin())
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
        let (requested, retry) = (request.url().clone(), request.try_clone());
        let token = self.source.access_token().await.map_err(reqwest_middleware::Error::middleware)?;
        authorize(&mut request, &token)?;
        let response = next.clone().run(request, extensions).await?;
        // After a redirect to another origin, the 401 is not about the token: reqwest removed it.
        if response.status() != StatusCode::UNAUTHORIZED || response.url().origin() != requested.origin() {
            return Ok(response);
        }
        let retry = retry.filter(|_| is_same_page(&requested, response.url()));
        let newer = self.source.replace(&token).await;
        let Some(mut retry) = retry else { return Ok(response) };
        let newer = match newer {
            Err(error) if error.is_inconclusive() => return Ok(response),
            newer => newer.map_err(reqwest_middleware::Error::middleware)?,
        };
        if newer.secret() == token.secret() {
            return Ok(response);
        }
        authorize(&mut retry, &newer)?;
        next.run(retry, extensions).await
    }
}

/// False after a redirect: the server has already carried out the first request.
fn is_same_page(requested: &Url, responding: &Url) -> bool {
    let (mut requested, mut responding) = (requested.clone(), responding.clone());
    requested.set_fragment(None);
    responding.set_fragment(None);
    requested == responding
}

fn authorize(request: &mut Request, token: &AccessToken) -> reqwest_middleware::Result<()> {
    let bad = |_| crate::Error::BadAnswer("the access token contains characters that a header must not contain".into());
    let value = HeaderValue::try_from(format!("Bearer {}", token.secret())).map_err(bad);
    let mut value = value.map_err(reqwest_middleware::Error::middleware)?;
    value.set_sensitive(true);
    request.headers_mut().insert(AUTHORIZATION, value);
    Ok(())
}
