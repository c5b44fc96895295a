//! No request, however malformed, causes a server error.

use ficha_store::testing::TestDatabase;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;

use crate::raw::{self, is_plain};
use ficha_testing::{App, PASSWORD};

const CASES: usize = 64;

/// The bytes of a form: arbitrary bytes, or known parameters with arbitrary values.
fn body() -> impl Strategy<Value = Vec<u8>> {
    let name = prop_oneof![
        Just("grant_type".to_owned()),
        Just("username".to_owned()),
        Just("password".to_owned()),
        Just("refresh_token".to_owned()),
        Just("scope".to_owned()),
        Just("client_id".to_owned()),
        Just("client_secret".to_owned()),
        ".{0,8}",
    ];
    let value = prop_oneof![
        Just("password".to_owned()),
        Just("refresh_token".to_owned()),
        Just("client_credentials".to_owned()),
        Just("alice".to_owned()),
        Just("shop".to_owned()),
        Just("first-party".to_owned()),
        Just(PASSWORD.to_owned()),
        Just("\0".to_owned()),
        "[A-Za-z0-9_-]{82}",
        ".{0,300}",
        any::<String>(),
    ];
    let grant = prop_oneof![Just("password"), Just("refresh_token"), Just("client_credentials")];
    let form = (grant, vec((name, value), 0..6)).prop_map(|(grant, pairs)| {
        let rest: Vec<String> = pairs
            .iter()
            .filter(|(name, _)| name != "grant_type")
            .map(|(name, value)| format!("&{}={}", raw::encode_value(name), raw::encode_value(value)))
            .collect();
        format!("grant_type={grant}{}", rest.concat()).into_bytes()
    });
    let prefixed = (Just(b"grant_type=password&username=alice&password=".to_vec()), vec(any::<u8>(), 0..200))
        .prop_map(|(head, tail)| [head, tail].concat());
    prop_oneof![4 => form, 1 => prefixed, 1 => vec(any::<u8>(), 0..400)]
}

/// Header lines: arbitrary printable bytes as values, or Basic headers of arbitrary bytes.
fn headers() -> impl Strategy<Value = String> {
    let basic = vec(any::<u8>(), 0..60).prop_map(|bytes| raw::basic_of(&bytes));
    let pair =
        ("\\PC{0,12}|\\x00|shop|first-party", "\\PC{0,12}|\\x00").prop_map(|(id, secret)| raw::basic(&id, &secret));
    let other = ("Authorization|User-Agent|X-Forwarded-For|Forwarded|Accept|Cookie|Content-Encoding", "[ -~é🔑]{0,80}")
        .prop_map(|(name, value)| format!("{name}: {value}\r\n"));
    let one = prop_oneof![2 => Just(String::new()), 1 => basic, 1 => pair, 2 => other];
    vec(one, 0..3).prop_map(|lines| lines.concat())
}

fn content_type() -> impl Strategy<Value = String> {
    prop_oneof![
        8 => Just("application/x-www-form-urlencoded".to_owned()),
        1 => Just("application/x-www-form-urlencoded; charset=x".to_owned()),
        1 => "[ -~]{0,40}",
    ]
}

ficha_store::on_both_databases! {
    async fn no_request_makes_the_token_endpoint_answer_5xx(database: TestDatabase) {
        let app = App::start_with(&database, |options| {
            options.server.trusted_proxies = vec![ficha_server::parse_network("127.0.0.1").expect("a network")];
        })
        .await;
        app.add_user("alice", "notes:read").await;
        app.add_client("shop", |_| ()).await;
        let mut runner = TestRunner::default();
        for _ in 0..CASES {
            let case = (body(), headers(), content_type()).new_tree(&mut runner).expect("a case").current();
            let (body, headers, content_type) = &case;
            let headers = format!("Content-Type: {content_type}\r\n{headers}");
            let answer = raw::send(&app, &raw::request("POST", "/token", &headers, body)).await;
            assert!((200..500).contains(&answer.status), "{case:?}: {answer:?}");
            // Requests that are not valid HTTP are rejected before they reach the token endpoint.
            if answer.status >= 400 && !answer.body.is_empty() {
                let words = answer.json()["error_description"].as_str().expect("words").to_owned();
                assert!(is_plain(&words), "{case:?}: {words}");
            }
        }
        assert_eq!(app.login("alice").await.body["scope"], "notes:read", "and it works as before");
    }
}
