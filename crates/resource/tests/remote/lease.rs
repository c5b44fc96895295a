//! For how long a service goes on without an answer.

use std::time::Duration;

use ficha_resource::VerifyError;
use ficha_token::{AccessClaims, TokenError};

use crate::server::{Answer, Feed};
use crate::support::{FAR, START, World, a_moment, eventually, is_denied, is_stale, refusal};

#[tokio::test]
async fn a_dead_server_is_outlived_by_one_lease_and_no_longer() {
    let mut world = World::new().await;
    let oauth2 = world.service().build().await.unwrap();
    let (seen, unseen) = (world.token(), world.token());
    assert!(oauth2.verify(&seen).is_ok());
    eventually("a poll is held", || world.server.state().open_polls == 1).await;
    world.server.stop().await;
    world.clock.advance(Duration::from_millis(29_999));
    assert!(oauth2.verify(&seen).is_ok());
    world.clock.advance(Duration::from_millis(1));
    assert!(is_stale(&oauth2, &seen) && is_stale(&oauth2, &unseen));
    assert!(oauth2.stats().denylist.unwrap().staleness >= Some(Duration::from_secs(30)));
    let revoked = world.claims();
    world.server.deny(revoked.sid, FAR);
    world.server.restart().await;
    eventually("it serves again by itself", || oauth2.verify(&seen).is_ok()).await;
    assert!(is_denied(&oauth2, &world.key.sign(&revoked).unwrap()), "what was revoked meanwhile is known");
}

#[tokio::test]
async fn a_lease_of_its_own_length_is_kept() {
    let mut world = World::new().await;
    let oauth2 = world.service().lease(Duration::from_secs(300)).build().await.unwrap();
    let token = world.token();
    eventually("a poll is held", || world.server.state().open_polls == 1).await;
    assert_eq!(world.server.polls().last().unwrap().wait, Some(30), "servers hold no longer");
    world.server.stop().await;
    world.advance(299);
    assert!(oauth2.verify(&token).is_ok());
    world.advance(1);
    assert!(is_stale(&oauth2, &token));
}

#[tokio::test]
async fn a_connection_that_went_dead_is_given_up_in_time_to_try_another() {
    let world = World::new().await;
    let oauth2 = world.service().lease(Duration::from_secs(5)).build().await.unwrap();
    let token = world.token();
    eventually("a poll is held", || world.server.state().open_polls == 1).await;
    // The connection stays open, and no answer ever comes.
    world.server.change(|state| state.feed = Feed::Other(Answer::Silence));
    let silent = world.server.polls().len();
    a_moment().await;
    world.server.state().feed = Feed::Right;
    // The poll was to wait for 1 s and may take 2 s more. The clock stands still: the runtime's timer it is.
    eventually("it asks again", || world.server.polls().len() > silent).await;
    let again = world.server.polls()[silent].clone();
    assert_eq!(again.wait, Some(0), "it can't wait for news: the lease is running out");
    assert!(oauth2.verify(&token).is_ok());
    assert_eq!(oauth2.stats().denylist.unwrap().polls_failed, 1);
    eventually("it waits for news again", || world.server.polls().last().unwrap().wait == Some(1)).await;
}

#[tokio::test]
async fn a_server_that_stops_in_the_middle_of_its_answer_is_given_up() {
    let world = World::new().await;
    let oauth2 = world.service().lease(Duration::from_secs(5)).build().await.unwrap();
    let half = Answer::Reply { status: 200, headers: "x: y\r\n".into(), body: String::new() };
    // A second length would be refused, so the body is promised by chunks that never come.
    let half = half.with_headers("transfer-encoding: chunked\r\n");
    world.server.change(|state| state.feed = Feed::Other(half));
    eventually("it gives up", || oauth2.stats().denylist.unwrap().polls_failed > 0).await;
    world.server.change(|state| state.feed = Feed::Right);
    world.advance(5);
    let token = world.token();
    eventually("it is current again", || oauth2.verify(&token).is_ok()).await;
}

#[tokio::test]
async fn a_suspended_service_wakes_up_stale_and_asks_at_once() {
    let world = World::new().await;
    let oauth2 = world.service().build().await.unwrap();
    let claims = world.claims();
    let token = world.key.sign(&claims).unwrap();
    eventually("a poll is held", || world.server.state().open_polls == 1).await;
    // It slept for an hour: its connection is long gone, only nobody has told it.
    world.server.state().feed = Feed::Other(Answer::Silence);
    let polls = world.server.polls().len();
    world.server.state().entries.push((claims.sid, FAR));
    world.advance(3_600);
    assert!(is_stale(&oauth2, &token), "before anything else");
    world.server.state().feed = Feed::Right;
    eventually("the revocation is known", || is_denied(&oauth2, &token)).await;
    assert!(world.server.polls().len() > polls, "it did not wait for the answer of before");
    assert!(oauth2.verify(&world.token()).is_ok());
}

