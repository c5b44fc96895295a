//! The requests to the authorization server, made with the `oauth2` crate.

use std::sync::Arc;
use std::time::Duration;

use oauth2::basic::{BasicClient, BasicErrorResponse, BasicErrorResponseType, BasicTokenResponse, BasicTokenType};
use oauth2::{
    ClientId, ClientSecret, EndpointNotSet, EndpointSet, RefreshToken, RequestTokenError, ResourceOwnerPassword,
    ResourceOwnerUsername, RevocationUrl, Scope, StandardRevocableToken, TokenResponse, TokenUrl,
};
use tokio::sync::watch;

use crate::clock::Clock;
use crate::endpoints::{Endpoints, printable};
use crate::error::Error;
use crate::retry::{FailureKind, Retry};
use crate::tokens::{Answer, Secret, Tokens};
use crate::transport::{self, Failure};

/// Longer than for other requests: the server has to hash the password, and may have others to hash first.
pub(crate) const LOGIN_LIMIT: Duration = Duration::from_secs(30);

/// The assumed lifetime of a token without `expires_in`, which RFC 6749 §5.1 only recommends.
const DEFAULT_LIFETIME: Duration = Duration::from_secs(300);

type OAuthClient = BasicClient<EndpointNotSet, EndpointNotSet, EndpointNotSet, EndpointNotSet, EndpointSet>;
type Refusal = RequestTokenError<Failure, BasicErrorResponse>;

/// Sends the requests of one client.
pub(crate) struct Exchange {
    pub http: reqwest::Client,
    pub clock: Arc<dyn Clock>,
    pub client_id: String,
    pub client_secret: Option<ClientSecret>,
    pub scope: Option<String>,
    /// How long one request may take, except for a login.
    pub limit: Duration,
}

impl Exchange {
    /// RFC 6749 §4.3. Sent only once, because a second request would start a second session.
    pub async fn password(&self, to: &Endpoints, username: &str, password: &str) -> Result<Answer, Error> {
        let username = ResourceOwnerUsername::new(username.into());
        let password = ResourceOwnerPassword::new(password.into());
        let client = self.client(to)?;
        let http = transport::sender(&self.http, &to.token, LOGIN_LIMIT);
        let requested_at = self.clock.now();
        let request = client.exchange_password(&username, &password).add_scopes(self.scopes());
        let answer = request.request_async(&http).await.map_err(|error| refused(error, || Error::WrongPassword))?;
        self.read(answer, requested_at)
    }

    /// RFC 6749 §6. Retried if the response is lost: within its grace period the server returns the same successor.
    pub async fn refresh(&self, to: &Endpoints, token: &Secret, hooks: &RetryHooks) -> Result<Answer, Error> {
        let client = self.client(to)?;
        let token = RefreshToken::new(token.expose().to_owned());
        let http = transport::sender(&self.http, &to.token, self.limit);
        let mut retry = Retry::once();
        loop {
            let requested_at = self.clock.now();
            let error = match client.exchange_refresh_token(&token).request_async(&http).await {
                Ok(answer) => return self.read(answer, requested_at),
                Err(error) => error,
            };
            let pause = retry.after(FailureKind::of(&error));
            let error = refused_refresh(error);
            let Some(pause) = pause else { return Err(error) };
            tracing::debug!(%error, ?pause, "retrying the refresh");
            if retry.is_long_delay(pause) {
                (hooks.on_delay)(&error);
            }
            if !hooks.pause(pause).await {
                return Err(error);
            }
        }
    }

    /// RFC 6749 §4.4.
    pub async fn client_credentials(&self, to: &Endpoints) -> Result<Answer, Error> {
        let client = self.client(to)?;
        let http = transport::sender(&self.http, &to.token, self.limit);
        let mut retry = Retry::new();
        loop {
            let requested_at = self.clock.now();
            let request = client.exchange_client_credentials().add_scopes(self.scopes());
            let error = match request.request_async(&http).await {
                Ok(answer) => return self.read(answer, requested_at),
                Err(error) => error,
            };
            let pause = retry.after(FailureKind::of(&error));
            let error = refused(error, || Error::Refused("invalid_grant".into()));
            let Some(pause) = pause else { return Err(error) };
            tracing::debug!(%error, ?pause, "retrying the request");
            tokio::time::sleep(pause).await;
        }
    }

    /// RFC 7009. Revokes the session by its refresh token, or else only the access token.
    pub async fn revoke(&self, to: &Endpoints, tokens: &Tokens) -> Result<(), Error> {
        let address = to.revocation.as_ref();
        let address = address.ok_or_else(|| Error::Setting("the server has no revocation endpoint".into()))?;
        // The crate accepts only https URLs here. The real address has been checked (endpoints.rs), and the sender
        // uses it, so the crate gets a placeholder.
        let url = RevocationUrl::new("https://revocation.invalid".into()).map_err(|error| setting(&error))?;
        let client = self.client(to)?.set_revocation_url(url);
        let http = transport::sender(&self.http, address, self.limit);
        let mut retry = Retry::new();
        loop {
            let token = match &tokens.refresh_token {
                Some(token) => StandardRevocableToken::from(RefreshToken::new(token.expose().to_owned())),
                None => oauth2::AccessToken::new(tokens.access_token.expose().to_owned()).into(),
            };
            let request = client.revoke_token(token).map_err(|error| setting(&error))?;
            let Err(error) = request.request_async(&http).await else { return Ok(()) };
            let pause = retry.after(FailureKind::of(&error));
            let error = match error {
                RequestTokenError::ServerResponse(body) => refusal(body.error(), body.error_description()),
                other => without_error_code(other),
            };
            let Some(pause) = pause else { return Err(error) };
            tracing::debug!(%error, ?pause, "retrying the revocation");
            tokio::time::sleep(pause).await;
        }
    }

