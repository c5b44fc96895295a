//! The format of requests (RFC 6749 §3.2, appendix B).

use std::time::Duration;

use ficha_authority::{NewPassword, NewUser, Password};
use ficha_store::testing::TestDatabase;

use crate::raw::{self, FORM, encode};
use ficha_testing::{App, PASSWORD, Tokens, error, tester};

const LOGIN: [(&str, &str); 3] = [("grant_type", "password"), ("username", "alice"), ("password", PASSWORD)];

ficha_store::on_both_databases! {
    async fn a1_anything_but_post_is_405_and_says_so(database: TestDatabase) {
        let app = App::start(&database).await;
        app.add_user("alice", "").await;
        for method in ["GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "BREW"] {
            let answer = raw::send(&app, &raw::request(method, "/token", FORM, encode(&LOGIN).as_bytes())).await;
            assert_eq!(answer.status, 405, "{method}");
            assert_eq!(answer.all("allow"), ["POST"], "{method}");
            assert!(!answer.body.contains("access_token"), "{method}");
        }
        assert_eq!(raw::post(&app, "", &encode(&LOGIN)).await.status, 200);
    }

    async fn a2_only_a_form_is_read_whatever_the_body(database: TestDatabase) {
        let app = App::start(&database).await;
        app.add_user("alice", "").await;
        let json = r#"{"grant_type":"password","username":"alice","password":"seven quiet otters juggle"}"#;
        for (content_type, body) in [
            ("application/json", json.to_owned()),
            ("application/json", encode(&LOGIN)),
            ("text/plain", encode(&LOGIN)),
            ("multipart/form-data; boundary=x", encode(&LOGIN)),
            ("application/x-www-form-urlencoded-not", encode(&LOGIN)),
            ("application/x-www-form-urlencoded, text/plain", encode(&LOGIN)),
            ("x; application/x-www-form-urlencoded", encode(&LOGIN)),
            ("", encode(&LOGIN)),
        ] {
            let header = format!("Content-Type: {content_type}\r\n");
            let answer = raw::send(&app, &raw::request("POST", "/token", &header, body.as_bytes())).await;
            assert_eq!((answer.status, answer.error().as_str()), (400, "invalid_request"), "{content_type:?}");
        }
        let none = raw::send(&app, &raw::request("POST", "/token", "", encode(&LOGIN).as_bytes())).await;
        assert_eq!((none.status, none.error().as_str()), (400, "invalid_request"));
        for good in [
            "application/x-www-form-urlencoded; charset=UTF-8",
            "application/x-www-form-urlencoded;charset=utf-8",
            "application/x-www-form-urlencoded ; charset=\"utf-8\"",
            "Application/X-WWW-Form-URLEncoded",
        ] {
            let header = format!("Content-Type: {good}\r\n");
            let answer = raw::send(&app, &raw::request("POST", "/token", &header, encode(&LOGIN).as_bytes())).await;
            assert_eq!(answer.status, 200, "{good}: {answer:?}");
        }
    }

    async fn a3_nothing_in_the_query_is_honoured(database: TestDatabase) {
        let app = App::start(&database).await;
        app.add_user("alice", "").await;
        let client = app.add_client("shop", |_| ()).await;
        let post = async |query: &str, headers: &str, body: &str| {
            let target = format!("/token?{query}");
            raw::send(&app, &raw::request("POST", &target, &format!("{FORM}{headers}"), body.as_bytes())).await
        };
        let all = post(&encode(&LOGIN), "", "").await;
        assert_eq!((all.status, all.error().as_str()), (400, "invalid_request"));
        let password = post(&encode(&LOGIN[2..]), "", &encode(&LOGIN[..2])).await;
        assert_eq!((password.status, password.error().as_str()), (400, "invalid_request"));
        let grant = encode(&[("grant_type", "client_credentials"), ("client_id", &client.id)]);
        let secret = post(&encode(&[("client_secret", &client.secret)]), "", &grant).await;
        assert_eq!((secret.status, secret.error().as_str()), (401, "invalid_client"));
        let both = encode(&[("client_id", &client.id), ("client_secret", &client.secret)]);
        let default = post(&both, "", &encode(&LOGIN)).await;
        assert_eq!(default.status, 200);
        let claims = ficha_testing::claims(default.json()["access_token"].as_str().expect("a token"));
        assert_eq!(claims["client_id"], "first-party", "the client in the query is ignored");
        let refresh = default.json()["refresh_token"].as_str().expect("a token").to_owned();
        let query = encode(&[("refresh_token", &refresh)]);
        let refreshed = post(&query, "", "grant_type=refresh_token").await;
        assert_eq!((refreshed.status, refreshed.error().as_str()), (400, "invalid_request"));
        // Nor does the query make a parameter of the body count as repeated.
        assert_eq!(post("grant_type=x&password=y&scope=z", "", &encode(&LOGIN)).await.status, 200);
    }

    async fn a4_a_repeated_parameter_is_refused(database: TestDatabase) {
        let app = App::start(&database).await;
        app.add_user("alice", "").await;
        let login = encode(&LOGIN);
        for more in [
            "grant_type=password",
            "grant%5ftype=password",
            "grant_type=refresh_token",
            "grant_type",
            "username=alice",
            "username=",
            "password=other",
            "scope=a&scope=a",
            "client_id=first-party&client_id=other",
            "client_secret=&client_secret=",
            "unknown=1&unknown=2",
        ] {
            for body in [format!("{login}&{more}"), format!("{more}&{login}")] {
                let answer = raw::post(&app, "", &body).await;
                assert_eq!((answer.status, answer.error().as_str()), (400, "invalid_request"), "{body}");
            }
        }
        let answer = raw::post(&app, "", "grant_type=refresh_token&refresh_token=a&refresh_token=a").await;
        assert_eq!((answer.status, answer.error().as_str()), (400, "invalid_request"));
        assert_eq!(raw::post(&app, "", &login).await.status, 200);
    }

    async fn a5_an_empty_parameter_is_treated_as_omitted(database: TestDatabase) {
        let app = App::start(&database).await;
        app.add_user("alice", "notes:read").await;
        let client = app.add_client("shop", |_| ()).await;
        let login = encode(&LOGIN);
        for empty in ["scope=", "scope", "client_id=", "client_id=&client_secret=", "client_secret", "refresh_token="] {
            let answer = raw::post(&app, "", &format!("{login}&{empty}")).await;
            assert_eq!(answer.status, 200, "{empty}: {answer:?}");
            assert_eq!(answer.json()["scope"], "notes:read", "{empty}");
        }
        // Next to a Basic header, an empty secret in the body does not count as a second method.
        let basic = raw::basic(&client.id, &client.secret);
        assert_eq!(raw::post(&app, &basic, &format!("{login}&client_id=&client_secret=")).await.status, 200);
        for (body, missing) in [
            ("grant_type=&username=alice&password=x", "grant_type"),
            ("grant_type=password&username=&password=x", "username"),
            ("grant_type=password&username=alice&password=", "password"),
            ("grant_type=password&username=alice&password", "password"),
            ("grant_type=refresh_token&refresh_token=", "refresh_token"),
        ] {
            let answer = raw::post(&app, "", body).await;
            assert_eq!((answer.status, answer.error().as_str()), (400, "invalid_request"), "{body}");
            let words = answer.json()["error_description"].as_str().expect("words").to_owned();
            assert!(words.contains(missing), "{words}");
        }
    }

    async fn a6_an_unknown_parameter_is_ignored(database: TestDatabase) {
        let app = App::start(&database).await;
        app.add_user("alice", "notes:read").await;
        let strange = [("nonce", "1"), ("__proto__", "x"), ("Scope", "ficha:admin"), ("é", "🔑"), ("", "nameless")];
        let body = format!("{}&{}", encode(&strange), encode(&LOGIN));
        let answer = raw::post(&app, "", &body).await;
        assert_eq!((answer.status, answer.json()["scope"].as_str()), (200, Some("notes:read")));
        let refresh = answer.json()["refresh_token"].as_str().expect("a token").to_owned();
        let body = format!("grant_type=refresh_token&refresh_token={refresh}&username=bob&password=x&nonce=1");
        assert_eq!(raw::post(&app, "", &body).await.status, 200);
    }

    async fn a7_a_grant_type_is_required_and_must_be_supported(database: TestDatabase) {
        let app = App::start(&database).await;
        app.add_user("alice", "").await;
        for form in [&LOGIN[1..], &[]] {
            let words = error(app.post("/token", form).await, 400, "invalid_request").await;
            assert!(words.contains("grant_type"), "{words}");
        }
        for unknown in [
            "authorization_code",
            "implicit",
            "Password",
            "PASSWORD",
            "password ",
            " password",
            "password\0",
            "urn:ietf:params:oauth:grant-type:device_code",
            "\"\\",
        ] {
            let form = [("grant_type", unknown), LOGIN[1], LOGIN[2]];
            error(app.post("/token", &form).await, 400, "unsupported_grant_type").await;
        }
    }

    async fn a21_a_password_arrives_unchanged_whatever_is_in_it(database: TestDatabase) {
        let app = App::start(&database).await;
        let long = format!("{}ends otherwise", "ä+%&=;🔑\u{301} seven quiet otters juggle ".repeat(5));
        for (index, password) in [
            "plus + percent % amp & equals = end",
            "%41%42%43 stays as it is typed",
            " a space before and one behind ",
            "tab\tand newline\nand return\r\n inside",
            "umlaut ä ö ü ß and 漢字 and 🔑🐎🔋📎",
            "decomposed e\u{301} is not composed é",
            "quotes \" ' ` back\\slash / and <tag>",
            "nul \0 byte in the middle of this one",
            "semicolon;colon:comma,question?hash#",
            &long,
        ]
        .into_iter()
        .enumerate()
        {
            let name = format!("user{index}");
            let new = NewUser {
                name: name.clone(),
                email: None,
                password: NewPassword::Plain(Password::new(password)),
                scopes: "".parse().expect("a valid scope"),
                roles: Vec::new(), must_change: false };
            app.admin.add_user(&tester(), new).await.expect("the user is added");
            let every_byte: String = password.bytes().map(|byte| format!("%{byte:02x}")).collect();
            let percent_20 = encode(&[("password", password)])["password=".len()..].replace('+', "%20");
            for encoded in [raw::encode_value(password), every_byte, percent_20] {
                let body = format!("grant_type=password&username={name}&password={encoded}");
                assert_eq!(raw::post(&app, "", &body).await.status, 200, "{password:?} as {encoded}");
            }
            let trimmed = [("grant_type", "password"), ("username", &name), ("password", password.trim())];
            if password.trim() != password {
                error(app.post("/token", &trimmed).await, 400, "invalid_grant").await;
            }
        }
        // Composed and decomposed forms are different passwords.
        let form = [("grant_type", "password"), ("username", "user5"), ("password", "decomposed é is not composed é")];
        error(app.post("/token", &form).await, 400, "invalid_grant").await;
    }

    async fn a21_raw_utf_8_is_accepted_and_invalid_utf_8_is_refused(database: TestDatabase) {
        let app = App::start(&database).await;
        let new = NewUser {
            name: "zoë 漢字+%&=".into(),
            email: None,
            password: NewPassword::Plain(Password::new("pässwörd 漢字 🔑 lang genug")),
            scopes: "".parse().expect("a valid scope"),
            roles: Vec::new(), must_change: false };
        app.admin.add_user(&tester(), new).await.expect("the user is added");
        // The same applies to names, and bytes that are not percent-encoded are used as they are.
        let body = "grant_type=password&username=zoë 漢字%2B%25%26%3D&password=pässwörd 漢字 🔑 lang genug";
        assert_eq!(raw::post(&app, "", body).await.status, 200);
        let bad = b"grant_type=password&username=alice&password=\xff\xfe";
        let answer = raw::send(&app, &raw::request("POST", "/token", FORM, bad)).await;
        assert_eq!((answer.status, answer.error().as_str()), (400, "invalid_request"));
    }

    async fn a_body_in_chunks_is_read_like_any_other(database: TestDatabase) {
        let app = App::start(&database).await;
        app.add_user("alice", "").await;
        let body = encode(&LOGIN);
        let (first, second) = body.split_at(7);
        let head =
            format!("POST /token HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{FORM}Transfer-Encoding: chunked\r\n\r\n");
        let chunks = format!("{:x}\r\n{first}\r\n{:x}\r\n{second}\r\n0\r\n\r\n", first.len(), second.len());
        assert_eq!(raw::send(&app, format!("{head}{chunks}").as_bytes()).await.status, 200);
    }

    async fn a9_a_login_returns_a_bearer_token_and_its_lifetime(database: TestDatabase) {
        let app =
            App::start_with(&database, |options| options.settings.token.access_ttl = Duration::from_secs(77)).await;
        app.add_user("alice", "notes:read").await;
        let client = app
            .add_client("shop", |new| {
                new.scopes = ficha_authority::ClientScopes::Only("notes:read".parse().expect("a valid scope"));
            })
            .await;
        let login = app.login_as(&client, "alice").await;
        let form = [("grant_type", "refresh_token"), ("refresh_token", login.refresh.as_str())];
        let refresh = Tokens::of(app.post_as(&client, "/token", &form).await).await;
        let own = Tokens::of(app.post_as(&client, "/token", &[("grant_type", "client_credentials")]).await).await;
        for tokens in [&login, &refresh, &own] {
            assert_eq!(tokens.body["token_type"], "Bearer");
            assert_eq!(tokens.body["expires_in"].as_u64(), Some(77));
            let claims = tokens.claims();
            assert_eq!(claims["exp"].as_i64(), claims["iat"].as_i64().map(|iat| iat + 77));
            assert_eq!(tokens.body["scope"], "notes:read");
            assert_eq!(claims["scope"], "notes:read");
        }
    }
}
