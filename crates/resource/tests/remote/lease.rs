//! How long a service goes on without an answer.

use std::time::Duration;

use ficha_resource::VerifyError;
use ficha_token::TokenError;

use crate::server::{Answer, Feed};
use crate::support::{FAR, START, World, changed, eventually, is_denied, is_stale, refusal};

#[tokio::test]
async fn a_service_outlives_a_dead_server_by_one_lease_and_no_longer() {
    let mut world = World::new().await;
    let oauth2 = world.service().build().await.unwrap();
    let (seen, unseen) = (world.token(), world.token());
    assert!(oauth2.verify_now(&seen).is_ok());
    eventually("a poll is held", || world.server.state().open_polls == 1).await;
    world.server.stop().await;
    world.clock.advance(Duration::from_millis(29_999));
    assert!(oauth2.verify_now(&seen).is_ok());
    world.clock.advance(Duration::from_millis(1));
    assert!(is_stale(&oauth2, &seen) && is_stale(&oauth2, &unseen));
    assert!(oauth2.stats().denylist.unwrap().staleness >= Some(Duration::from_secs(30)));
    let revoked = world.claims();
    world.server.deny(revoked.sid, FAR);
    world.server.restart().await;
    eventually("it serves again by itself", || oauth2.verify_now(&seen).is_ok()).await;
    assert!(is_denied(&oauth2, &world.key.sign(&revoked).unwrap()), "revocations from the meantime are known");
}

#[tokio::test]
async fn a_custom_lease_is_respected() {
    let mut world = World::new().await;
    let oauth2 = world.service().lease(Duration::from_secs(300)).build().await.unwrap();
    let token = world.token();
    eventually("a poll is held", || world.server.state().open_polls == 1).await;
    assert_eq!(world.server.polls().last().unwrap().wait, Some(30), "servers hold no longer");
    world.server.stop().await;
    world.advance(299);
    assert!(oauth2.verify_now(&token).is_ok());
    world.advance(1);
    assert!(is_stale(&oauth2, &token));
}

#[tokio::test]
async fn a_dead_connection_is_given_up_in_time_to_try_another() {
    let world = World::new().await;
    let oauth2 = world.service().lease(Duration::from_secs(5)).build().await.unwrap();
    let token = world.token();
    eventually("a poll is held", || world.server.state().open_polls == 1).await;
    // The connection stays open, and no answer ever comes.
    world.server.change(|state| state.feed = Feed::Other(Answer::Silence));
    let silent = world.server.polls().len();
    eventually("it got no answer", || world.server.state().open_polls == 0).await;
    world.server.state().feed = Feed::Normal;
    // The poll asked to wait 1 s and may take 2 s more. The test clock stands still, so it is the runtime's timer that
    // counts.
    eventually("it asks again", || world.server.polls().len() > silent).await;
    let again = world.server.polls()[silent].clone();
    assert_eq!(again.wait, Some(0), "no time to wait for news: the lease is running out");
    assert!(oauth2.verify_now(&token).is_ok());
    assert_eq!(oauth2.stats().denylist.unwrap().polls_failed, 1);
    eventually("it waits for news again", || world.server.polls().last().unwrap().wait == Some(1)).await;
}

#[tokio::test]
async fn an_answer_that_stops_halfway_is_given_up() {
    let world = World::new().await;
    let oauth2 = world.service().lease(Duration::from_secs(5)).build().await.unwrap();
    let half = Answer::Reply { status: 200, headers: "x: y\r\n".into(), body: String::new() };
    // A second length would be refused, so the body is promised by chunks that never come.
    let half = half.with_headers("transfer-encoding: chunked\r\n");
    world.server.change(|state| state.feed = Feed::Other(half));
    eventually("it gives up", || oauth2.stats().denylist.unwrap().polls_failed > 0).await;
    world.server.change(|state| state.feed = Feed::Normal);
    world.advance(5);
    let token = world.token();
    eventually("it is current again", || oauth2.verify_now(&token).is_ok()).await;
}

#[tokio::test]
async fn a_suspended_service_wakes_up_stale_and_polls_at_once() {
    let world = World::new().await;
    let oauth2 = world.service().build().await.unwrap();
    let claims = world.claims();
    let token = world.key.sign(&claims).unwrap();
    eventually("a poll is held", || world.server.state().open_polls == 1).await;
    // It was suspended for an hour, and does not know that its connection is dead.
    world.server.state().feed = Feed::Other(Answer::Silence);
    let polls = world.server.polls().len();
    world.server.state().entries.push((claims.sid, FAR));
    world.advance(3_600);
    assert!(is_stale(&oauth2, &token), "before anything else");
    world.server.state().feed = Feed::Normal;
    eventually("the revocation is known", || is_denied(&oauth2, &token)).await;
    assert!(world.server.polls().len() > polls, "it did not wait for the old answer");
    assert!(oauth2.verify_now(&world.token()).is_ok());
}

#[tokio::test]
async fn after_a_suspend_between_two_polls_the_next_one_does_not_wait_for_news() {
    let world = World::new().await;
    world.server.state().feed = Feed::NeverHolds;
    let oauth2 = world.service().build().await.unwrap();
    let token = world.token();
    // By now the pauses between polls are long enough to be suspended in.
    eventually("it pauses", || world.server.polls().len() >= 6).await;
    world.server.state().feed = Feed::Normal;
    let polls = world.server.polls().len();
    world.advance(3_600);
    assert!(is_stale(&oauth2, &token));
    eventually("it asks again", || world.server.polls().len() > polls).await;
    assert_eq!(world.server.polls()[polls].wait, Some(0));
    eventually("it is current again", || oauth2.verify_now(&token).is_ok()).await;
}

