//! Following the denylist.

use std::time::{Duration, Instant};

use ficha_resource::{HttpBearer, NotReady, OAuth2PasswordBearer, OnStale, VerifyError};
use serde_json::json;

use crate::server::{Answer, Feed};
use crate::support::{FAR, World, a_moment, eventually, fresh_id, is_denied, is_stale, refusal};

#[tokio::test]
async fn a_revocation_reaches_a_service_whose_poll_is_held() {
    let world = World::new().await;
    let oauth2 = world.service().build().await.unwrap();
    assert!(oauth2.ready().is_ready());
    let claims = world.claims();
    let token = world.key.sign(&claims).unwrap();
    assert_eq!(oauth2.verify(&token).unwrap().claims, claims);
    eventually("a poll is held", || world.server.state().open_polls == 1).await;
    assert_eq!(world.server.polls().last().unwrap().wait, Some(10), "a third of the lease");
    #[expect(clippy::disallowed_methods, reason = "how long it really takes")]
    let start = Instant::now();
    world.server.deny(claims.sid, FAR);
    eventually("the session is denied", || is_denied(&oauth2, &token)).await;
    assert!(start.elapsed() < Duration::from_secs(5), "it came with the held poll, not with the next one");
    assert!(oauth2.verify(&world.token()).is_ok(), "another session's");
}

#[tokio::test]
async fn what_was_revoked_before_the_service_started_is_refused_from_the_first_token_on() {
    let world = World::new().await;
    let claims = world.claims();
    world.server.deny(claims.jti, FAR);
    let oauth2 = world.service().build().await.unwrap();
    assert_eq!(refusal(&oauth2, &world.key.sign(&claims).unwrap()), VerifyError::Denied);
}

