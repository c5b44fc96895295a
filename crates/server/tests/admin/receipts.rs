//! Receipts: who refuses what was revoked.

use std::time::Duration;

use ficha_store::testing::TestDatabase;
use ficha_testing::{App, eventually};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use crate::support::*;

/// A poll of a follower; returns the cursor.
async fn poll(app: &App, query: &str) -> String {
    let response = app.get(&format!("/denylist?{query}")).await;
    assert_eq!(response.status(), 200, "{query}");
    let page: Value = response.json().await.expect("JSON");
    page["cursor"].as_str().expect("a cursor").to_owned()
}

/// A poll that is held; it returns the next cursor.
async fn held(app: &App, query: &str) -> JoinHandle<String> {
    let before = app.authority.followers_waiting();
    let request = app.http.get(app.url(&format!("/denylist?wait=30&{query}")));
    let poll = tokio::spawn(async move {
        let page: Value = request.send().await.expect("an answer").json().await.expect("JSON");
        page["cursor"].as_str().expect("a cursor").to_owned()
    });
    eventually("the poll is held", async || app.authority.followers_waiting() > before).await;
    poll
}

/// Ends alice's new session, and returns the path to do that again, and the receipt.
async fn revoke(app: &App, chief: &str, wait: u32) -> (String, Value) {
    let alice = app.login("alice").await;
    let path = format!("/sessions/{}?wait={wait}", alice.claims()["sid"].as_str().expect("a sid"));
    let done = good(app, Method::DELETE, &path, chief).await;
    assert_eq!(done["revoked"], 1);
    assert_eq!(app.me(&alice.access).await, 401);
    (path, done["receipt"].clone())
}

/// The states of the services in a receipt.
fn states(receipt: &Value) -> Vec<(&str, &str)> {
    let services = receipt["services"].as_array().expect("services");
    services
        .iter()
        .map(|one| (one["instance"].as_str().expect("a text"), one["state"].as_str().expect("a text")))
        .collect()
}

const A: &str = "service=notes&instance=a&lease=30&stale=refuse&version=1.0";

