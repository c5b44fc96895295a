//! Flows driven entirely by the `oauth2` crate over TLS, as an independent client library.

use ficha_authority::{ClientScopes, Grant};
use ficha_store::testing::TestDatabase;
use oauth2::basic::{BasicClient, BasicErrorResponse, BasicErrorResponseType, BasicTokenType};
use oauth2::{
    AccessToken, AuthType, ClientId, ClientSecret, ConfigurationError, HttpClientError, HttpRequest, HttpResponse,
    IntrospectionUrl, RefreshToken, RequestTokenError, ResourceOwnerPassword, ResourceOwnerUsername, RevocationUrl,
    Scope, StandardRevocableToken, TokenIntrospectionResponse, TokenResponse, TokenUrl,
};

use crate::certificates::{Certified, Files};
use ficha_testing::{App, Client, ISSUER, PASSWORD};

type Failed = HttpClientError<reqwest::Error>;

/// The crate's HTTP client interface, on top of a client that trusts the test's certificate.
async fn send(http: reqwest::Client, request: HttpRequest) -> Result<HttpResponse, Failed> {
    let response = http.execute(request.try_into().map_err(Box::new)?).await.map_err(Box::new)?;
    let mut answer = oauth2::http::Response::builder().status(response.status());
    for (name, value) in response.headers() {
        answer = answer.header(name, value);
    }
    Ok(answer.body(response.bytes().await.map_err(Box::new)?.to_vec())?)
}

/// The crate's client for a registered client.
macro_rules! client {
    ($app:expr, $client:expr) => {
        BasicClient::new(ClientId::new($client.id.clone()))
            .set_client_secret(ClientSecret::new($client.secret.clone()))
            .set_token_uri(TokenUrl::new($app.url("/token")).expect("a URL"))
            .set_introspection_url(IntrospectionUrl::new($app.url("/introspect")).expect("a URL"))
            .set_revocation_url(RevocationUrl::new($app.url("/revoke")).expect("a URL"))
    };
}

/// The error response of the server.
fn refusal<T: std::fmt::Debug>(
    answer: Result<T, RequestTokenError<Failed, BasicErrorResponse>>,
) -> BasicErrorResponseType {
    match answer {
        Err(RequestTokenError::ServerResponse(body)) => {
            assert!(body.error_description().is_some_and(|words| !words.is_empty()), "{body:?}");
            body.error().clone()
        }
        other => panic!("an error response was expected: {other:?}"),
    }
}

async fn me(app: &App, token: &AccessToken) -> u16 {
    app.me(token.secret()).await.as_u16()
}

async fn start(database: &TestDatabase) -> (App, Files) {
    let certified = Certified::new();
    let files = Files::new(&certified);
    let mut app = App::start_with(database, |options| files.apply(options)).await;
    app.http = certified.client();
    app.add_user("alice", "notes:read notes:write").await;
    (app, files)
}

