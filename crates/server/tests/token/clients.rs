//! Client authentication (RFC 6749 §2.3), and what a client may use.

use ficha_authority::{ClientChange, ClientRecord, ClientScopes, ClientSecret, Grant, NewClientSecret, Secret};
use ficha_store::testing::TestDatabase;

use crate::raw::{self, encode, encode_value};
use ficha_testing::{App, Client, PASSWORD, Tokens, claims, error, tester};

const LOGIN: [(&str, &str); 3] = [("grant_type", "password"), ("username", "alice"), ("password", PASSWORD)];
const OWN: &str = "grant_type=client_credentials";

fn secret_of(id: uuid::Uuid, secret: &str) -> ClientSecret {
    let hash = Secret::new(secret).digest();
    ClientSecret { id, hash, created_at: None, expires_at: None, last_used_at: None }
}

/// A client with an arbitrary id and secret, which the admin interface would not accept.
async fn strange_client(app: &App, database: &TestDatabase, id: &str, secret: &str) {
    let store = database.store().await;
    let like = app.add_client(&format!("model {}", id.len()), |_| ()).await;
    let record = app.admin.client(&tester(), &like.id).await.expect("it was added");
    let subject = uuid::Uuid::from_u128(record.subject.as_u128() + 1);
    let record = ClientRecord { id: id.into(), subject, secrets: vec![secret_of(subject, secret)], ..record };
    assert!(store.add_client(record, &ficha_store::testing::cause()).await.expect("the client is stored"));
}

