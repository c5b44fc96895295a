//! Following the denylist.

use std::time::{Duration, Instant};

use ficha_resource::{BuildError, HttpBearer, NotReady, OAuth2PasswordBearer, OnStale, VerifyError};
use serde_json::json;

use crate::server::{Answer, Feed};
use crate::support::{FAR, World, eventually, fresh_id, is_denied, is_stale, refusal};

#[tokio::test]
async fn a_revocation_reaches_a_service_whose_poll_is_held() {
    let world = World::new().await;
    let oauth2 = world.service().build().await.unwrap();
    assert!(oauth2.readiness().is_ready());
    let claims = world.claims();
    let token = world.key.sign(&claims).unwrap();
    assert_eq!(oauth2.verify_now(&token).unwrap().claims, claims);
    eventually("a poll is held", || world.server.state().open_polls == 1).await;
    assert_eq!(world.server.polls().last().unwrap().wait, Some(10), "a third of the lease");
    #[expect(clippy::disallowed_methods, reason = "how long it really takes")]
    let start = Instant::now();
    world.server.deny(claims.sid, FAR);
    eventually("the session is denied", || is_denied(&oauth2, &token)).await;
    assert!(start.elapsed() < Duration::from_secs(5), "it came with the held poll, not with the next one");
    assert!(oauth2.verify_now(&world.token()).is_ok(), "of another session");
}

/// The service, instance and choice about stale lists that the last poll told.
fn told(world: &World) -> [Option<String>; 3] {
    world.server.polls().last().unwrap().name.clone()
}

#[tokio::test]
async fn a_service_names_itself_to_the_server() {
    let world = World::new().await;
    let _oauth2 = world.service().instance("one").build().await.unwrap();
    assert_eq!(told(&world).map(Option::unwrap), ["notes", "one", "refuse"]);
}

// Only the extractors and middleware have routes.
#[cfg(feature = "actix")]
#[tokio::test]
async fn a_lenient_route_is_told_to_the_server() {
    let world = World::new().await;
    let strict = world.service().build().await.unwrap();
    assert_eq!(told(&world)[2].as_deref(), Some("refuse"));
    // A route whose choice is made when the application is built.
    drop(strict.require("notes:read").on_stale(OnStale::Accept));
    eventually("a poll is held", || world.server.state().open_polls == 1).await;
    world.server.deny(fresh_id(), FAR);
    eventually("the next poll tells it", || told(&world)[2].as_deref() == Some("accept")).await;
    assert_eq!(strict.readiness().to_string(), "ready", "the service itself still refuses");
}

#[tokio::test]
async fn tokens_revoked_before_the_service_started_are_refused_from_the_start() {
    let world = World::new().await;
    let claims = world.claims();
    world.server.deny(claims.jti, FAR);
    let oauth2 = world.service().build().await.unwrap();
    assert_eq!(refusal(&oauth2, &world.key.sign(&claims).unwrap()), VerifyError::Denied);
}

