//! The last error of each thing that is read, for people who look for a problem.

use ficha_resource::NotReady;
use serde_json::json;

use crate::server::{Answer, Feed};
use crate::support::{World, eventually};

const SECRET: &str = "needle-in-a-haystack";

fn reply(status: u16, body: &str) -> Answer {
    Answer::Reply { status, headers: String::new(), body: body.to_owned() }
}

#[tokio::test]
async fn a_key_set_that_cannot_be_read_says_why_until_it_can() {
    let world = World::new().await;
    let good = world.server.state().jwks.clone();
    world.server.change(|state| state.jwks = Answer::status(503, ""));
    let oauth2 = world.service().build().await.unwrap();
    let readiness = oauth2.readiness();
    let error = readiness.last_error(NotReady::NoKeys).unwrap().to_owned();
    assert!(error.contains("503"), "{error}");
    assert!(readiness.to_string().contains(&error), "{readiness}");
    assert_eq!(oauth2.stats().keys_error.as_deref(), Some(error.as_str()));
    assert_eq!(oauth2.stats().denylist.unwrap().error, None);
    world.server.change(|state| state.jwks = good);
    eventually("the keys are there", || oauth2.readiness().is_ready()).await;
    assert_eq!(oauth2.stats().keys_error, None);
}

#[tokio::test]
async fn a_denylist_that_cannot_be_read_says_why_and_what_to_do() {
    let world = World::new().await;
    let oauth2 = world.service().credentials("notes-api", SECRET).build().await.unwrap();
    world.server.change(|state| state.feed = Feed::Other(Answer::status(401, "")));
    eventually("it was refused", || oauth2.stats().denylist.unwrap().error.is_some()).await;
    let error = oauth2.stats().denylist.unwrap().error.unwrap();
    assert!(error.contains("401") && error.contains("credentials()"), "{error}");
    world.advance(30);
    assert_eq!(oauth2.readiness().last_error(NotReady::LeaseOver), Some(error.as_str()));
}

#[tokio::test]
async fn metadata_that_cannot_be_read_says_why() {
    let world = World::new().await;
    let issuer = world.server.state().issuer.clone();
    world.server.change(|state| state.metadata = Some(json!({"issuer": [SECRET]})));
    let oauth2 = world.service().build().await.unwrap();
    let error = oauth2.readiness().last_error(NotReady::NoMetadata).unwrap().to_owned();
    assert!(error.contains("another shape"), "{error}");
    assert_eq!(oauth2.stats().metadata_error, Some(error));
    let urls = |path: &str| format!("{issuer}{path}");
    let metadata = json!({"issuer": issuer, "jwks_uri": urls("/jwks"), "denylist_endpoint": urls("/denylist")});
    world.server.change(|state| state.metadata = Some(metadata));
    eventually("it is ready", || oauth2.readiness().is_ready()).await;
    assert_eq!(oauth2.stats().metadata_error, None);
}

#[tokio::test]
async fn no_error_repeats_a_secret_or_what_a_server_says() {
    let world = World::new().await;
    let oauth2 = world.service().credentials("notes-api", SECRET).build().await.unwrap();
    let echoes = [json!({"cursor": "c", "entries": SECRET}).to_string(), format!("{SECRET}{{")];
    for (round, body) in echoes.iter().enumerate() {
        world.server.change(|state| state.feed = Feed::Other(reply(200, body)));
        let failed = || oauth2.stats().denylist.unwrap().polls_failed;
        let before = failed();
        eventually("it fails", || failed() >= before + 1 + u64::from(round == 0)).await;
        world.advance(31);
        let said = format!("{:?} {} {:?}", oauth2.stats(), oauth2.readiness(), oauth2.readiness());
        assert!(said.contains("JSON") && !said.contains("needle"), "{said}");
    }
}