ficha_store::on_both_databases! {
    async fn the_whole_flow_with_the_oauth2_crate_over_tls(database: TestDatabase) {
        let (app, _files) = start(&database).await;
        let registered = app.add_client("app + co: 100%", |_| ()).await;
        let http = |request| send(app.http.clone(), request);
        for auth_type in [AuthType::BasicAuth, AuthType::RequestBody] {
            let client = client!(app, registered).set_auth_type(auth_type);
            let (name, password) = (ResourceOwnerUsername::new("alice".into()), ResourceOwnerPassword::new(PASSWORD.into()));

            let request = client.exchange_password(&name, &password).add_scope(Scope::new("notes:read".into()));
            let tokens = request.request_async(&http).await.expect("the password is right");
            assert_eq!(tokens.token_type(), &BasicTokenType::Bearer);
            assert_eq!(tokens.expires_in(), Some(std::time::Duration::from_secs(600)));
            assert_eq!(tokens.scopes(), Some(&vec![Scope::new("notes:read".into())]));
            assert_eq!(me(&app, tokens.access_token()).await, 200);

            let refresh = tokens.refresh_token().expect("a refresh token").clone();
            let renewed = client.exchange_refresh_token(&refresh).request_async(&http).await.expect("it is valid");
            let next = renewed.refresh_token().expect("a refresh token");
            assert_ne!(next.secret(), refresh.secret());
            assert_eq!(me(&app, renewed.access_token()).await, 200);

            let seen = client.introspect(renewed.access_token()).set_token_type_hint("access_token");
            let seen = seen.request_async(&http).await.expect("a client may introspect its own token");
            assert!(seen.active());
            assert_eq!(seen.scopes(), Some(&vec![Scope::new("notes:read".into())]));
            assert_eq!(seen.client_id().map(|id| id.as_str()), Some(registered.id.as_str()));
            assert_eq!(seen.token_type(), Some(&BasicTokenType::Bearer));
            assert_eq!((seen.iss(), seen.aud()), (Some(ISSUER), Some(&vec![ISSUER.to_owned()])));
            let life = seen.exp().expect("an exp") - seen.iat().expect("an iat");
            assert_eq!(life.num_seconds(), 600);
            assert!(seen.sub().is_some() && seen.jti().is_some());

            // First an access token alone, and then the refresh token with its whole session.
            let revoke = async |token: StandardRevocableToken| {
                let request = client.revoke_token(token).expect("the address is https");
                request.request_async(&http).await.expect("it is revoked");
            };
            revoke(tokens.access_token().into()).await;
            assert_eq!((me(&app, tokens.access_token()).await, me(&app, renewed.access_token()).await), (401, 200));
            revoke(next.into()).await;
            assert_eq!(me(&app, renewed.access_token()).await, 401);
            let seen = client.introspect(renewed.access_token()).request_async(&http).await.expect("an answer");
            assert!(!seen.active() && seen.sub().is_none());
            assert_eq!(
                refusal(client.exchange_refresh_token(next).request_async(&http).await),
                BasicErrorResponseType::InvalidGrant
            );
        }
    }

    async fn a_client_gets_a_token_for_itself_with_the_oauth2_crate(database: TestDatabase) {
        let (app, _files) = start(&database).await;
        let scopes = ClientScopes::Only("notes:read".parse().expect("a scope"));
        let registered = app.add_client("worker", |new| new.scopes = scopes).await;
        let http = |request| send(app.http.clone(), request);
        let client = client!(app, registered);
        let tokens = client.exchange_client_credentials().request_async(&http).await.expect("the secret is right");
        assert_eq!(tokens.scopes(), Some(&vec![Scope::new("notes:read".into())]));
        assert!(tokens.refresh_token().is_none());
        assert_eq!(me(&app, tokens.access_token()).await, 200);
        let request = client.exchange_client_credentials().add_scope(Scope::new("notes:write".into()));
        assert_eq!(refusal(request.request_async(&http).await), BasicErrorResponseType::InvalidScope);
    }

    async fn the_oauth2_crate_understands_every_error(database: TestDatabase) {
        let (app, _files) = start(&database).await;
        let registered = app.add_client("app", |_| ()).await;
        let http = |request| send(app.http.clone(), request);
        let client = client!(app, registered);
        let alice = ResourceOwnerUsername::new("alice".into());
        let right = ResourceOwnerPassword::new(PASSWORD.into());
        let wrong = ResourceOwnerPassword::new("wrong".into());

        let answer = client.exchange_password(&alice, &wrong).request_async(&http).await;
        assert_eq!(refusal(answer), BasicErrorResponseType::InvalidGrant);
        let answer = client.exchange_refresh_token(&RefreshToken::new("x".into())).request_async(&http).await;
        assert_eq!(refusal(answer), BasicErrorResponseType::InvalidGrant);
        let request = client.exchange_password(&alice, &right).add_scope(Scope::new("nothing:here".into()));
        assert_eq!(refusal(request.request_async(&http).await), BasicErrorResponseType::InvalidScope);
        let empty = ResourceOwnerPassword::new(String::new());
        let answer = client.exchange_password(&alice, &empty).request_async(&http).await;
        assert_eq!(refusal(answer), BasicErrorResponseType::InvalidRequest);

        let impostor = Client { secret: "wrong".into(), ..registered.clone() };
        let answer = client!(app, impostor).exchange_password(&alice, &right).request_async(&http).await;
        assert_eq!(refusal(answer), BasicErrorResponseType::InvalidClient);
        let limited = app.add_client("limited", |new| new.grants = vec![Grant::ClientCredentials]).await;
        let answer = client!(app, limited).exchange_password(&alice, &right).request_async(&http).await;
        assert_eq!(refusal(answer), BasicErrorResponseType::UnauthorizedClient);
    }

    async fn the_oauth2_crate_revokes_nothing_over_plain_http(database: TestDatabase) {
        let app = App::start(&database).await;
        let registered = app.add_client("app", |_| ()).await;
        let client = client!(app, registered);
        let refused = client.revoke_token(AccessToken::new("x".into()).into());
        assert!(matches!(refused, Err(ConfigurationError::InsecureUrl("revocation"))), "so these tests run over TLS");
    }
}