#[tokio::test]
async fn a_service_that_slept_between_two_polls_does_not_wait_for_news_while_it_refuses_everybody() {
    let world = World::new().await;
    world.server.state().feed = Feed::NeverHolds;
    let oauth2 = world.service().build().await.unwrap();
    let token = world.token();
    // By now the pauses between polls are long enough to fall asleep in.
    eventually("it pauses", || world.server.polls().len() >= 6).await;
    world.server.state().feed = Feed::Right;
    let polls = world.server.polls().len();
    world.advance(3_600);
    assert!(is_stale(&oauth2, &token));
    eventually("it asks again", || world.server.polls().len() > polls).await;
    assert_eq!(world.server.polls()[polls].wait, Some(0));
    eventually("it is current again", || oauth2.verify(&token).is_ok()).await;
}

#[tokio::test]
async fn a_jump_of_the_wall_clock_ends_the_lease_until_the_list_has_been_read_anew() {
    for hours in [-1, 1] {
        let world = World::new().await;
        let revoked = world.claims();
        world.server.deny(revoked.jti, FAR);
        let oauth2 = world.service().build().await.unwrap();
        // Good at either time.
        let claims = AccessClaims { iat: START - 7_200, ..world.claims() };
        let token = world.key.sign(&claims).unwrap();
        let revoked = world.key.sign(&AccessClaims { iat: START - 7_200, ..revoked }).unwrap();
        assert!(oauth2.verify(&token).is_ok());
        eventually("a poll is held", || world.server.state().open_polls == 1).await;
        let polls = world.server.polls().len();
        let now = ficha_token::Clock::now(&*world.clock);
        world.clock.set_wall(now + time::Duration::hours(hours));
        assert!(is_stale(&oauth2, &token), "{hours}");
        assert!(is_denied(&oauth2, &revoked), "{hours}");
        eventually("it is current again", || oauth2.verify(&token).is_ok()).await;
        assert!(world.server.polls().len() > polls);
        assert_eq!(world.server.polls()[polls].after, None, "the whole list, and no waiting for the held poll");
        assert!(is_denied(&oauth2, &revoked), "{hours}");
    }
}

#[tokio::test]
async fn a_small_correction_of_the_wall_clock_ends_nothing() {
    let world = World::new().await;
    let oauth2 = world.service().build().await.unwrap();
    let token = world.token();
    let now = ficha_token::Clock::now(&*world.clock);
    world.clock.set_wall(now + time::Duration::milliseconds(900));
    assert!(oauth2.verify(&token).is_ok());
    world.clock.set_wall(now - time::Duration::milliseconds(900));
    assert!(oauth2.verify(&token).is_ok());
}

#[tokio::test]
async fn a_wall_clock_that_is_wrong_for_a_while_calls_no_token_expired() {
    let world = World::new().await;
    let oauth2 = world.service().build().await.unwrap();
    let mut claims = world.claims();
    claims.exp = claims.iat + 600;
    let token = world.key.sign(&claims).unwrap();
    assert!(oauth2.verify(&token).is_ok());
    let right = ficha_token::Clock::now(&*world.clock);
    world.clock.set_wall(right + time::Duration::days(1));
    assert!(is_stale(&oauth2, &token), "nobody can say what time it is");
    world.clock.set_wall(right);
    assert!(oauth2.verify(&token).is_ok(), "nobody has gone by the other time");
}

#[tokio::test]
async fn a_wall_clock_is_believed_once_the_list_has_been_read_under_it_and_no_longer_than_it_is_so() {
    let world = World::new().await;
    let oauth2 = world.service().build().await.unwrap();
    let mut claims = world.claims();
    claims.exp = claims.iat + 600;
    let token = world.key.sign(&claims).unwrap();
    assert!(oauth2.verify(&token).is_ok());
    let right = ficha_token::Clock::now(&*world.clock);
    world.clock.set_wall(right + time::Duration::days(1));
    let expired = VerifyError::Invalid(TokenError::Expired);
    eventually("the list has been read anew", || refusal(&oauth2, &token) == expired).await;
    world.clock.set_wall(right);
    assert!(is_stale(&oauth2, &token));
    eventually("it is good again", || oauth2.verify(&token).is_ok()).await;
}

#[tokio::test]
async fn no_pause_costs_more_than_a_third_of_the_lease() {
    for answer in [Answer::status(503, "retry-after: 10\r\n"), Answer::status(401, ""), Answer::status(404, "")] {
        let world = World::new().await;
        let oauth2 = world.service().lease(Duration::from_secs(5)).build().await.unwrap();
        world.server.change(|state| state.feed = Feed::Other(answer));
        eventually("it was told", || oauth2.stats().denylist.unwrap().polls_failed == 1).await;
        world.server.change(|state| state.feed = Feed::Right);
        let polls = world.server.polls().len();
        // The clock stands still, so all of the lease is left.
        let again = async {
            while world.server.polls().len() == polls {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        assert!(tokio::time::timeout(Duration::from_secs(3), again).await.is_ok());
    }
}

#[tokio::test]
async fn without_a_denylist_a_clock_that_was_ahead_leaves_nothing_behind() {
    let world = World::new().await;
    let oauth2 = world.service().no_denylist().build().await.unwrap();
    let mut claims = world.claims();
    claims.exp = claims.iat + 600;
    let token = world.key.sign(&claims).unwrap();
    let right = ficha_token::Clock::now(&*world.clock);
    world.clock.set_wall(right + time::Duration::days(1));
    assert_eq!(refusal(&oauth2, &token), VerifyError::Invalid(TokenError::Expired));
    world.clock.set_wall(right);
    assert!(oauth2.verify(&token).is_ok());
}
