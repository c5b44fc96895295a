//! The requests to the authorization server, by the `oauth2` crate.

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
use crate::retry::{Retry, Setback};
use crate::tokens::{Answer, Secret, Tokens};
use crate::transport::{self, Failure};

/// A login may wait for a hash, and for others that wait for theirs.
pub(crate) const LOGIN_LIMIT: Duration = Duration::from_secs(30);

/// RFC 6749 §5.1 lets a server leave `expires_in` out. Then a token is taken to live this long.
const LIFE_UNLESS_SAID: Duration = Duration::from_secs(300);

type OAuthClient = BasicClient<EndpointNotSet, EndpointNotSet, EndpointNotSet, EndpointNotSet, EndpointSet>;
type Refusal = RequestTokenError<Failure, BasicErrorResponse>;

/// Speaks for one client to one server.
pub(crate) struct Exchange {
    pub http: reqwest::Client,
    pub clock: Arc<dyn Clock>,
    pub client_id: String,
    pub client_secret: Option<ClientSecret>,
    pub scope: Option<String>,
    /// How long one request may take, but for a login.
    pub limit: Duration,
}

impl Exchange {
    /// RFC 6749 §4.3. Sent once: a second one would be a second session.
    pub async fn password(&self, to: &Endpoints, username: &str, password: &str) -> Result<Answer, Error> {
        let (name, word) = (ResourceOwnerUsername::new(username.into()), ResourceOwnerPassword::new(password.into()));
        let client = self.client(to)?;
        let http = transport::sender(&self.http, &to.token, LOGIN_LIMIT);
        let asked_at = self.clock.now();
        let request = client.exchange_password(&name, &word).add_scopes(self.scopes());
        let answer = request.request_async(&http).await.map_err(|error| refused(error, || Error::WrongPassword))?;
        self.read(answer, asked_at)
    }

    /// RFC 6749 §6. Sent again when the answer is lost: within its grace the server gives the same successor.
    pub async fn refresh(&self, to: &Endpoints, token: &Secret, held_up: &HeldUp) -> Result<Answer, Error> {
        let client = self.client(to)?;
        let token = RefreshToken::new(token.expose().to_owned());
        let http = transport::sender(&self.http, &to.token, self.limit);
        let mut retry = Retry::once();
        loop {
            let asked_at = self.clock.now();
            let error = match client.exchange_refresh_token(&token).request_async(&http).await {
                Ok(answer) => return self.read(answer, asked_at),
                Err(error) => error,
            };
            let pause = retry.after(Setback::of(&error));
            let error = refused(error, || Error::SessionOver);
            let Some(pause) = pause else { return Err(error) };
            tracing::debug!(%error, ?pause, "the refresh is sent again");
            if retry.is_worn(pause) {
                held_up.say(&error);
            }
            if !held_up.rest(pause).await {
                return Err(error);
            }
        }
    }

    /// RFC 6749 §4.4.
    pub async fn for_itself(&self, to: &Endpoints) -> Result<Answer, Error> {
        let client = self.client(to)?;
        let http = transport::sender(&self.http, &to.token, self.limit);
        let mut retry = Retry::new();
        loop {
            let asked_at = self.clock.now();
            let request = client.exchange_client_credentials().add_scopes(self.scopes());
            let error = match request.request_async(&http).await {
                Ok(answer) => return self.read(answer, asked_at),
                Err(error) => error,
            };
            let pause = retry.after(Setback::of(&error));
            let error = refused(error, || Error::Refused("invalid_grant".into()));
            let Some(pause) = pause else { return Err(error) };
            tracing::debug!(%error, ?pause, "the request is sent again");
            tokio::time::sleep(pause).await;
        }
    }

