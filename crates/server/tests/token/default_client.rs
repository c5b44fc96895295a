//! The default client of requests that name no client.

use ficha_authority::{ClientScopes, Issuer};
use ficha_store::testing::TestDatabase;

use crate::raw::{self, encode};
use ficha_testing::{App, Options, PASSWORD, claims};

const LOGIN: [(&str, &str); 3] = [("grant_type", "password"), ("username", "alice"), ("password", PASSWORD)];

fn issuer(text: &'static str) -> impl FnOnce(&mut Options) {
    move |options| options.settings.issuer = Issuer::parse(text).expect("a valid issuer")
}

/// The client of the token that a login gets with these header lines.
async fn client_of(app: &App, header: &str, more: &str) -> Result<String, (u16, String)> {
    let answer = raw::post(app, header, &format!("{}{more}", encode(&LOGIN))).await;
    if answer.status != 200 {
        return Err((answer.status, answer.error()));
    }
    let token = answer.json()["access_token"].as_str().expect("a token").to_owned();
    Ok(claims(&token)["client_id"].as_str().expect("a client").to_owned())
}

fn refused() -> Result<String, (u16, String)> {
    Err((401, "invalid_client".into()))
}

ficha_store::on_both_databases! {
    async fn on_a_loopback_issuer_it_is_first_party(database: TestDatabase) {
        let first = App::start(&database).await;
        first.add_user("alice", "").await;
        for loopback in
            ["http://127.0.0.1:8000", "http://localhost:8000", "https://auth.localhost", "http://[::1]:8000"]
        {
            let app = first.another_with(&database, issuer(loopback)).await;
            assert_eq!(client_of(&app, "", "").await, Ok("first-party".into()), "{loopback}");
        }
    }

    async fn elsewhere_there_is_none(database: TestDatabase) {
        let app = App::start_with(&database, issuer("https://auth.example.com")).await;
        app.add_user("alice", "").await;
        assert_eq!(client_of(&app, "", "").await, refused());
        assert_eq!(client_of(&app, &raw::basic("", ""), "").await, refused());
        assert_eq!(client_of(&app, "", "&client_id=first-party").await, Ok("first-party".into()));
        assert_eq!(client_of(&app, &raw::basic("first-party", ""), "").await, Ok("first-party".into()));
    }

    async fn the_setting_names_it_wherever_the_issuer_is(database: TestDatabase) {
        let first = App::start(&database).await;
        first.add_user("alice", "").await;
        for (text, name) in [("https://auth.example.com", "web"), ("http://127.0.0.1:8000", "mobile")] {
            let app = first
                .another_with(&database, |options| {
                    issuer(text)(options);
                    options.settings.token.default_client = Some(name.into());
                })
                .await;
            // The setting may name a client that does not exist yet.
            assert_eq!(client_of(&app, "", "").await, refused());
            app.add_client(name, |new| new.public = true).await;
            assert_eq!(client_of(&app, "", "").await, Ok(name.into()), "{text}");
        }
    }

    async fn a_confidential_default_client_has_to_authenticate_like_any_other(database: TestDatabase) {
        let app = App::start_with(&database, |options| {
            options.settings.token.default_client = Some("shop".into());
        })
        .await;
        app.add_user("alice", "").await;
        let client = app.add_client("shop", |new| new.scopes = ClientScopes::Any).await;
        assert_eq!(client_of(&app, "", "").await, refused());
        assert_eq!(client_of(&app, &raw::basic(&client.id, &client.secret), "").await, Ok("shop".into()));
    }

    async fn a_request_with_credentials_is_never_from_the_default_client(database: TestDatabase) {
        let app = App::start(&database).await;
        app.add_user("alice", "").await;
        let unauthenticated = [
            raw::basic("nobody", ""),
            raw::basic("nobody", "secret"),
            raw::basic("", "secret"),
            raw::basic("first-party", "secret"),
            raw::basic_of(b"first-party"),
            "Authorization: Bearer x\r\n".into(),
            "Authorization: Basic\r\n".into(),
        ];
        for header in unauthenticated {
            assert_eq!(client_of(&app, &header, "").await, refused(), "{header}");
        }
        for more in ["&client_id=nobody", "&client_id=nobody&client_secret=x", "&client_id=first-party&client_secret=x"]
        {
            assert_eq!(client_of(&app, "", more).await, refused(), "{more}");
        }
        assert_eq!(client_of(&app, "", "&client_secret=x").await, Err((400, "invalid_request".into())));
        assert_eq!(
            client_of(&app, &raw::basic("", ""), "&client_secret=x").await,
            Err((400, "invalid_request".into()))
        );
    }

    async fn basic_with_an_empty_secret_is_a_public_client_and_entirely_empty_is_none(database: TestDatabase) {
        let app = App::start(&database).await;
        app.add_user("alice", "").await;
        app.add_client("app", |new| new.public = true).await;
        assert_eq!(client_of(&app, &raw::basic("app", ""), "").await, Ok("app".into()));
        assert_eq!(client_of(&app, &raw::basic("", ""), "").await, Ok("first-party".into()));
        assert_eq!(client_of(&app, &raw::basic("", ""), "&client_id=app").await, Ok("app".into()));
    }
}