#[tokio::test]
async fn a_jump_of_the_wall_clock_ends_the_lease_until_the_list_is_read_again() {
    for hours in [-1, 1] {
        let world = World::new().await;
        let revoked = world.claims();
        world.server.deny(revoked.jti, FAR);
        let oauth2 = world.service().build().await.unwrap();
        // Valid at either time.
        let claims = changed(world.claims(), |it| it.iat = START - 7_200);
        let token = world.key.sign(&claims).unwrap();
        let revoked = world.key.sign(&changed(revoked, |it| it.iat = START - 7_200)).unwrap();
        assert!(oauth2.verify_now(&token).is_ok());
        eventually("a poll is held", || world.server.state().open_polls == 1).await;
        let polls = world.server.polls().len();
        let now = ficha_token::Clock::now(&*world.clock);
        world.clock.set_wall(now + time::Duration::hours(hours));
        assert!(is_stale(&oauth2, &token), "{hours}");
        assert!(is_denied(&oauth2, &revoked), "{hours}");
        eventually("it is current again", || oauth2.verify_now(&token).is_ok()).await;
        assert!(world.server.polls().len() > polls);
        assert_eq!(world.server.polls()[polls].after, None, "the whole list, without waiting for the held poll");
        assert!(is_denied(&oauth2, &revoked), "{hours}");
    }
}

#[tokio::test]
async fn a_small_correction_of_the_wall_clock_does_not_end_the_lease() {
    let world = World::new().await;
    let oauth2 = world.service().build().await.unwrap();
    let token = world.token();
    let now = ficha_token::Clock::now(&*world.clock);
    world.clock.set_wall(now + time::Duration::milliseconds(900));
    assert!(oauth2.verify_now(&token).is_ok());
    world.clock.set_wall(now - time::Duration::milliseconds(900));
    assert!(oauth2.verify_now(&token).is_ok());
}

#[tokio::test]
async fn no_token_counts_as_expired_while_the_wall_clock_is_briefly_wrong() {
    let world = World::new().await;
    let oauth2 = world.service().build().await.unwrap();
    let mut claims = world.claims();
    claims.exp = claims.iat + 600;
    let token = world.key.sign(&claims).unwrap();
    assert!(oauth2.verify_now(&token).is_ok());
    let right = ficha_token::Clock::now(&*world.clock);
    world.clock.set_wall(right + time::Duration::days(1));
    assert!(is_stale(&oauth2, &token), "it is not known which time is right");
    world.clock.set_wall(right);
    assert!(oauth2.verify_now(&token).is_ok(), "the wrong time has not been used");
}

#[tokio::test]
async fn a_changed_wall_clock_is_trusted_once_the_list_has_been_read_under_it() {
    let world = World::new().await;
    let oauth2 = world.service().build().await.unwrap();
    let mut claims = world.claims();
    claims.exp = claims.iat + 600;
    let token = world.key.sign(&claims).unwrap();
    assert!(oauth2.verify_now(&token).is_ok());
    let right = ficha_token::Clock::now(&*world.clock);
    world.clock.set_wall(right + time::Duration::days(1));
    let expired = VerifyError::Invalid(TokenError::Expired);
    eventually("the list has been read again", || refusal(&oauth2, &token) == expired).await;
    world.clock.set_wall(right);
    assert!(is_stale(&oauth2, &token));
    eventually("it is good again", || oauth2.verify_now(&token).is_ok()).await;
}

#[tokio::test]
async fn no_pause_costs_more_than_a_third_of_the_lease() {
    for answer in [Answer::status(503, "retry-after: 10\r\n"), Answer::status(401, ""), Answer::status(404, "")] {
        let world = World::new().await;
        let oauth2 = world.service().lease(Duration::from_secs(5)).build().await.unwrap();
        world.server.change(|state| state.feed = Feed::Other(answer));
        eventually("it was refused", || oauth2.stats().denylist.unwrap().polls_failed == 1).await;
        world.server.change(|state| state.feed = Feed::Normal);
        let polls = world.server.polls().len();
        // The test clock stands still, so all of the lease is left.
        eventually("it asks again", || world.server.polls().len() > polls).await;
        let pause = world.server.polls()[polls].at - world.server.polls()[polls - 1].at;
        assert!(pause < Duration::from_secs(3), "{pause:?}");
    }
}

#[tokio::test]
async fn without_a_denylist_a_clock_that_was_ahead_has_no_lasting_effect() {
    let world = World::new().await;
    let oauth2 = world.service().no_denylist().build().await.unwrap();
    let mut claims = world.claims();
    claims.exp = claims.iat + 600;
    let token = world.key.sign(&claims).unwrap();
    let right = ficha_token::Clock::now(&*world.clock);
    world.clock.set_wall(right + time::Duration::days(1));
    assert_eq!(refusal(&oauth2, &token), VerifyError::Invalid(TokenError::Expired));
    world.clock.set_wall(right);
    assert!(oauth2.verify_now(&token).is_ok());
}
