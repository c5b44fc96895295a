//! Error responses (RFC 6749 §5.2).

use ficha_authority::Grant;
use ficha_store::testing::TestDatabase;

use crate::raw::{self, Answer, FORM, encode, is_plain};
use ficha_testing::{App, PASSWORD};

const LOGIN: [(&str, &str); 3] = [("grant_type", "password"), ("username", "alice"), ("password", PASSWORD)];

fn assert_not_cacheable(answer: &Answer, what: &str) {
    assert_eq!(answer.all("cache-control"), ["no-store"], "{what}: {answer:?}");
    assert_eq!(answer.all("pragma"), ["no-cache"], "{what}: {answer:?}");
}

ficha_store::on_both_databases! {
    async fn a8_no_response_may_be_cached(database: TestDatabase) {
        let app = App::start(&database).await;
        app.add_user("alice", "notes:read").await;
        let client = app.add_client("shop", |_| ()).await;
        let only = app.add_client("only", |new| new.grants = vec![Grant::ClientCredentials]).await;
        // The queue has no room at all, so every login is rejected.
        let busy = app.another_with(&database, |options| options.settings.password.max_queue = 0).await;
        let login = encode(&LOGIN);
        let good = raw::post(&app, "", &login).await;
        let refresh = good.json()["refresh_token"].as_str().expect("a token").to_owned();
        let refresh = format!("grant_type=refresh_token&refresh_token={refresh}");
        let as_shop = raw::basic(&client.id, &client.secret);
        let as_only = raw::basic(&only.id, &only.secret);
        let cases = [
            ("a login", 200, good),
            ("a refresh", 200, raw::post(&app, "", &refresh).await),
            ("a client's own", 200, raw::post(&app, &as_shop, "grant_type=client_credentials").await),
            ("no parameters", 400, raw::post(&app, "", "").await),
            ("another grant", 400, raw::post(&app, "", "grant_type=x").await),
            ("a bad scope", 400, raw::post(&app, "", &format!("{login}&scope=%22")).await),
            ("too much scope", 400, raw::post(&app, "", &format!("{login}&scope=other")).await),
            ("a wrong password", 400, raw::post(&app, "", &login.replace("otters", "others")).await),
            ("a bad refresh token", 400, raw::post(&app, "", "grant_type=refresh_token&refresh_token=x").await),
            ("a grant that is not allowed", 400, raw::post(&app, &as_only, &login).await),
            ("two ways", 400, raw::post(&app, &as_shop, &format!("{login}&client_secret=x")).await),
            ("an unknown client", 401, raw::post(&app, "", &format!("{login}&client_id=nobody")).await),
            ("a wrong secret", 401, raw::post(&app, &raw::basic("shop", "x"), &login).await),
            ("not a Basic header", 401, raw::post(&app, "Authorization: Bearer x\r\n", &login).await),
            (
                "JSON",
                400,
                raw::send(&app, &raw::request("POST", "/token", "Content-Type: application/json\r\n", b"{}")).await,
            ),
            ("GET", 405, raw::send(&app, &raw::request("GET", "/token", "", b"")).await),
            ("HEAD", 405, raw::send(&app, &raw::request("HEAD", "/token", "", b"")).await),
            ("a long body", 413, raw::post(&app, "", &format!("{login}&x={}", "x".repeat(65_536))).await),
            ("no room", 503, raw::post(&busy, "", &login).await),
        ];
        for (what, status, answer) in cases {
            assert_eq!(answer.status, status, "{what}: {answer:?}");
            assert_not_cacheable(&answer, what);
        }
    }

    async fn a8_a_body_without_end_is_cut_off_with_413(database: TestDatabase) {
        let app = App::start(&database).await;
        let head =
            format!("POST /token HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{FORM}Transfer-Encoding: chunked\r\n\r\n");
        let chunks = format!("4000\r\n{}\r\n", "x".repeat(0x4000)).repeat(5);
        let answer = raw::send(&app, format!("{head}{chunks}0\r\n\r\n").as_bytes()).await;
        assert_eq!((answer.status, answer.error().as_str()), (413, "invalid_request"));
        assert_not_cacheable(&answer, "chunks");
        // A body of exactly the maximum length is accepted.
        let fitting = format!("grant_type=x&{}", "x".repeat(65_536 - "grant_type=x&".len()));
        assert_eq!(raw::post(&app, "", &fitting).await.error(), "unsupported_grant_type");
    }

    async fn a12_error_and_description_stay_plain_whatever_comes_in(database: TestDatabase) {
        let app = App::start(&database).await;
        app.add_user("alice", "notes:read").await;
        let hostile = [
            "\"",
            "\\",
            "\",\"error\":\"none\"",
            "\r\nSet-Cookie: x=1",
            "\0",
            "\u{7f}",
            "\u{80}",
            "é",
            "🔑",
            "\u{202e}",
            "\u{feff}",
            "\u{2028}",
            "<script>alert(1)</script>",
            "%",
            "%22%5C",
            "$(id)",
            "';--",
            "\t",
        ];
        let fields = ["grant_type", "username", "password", "scope", "client_id", "client_secret", "refresh_token"];
        for text in hostile {
            for field in fields {
                for grant in ["password", "refresh_token", "client_credentials"] {
                    let mut form = vec![("grant_type", grant), ("username", "alice"), ("password", "x")];
                    form.push(("refresh_token", "x"));
                    form.retain(|(name, _)| *name != field);
                    form.push((field, text));
                    let answer = raw::post(&app, "", &encode(&form)).await;
                    assert_error_is_plain(&answer, &format!("{field}={text:?} {grant}"));
                }
            }
            let answer = raw::post(&app, &raw::basic(text, text), &encode(&LOGIN)).await;
            assert_error_is_plain(&answer, &format!("Basic {text:?}"));
        }
    }

    async fn a13_an_error_is_400_unless_client_authentication_failed(database: TestDatabase) {
        let app = App::start(&database).await;
        app.add_user("alice", "notes:read").await;
        let client = app.add_client("shop", |new| new.grants = vec![Grant::Password]).await;
        let good = raw::basic(&client.id, &client.secret);
        let wrong = raw::basic(&client.id, "wrong");
        let login = encode(&LOGIN);
        let wrong_password = login.replace("otters", "others");
        let too_much = format!("{login}&scope=notes:write");
        for (headers, body, status, code) in [
            ("", "username=alice", 400, "invalid_request"),
            ("", "grant_type=x", 400, "unsupported_grant_type"),
            (good.as_str(), wrong_password.as_str(), 400, "invalid_grant"),
            (&good, "grant_type=refresh_token&refresh_token=x", 400, "unauthorized_client"),
            (&good, &too_much, 400, "invalid_scope"),
            ("", "grant_type=refresh_token&refresh_token=x", 400, "invalid_grant"),
            (&wrong, &login, 401, "invalid_client"),
            (&wrong, "grant_type=refresh_token&refresh_token=x", 401, "invalid_client"),
            (&wrong, "grant_type=client_credentials", 401, "invalid_client"),
        ] {
            let answer = raw::post(&app, headers, body).await;
            assert_eq!((answer.status, answer.error().as_str()), (status, code), "{body}");
            assert_eq!(answer.all("content-type"), ["application/json"], "{body}");
            assert_eq!(answer.all("x-content-type-options"), ["nosniff"], "{body}");
            assert_eq!(answer.all("www-authenticate").len(), usize::from(status == 401), "{body}");
        }
    }
}

fn assert_error_is_plain(answer: &Answer, what: &str) {
    assert!((400..500).contains(&answer.status), "{what}: {answer:?}");
    let body = answer.json();
    let code = body["error"].as_str().expect("a code");
    assert!(!code.is_empty() && is_plain(code), "{what}: {body}");
    let words = body["error_description"].as_str().expect("words");
    assert!(!words.is_empty() && is_plain(words), "{what}: {body}");
    let names: Vec<&String> = body.as_object().expect("an object").keys().collect();
    assert_eq!(names, ["error", "error_description"], "{what}");
    assert!(answer.all("set-cookie").is_empty(), "{what}");
}
