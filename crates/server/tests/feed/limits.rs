//! The limits on held polls, and what happens beyond them.

use std::time::Duration;

use ficha_store::testing::TestDatabase;

use crate::support::*;
use ficha_testing::{App, Client};

async fn app_with_places(database: &TestDatabase, all: usize, per_source: usize) -> App {
    let app = App::start_with(database, |options| {
        options.settings.denylist.max_waiting = all;
        options.settings.denylist.max_waiting_per_source = per_source;
    })
    .await;
    app.add_user("alice", "notes:read").await;
    app
}

async fn resource_server(app: &App, id: &str) -> Client {
    app.add_client(id, |new| new.serves = vec!["notes".into()]).await
}

ficha_store::on_both_databases! {
    async fn a_source_over_its_limit_is_rejected_at_once_and_others_are_not(database: TestDatabase) {
        let app = app_with_places(&database, 4, 2).await;
        let notes = resource_server(&app, "notes-api").await;
        let query = format!("after={}&{LONG}", cursor(&app).await);
        let (first, second) = (held(&app, &query).await, held(&app, &query).await);
        assert_unavailable(poll(&app, &query).await).await;
        assert_eq!(metric(&app, "ficha_denylist_polls_refused_total").await, 1);
        // A poll that does not wait needs no place, and is still answered.
        page(&app, "").await;
        page(&app, &query.replace("wait=30", "wait=0")).await;
        let request = |client: &Client| app.http.get(app.url(&format!("/denylist?{query}"))).basic_auth(&client.id, Some(&client.secret));
        let mut others = Vec::new();
        for expected in [3, 4] {
            let request = request(&notes);
            others.push(tokio::spawn(async move { request.send().await.expect("an answer") }));
            waiting(&app, expected).await;
        }
        // All places are taken now, for every source.
        let more = resource_server(&app, "more-api").await;
        assert_unavailable(poll_as(&app, &more, &query).await).await;
        assert_eq!(metric(&app, "ficha_followers_waiting").await, 4);

        let id = revoked_token(&app).await;
        for poll in [first, second].into_iter().chain(others) {
            assert_eq!(ids(&read_page(answered(poll).await).await), [id]);
        }
        waiting(&app, 0).await;
        assert_eq!(metric(&app, "ficha_denylist_polls_refused_total").await, 2);
    }

    async fn a_follower_that_disconnects_frees_its_place(database: TestDatabase) {
        let app = app_with_places(&database, 10, 1).await;
        let query = format!("after={}&{LONG}", cursor(&app).await);
        // Different spellings of the path are one route.
        for path in ["/denylist", "/%64enylist", "/denylist"] {
            let request = app.http.get(app.url(&format!("{path}?{query}")));
            let held = tokio::spawn(async move { request.send().await.expect("an answer") });
            waiting(&app, 1).await;
            assert_unavailable(poll(&app, &query).await).await;
            // Dropping the request closes the connection.
            held.abort();
            waiting(&app, 0).await;
        }
    }

    async fn other_requests_are_finished_even_if_the_client_disconnects(database: TestDatabase) {
        use tokio::io::AsyncWriteExt;
        let app = app_with_alice(&database).await;
        let tokens = app.login("alice").await;
        let raw = database.raw().await;
        // The revocation waits for this.
        raw.hold_session(sid(&tokens)).await;
        let body = format!("token={}", tokens.refresh);
        let head = "POST /revoke HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length:";
        let mut stream = tokio::net::TcpStream::connect(app.address).await.expect("a connection");
        stream.write_all(format!("{head} {}\r\n\r\n{body}", body.len()).as_bytes()).await.expect("the server reads");
        let valid = async || app.me(&tokens.access).await == 200;
        stays("the revocation waits", Duration::from_millis(300), valid).await;
        drop(stream);
        stays("the revocation still waits", Duration::from_millis(300), valid).await;
        raw.execute("ROLLBACK").await;
        eventually("it is revoked", async || app.me(&tokens.access).await == 401).await;
        eventually("it is audited", async || {
            let events = app.store.all_events().await;
            events.iter().any(|event| event.event == "session.revoked")
        })
        .await;
    }
}