    fn client(&self, to: &Endpoints) -> Result<OAuthClient, Error> {
        let mut client = BasicClient::new(ClientId::new(self.client_id.clone()));
        if let Some(secret) = &self.client_secret {
            client = client.set_client_secret(secret.clone());
        }
        Ok(client.set_token_uri(TokenUrl::new(to.token.to_string()).map_err(|error| setting(&error))?))
    }

    fn scopes(&self) -> impl Iterator<Item = Scope> {
        self.scope.iter().flat_map(|scope| scope.split(' ')).map(|name| Scope::new(name.to_owned()))
    }

    fn read(&self, answer: BasicTokenResponse, requested_at: std::time::SystemTime) -> Result<Answer, Error> {
        if answer.token_type() != &BasicTokenType::Bearer {
            return Err(Error::BadAnswer("the token type is not Bearer".into()));
        }
        let granted = answer.scopes().map(|names| names.iter().map(|name| name.as_str()).collect::<Vec<_>>().join(" "));
        Ok(Answer {
            access_token: Secret::new(answer.access_token().secret()),
            refresh_token: answer.refresh_token().map(|token| Secret::new(token.secret())),
            // RFC 6749 §5.1: if the scope is left out, it is the requested one.
            scope: granted.or_else(|| self.scope.clone()),
            lifetime: answer.expires_in().unwrap_or(DEFAULT_LIFETIME),
            requested_at,
        })
    }
}

/// How a refresh that is being retried affects its callers, and a login or logout affects the refresh.
pub(crate) struct RetryHooks {
    /// Called with the cause if the refresh will take long.
    pub on_delay: Box<dyn Fn(&Error) + Send + Sync>,
    /// How many logins and logouts are waiting.
    pub waiting: watch::Receiver<usize>,
}

impl RetryHooks {
    /// False if a login or logout is waiting, because that makes the refresh pointless.
    pub async fn pause(&self, pause: Duration) -> bool {
        let mut waiting = self.waiting.clone();
        tokio::select! {
            () = tokio::time::sleep(pause) => true,
            _ = waiting.wait_for(|count| *count > 0) => false,
        }
    }
}

/// `bad_grant` is the meaning of `invalid_grant` for this grant.
fn refused(error: Refusal, bad_grant: impl FnOnce() -> Error) -> Error {
    match error {
        RequestTokenError::ServerResponse(body) if body.error() == &BasicErrorResponseType::InvalidGrant => bad_grant(),
        RequestTokenError::ServerResponse(body) => refusal(body.error(), body.error_description()),
        other => without_error_code(other),
    }
}

/// A refresh asks for nothing but to go on with the session. So a grant or a scope that is refused is the session's, and
/// a login may start one that the server goes on with.
fn refused_refresh(error: Refusal) -> Error {
    use BasicErrorResponseType::{InvalidScope, UnauthorizedClient, UnsupportedGrantType};
    match error {
        RequestTokenError::ServerResponse(body)
            if matches!(body.error(), UnauthorizedClient | UnsupportedGrantType | InvalidScope) =>
        {
            Error::RefreshRefused(in_words(body.error(), body.error_description()))
        }
        other => refused(other, || Error::SessionOver),
    }
}

/// RFC 6749 §5.2.
fn refusal(code: &(impl AsRef<str> + ?Sized), description: Option<&String>) -> Error {
    let words = in_words(code, description);
    match code.as_ref() {
        "invalid_client" | "unauthorized_client" => Error::ClientRefused(words),
        "invalid_scope" => Error::InvalidScope(words),
        _ => Error::Refused(words),
    }
}

fn in_words(code: &(impl AsRef<str> + ?Sized), description: Option<&String>) -> String {
    let description = description.map(|text| format!(" ({})", printable(text))).unwrap_or_default();
    format!("{}{description}", printable(code.as_ref()))
}

fn without_error_code<T: oauth2::ErrorResponse + 'static>(error: RequestTokenError<Failure, T>) -> Error {
    match error {
        RequestTokenError::Request(failure) => failure.into(),
        // The body may contain tokens, and serde's message may quote it, so the error names only the place.
        RequestTokenError::Parse(error, _) => {
            Error::BadAnswer(format!("it does not match RFC 6749, at {}", printable(&error.path().to_string())))
        }
        RequestTokenError::Other(text) => Error::BadAnswer(printable(&text)),
        RequestTokenError::ServerResponse(_) => Error::BadAnswer("an unexpected error response".into()),
    }
}

fn setting(error: &dyn std::error::Error) -> Error {
    Error::Setting(error.to_string())
}
