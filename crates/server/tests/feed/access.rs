//! Who may follow the feed, and which parameters are valid.

use std::time::Duration;

use ficha_authority::{ClientChange, Issuer};
use ficha_store::testing::TestDatabase;
use reqwest::StatusCode;

use crate::support::*;
use ficha_testing::{App, Client, Options, error, tester};

/// An issuer that other machines can reach: following requires client credentials.
fn public_issuer(options: &mut Options) {
    options.settings.issuer = Issuer::parse("https://auth.example.com").expect("a good issuer");
}

async fn resource_server(app: &App, id: &str) -> Client {
    app.add_client(id, |new| {
        new.serves = vec!["notes".into()];
        new.grants = Vec::new();
    })
    .await
}

fn assert_challenge(response: &reqwest::Response) {
    let challenge = response.headers()["www-authenticate"].to_str().expect("a text");
    assert!(challenge.starts_with("Basic "), "{challenge}");
}

ficha_store::on_both_databases! {
    async fn only_a_client_that_serves_an_audience_can_follow(database: TestDatabase) {
        let app = App::start_with(&database, public_issuer).await;
        let notes = resource_server(&app, "notes-api").await;
        read_page(poll_as(&app, &notes, "").await).await;
        let app_client = app.add_client("app", |_| ()).await;
        let words = error(poll_as(&app, &app_client, "").await, 403, "unauthorized_client").await;
        assert!(words.contains("ficha client set CLIENT --serves AUDIENCE"), "{words}");
        let public = app.add_client("page", |new| {
            new.public = true;
            new.serves = Vec::new();
        });
        let public = public.await;
        let wrong = Client { secret: "wrong".into(), ..notes.clone() };
        let unknown = Client { id: "nobody".into(), secret: "x".into() };
        let without = Client { secret: String::new(), ..notes.clone() };
        let nobody = Client { id: String::new(), secret: String::new() };
        for client in [&wrong, &unknown, &without, &public, &nobody] {
            let response = poll_as(&app, client, "").await;
            assert_challenge(&response);
            error(response, 401, "invalid_client").await;
        }
        for header in ["Bearer x", "Basic", "Basic !", "basic eA==", ""] {
            let request = app.http.get(app.url("/denylist")).header("authorization", header);
            let response = request.send().await.expect("an answer");
            assert_challenge(&response);
            error(response, 401, "invalid_client").await;
        }
        let two = app.http.get(app.url("/denylist")).header("authorization", "Basic x").header("authorization", "Basic y");
        error(two.send().await.expect("an answer"), 400, "invalid_request").await;
    }

    async fn a3_credentials_in_the_query_are_never_honoured(database: TestDatabase) {
        let app = App::start_with(&database, public_issuer).await;
        let notes = resource_server(&app, "notes-api").await;
        let query = format!("client_id={}&client_secret={}", notes.id, notes.secret);
        error(poll(&app, &query).await, 401, "invalid_client").await;
        // They do no harm either: unknown parameters are ignored.
        read_page(poll_as(&app, &notes, "client_id=other&client_secret=x").await).await;
    }

    async fn anonymous_following_is_for_loopback_issuers_and_can_be_turned_off(database: TestDatabase) {
        let loopback = App::start(&database).await;
        assert_eq!(poll(&loopback, "").await.status(), 200);
        // Credentials that are sent must be valid, there too.
        let wrong = Client { id: "first-party".into(), secret: "x".into() };
        error(poll_as(&loopback, &wrong, "").await, 401, "invalid_client").await;
        let off = loopback.another_with(&database, |options| options.settings.denylist.anonymous = Some(false)).await;
        error(poll(&off, "").await, 401, "invalid_client").await;
        let on = loopback.another_with(&database, |options| options.settings.denylist.anonymous = Some(true)).await;
        assert_eq!(poll(&on, "").await.status(), 200);
        let public = loopback.another_with(&database, public_issuer).await;
        let response = poll(&public, "").await;
        assert_challenge(&response);
        error(response, 401, "invalid_client").await;
    }

    async fn a_client_that_loses_access_during_a_poll_is_rejected_when_the_poll_ends(database: TestDatabase) {
        let app = App::start_with(&database, public_issuer).await;
        let notes = resource_server(&app, "notes-api").await;
        let first = read_page(poll_as(&app, &notes, "").await).await;
        for change in ["disabled", "serves nothing"] {
            let request = app.http.get(app.url(&format!("/denylist?after={}&wait=1", first.cursor)));
            let request = request.basic_auth(&notes.id, Some(&notes.secret));
            let held = tokio::spawn(async move { request.send().await.expect("an answer") });
            waiting(&app, 1).await;
            if change == "disabled" {
                app.admin.set_client_enabled(&tester(), "notes-api", false).await.expect("it is there");
                let response = answered(held).await;
                error(response, 401, "invalid_client").await;
                app.admin.set_client_enabled(&tester(), "notes-api", true).await.expect("it is there");
                eventually("it can follow again", async || poll_as(&app, &notes, "").await.status() == 200).await;
            } else {
                let nothing = ClientChange { serves: Some(Vec::new()), ..ClientChange::default() };
                app.admin.change_client(&tester(), "notes-api", nothing).await.expect("it is there");
                error(answered(held).await, 403, "unauthorized_client").await;
            }
        }
    }

    async fn an_invalid_request_gets_an_error_that_says_what_is_valid(database: TestDatabase) {
        let app = app_with_alice(&database).await;
        let cursor = cursor(&app).await;
        for wait in ["31", "-1", "1.5", "10s", "x", "%2B1", "+1", "99999999999999999999"] {
            let words = error(poll(&app, &format!("after={cursor}&wait={wait}")).await, 400, "invalid_request").await;
            assert!(words.contains("from 0 to 30"), "{words}");
        }
        for nonce in ["x".repeat(129).as_str(), "%0A", "%C3%A9", "%7F"] {
            let words = error(poll(&app, &format!("nonce={nonce}")).await, 400, "invalid_request").await;
            assert!(words.contains("128 printable ASCII"), "{words}");
        }
        for query in ["wait=0&wait=0", "after=x&after=x", "nonce=a&nonce=b", "after=%ff"] {
            error(poll(&app, query).await, 400, "invalid_request").await;
        }
    }

    async fn a_nonce_is_repeated_and_no_response_may_be_cached(database: TestDatabase) {
        let app = app_with_alice(&database).await;
        revoked_token(&app).await;
        let whole = cursor(&app).await;
        for (sent, said) in [("N", "N"), ("%22%5C%20~", "\"\\ ~"), ("a%2Bb", "a+b"), (&"x".repeat(128), &"x".repeat(128))] {
            for after in [String::new(), "&after=x".to_owned(), format!("&after={whole}"), "&after=0.0".to_owned()] {
                let response = poll(&app, &format!("nonce={sent}{after}")).await;
                assert_eq!(response.headers()["cache-control"], "no-store");
                assert_eq!(response.headers()["content-type"], "application/json");
                assert_eq!(read_page(response).await.nonce.as_deref(), Some(said));
            }
        }
        assert_eq!(page(&app, "nonce=").await.nonce, None);
        // Exactly as documented.
        let text = poll(&app, &format!("after={whole}&nonce=N")).await.text().await.expect("a text");
        assert_eq!(text, format!(r#"{{"nonce":"N","cursor":"{whole}","reset":false,"entries":[]}}"#));
    }

    async fn only_get_is_allowed(database: TestDatabase) {
        let app = App::start(&database).await;
        for method in [reqwest::Method::HEAD, reqwest::Method::POST, reqwest::Method::DELETE] {
            let response = app.http.request(method, app.url("/denylist")).send().await.expect("an answer");
            assert_eq!(response.status(), StatusCode::METHOD_NOT_ALLOWED);
            assert_eq!(response.headers()["allow"], "GET");
        }
    }

    async fn a_wrong_secret_is_delayed_and_a_right_one_is_not(database: TestDatabase) {
        let app = App::start_with(&database, public_issuer).await;
        let notes = resource_server(&app, "notes-api").await;
        let wrong = Client { secret: "wrong".into(), ..notes.clone() };
        let guesses = async { futures_util::future::join_all((0..20).map(|_| poll_as(&app, &wrong, ""))).await };
        let right = async {
            let limit = tokio::time::timeout(Duration::from_secs(5), poll_as(&app, &notes, ""));
            limit.await.expect("it is not delayed").status()
        };
        let (_, status) = tokio::join!(guesses, right);
        assert_eq!(status, 200);
    }
}