#[tokio::test]
async fn nothing_is_accepted_before_the_whole_list_has_been_read() {
    let world = World::new().await;
    let last = world.claims();
    world.server.change(|state| {
        state.page_size = 2;
        state.entries = (0..4).map(|_| (fresh_id(), FAR)).collect();
        state.entries.push((last.jti, FAR));
    });
    // At first, answers without a nonce, whose cursor must not be used.
    world.server.change(|state| state.feed = Feed::Replay(r#"{"cursor":"a.4","entries":[]}"#.into()));
    let building = tokio::spawn(world.service().build());
    eventually("it was given some of them", || world.server.polls().len() > 2).await;
    world.server.change(|state| state.feed = Feed::Normal);
    let oauth2 = building.await.unwrap().unwrap();
    assert!(is_denied(&oauth2, &world.key.sign(&last).unwrap()));
    let places: Vec<_> = world.server.polls().into_iter().map(|poll| poll.after).collect();
    let read: Vec<_> =
        places.iter().skip_while(|after| after.is_none()).take(2).map(|after| after.as_deref()).collect();
    assert_eq!(read, [Some("a.2"), Some("a.4")], "page by page, and no cursor from an answer to another request");
    assert_eq!(oauth2.stats().denylist.unwrap().entries, 5);
}

#[tokio::test]
async fn a_page_that_is_not_the_last_does_not_renew_the_lease() {
    let world = World::new().await;
    world.server.change(|state| state.entries = (0..5).map(|_| (fresh_id(), FAR)).collect());
    let oauth2 = world.service().build().await.unwrap();
    let token = world.token();
    assert!(oauth2.verify_now(&token).is_ok());
    // Practically endless: each page leads to another.
    world.server.change(|state| {
        state.page_size = 1;
        state.entries.extend((0..20_000).map(|_| (fresh_id(), FAR)));
    });
    eventually("it reads on", || world.server.polls().len() > 20).await;
    world.advance(30);
    assert!(is_stale(&oauth2, &token));
    let polls = world.server.polls().len();
    eventually("it still reads on", || world.server.polls().len() > polls + 20).await;
    assert!(is_stale(&oauth2, &token));
    assert_eq!(oauth2.readiness().reasons(), [NotReady::LeaseOver]);
    world.server.change(|state| state.page_size = 100_000);
    eventually("the list is complete", || oauth2.verify_now(&token).is_ok()).await;
}

#[tokio::test]
async fn a_follower_only_ever_adds_entries() {
    let world = World::new().await;
    let (first, second) = (world.claims(), world.claims());
    world.server.deny(first.jti, FAR);
    let oauth2 = world.service().build().await.unwrap();
    let tokens = [&first, &second].map(|claims| world.key.sign(claims).unwrap());
    assert!(is_denied(&oauth2, &tokens[0]) && oauth2.verify_now(&tokens[1]).is_ok());
    // The database is restored from an older backup: another history, in which the first was never revoked.
    world.server.change(|state| {
        state.history = "b".into();
        state.entries = vec![(second.jti, FAR)];
    });
    eventually("the second is denied", || is_denied(&oauth2, &tokens[1])).await;
    assert!(is_denied(&oauth2, &tokens[0]), "still denied");
    let stats = oauth2.stats().denylist.unwrap();
    assert_eq!((stats.entries, stats.resets), (2, 1));
    assert!(oauth2.readiness().is_ready());
}

#[tokio::test]
async fn an_entry_is_dropped_only_at_its_own_time() {
    let world = World::new().await;
    let claims = world.claims();
    let token = world.key.sign(&claims).unwrap();
    world.server.deny(claims.jti, world.claims().iat + 600);
    let oauth2 = world.service().lease(Duration::from_secs(3_600)).build().await.unwrap();
    assert!(is_denied(&oauth2, &token));
    world.advance(599);
    assert!(is_denied(&oauth2, &token));
    world.advance(1);
    assert!(oauth2.verify_now(&token).is_ok(), "the token outlives its entry, which no real server lets happen");
}

#[tokio::test]
async fn replayed_answers_do_not_renew_the_lease() {
    let world = World::new().await;
    let oauth2 = world.service().build().await.unwrap();
    let token = world.token();
    let revoked = world.claims();
    let old = json!({"cursor": "a.0", "nonce": "of another poll", "reset": false, "entries": [[revoked.jti, FAR]]});
    world.server.change(|state| state.feed = Feed::Replay(old.to_string()));
    eventually("answers are refused", || oauth2.stats().denylist.unwrap().polls_failed > 2).await;
    assert!(oauth2.verify_now(&token).is_ok(), "the lease is still valid");
    assert!(is_denied(&oauth2, &world.key.sign(&revoked).unwrap()), "entries are added from any answer");
    let another_is_refused = async || {
        let failed = oauth2.stats().denylist.unwrap().polls_failed;
        eventually("another is refused", || oauth2.stats().denylist.unwrap().polls_failed > failed).await;
    };
    world.advance(29);
    another_is_refused().await;
    assert!(oauth2.verify_now(&token).is_ok());
    world.advance(1);
    assert!(is_stale(&oauth2, &token));
    another_is_refused().await;
    assert!(is_stale(&oauth2, &token));
    world.server.change(|state| state.feed = Feed::Normal);
    eventually("it is current again", || oauth2.verify_now(&token).is_ok()).await;
    assert!(world.server.polls().iter().skip(1).all(|poll| poll.after.is_some()), "it went on from its cursor");
}

#[tokio::test]
async fn an_answer_without_the_nonce_does_not_renew_the_lease() {
    let world = World::new().await;
    world.server.change(|state| state.feed = Feed::Replay(r#"{"cursor":"a.0","reset":false,"entries":[]}"#.into()));
    let building = tokio::spawn(world.service().build());
    eventually("it asks more than once", || world.server.polls().len() > 2).await;
    world.server.change(|state| state.feed = Feed::Normal);
    assert!(building.await.unwrap().unwrap().readiness().is_ready());
}

#[tokio::test]
async fn garbage_does_not_renew_the_lease_and_breaks_nothing() {
    let world = World::new().await;
    let oauth2 = world.service().build().await.unwrap();
    let token = world.token();
    for body in ["", "{}", "<html>", r#"{"cursor":"a.0","entries":[["x",1]]}"#, r#"{"cursor":"","entries":[]}"#, "[[[["]
    {
        let failed = oauth2.stats().denylist.unwrap().polls_failed;
        world.server.change(|state| state.feed = Feed::Replay(body.into()));
        eventually("it is refused", || oauth2.stats().denylist.unwrap().polls_failed > failed).await;
    }
    world.advance(30);
    assert!(is_stale(&oauth2, &token));
    world.server.change(|state| state.feed = Feed::Normal);
    eventually("it is current again", || oauth2.verify_now(&token).is_ok()).await;
}

#[tokio::test]
async fn a_cursor_that_the_server_rejects_is_given_up() {
    let world = World::new().await;
    let oauth2 = world.service().build().await.unwrap();
    world.server.change(|state| state.feed = Feed::Other(Answer::status(400, "")));
    eventually("it starts over", || world.server.polls().last().unwrap().after.is_none()).await;
    world.server.change(|state| state.feed = Feed::Normal);
    world.advance(30);
    let token = world.token();
    eventually("it is current again", || oauth2.verify_now(&token).is_ok()).await;
}

#[tokio::test]
async fn the_follower_authenticates_with_the_given_credentials() {
    let world = World::new().await;
    let oauth2 = world.service().credentials("notes api", "s:%é").build().await.unwrap();
    assert!(oauth2.readiness().is_ready());
    let poll = world.server.polls()[0].clone();
    // RFC 6749 §2.3.1: base64 of "notes+api:s%3A%25%C3%A9".
    assert_eq!(poll.authorization.as_deref(), Some("Basic bm90ZXMrYXBpOnMlM0ElMjUlQzMlQTk="));
    assert!(!format!("{:?}", world.service().credentials("notes-api", "hunter2")).contains("hunter2"));
}

#[tokio::test]
async fn refused_credentials_fail_the_build() {
    for status in [401, 403] {
        let world = World::new().await;
        world.server.change(|state| state.feed = Feed::Other(Answer::status(status, "")));
        let error = world.service().build().await.unwrap_err();
        assert_eq!(error, BuildError::Refused { status });
        let advice = if status == 401 { "credentials()" } else { "--serves" };
        assert!(error.to_string().contains(advice), "{error}");
    }
}

#[tokio::test]
async fn a_follower_that_is_rejected_later_keeps_trying() {
    let rejected = |status| async move {
        let world = World::new().await;
        let oauth2 = world.service().build().await.unwrap();
        world.server.change(|state| state.feed = Feed::Other(Answer::status(status, "")));
        eventually("it was rejected", || oauth2.stats().denylist.unwrap().polls_failed == 1).await;
        let polls = world.server.polls().len();
        world.server.change(|state| state.feed = Feed::Normal);
        assert!(oauth2.verify_now(&world.token()).is_ok(), "the lease is still valid");
        assert_eq!(world.server.polls().len(), polls, "it does not hammer");
        eventually("it is accepted", || world.server.polls().len() > polls).await;
    };
    // Concurrently, because each takes as long as the pause.
    tokio::join!(rejected(401), rejected(403));
}

#[tokio::test]
async fn a_service_of_a_server_without_denylist_is_not_ready_and_keeps_trying() {
    let world = World::new().await;
    world.server.change(|state| state.feed = Feed::Other(Answer::status(404, "")));
    let building = tokio::spawn(world.service().build());
    eventually("it has asked", || !world.server.polls().is_empty()).await;
    world.server.change(|state| state.feed = Feed::Normal);
    let oauth2 = building.await.unwrap().unwrap();
    assert_eq!(oauth2.readiness().reasons(), [NotReady::NoDenylist]);
    assert!(is_stale(&oauth2, &world.token()));
    assert_eq!(world.server.polls().len(), 1, "it does not hammer");
    eventually("it is accepted", || oauth2.readiness().is_ready()).await;
}

#[tokio::test]
async fn retry_after_is_honoured() {
    let world = World::new().await;
    let oauth2 = world.service().build().await.unwrap();
    world.server.change(|state| state.feed = Feed::Other(Answer::status(503, "retry-after: 2\r\n")));
    eventually("it was refused", || oauth2.stats().denylist.unwrap().polls_failed == 1).await;
    let polls = world.server.polls().len();
    eventually("it tries again", || world.server.polls().len() > polls).await;
    let (refused, again) = (world.server.polls()[polls - 1].clone(), world.server.polls()[polls].clone());
    assert!(again.at - refused.at >= Duration::from_secs(2), "{:?}", again.at - refused.at);
    assert_eq!(again.wait, Some(0), "it asks for an answer at once");
}

#[tokio::test]
async fn a_server_that_does_not_hold_polls_is_not_hammered() {
    let world = World::new().await;
    world.server.change(|state| state.feed = Feed::NeverHolds);
    let oauth2 = world.service().build().await.unwrap();
    eventually("it goes on", || world.server.polls().len() == 6).await;
    let polls = world.server.polls();
    let took = polls[5].at - polls[0].at;
    assert!(took > Duration::from_millis(500), "five pauses took {took:?}");
    assert!(oauth2.readiness().is_ready());
}

#[tokio::test]
async fn a_stale_list_can_be_accepted_but_what_is_on_it_stays_refused() {
    let mut world = World::new().await;
    let revoked = world.claims();
    world.server.deny(revoked.jti, FAR);
    let strict = world.service().build().await.unwrap();
    let lenient = world.service().on_stale(OnStale::Accept).build().await.unwrap();
    let (token, revoked) = (world.token(), world.key.sign(&revoked).unwrap());
    world.server.stop().await;
    world.advance(3_600);
    assert!(is_stale(&strict, &token));
    assert!(lenient.verify_now(&token).is_ok());
    assert!(lenient.readiness().is_ready() && !strict.readiness().is_ready());
    assert!(is_denied(&strict, &revoked) && is_denied(&lenient, &revoked));
    // For one route.
    assert!(strict.verifier().on_stale(OnStale::Accept).verify_now(&token).is_ok());
    assert!(strict.clone().on_stale(OnStale::Accept).verify(&token).await.is_ok());
    assert!(lenient.verifier().on_stale(OnStale::Refuse).verify_now(&token).is_err());
}

#[tokio::test]
async fn a_list_that_was_never_read_is_not_accepted_as_stale() {
    let world = World::new().await;
    world.server.change(|state| state.feed = Feed::Other(Answer::Silence));
    let oauth2 = world.service().on_stale(OnStale::Accept).build().await.unwrap();
    assert!(is_stale(&oauth2, &world.token()));
    assert_eq!(oauth2.readiness().reasons(), [NotReady::NoDenylist]);
}

#[test]
fn a_large_page_is_parsed_on_a_blocking_thread() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().max_blocking_threads(1).build().unwrap();
    runtime.block_on(async {
        let world = World::new().await;
        world.server.change(|state| {
            state.page_size = 20_000;
            state.entries = (0..20_000).map(|_| (fresh_id(), FAR)).collect();
        });
        // The only blocking thread is occupied, so the build would finish early if the page were parsed anywhere else.
        let (release, held) = std::sync::mpsc::channel::<()>();
        let taken = tokio::task::spawn_blocking(move || held.recv());
        let building = tokio::spawn(world.service().build());
        eventually("the page was sent", || world.server.polls().len() == 1 && world.server.state().open_polls == 0)
            .await;
        world.server.settle().await;
        assert!(!building.is_finished());
        drop(release);
        let oauth2 = building.await.unwrap().unwrap();
        assert!(taken.await.unwrap().is_err());
        assert_eq!(oauth2.stats().denylist.unwrap().entries, 20_000);
    });
}

#[tokio::test]
async fn the_follower_stops_with_the_last_clone() {
    let world = World::new().await;
    let oauth2 = world.service().build().await.unwrap();
    let (second, verifier) = (oauth2.clone(), oauth2.verifier().clone());
    eventually("a poll is held", || world.server.state().open_polls == 1).await;
    drop((oauth2, second));
    world.server.settle().await;
    assert_eq!(world.server.state().open_polls, 1, "the verifier still needs a current list");
    drop(verifier);
    eventually("it hangs up", || world.server.state().open_polls == 0).await;
    let polls = world.server.polls().len();
    world.server.settle().await;
    assert_eq!(world.server.polls().len(), polls);
}

#[tokio::test]
async fn without_a_denylist_nothing_is_polled() {
    let world = World::new().await;
    let oauth2: OAuth2PasswordBearer = world.service().no_denylist().build().await.unwrap();
    assert!(oauth2.readiness().is_ready() && oauth2.stats().denylist.is_none());
    world.advance(100_000 - 30);
    assert!(oauth2.verify_now(&world.token()).is_ok() || !oauth2.readiness().is_ready());
    assert!(world.server.polls().is_empty());
}

#[tokio::test]
async fn an_http_bearer_follows_the_denylist_too() {
    let world = World::new().await;
    let issuer = world.server.state().issuer.clone();
    let bearer = HttpBearer::discover(issuer).audience("notes").clock(world.shared_clock()).build().await.unwrap();
    let claims = world.claims();
    let token = world.key.sign(&claims).unwrap();
    assert!(bearer.verify_now(&token).is_ok() && bearer.readiness().is_ready());
    assert!(bearer.clone().on_stale(OnStale::Accept).verify(&token).await.is_ok());
    world.server.deny(claims.jti, FAR);
    eventually("it is denied", || bearer.verify_now(&token).is_err()).await;
    assert!(bearer.stats().prometheus().contains("ficha_resource_denylist_entries{issuer="));
}
