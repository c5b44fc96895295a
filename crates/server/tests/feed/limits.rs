//! How many polls are held, and what becomes of those past that.

use ficha_store::testing::TestDatabase;

use crate::world::*;
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
    async fn past_its_places_a_source_is_refused_at_once_and_the_others_are_not(database: TestDatabase) {
        let app = app_with_places(&database, 4, 2).await;
        let notes = resource_server(&app, "notes-api").await;
        let query = format!("after={}&{LONG}", cursor(&app).await);
        let (first, second) = (held(&app, &query).await, held(&app, &query).await);
        assert_unavailable(poll(&app, &query).await).await;
        assert_eq!(metric(&app, "ficha_denylist_polls_refused_total").await, 1);
        // What needs no place is answered all the same.
        page(&app, "").await;
        page(&app, &query.replace("wait=30", "wait=0")).await;
        let request = |client: &Client| app.http.get(app.url(&format!("/denylist?{query}"))).basic_auth(&client.id, Some(&client.secret));
        let mut others = Vec::new();
        for expected in [3, 4] {
            let request = request(&notes);
            others.push(tokio::spawn(async move { request.send().await.expect("an answer") }));
            waiting(&app, expected).await;
        }
        // All places are taken now, for whoever comes.
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

    async fn whoever_hangs_up_gives_the_place_back(database: TestDatabase) {
        let app = app_with_places(&database, 10, 1).await;
        let query = format!("after={}&{LONG}", cursor(&app).await);
        // Paths are one and the same, however they are written.
        for path in ["/denylist", "/%64enylist", "/denylist"] {
            let request = app.http.get(app.url(&format!("{path}?{query}")));
            let held = tokio::spawn(async move { request.send().await.expect("an answer") });
            waiting(&app, 1).await;
            assert_unavailable(poll(&app, &query).await).await;
            // The connection goes with its request.
            held.abort();
            waiting(&app, 0).await;
        }
    }

    async fn what_else_was_begun_is_finished_though_its_client_hangs_up(database: TestDatabase) {
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
        tokio::time::sleep(std::time::Duration::from_millis(300)).await;
        drop(stream);
        tokio::time::sleep(std::time::Duration::from_millis(300)).await;
        raw.execute("ROLLBACK").await;
        eventually("it is revoked", async || app.me(&tokens.access).await == 401).await;
        eventually("it is audited", async || {
            let events = app.store.list_audit(None, 1_000).await.expect("the database answers");
            events.iter().any(|event| event.event == "session.revoked")
        })
        .await;
    }
}
