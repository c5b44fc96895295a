//! What one host can do to the others with its connections, and what a server does with them when it stops.

use std::net::SocketAddr;
use std::time::Duration;

use ficha_store::testing::TestDatabase;
use futures_util::future::join_all;
use serde_json::Value;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpSocket, TcpStream};

use crate::raw;
use ficha_testing::{App, PASSWORD, Tokens, eventually, stays};

/// A connection from another host: all of 127.0.0.0/8 is this machine.
async fn connect_from(source: &str, to: SocketAddr) -> TcpStream {
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.bind(format!("{source}:0").parse().expect("an address")).expect("a free port");
    socket.connect(to).await.expect("the server accepts the connection")
}

const HEALTH: &[u8] = b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n";

/// True if the server answers on it.
async fn is_served(stream: &mut TcpStream) -> bool {
    let _ = stream.write_all(HEALTH).await;
    let mut byte = [0; 1024];
    let answer = tokio::time::timeout(Duration::from_secs(5), tokio::io::AsyncReadExt::read(stream, &mut byte));
    matches!(answer.await, Ok(Ok(1..)))
}

async fn draining(database: &TestDatabase, drain: Duration) -> App {
    let app = App::start_with(database, |options| options.server.drain = drain).await;
    app.add_user("alice", "").await;
    app
}

fn login() -> [(&'static str, &'static str); 3] {
    [("grant_type", "password"), ("username", "alice"), ("password", PASSWORD)]
}

ficha_store::on_both_databases! {
    async fn an_answer_before_the_end_of_a_body_closes_the_connection(database: TestDatabase) {
        let app = App::start(&database).await;
        for (line, status) in [
            ("POST /nope", 404),
            ("GET /token", 405),
            ("POST /token", 400),
            ("GET /users/me", 401),
            ("POST /logout", 401),
            ("GET /denylist", 200),
            ("GET /health/live", 200),
            ("GET /metrics", 200),
        ] {
            for body in ["Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n", "Content-Length: 999999\r\n\r\nabc"] {
                let mut stream = raw::connect(app.address).await;
                stream.write_all(format!("{line} HTTP/1.1\r\nHost: x\r\n{body}").as_bytes()).await.expect("it reads");
                let (mut reader, mut writer) = stream.split();
                let dripping = async {
                    // Ends when the server has closed the connection.
                    while writer.write_all(b"1\r\nx\r\n").await.is_ok() {
                        tokio::time::sleep(Duration::from_millis(50)).await;
                    }
                };
                let reading = async {
                    let mut text = Vec::new();
                    let _ = tokio::io::AsyncReadExt::read_to_end(&mut reader, &mut text).await;
                    String::from_utf8_lossy(&text).into_owned()
                };
                let both = tokio::time::timeout(Duration::from_secs(10), async { tokio::join!(dripping, reading).1 });
                let text = both.await.unwrap_or_else(|_| panic!("{line} with {body:?} holds its connection"));
                assert!(text.starts_with(&format!("HTTP/1.1 {status} ")), "{line}: {text}");
                assert!(text.to_ascii_lowercase().contains("\r\nconnection: close\r\n"), "{line}: {text}");
            }
        }
        eventually("no connection is left", async || app.connections().await <= 1).await;
    }

    async fn one_host_can_t_hold_all_connections(database: TestDatabase) {
        let app = App::start_with(&database, |options| options.server.max_connections_per_source = Some(5)).await;
        app.add_user("alice", "").await;
        let mut held = Vec::new();
        for _ in 0..5 {
            held.push(connect_from("127.0.0.2", app.address).await);
        }
        eventually("they are counted", async || app.connections().await >= 5).await;
        let mut one_more = connect_from("127.0.0.2", app.address).await;
        assert!(!is_served(&mut one_more).await, "a sixth connection is served");
        // Others are served, and so are those that were there before.
        assert!(is_served(&mut connect_from("127.0.0.3", app.address).await).await);
        assert!(is_served(&mut held[0]).await);
        // A login makes room: its connection no longer counts.
        let body = format!("grant_type=password&username=alice&password={}", PASSWORD.replace(' ', "+"));
        let head = "POST /token HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length:";
        held[1].write_all(format!("{head} {}\r\n\r\n{body}", body.len()).as_bytes()).await.expect("it reads");
        assert!(raw::read_until(&mut held[1], "\r\n").await.starts_with("HTTP/1.1 200 "));
        assert!(is_served(&mut connect_from("127.0.0.2", app.address).await).await);
        // A connection that ends makes room too.
        drop(held);
        eventually("the others are gone", async || app.connections().await <= 2).await;
        assert!(is_served(&mut connect_from("127.0.0.2", app.address).await).await);
    }

    async fn while_a_server_drains_it_serves_everything_and_turns_clients_away(database: TestDatabase) {
        let drain = Duration::from_secs(2);
        let mut app = draining(&database, drain).await;
        let tokens = app.login("alice").await;
        let cursor = app.get("/denylist").await.json::<Value>().await.expect("a page")["cursor"].as_str().map(str::to_owned);
        let poll = app.http.get(app.url(&format!("/denylist?wait=30&after={}", cursor.expect("a cursor"))));
        let poll = tokio::spawn(async move { poll.send().await.expect("an answer") });
        eventually("it is held", async || app.authority.followers_waiting() == 1).await;
        let stopping = app.begin_stop();
        eventually("it is not ready", async || app.get("/health/ready").await.status() == 503).await;
        for answer in [app.get("/health/live").await, app.post("/token", &login()).await, app.get("/nope").await] {
            assert_eq!(answer.headers()["connection"], "close");
        }
        assert_eq!(app.me(&tokens.access).await, 200);
        stays("the poll is held", Duration::from_millis(500), async || !poll.is_finished()).await;
        assert_eq!(poll.await.expect("no panic").status(), 200, "answered at the end of the drain");
        tokio::time::timeout(drain + Duration::from_secs(10), stopping).await.expect("in time").expect("no panic");
        assert!(TcpStream::connect(app.address).await.is_err());
    }

    async fn requests_in_progress_finish_although_other_workers_have_stopped(database: TestDatabase) {
        let mut app = App::start_with(&database, |options| options.server.workers = std::num::NonZeroUsize::new(4)).await;
        app.add_user("alice", "").await;
        // Every worker opens connections to the database.
        let tokens: Vec<Tokens> = join_all((0..24).map(|_| app.login("alice"))).await;
        let mut streams = Vec::new();
        for tokens in tokens.iter().take(8) {
            let body = format!("grant_type=refresh_token&refresh_token={}", tokens.refresh);
            let head = format!(
                "POST /token HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\n\
                 Expect: 100-continue\r\nContent-Length: {}\r\n\r\n",
                body.len()
            );
            // They all come to one or two of the workers.
            let mut stream = raw::connect(app.address).await;
            stream.write_all(head.as_bytes()).await.expect("it reads");
            raw::read_until(&mut stream, "\r\n\r\n").await;
            streams.push((stream, body));
            for _ in 0..3 {
                assert!(is_served(&mut raw::connect(app.address).await).await);
            }
        }
        let stopping = app.begin_stop();
        eventually("nothing new is accepted", async || TcpStream::connect(app.address).await.is_err()).await;
        // Time for the idle workers to end.
        stays("requests are in progress", Duration::from_millis(700), async || !stopping.is_finished()).await;
        for (mut stream, body) in streams {
            stream.write_all(body.as_bytes()).await.expect("it reads");
            let answer = raw::read_to_end(&mut stream).await;
            assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
        }
        tokio::time::timeout(Duration::from_secs(10), stopping).await.expect("in time").expect("no panic");
    }
}