    /// RFC 7009: the session, by its refresh token, or else the access token alone.
    pub async fn revoke(&self, to: &Endpoints, tokens: &Tokens) -> Result<(), Error> {
        let address = to.revocation.as_ref();
        let address = address.ok_or_else(|| Error::Setting("the server has no revocation endpoint".into()))?;
        // The crate refuses any URL but https here. Whether this one may be used is decided by now (endpoints.rs), and
        // `send` goes to it, so the crate gets a name that it takes.
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
            let pause = retry.after(Setback::of(&error));
            let error = match error {
                RequestTokenError::ServerResponse(body) => refusal(body.error(), body.error_description()),
                other => unanswered(other),
            };
            let Some(pause) = pause else { return Err(error) };
            tracing::debug!(%error, ?pause, "the revocation is sent again");
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

    fn read(&self, answer: BasicTokenResponse, asked_at: std::time::SystemTime) -> Result<Answer, Error> {
        if answer.token_type() != &BasicTokenType::Bearer {
            return Err(Error::BadAnswer("the token is no bearer token".into()));
        }
        let granted = answer.scopes().map(|names| names.iter().map(|name| name.as_str()).collect::<Vec<_>>().join(" "));
        Ok(Answer {
            access_token: Secret::new(answer.access_token().secret()),
            refresh_token: answer.refresh_token().map(|token| Secret::new(token.secret())),
            // RFC 6749 §5.1: left out, it is what was asked for.
            scope: granted.or_else(|| self.scope.clone()),
            lives: answer.expires_in().unwrap_or(LIFE_UNLESS_SAID),
            asked_at,
        })
    }
}

/// What a refresh that is held up has to do with others.
pub(crate) struct HeldUp {
    /// Told that it takes long, and why.
    pub tell: Box<dyn Fn(&Error) + Send + Sync>,
    /// How many wait to change the session themselves.
    pub waiting: watch::Receiver<usize>,
}

impl HeldUp {
    fn say(&self, error: &Error) {
        (self.tell)(error);
    }

    /// False if somebody waits who changes the session anyway: a login or a logout makes the refresh pointless.
    async fn rest(&self, pause: Duration) -> bool {
        let mut waiting = self.waiting.clone();
        tokio::select! {
            () = tokio::time::sleep(pause) => true,
            _ = waiting.wait_for(|count| *count > 0) => false,
        }
    }
}

/// `bad_grant` is what `invalid_grant` means for this grant.
fn refused(error: Refusal, bad_grant: impl FnOnce() -> Error) -> Error {
    match error {
        RequestTokenError::ServerResponse(body) if body.error() == &BasicErrorResponseType::InvalidGrant => bad_grant(),
        RequestTokenError::ServerResponse(body) => refusal(body.error(), body.error_description()),
        other => unanswered(other),
    }
}

/// RFC 6749 §5.2.
fn refusal(code: &(impl AsRef<str> + ?Sized), words: Option<&String>) -> Error {
    let code = printable(code.as_ref());
    let words = words.map(|words| format!(" ({})", printable(words))).unwrap_or_default();
    match code.as_str() {
        "invalid_client" | "unauthorized_client" => Error::ClientRefused(format!("{code}{words}")),
        "invalid_scope" => Error::InvalidScope(format!("{code}{words}")),
        _ => Error::Refused(format!("{code}{words}")),
    }
}

fn unanswered<T: oauth2::ErrorResponse + 'static>(error: RequestTokenError<Failure, T>) -> Error {
    match error {
        RequestTokenError::Request(failure) => failure.into(),
        // Its body may hold tokens, and serde's message may quote it: only the place is said.
        RequestTokenError::Parse(error, _) => {
            Error::BadAnswer(format!("not what RFC 6749 describes, at {}", printable(&error.path().to_string())))
        }
        RequestTokenError::Other(words) => Error::BadAnswer(printable(&words)),
        RequestTokenError::ServerResponse(_) => Error::BadAnswer("a refusal".into()),
    }
}

fn setting(error: &dyn std::error::Error) -> Error {
    Error::Setting(error.to_string())
}
