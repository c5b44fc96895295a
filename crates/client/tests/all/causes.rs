//! What an error says about its cause, and what it never says.

use std::error::Error as StdError;
use std::io::ErrorKind;
use std::time::Duration;

use ficha_client::{Error, FileStore, StoreError, TokenSource, TokenStore, http_client};
use serde_json::json;
use tokio::net::TcpListener;

use crate::network::{self, StubServer};
use ficha_testing::PASSWORD;

fn chain<'a>(error: &'a (dyn StdError + 'static)) -> impl Iterator<Item = &'a (dyn StdError + 'static)> {
    std::iter::successors(Some(error), |error: &&'a (dyn StdError + 'static)| (*error).source())
}

fn cause<T: StdError + 'static>(error: &Error) -> Option<&T> {
    chain(error).find_map(|error| error.downcast_ref())
}

async fn login(url: &str) -> Error {
    let builder = TokenSource::builder(url, "app").client_secret("the-secret").endpoints(&format!("{url}/token"), None);
    builder.build().unwrap().login("alice", PASSWORD).await.unwrap_err()
}

#[tokio::test]
async fn a_refused_connection_is_found_in_the_chain() {
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let error = login(&format!("http://{closed}")).await;
    assert!(error.is_connect() && !error.is_timeout(), "{error:?}");
    assert!(StdError::source(&error).unwrap().is::<reqwest::Error>());
    assert_eq!(cause::<std::io::Error>(&error).unwrap().kind(), ErrorKind::ConnectionRefused);
    // The text alone says it too.
    assert!(error.to_string().contains("refused"), "{error}");
}

#[tokio::test]
async fn a_time_limit_that_was_exceeded_is_told_apart_from_a_lost_connection() {
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", silent.local_addr().unwrap());
    let source = TokenSource::builder(&url, "app").time_limit(Duration::from_millis(50)).build().unwrap();
    let error = source.access_token().await.unwrap_err();
    assert!(matches!(error, Error::NotLoggedIn) && !error.is_timeout() && !error.is_connect(), "{error:?}");
    let error = source.login("alice", PASSWORD).await.unwrap_err();
    assert!(error.is_timeout() && !error.is_connect(), "{error:?}");
    assert!(cause::<reqwest::Error>(&error).unwrap().is_timeout());
    let lost = login(&StubServer::responding("").await.url("")).await;
    assert!(matches!(lost, Error::Network(_)) && !lost.is_timeout() && !lost.is_connect(), "{lost:?}");
    assert!(cause::<reqwest::Error>(&lost).is_some());
    let failed = login(&StubServer::responding("502 Bad Gateway\r\n").await.url("")).await;
    assert!(failed.to_string().contains("502") && StdError::source(&failed).is_none(), "{failed:?}");
}

#[tokio::test]
async fn an_error_of_a_store_keeps_its_cause() {
    let full = std::io::Error::new(ErrorKind::StorageFull, "the disk is full");
    let error = Error::from(StoreError::other(full));
    assert_eq!(error.to_string(), "the token store failed: the disk is full");
    assert_eq!(cause::<std::io::Error>(&error).unwrap().kind(), ErrorKind::StorageFull);
    let file = tempfile::NamedTempFile::new().unwrap();
    let error = Error::from(FileStore::new(file.path().join("token.json")).load().await.unwrap_err());
    assert_eq!(cause::<std::io::Error>(&error).unwrap().kind(), ErrorKind::NotADirectory, "{error:?}");
}

#[tokio::test]
async fn no_error_and_no_cause_shows_a_secret() {
    let half =
        "200 OK\r\nContent-Length: 500\r\nContent-Type: application/json\r\n\r\n{\"access_token\":\"the-access\"";
    // A number was expected, and serde's message would quote what is there instead.
    let odd = json!({ "access_token": "the-access", "token_type": "Bearer", "expires_in": "the-refresh" });
    let odd = network::json("200 OK", &odd);
    let mut errors = vec![login("http://127.0.0.1:1").await];
    for answer in ["", half, &odd, "502 Bad Gateway\r\n", "404 Not Found\r\n", "200 OK\r\n"] {
        errors.push(login(&StubServer::responding(answer).await.url("")).await);
    }
    let proxy = reqwest::Proxy::all("http://me:the-word@127.0.0.1:1").unwrap();
    let builder =
        TokenSource::builder("https://auth.example.com", "app").http_client(http_client().unwrap().proxy(proxy));
    errors.push(builder.build().unwrap().login("alice", PASSWORD).await.unwrap_err());
    for error in &errors {
        for error in chain(error) {
            let shown = format!("{error} {error:?}");
            for secret in [PASSWORD, "the-secret", "the-access", "the-refresh", "the-word"] {
                assert!(!shown.contains(secret), "{shown}");
            }
        }
    }
}
