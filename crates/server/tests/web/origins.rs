//! Who sent a request: forwarding headers count only from a trusted proxy.

use ficha_authority::SessionQuery;
use ficha_store::testing::TestDatabase;

use ficha_testing::{App, PASSWORD, Tokens, tester};

type Header = (&'static str, &'static [u8]);

/// The address in the session row of a login that was sent with these headers.
async fn seen(app: &App, headers: &[Header]) -> Option<String> {
    let form = [("grant_type", "password"), ("username", "alice"), ("password", PASSWORD)];
    let mut request = app.http.post(app.url("/token")).form(&form);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let claims = Tokens::of(request.send().await.expect("the server answers")).await.claims();
    let sid = claims["sid"].as_str().expect("a token has a sid").parse().expect("it is a UUID");
    app.admin.session(&tester(), sid).await.expect("the session is there").address
}

const SPOOFED: [Header; 4] = [
    ("x-forwarded-for", b"203.0.113.1"),
    ("forwarded", b"for=203.0.113.2"),
    ("x-real-ip", b"203.0.113.3"),
    ("client-ip", b"203.0.113.4"),
];

ficha_store::on_both_databases! {
    async fn a84_without_a_trusted_proxy_no_header_names_the_sender(database: TestDatabase) {
        let app = App::start(&database).await;
        app.add_user("alice", "").await;
        for header in SPOOFED {
            assert_eq!(seen(&app, &[header]).await.as_deref(), Some("127.0.0.1"), "{header:?}");
        }
        // A trusted proxy is configured, but the request comes from another address.
        let app = app.another_with(&database, |options| {
            options.server.trusted_proxies = vec!["192.0.2.0/24".parse().expect("a network")];
        }).await;
        for header in SPOOFED {
            assert_eq!(seen(&app, &[header]).await.as_deref(), Some("127.0.0.1"), "{header:?}");
        }
    }

    async fn a84_a_trusted_proxy_names_the_sender(database: TestDatabase) {
        let app = App::start_with(&database, |options| {
            let proxies = ["127.0.0.0/8", "198.51.100.7"].map(|net| ficha_server::parse_network(net).expect("a network"));
            options.server.trusted_proxies = proxies.into();
        }).await;
        app.add_user("alice", "").await;
        let expected: [(&[Header], Option<&str>); 12] = [
            (&[], Some("127.0.0.1")),
            (&[SPOOFED[0]], Some("203.0.113.1")),
            (&[SPOOFED[1]], Some("203.0.113.2")),
            // These two headers are ignored from any sender.
            (&[SPOOFED[2]], Some("127.0.0.1")),
            (&[SPOOFED[3]], Some("127.0.0.1")),
            // What the client itself wrote is further left.
            (&[("x-forwarded-for", b"10.0.0.1, 203.0.113.9")], Some("203.0.113.9")),
            (&[("x-forwarded-for", b"10.0.0.1"), ("x-forwarded-for", b"203.0.113.9")], Some("203.0.113.9")),
            (&[("x-forwarded-for", b"\xfc, 203.0.113.9")], Some("203.0.113.9")),
            // A second trusted proxy in between.
            (&[("x-forwarded-for", b"10.0.0.1, 203.0.113.9, 198.51.100.7")], Some("203.0.113.9")),
            (&[("forwarded", b"for=10.0.0.1;proto=https, For=\"[2001:db8::9]:4711\"")], Some("2001:db8::9")),
            (&[("x-forwarded-for", b"::ffff:203.0.113.9")], Some("203.0.113.9")),
            // A proxy that hides the client: no address, not that of the proxy.
            (&[("forwarded", b"for=_hidden")], None),
        ];
        for (headers, address) in expected {
            assert_eq!(seen(&app, headers).await.as_deref(), address, "{headers:?}");
        }
    }

    async fn a_session_keeps_the_beginning_of_its_user_agent(database: TestDatabase) {
        let app = App::start(&database).await;
        app.add_user("alice", "").await;
        let form = [("grant_type", "password"), ("username", "alice"), ("password", PASSWORD)];
        let agent = "Tester/1.0 ".to_owned() + &"x".repeat(1_000);
        let request = app.http.post(app.url("/token")).form(&form).header("user-agent", &agent);
        Tokens::of(request.send().await.expect("the server answers")).await;
        let query = SessionQuery { user: Some("alice".into()), limit: 10, ..SessionQuery::default() };
        let sessions = app.admin.sessions(&tester(), query).await.expect("the sessions can be read");
        let [session] = &sessions[..] else { panic!("exactly one session was expected: {sessions:?}") };
        assert_eq!(session.user_agent.as_deref(), Some(&agent[..200]));
    }
}