ficha_store::on_both_databases! {
    async fn what_was_answered_is_applied_only_once_the_next_poll_shows_it(database: TestDatabase) {
        let app = app(&database).await;
        let chief = token(&app, "chief", "ficha:sessions").await.access;
        let (_, nobody) = revoke(&app, &chief, 0).await;
        assert_eq!(nobody, json!({ "complete": true, "unnamed": 0, "silent": 0, "services": [] }));
        let cursor = poll(&app, A).await;
        let follower = held(&app, &format!("{A}&after={cursor}")).await;
        let (path, receipt) = revoke(&app, &chief, 1).await;
        assert_eq!((&receipt["complete"], states(&receipt)), (&json!(false), vec![("a", "behind")]));
        let refuses_at = receipt["services"][0]["refuses_at"].as_str().expect("a time");
        assert!(refuses_at.ends_with('Z'), "{refuses_at}");
        let cursor = follower.await.expect("it was answered");
        poll(&app, &format!("{A}&after={cursor}")).await;
        let again = good(&app, Method::DELETE, &path, &chief).await;
        assert_eq!((&again["revoked"], &again["receipt"]["complete"]), (&json!(0), &json!(true)));
        assert_eq!(states(&again["receipt"]), [("a", "applied")]);
    }

    async fn a_receipt_waits_for_a_follower_and_says_how_long_it_took(database: TestDatabase) {
        let app = app(&database).await;
        let chief = token(&app, "chief", "ficha:sessions").await.access;
        let first = poll(&app, A).await;
        let follower = held(&app, &format!("{A}&after={first}")).await;
        let (app_url, http) = (app.url(""), app.http.clone());
        let next = tokio::spawn(async move {
            let cursor = follower.await.expect("it was answered");
            let url = format!("{app_url}/denylist?{A}&wait=5&after={cursor}");
            http.get(url).send().await.expect("an answer").status()
        });
        let (_, receipt) = revoke(&app, &chief, 20).await;
        assert_eq!((&receipt["complete"], states(&receipt)), (&json!(true), vec![("a", "applied")]));
        let after = receipt["services"][0]["after_ms"].as_u64().expect("a number");
        assert!(after < 10_000, "{after}");
        assert_eq!(next.await.expect("it is answered"), 200);
    }

    async fn of_two_followers_with_one_name_the_slower_counts(database: TestDatabase) {
        let app = app(&database).await;
        let chief = token(&app, "chief", "ficha:sessions").await.access;
        let cursor = poll(&app, A).await;
        let fast = held(&app, &format!("{A}&after={cursor}")).await;
        // It takes the answer, and is not heard of again.
        let slow = held(&app, &format!("{A}&after={cursor}")).await;
        let (path, _) = revoke(&app, &chief, 0).await;
        let (cursor, _) = (fast.await.expect("it was answered"), slow.await.expect("it was answered"));
        poll(&app, &format!("{A}&after={cursor}")).await;
        let again = good(&app, Method::DELETE, &path, &chief).await;
        assert_eq!(states(&again["receipt"]), [("a", "behind")]);
        assert_eq!(again["receipt"]["complete"], false);
    }

    async fn followers_without_a_name_and_those_that_accept_stale_lists_leave_it_incomplete(database: TestDatabase) {
        let app = app(&database).await;
        let chief = token(&app, "chief", "ficha:sessions").await.access;
        let lax = "service=notes&instance=lax&lease=30&stale=accept";
        let cursor = poll(&app, lax).await;
        let (_, receipt) = revoke(&app, &chief, 0).await;
        assert_eq!(states(&receipt), [("lax", "accepts_stale")]);
        assert_eq!((&receipt["complete"], &receipt["services"][0]["refuses_at"]), (&json!(false), &Value::Null));
        let cursor = poll(&app, &format!("{lax}&after={cursor}")).await;
        poll(&app, &format!("{lax}&after={cursor}")).await;
        let list = good(&app, Method::GET, "/resource-servers", &chief).await;
        assert_eq!((&list["items"][0]["state"], &list["items"][0]["cursor_lag"]), (&json!("applied"), &json!(0)));
        assert_eq!((&list["items"][0]["stale"], &list["items"][0]["lease_seconds"]), (&json!("accept"), &json!(30)));
        poll(&app, "").await;
        let (path, receipt) = revoke(&app, &chief, 0).await;
        assert_eq!(receipt["unnamed"], 1);
        let cursor = poll(&app, &format!("{lax}&after={cursor}")).await;
        poll(&app, &format!("{lax}&after={cursor}")).await;
        let again = good(&app, Method::DELETE, &path, &chief).await;
        assert_eq!(states(&again["receipt"]), [("lax", "applied")]);
        assert_eq!(again["receipt"]["complete"], false, "one has no name");
    }

    /// A follower restarts with the same name: what it had shown counts no more, for one lease.
    async fn a_cursor_that_goes_back_is_not_trusted_for_a_lease(database: TestDatabase) {
        let app = app(&database).await;
        let chief = token(&app, "chief", "ficha:sessions").await.access;
        let brief = "service=notes&instance=a&lease=1";
        let (path, _) = revoke(&app, &chief, 0).await;
        let cursor = poll(&app, brief).await;
        poll(&app, &format!("{brief}&after={cursor}")).await;
        poll(&app, brief).await;
        poll(&app, &format!("{brief}&after={cursor}")).await;
        let path = path.replace("wait=0", "wait=10");
        let again = good(&app, Method::DELETE, &path, &chief).await;
        assert_eq!(states(&again["receipt"]), [("a", "applied")], "after the lease");
        let after = again["receipt"]["services"][0]["after_ms"].as_u64();
        assert!(after.is_some(), "{again}");
    }

    async fn a_follower_that_has_gone_is_cut_off_once_its_lease_has_ended(database: TestDatabase) {
        let app = app(&database).await;
        let chief = token(&app, "chief", "ficha:sessions").await.access;
        poll(&app, "service=notes&instance=gone&lease=1").await;
        let (path, receipt) = revoke(&app, &chief, 0).await;
        assert_eq!(states(&receipt), [("gone", "behind")]);
        // By the server's clock.
        app.advance(Duration::from_secs(1)).await;
        tokio::time::sleep(Duration::from_millis(1_100)).await;
        let again = good(&app, Method::DELETE, &path, &chief).await;
        assert_eq!((states(&again["receipt"]), &again["receipt"]["complete"]), (vec![("gone", "cut_off")], &json!(true)));
    }

    async fn another_server_answers_for_its_followers(database: TestDatabase) {
        let app = app(&database).await;
        let chief = token(&app, "chief", "ficha:sessions").await.access;
        let mut other = app.another(&database).await;
        eventually("it has a heartbeat", async || other.store.process().is_some()).await;
        let cursor = poll(&other, A).await;
        let follower = held(&other, &format!("{A}&after={cursor}")).await;
        let (path, receipt) = revoke(&app, &chief, 1).await;
        assert_eq!((states(&receipt), &receipt["silent"]), (vec![("a", "behind")], &json!(0)));
        let cursor = follower.await.expect("it was answered");
        // It may move to another server meanwhile.
        poll(&app, &format!("{A}&after={cursor}")).await;
        let path = path.replace("wait=1", "wait=10");
        let again = good(&app, Method::DELETE, &path, &chief).await;
        assert_eq!((states(&again["receipt"]), &again["receipt"]["complete"]), (vec![("a", "applied")], &json!(true)));
        let list = good(&app, Method::GET, "/resource-servers", &chief).await;
        assert_eq!((&list["items"][0]["service"], &list["silent"]), (&json!("notes"), &json!(0)));
        // Followers that the other server alone has seen; it stops in the middle of everything.
        poll(&other, "service=notes&instance=b&lease=30").await;
        eventually("they were written down", async || {
            app.store.saved_followers().await.is_ok_and(|saved| saved.iter().any(|one| one.instance == "b"))
        })
        .await;
        drop(other.background.take());
        let (_, receipt) = revoke(&app, &chief, 1).await;
        assert_eq!((&receipt["complete"], &receipt["silent"]), (&json!(false), &json!(1)));
        assert!(states(&receipt).contains(&("b", "behind")), "{receipt}");
        let questions = async || app.store.questions().await.expect("the database answers").len();
        eventually("nothing is asked any more", async || questions().await == 0).await;
    }

    async fn a_server_that_has_stopped_in_order_is_not_asked(database: TestDatabase) {
        let app = app(&database).await;
        let chief = token(&app, "chief", "ficha:sessions").await.access;
        let mut other = app.another(&database).await;
        eventually("it has a heartbeat", async || other.store.process().is_some()).await;
        let cursor = poll(&other, A).await;
        other.stop().await;
        other.background.take().expect("it runs").finish().await;
        let (path, receipt) = revoke(&app, &chief, 0).await;
        assert_eq!((states(&receipt), &receipt["silent"]), (vec![("a", "behind")], &json!(0)));
        let cursor = poll(&app, &format!("{A}&after={cursor}")).await;
        poll(&app, &format!("{A}&after={cursor}")).await;
        let again = good(&app, Method::DELETE, &path, &chief).await;
        assert_eq!(again["receipt"]["complete"], true, "{again}");
    }

    /// One at each server: the one at the other has taken its answer, and is not heard of again.
    async fn two_followers_with_one_name_at_two_servers_count_as_the_slower(database: TestDatabase) {
        let app = app(&database).await;
        let chief = token(&app, "chief", "ficha:sessions").await.access;
        let other = app.another(&database).await;
        eventually("it has a heartbeat", async || other.store.process().is_some()).await;
        let cursor = poll(&app, A).await;
        let (fast, slow) = (held(&app, &format!("{A}&after={cursor}")).await, held(&other, &format!("{A}&after={cursor}")).await);
        tokio::time::sleep(Duration::from_millis(300)).await;
        let (path, _) = revoke(&app, &chief, 0).await;
        let (cursor, _) = (fast.await.expect("it was answered"), slow.await.expect("it was answered"));
        poll(&app, &format!("{A}&after={cursor}")).await;
        let again = good(&app, Method::DELETE, &path.replace("wait=0", "wait=1"), &chief).await;
        assert_eq!(states(&again["receipt"]), [("a", "behind")]);
        assert_eq!((&again["receipt"]["complete"], &again["receipt"]["silent"]), (&json!(false), &json!(0)));
    }

    /// A follower was here, and then at another server, which has stopped in order since: it relies on what that one told it.
    async fn what_a_stopped_server_has_told_a_follower_counts(database: TestDatabase) {
        let app = app(&database).await;
        let chief = token(&app, "chief", "ficha:sessions").await.access;
        let mut other = app.another(&database).await;
        eventually("it has a heartbeat", async || other.store.process().is_some()).await;
        let brief = "service=notes&instance=a&lease=2";
        poll(&app, brief).await;
        app.advance(Duration::from_millis(1_500)).await;
        tokio::time::sleep(Duration::from_millis(1_500)).await;
        poll(&other, brief).await;
        other.stop().await;
        other.background.take().expect("it runs").finish().await;
        app.advance(Duration::from_millis(1_000)).await;
        tokio::time::sleep(Duration::from_millis(1_000)).await;
        // By what this server knows, its lease has ended.
        let (_, receipt) = revoke(&app, &chief, 0).await;
        assert_eq!((states(&receipt), &receipt["complete"]), (vec![("a", "behind")], &json!(false)));
    }

    /// Without a name, it is not forgotten with the server that it polled.
    async fn followers_without_a_name_are_counted_after_a_restart(database: TestDatabase) {
        let mut first = app(&database).await;
        eventually("it has a heartbeat", async || first.store.process().is_some()).await;
        poll(&first, "").await;
        first.stop().await;
        first.background.take().expect("it runs").finish().await;
        let app = first.end().await.start(&database).await;
        let chief = token(&app, "chief", "ficha:sessions").await.access;
        let (_, receipt) = revoke(&app, &chief, 0).await;
        assert_eq!((&receipt["unnamed"], &receipt["complete"]), (&json!(1), &json!(false)));
    }

    /// The revocation is committed, whatever becomes of its receipt.
    async fn waiting_ends_with_the_server(database: TestDatabase) {
        let mut app = app(&database).await;
        let chief = token(&app, "chief", "ficha:sessions").await.access;
        poll(&app, A).await;
        let alice = app.login("alice").await;
        let url = app.url(&format!("/api/v1/sessions/{}?wait=30", alice.claims()["sid"].as_str().expect("a sid")));
        let request = app.http.delete(url).bearer_auth(&chief);
        let waiting = tokio::spawn(async move { request.send().await.expect("an answer").json::<Value>().await });
        eventually("it is revoked", async || app.me(&alice.access).await == 401).await;
        tokio::time::timeout(Duration::from_secs(10), app.stop()).await.expect("it stops");
        let done = waiting.await.expect("it ends").expect("JSON");
        assert_eq!((&done["revoked"], &done["receipt"]["complete"]), (&json!(1), &json!(false)));
    }

    async fn a_name_that_can_t_be_used_is_refused(database: TestDatabase) {
        let app = app(&database).await;
        for bad in ["service=a", "instance=a", "service=a&instance=b%20c", "service=a&instance=b&lease=0", "stale=maybe"] {
            assert_eq!(app.get(&format!("/denylist?{bad}")).await.status(), 400, "{bad}");
        }
        let chief = token(&app, "chief", "ficha:sessions").await.access;
        for bad in ["wait=31", "wait=-1", "wait=x", "weight=1"] {
            let path = format!("/sessions/{}?{bad}", uuid::Uuid::from_u128(1));
            problem(send(&app, Method::DELETE, &path, &chief).await, 400, "invalid").await;
        }
    }
}