ficha_store::on_both_databases! {
    async fn a14_a_failed_basic_authentication_is_challenged(database: TestDatabase) {
        let app = App::start(&database).await;
        app.add_user("alice", "").await;
        let client = app.add_client("shop", |_| ()).await;
        let right = raw::basic(&client.id, &client.secret);
        for header in [
            raw::basic(&client.id, "wrong"),
            raw::basic(&client.id, &client.secret.to_uppercase()),
            raw::basic("nobody", &client.secret),
            raw::basic("", &client.secret),
            raw::basic("nul\0inside", "x"),
            raw::basic_of(b"no colon"),
            raw::basic_of(b"\xff\xfe:\xff"),
            raw::basic_of(b"%ff:x"),
            "Authorization: Basic\r\n".into(),
            "Authorization: Basic \r\n".into(),
            "Authorization: Basic !!!\r\n".into(),
            "Authorization: \r\n".into(),
            right.replace("Basic", "Bearer"),
            right.replace("Basic", "Digest"),
            right.replace("Basic ", "Basic"),
            right.trim_end().to_owned() + "=\r\n",
        ] {
            let answer = raw::post(&app, &header, &encode(&LOGIN)).await;
            assert_eq!((answer.status, answer.error().as_str()), (401, "invalid_client"), "{header:?}");
            let challenge = answer.all("www-authenticate");
            assert_eq!(challenge.len(), 1, "{header:?}");
            assert!(challenge[0].starts_with("Basic realm=\""), "{challenge:?}");
        }
        for good in [right.clone(), right.replace("Basic", "bAsIc"), right.replace("Basic ", "Basic   ")] {
            assert_eq!(raw::post(&app, &good, &encode(&LOGIN)).await.status, 200, "{good}");
        }
        let twice = raw::post(&app, &format!("{right}{right}"), &encode(&LOGIN)).await;
        assert_eq!((twice.status, twice.error().as_str()), (400, "invalid_request"));
    }

    async fn a15_an_id_and_a_secret_of_any_text_are_form_decoded(database: TestDatabase) {
        let app = App::start(&database).await;
        let pairs = [
            ("shop:1 50% + more&=x", "s:e%c+r e&t="),
            ("dienst-ä", "geheim ö 🔑:%41+"),
            ("🔑", "%3A%2B"),
            ("plain", "  two spaces before and behind  "),
        ];
        for (id, secret) in pairs {
            strange_client(&app, &database, id, secret).await;
        }
        app.advance(std::time::Duration::ZERO).await;
        for (id, secret) in pairs {
            let plus = raw::basic(id, secret);
            let bytes = |text: &str| text.bytes().map(|byte| format!("%{byte:02X}")).collect::<String>();
            let every_byte = raw::basic_of(format!("{}:{}", bytes(id), bytes(secret)).as_bytes());
            let spaces = format!("{}:{}", encode_value(id), encode_value(secret)).replace('+', "%20");
            for header in [plus, every_byte, raw::basic_of(spaces.as_bytes())] {
                let answer = raw::post(&app, &header, OWN).await;
                assert_eq!(answer.status, 200, "{id:?} {header} {answer:?}");
                assert_eq!(claims(answer.json()["access_token"].as_str().expect("a token"))["client_id"], id);
            }
            // The same text in the body.
            let form = encode(&[("grant_type", "client_credentials"), ("client_id", id), ("client_secret", secret)]);
            assert_eq!(raw::post(&app, "", &form).await.status, 200, "{id:?}");
            // A text that decodes differently is a different secret.
            let trimmed = raw::basic(id, &format!("{secret}x"));
            assert_eq!(raw::post(&app, &trimmed, OWN).await.status, 401, "{id:?}");
        }
    }

    async fn a15_raw_utf_8_in_the_header_is_taken_as_it_is(database: TestDatabase) {
        let app = App::start(&database).await;
        strange_client(&app, &database, "dienst-ä", "geheim-ö-🔑").await;
        assert_eq!(raw::post(&app, &raw::basic_of("dienst-ä:geheim-ö-🔑".as_bytes()), OWN).await.status, 200);
    }

    async fn a16_two_ways_at_once_are_refused_even_if_both_are_right(database: TestDatabase) {
        let app = App::start(&database).await;
        app.add_user("alice", "").await;
        let client = app.add_client("shop", |_| ()).await;
        let public = app.add_client("app", |new| new.public = true).await;
        let basic = raw::basic(&client.id, &client.secret);
        let with = |id: &str, secret: &str| {
            encode(&[LOGIN[0], LOGIN[1], LOGIN[2], ("client_id", id), ("client_secret", secret)])
        };
        let bare_secret = encode(&[LOGIN[0], LOGIN[1], LOGIN[2], ("client_secret", &client.secret)]);
        for (header, body) in [
            (basic.clone(), with(&client.id, &client.secret)),
            (basic.clone(), with(&client.id, "wrong")),
            (basic.clone(), bare_secret.clone()),
            (raw::basic(&client.id, ""), with(&client.id, &client.secret)),
            (raw::basic(&public.id, ""), bare_secret),
        ] {
            let answer = raw::post(&app, &header, &body).await;
            assert_eq!((answer.status, answer.error().as_str()), (400, "invalid_request"), "{body}");
        }
        assert_eq!(raw::post(&app, &basic, &encode(&LOGIN)).await.status, 200);
    }

    async fn a17_a_secret_in_the_body_works(database: TestDatabase) {
        let app = App::start(&database).await;
        app.add_user("alice", "").await;
        let client = app.add_client("shop", |_| ()).await;
        let with = |id: &str, secret: &str| {
            encode(&[LOGIN[0], LOGIN[1], LOGIN[2], ("client_id", id), ("client_secret", secret)])
        };
        let good = raw::post(&app, "", &with(&client.id, &client.secret)).await;
        assert_eq!(good.status, 200);
        let token = good.json()["refresh_token"].as_str().expect("a token").to_owned();
        let refresh = [
            ("grant_type", "refresh_token"),
            ("refresh_token", &token),
            ("client_id", &client.id),
            ("client_secret", &client.secret),
        ];
        assert_eq!(raw::post(&app, "", &encode(&refresh)).await.status, 200);
        for (id, secret) in [(client.id.as_str(), "wrong"), ("nobody", &client.secret), ("first-party", &client.secret)]
        {
            let answer = raw::post(&app, "", &with(id, secret)).await;
            assert_eq!((answer.status, answer.error().as_str()), (401, "invalid_client"), "{id}");
        }
        let nameless = format!("{}&client_secret={}", encode(&LOGIN), client.secret);
        assert_eq!(raw::post(&app, "", &nameless).await.error(), "invalid_request");
    }

    async fn a18_the_id_in_the_body_must_be_that_of_the_header(database: TestDatabase) {
        let app = App::start(&database).await;
        app.add_user("alice", "").await;
        let client = app.add_client("shop", |_| ()).await;
        let public = app.add_client("app", |new| new.public = true).await;
        for (header, body_id, status) in [
            (raw::basic(&client.id, &client.secret), "shop", 200),
            (raw::basic(&client.id, &client.secret), "app", 400),
            (raw::basic(&client.id, &client.secret), "SHOP", 400),
            (raw::basic(&client.id, &client.secret), "nobody", 400),
            (raw::basic(&public.id, ""), "app", 200),
            (raw::basic(&public.id, ""), "shop", 400),
        ] {
            let form = encode(&[LOGIN[0], LOGIN[1], LOGIN[2], ("client_id", body_id)]);
            let answer = raw::post(&app, &header, &form).await;
            assert_eq!(answer.status, status, "{body_id}: {answer:?}");
            if status == 400 {
                assert_eq!(answer.error(), "invalid_request", "{body_id}");
            }
        }
    }

    async fn a19_a_confidential_client_must_authenticate_in_every_grant(database: TestDatabase) {
        let app = App::start(&database).await;
        app.add_user("alice", "").await;
        let client = app.add_client("shop", |_| ()).await;
        let tokens = app.login_as(&client, "alice").await;
        let login = encode(&LOGIN);
        let refresh = encode(&[("grant_type", "refresh_token"), ("refresh_token", &tokens.refresh)]);
        for grant in [login.as_str(), &refresh, OWN] {
            for (header, more) in [
                (String::new(), "&client_id=shop"),
                (String::new(), "&client_id=shop&client_secret="),
                (String::new(), "&client_id=shop&client_secret=wrong"),
                (raw::basic("shop", ""), ""),
                (raw::basic("shop", "wrong"), ""),
            ] {
                let answer = raw::post(&app, &header, &format!("{grant}{more}")).await;
                assert_eq!((answer.status, answer.error().as_str()), (401, "invalid_client"), "{grant}{more}");
            }
        }
        // None of that used up the refresh token.
        assert_eq!(raw::post(&app, &raw::basic(&client.id, &client.secret), &refresh).await.status, 200);
    }

    async fn a22_a_grant_that_a_client_may_not_use_is_refused(database: TestDatabase) {
        let app = App::start(&database).await;
        app.add_user("alice", "").await;
        let full = app.add_client("full", |_| ()).await;
        let tokens = app.login_as(&full, "alice").await;
        let login = encode(&LOGIN);
        let refresh = encode(&[("grant_type", "refresh_token"), ("refresh_token", &tokens.refresh)]);
        for (id, grants, may) in [
            ("login only", vec![Grant::Password], [true, false, false]),
            ("machine", vec![Grant::ClientCredentials], [false, false, true]),
            ("nothing", vec![], [false, false, false]),
        ] {
            let client = app.add_client(id, |new| new.grants = grants).await;
            let header = raw::basic(&client.id, &client.secret);
            for (body, may) in [login.as_str(), &refresh, OWN].into_iter().zip(may) {
                let answer = raw::post(&app, &header, body).await;
                if may {
                    assert_eq!(answer.status, 200, "{id} {body}");
                    assert_eq!(answer.json().get("refresh_token"), None, "{id} may not refresh");
                } else {
                    assert_eq!((answer.status, answer.error().as_str()), (400, "unauthorized_client"), "{id} {body}");
                }
            }
            // A right and a wrong password are rejected alike, since the grant is checked first.
            if !may[0] {
                let wrong = raw::post(&app, &header, &login.replace("otters", "others")).await;
                assert_eq!(wrong.error(), "unauthorized_client");
            }
        }
    }

    async fn a23_client_credentials_are_for_confidential_clients_and_bring_no_refresh_token(database: TestDatabase) {
        let app = App::start(&database).await;
        app.add_client("app", |new| new.public = true).await;
        let form = [("grant_type", "client_credentials"), ("client_id", "app")];
        error(app.post("/token", &form).await, 400, "unauthorized_client").await;
        error(app.post("/token", &form[..1]).await, 400, "unauthorized_client").await;
        let client = app
            .add_client("shop", |new| {
                new.scopes = ClientScopes::Only("stock:read".parse().expect("a valid scope"));
            })
            .await;
        let own = Tokens::of(app.post_as(&client, "/token", &form[..1]).await).await;
        assert_eq!(own.body.get("refresh_token"), None);
        let record = app.admin.client(&tester(), "shop").await.expect("it was added");
        let claims = own.claims();
        assert_eq!(claims["sub"], record.subject.to_string());
        assert_eq!(claims["client_id"], "shop");
        assert_eq!(app.me(&own.access).await, 200);
        // One session for all of them, but a new token each time.
        let again = Tokens::of(app.post_as(&client, "/token", &form[..1]).await).await.claims();
        assert_eq!(again["sid"], claims["sid"]);
        assert_ne!(again["jti"], claims["jti"]);
    }

    async fn a25_another_clients_refresh_token_is_refused_and_lives_on(database: TestDatabase) {
        let app = App::start(&database).await;
        app.add_user("alice", "notes:read").await;
        let (a, b) = (app.add_client("a", |_| ()).await, app.add_client("b", |_| ()).await);
        let tokens = app.login_as(&a, "alice").await;
        let refresh = |token: &str, more: &str| format!("grant_type=refresh_token&refresh_token={token}{more}");
        let as_b = raw::basic(&b.id, &b.secret);
        let unknown = raw::post(&app, &as_b, &refresh("garbage", "")).await.without_date();
        assert_eq!((unknown.status, unknown.error().as_str()), (400, "invalid_grant"));
        // The response discloses neither whether it is valid nor what it may be used for.
        for more in ["", "&scope=notes:read", "&scope=notes:write"] {
            let answer = raw::post(&app, &as_b, &refresh(&tokens.refresh, more)).await.without_date();
            assert_eq!(answer, unknown, "{more}");
            let public = raw::post(&app, "", &refresh(&tokens.refresh, more)).await;
            assert_eq!(public.error(), "invalid_grant", "{more}");
        }
        assert_eq!(app.me(&tokens.access).await, 200);
        let renewed = Tokens::of(
            app.post_as(&a, "/token", &[("grant_type", "refresh_token"), ("refresh_token", &tokens.refresh)]).await,
        )
        .await;
        // Nor does B end A's session by sending a used token of A.
        app.advance(std::time::Duration::from_secs(60)).await;
        assert_eq!(raw::post(&app, &as_b, &refresh(&tokens.refresh, "")).await.without_date(), unknown);
        assert_eq!(app.me(&renewed.access).await, 200);
        let as_a = raw::basic(&a.id, &a.secret);
        assert_eq!(raw::post(&app, &as_a, &refresh(&renewed.refresh, "")).await.status, 200);
    }

    async fn a_new_secret_replaces_the_old_one(database: TestDatabase) {
        let app = App::start(&database).await;
        let old = app.add_client("shop", |_| ()).await;
        assert_eq!(raw::post(&app, &raw::basic(&old.id, &old.secret), OWN).await.status, 200);
        let new = NewClientSecret::REPLACING;
        let (_, secret) = app.admin.add_client_secret(&tester(), "shop", new).await.expect("a new secret");
        app.advance(std::time::Duration::ZERO).await;
        let new = Client { id: old.id.clone(), secret: secret.expose().to_owned() };
        assert_eq!(raw::post(&app, &raw::basic(&old.id, &old.secret), OWN).await.status, 401);
        assert_eq!(raw::post(&app, &raw::basic(&new.id, &new.secret), OWN).await.status, 200);
    }

    async fn a_client_changed_a_moment_ago_gets_its_new_scopes_at_once(database: TestDatabase) {
        let app = App::start(&database).await;
        app.add_user("alice", "a b c").await;
        let client =
            app.add_client("shop", |new| new.scopes = ClientScopes::Only("a".parse().expect("a valid scope"))).await;
        app.login_as(&client, "alice").await;
        for scopes in ["a b", "a b c"] {
            // The server has to find out by itself, as for a change by another process.
            let wider = ClientScopes::Only(scopes.parse().expect("a valid scope"));
            let change = ClientChange { scopes: Some(wider), ..Default::default() };
            app.admin.change_client(&tester(), "shop", change).await.expect("the client is changed");
            assert_eq!(app.login_as(&client, "alice").await.body["scope"], scopes);
            let own = app.post_as(&client, "/token", &[("grant_type", "client_credentials")]).await;
            assert_eq!(Tokens::of(own).await.body["scope"], scopes);
        }
    }
}