#[tokio::test]
async fn nothing_is_accepted_before_the_list_has_been_read_to_its_end() {
    let world = World::new().await;
    let last = world.claims();
    world.server.change(|state| {
        state.page_size = 2;
        state.entries = (0..4).map(|_| (fresh_id(), FAR)).collect();
        state.entries.push((last.jti, FAR));
    });
    // The third page does not come: the cursor of the second leads nowhere.
    world.server.change(|state| state.feed = Feed::Replay(r#"{"cursor":"a.4","entries":[]}"#.into()));
    let building = tokio::spawn(world.service().build());
    a_moment().await;
    world.server.change(|state| state.feed = Feed::Right);
    let oauth2 = building.await.unwrap().unwrap();
    assert!(is_denied(&oauth2, &world.key.sign(&last).unwrap()));
    let places: Vec<_> = world.server.polls().into_iter().map(|poll| poll.after).collect();
    let read: Vec<_> =
        places.iter().skip_while(|after| after.is_none()).take(2).map(|after| after.as_deref()).collect();
    assert_eq!(read, [Some("a.2"), Some("a.4")], "page by page, and no cursor from an answer that was not for us");
    assert_eq!(oauth2.stats().denylist.unwrap().entries, 5);
}

#[tokio::test]
async fn a_page_with_more_behind_it_renews_nothing() {
    let world = World::new().await;
    world.server.change(|state| state.entries = (0..5).map(|_| (fresh_id(), FAR)).collect());
    let oauth2 = world.service().build().await.unwrap();
    let token = world.token();
    assert!(oauth2.verify(&token).is_ok());
    // Without end: each page leads to another.
    world.server.change(|state| {
        state.page_size = 1;
        state.entries.extend((0..20_000).map(|_| (fresh_id(), FAR)));
    });
    eventually("it reads on", || world.server.polls().len() > 20).await;
    world.advance(30);
    assert!(is_stale(&oauth2, &token));
    a_moment().await;
    assert!(is_stale(&oauth2, &token));
    assert_eq!(oauth2.ready().reasons(), [NotReady::LeaseOver]);
    world.server.change(|state| state.page_size = 100_000);
    eventually("the list is whole", || oauth2.verify(&token).is_ok()).await;
}

#[tokio::test]
async fn a_follower_only_ever_adds() {
    let world = World::new().await;
    let (first, second) = (world.claims(), world.claims());
    world.server.deny(first.jti, FAR);
    let oauth2 = world.service().build().await.unwrap();
    let tokens = [&first, &second].map(|claims| world.key.sign(claims).unwrap());
    assert!(is_denied(&oauth2, &tokens[0]) && oauth2.verify(&tokens[1]).is_ok());
    // The database is put back from an older copy: another history, in which the first was never revoked.
    world.server.change(|state| {
        state.history = "b".into();
        state.entries = vec![(second.jti, FAR)];
    });
    eventually("the second is denied", || is_denied(&oauth2, &tokens[1])).await;
    assert!(is_denied(&oauth2, &tokens[0]), "still");
    let stats = oauth2.stats().denylist.unwrap();
    assert_eq!((stats.entries, stats.resets), (2, 1));
    assert!(oauth2.ready().is_ready());
}

#[tokio::test]
async fn an_entry_leaves_by_its_own_time_alone() {
    let world = World::new().await;
    let claims = world.claims();
    let token = world.key.sign(&claims).unwrap();
    world.server.deny(claims.jti, world.claims().iat + 600);
    let oauth2 = world.service().lease(Duration::from_secs(3_600)).build().await.unwrap();
    assert!(is_denied(&oauth2, &token));
    world.advance(599);
    assert!(is_denied(&oauth2, &token));
    world.advance(1);
    assert!(oauth2.verify(&token).is_ok(), "its exp lies beyond: such an entry is the server's mistake");
}

#[tokio::test]
async fn a_cache_that_replays_answers_renews_no_lease() {
    let world = World::new().await;
    let oauth2 = world.service().build().await.unwrap();
    let token = world.token();
    let revoked = world.claims();
    let old = json!({"cursor": "a.0", "nonce": "of another poll", "reset": false, "entries": [[revoked.jti, FAR]]});
    world.server.change(|state| state.feed = Feed::Replay(old.to_string()));
    eventually("answers are refused", || oauth2.stats().denylist.unwrap().polls_failed > 2).await;
    assert!(oauth2.verify(&token).is_ok(), "the lease runs");
    assert!(is_denied(&oauth2, &world.key.sign(&revoked).unwrap()), "what is denied can be added by anybody");
    world.advance(29);
    a_moment().await;
    assert!(oauth2.verify(&token).is_ok());
    world.advance(1);
    assert!(is_stale(&oauth2, &token));
    a_moment().await;
    assert!(is_stale(&oauth2, &token));
    world.server.change(|state| state.feed = Feed::Right);
    eventually("it is current again", || oauth2.verify(&token).is_ok()).await;
    assert!(world.server.polls().iter().skip(1).all(|poll| poll.after.is_some()), "it went on where it was");
}

#[tokio::test]
async fn an_answer_without_the_nonce_renews_no_lease() {
    let world = World::new().await;
    world.server.change(|state| state.feed = Feed::Replay(r#"{"cursor":"a.0","reset":false,"entries":[]}"#.into()));
    let building = tokio::spawn(world.service().build());
    eventually("it asks more than once", || world.server.polls().len() > 2).await;
    world.server.change(|state| state.feed = Feed::Right);
    assert!(building.await.unwrap().unwrap().ready().is_ready());
}

#[tokio::test]
async fn garbage_renews_nothing_and_breaks_nothing() {
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
    world.server.change(|state| state.feed = Feed::Right);
    eventually("it is current again", || oauth2.verify(&token).is_ok()).await;
}

#[tokio::test]
async fn a_cursor_that_the_server_does_not_take_is_given_up() {
    let world = World::new().await;
    let oauth2 = world.service().build().await.unwrap();
    world.server.change(|state| state.feed = Feed::Other(Answer::status(400, "")));
    eventually("it starts over", || world.server.polls().last().unwrap().after.is_none()).await;
    world.server.change(|state| state.feed = Feed::Right);
    world.advance(30);
    let token = world.token();
    eventually("it is current again", || oauth2.verify(&token).is_ok()).await;
}

#[tokio::test]
async fn it_comes_as_the_client_that_it_was_given() {
    let world = World::new().await;
    let oauth2 = world.service().credentials("notes api", "s:%é").build().await.unwrap();
    assert!(oauth2.ready().is_ready());
    let poll = world.server.polls()[0].clone();
    // RFC 6749 §2.3.1: base64 of "notes+api:s%3A%25%C3%A9".
    assert_eq!(poll.authorization.as_deref(), Some("Basic bm90ZXMrYXBpOnMlM0ElMjUlQzMlQTk="));
    assert!(!format!("{:?}", world.service().credentials("notes-api", "hunter2")).contains("hunter2"));
}

#[tokio::test]
async fn who_is_not_let_in_is_not_ready_and_goes_on_trying() {
    let turned_away = |status| async move {
        let world = World::new().await;
        world.server.change(|state| state.feed = Feed::Other(Answer::status(status, "")));
        let building = tokio::spawn(world.service().build());
        eventually("it has asked", || !world.server.polls().is_empty()).await;
        world.server.change(|state| state.feed = Feed::Right);
        let oauth2 = building.await.unwrap().unwrap();
        assert_eq!(oauth2.ready().reasons(), [NotReady::NoDenylist], "{status}");
        assert!(is_stale(&oauth2, &world.token()));
        assert_eq!(world.server.polls().len(), 1, "it does not hammer");
        eventually("it is let in", || oauth2.ready().is_ready()).await;
    };
    // Side by side, for each takes as long as the pause.
    tokio::join!(turned_away(401), turned_away(403), turned_away(404));
}

#[tokio::test]
async fn retry_after_is_honoured() {
    let world = World::new().await;
    let oauth2 = world.service().build().await.unwrap();
    world.server.change(|state| state.feed = Feed::Other(Answer::status(503, "retry-after: 2\r\n")));
    eventually("it was told", || oauth2.stats().denylist.unwrap().polls_failed == 1).await;
    let polls = world.server.polls().len();
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    assert_eq!(world.server.polls().len(), polls);
    eventually("it tries again", || world.server.polls().len() > polls).await;
    assert_eq!(world.server.polls().last().unwrap().wait, Some(0), "it wants to know at once whether all is well");
}

#[tokio::test]
async fn a_server_that_holds_no_poll_is_not_hammered() {
    let world = World::new().await;
    world.server.change(|state| state.feed = Feed::NeverHolds);
    let oauth2 = world.service().build().await.unwrap();
    tokio::time::sleep(Duration::from_secs(2)).await;
    let polls = world.server.polls().len();
    assert!((3..12).contains(&polls), "{polls}");
    assert!(oauth2.ready().is_ready());
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
    assert!(lenient.verify(&token).is_ok());
    assert!(lenient.ready().is_ready() && !strict.ready().is_ready());
    assert!(is_denied(&strict, &revoked) && is_denied(&lenient, &revoked));
    // For one route.
    assert!(strict.verifier().verify_with(&token, OnStale::Accept).is_ok());
    assert!(strict.verify_waiting_with(&token, OnStale::Accept).await.is_ok());
    assert!(lenient.verifier().verify_with(&token, OnStale::Refuse).is_err());
}

#[tokio::test]
async fn a_list_that_was_never_read_is_not_merely_stale() {
    let world = World::new().await;
    world.server.change(|state| state.feed = Feed::Other(Answer::Silence));
    let oauth2 = world.service().on_stale(OnStale::Accept).build().await.unwrap();
    assert!(is_stale(&oauth2, &world.token()));
    assert_eq!(oauth2.ready().reasons(), [NotReady::NoDenylist]);
}

#[test]
fn a_large_page_is_read_where_it_may_block() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().max_blocking_threads(1).build().unwrap();
    runtime.block_on(async {
        let world = World::new().await;
        world.server.change(|state| {
            state.page_size = 20_000;
            state.entries = (0..20_000).map(|_| (fresh_id(), FAR)).collect();
        });
        // The one thread that may block is taken, so a page that is read anywhere else gives itself away.
        let (release, held) = std::sync::mpsc::channel::<()>();
        let taken = tokio::task::spawn_blocking(move || held.recv());
        let building = tokio::spawn(world.service().build());
        eventually("the page was sent", || world.server.polls().len() == 1 && world.server.state().open_polls == 0)
            .await;
        tokio::time::sleep(Duration::from_millis(500)).await;
        assert!(!building.is_finished());
        drop(release);
        let oauth2 = building.await.unwrap().unwrap();
        assert!(taken.await.unwrap().is_err());
        assert_eq!(oauth2.stats().denylist.unwrap().entries, 20_000);
    });
}

#[tokio::test]
async fn it_ends_with_the_last_clone() {
    let world = World::new().await;
    let oauth2 = world.service().build().await.unwrap();
    let (second, verifier) = (oauth2.clone(), oauth2.verifier().clone());
    eventually("a poll is held", || world.server.state().open_polls == 1).await;
    drop((oauth2, second));
    a_moment().await;
    assert_eq!(world.server.state().open_polls, 1, "the verifier wants a list that is current");
    drop(verifier);
    eventually("it hangs up", || world.server.state().open_polls == 0).await;
    let polls = world.server.polls().len();
    a_moment().await;
    assert_eq!(world.server.polls().len(), polls);
}

#[tokio::test]
async fn without_a_denylist_none_is_asked_for() {
    let world = World::new().await;
    let oauth2: OAuth2PasswordBearer = world.service().no_denylist().build().await.unwrap();
    assert!(oauth2.ready().is_ready() && oauth2.stats().denylist.is_none());
    world.advance(100_000 - 30);
    assert!(oauth2.verify(&world.token()).is_ok() || !oauth2.ready().is_ready());
    assert!(world.server.polls().is_empty());
}

#[tokio::test]
async fn the_one_without_the_password_flow_follows_as_well() {
    let world = World::new().await;
    let issuer = world.server.state().issuer.clone();
    let bearer = HttpBearer::discover(issuer).audience("notes").clock(world.shared_clock()).build().await.unwrap();
    let claims = world.claims();
    let token = world.key.sign(&claims).unwrap();
    assert!(bearer.verify(&token).is_ok() && bearer.ready().is_ready());
    assert!(bearer.verify_waiting_with(&token, OnStale::Accept).await.is_ok());
    world.server.deny(claims.jti, FAR);
    eventually("it is denied", || bearer.verify(&token).is_err()).await;
    assert!(bearer.stats().prometheus().contains("ficha_resource_denylist_entries{issuer="));
}
