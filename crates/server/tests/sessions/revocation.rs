//! `POST /revoke` (RFC 7009).

use ficha_authority::Issuer;
use ficha_store::testing::TestDatabase;
use reqwest::Method;

use crate::support::*;
use ficha_testing::{App, error};

ficha_store::on_both_databases! {
    async fn a37_a_client_authenticates_as_at_the_token_endpoint(database: TestDatabase) {
        let app = app_with_alice(&database).await;
        let client = jobs_client(&app, "app").await;
        let public = app.add_client("phone", |new| new.public = true).await;
        let tokens = app.login_as(&client, "alice").await;
        let wrong = ficha_testing::Client { secret: "wrong".into(), ..client.clone() };
        // Authentication comes first, whatever the token is.
        for token in [tokens.access.as_str(), "garbage"] {
            let response = app.post_as(&wrong, "/revoke", &[("token", token)]).await;
            let challenge = response.headers()["www-authenticate"].to_str().expect("ASCII").to_owned();
            assert!(challenge.starts_with("Basic realm="), "{challenge}");
            error(response, 401, "invalid_client").await;
        }
        let id = [("token", tokens.access.as_str()), ("client_id", "app")];
        error(app.post("/revoke", &id).await, 401, "invalid_client").await;
        let unknown = [("token", tokens.access.as_str()), ("client_id", "nobody")];
        error(app.post("/revoke", &unknown).await, 401, "invalid_client").await;
        let twice = [("token", tokens.access.as_str()), ("client_secret", client.secret.as_str())];
        error(app.post_as(&client, "/revoke", &twice).await, 400, "invalid_request").await;
        let differs = [("token", tokens.access.as_str()), ("client_id", "phone")];
        error(app.post_as(&client, "/revoke", &differs).await, 400, "invalid_request").await;
        assert_eq!(app.me(&tokens.access).await, 200, "none of that revoked it");
        let post = [id.as_slice(), &[("client_secret", client.secret.as_str())]].concat();
        assert_eq!(app.post("/revoke", &post).await.status(), 200);
        assert_eq!(app.me(&tokens.access).await, 401);
        // A public client names itself in the body, or in a header without a secret.
        for in_header in [true, false] {
            let tokens = app.login_as(&public, "alice").await;
            let form = [("token", tokens.refresh.as_str()), ("client_id", "phone")];
            let response = match in_header {
                true => app.post_as(&public, "/revoke", &form[..1]).await,
                false => app.post("/revoke", &form).await,
            };
            assert_eq!(response.status(), 200);
            assert_dead(&app, &tokens).await;
        }
    }

    async fn a37_without_a_default_client_a_request_must_name_its_client(database: TestDatabase) {
        let app = App::start_with(&database, |options| {
            options.settings.issuer = Issuer::parse("https://auth.example.com").expect("an issuer");
        })
        .await;
        error(app.post("/revoke", &[("token", "garbage")]).await, 401, "invalid_client").await;
    }

    async fn a38_garbage_and_unknown_and_expired_tokens_are_a_success(database: TestDatabase) {
        let app = app_with_alice(&database).await;
        let tokens = app.login("alice").await;
        let (head, signature) = tokens.access.rsplit_once('.').expect("three parts");
        let foreign = format!("{head}.{}", "A".repeat(signature.len()));
        let unknown = format!("{}AAAA", &tokens.refresh[..78]);
        for token in ["garbage", "a.b.c", "..", "ü", &foreign, &unknown, &"x".repeat(20_000)] {
            assert_eq!(app.post("/revoke", &[("token", token)]).await.status(), 200, "{token}");
        }
        assert_eq!(app.me(&tokens.access).await, 200);
        for _ in 0..2 {
            assert_eq!(app.post("/revoke", &[("token", &tokens.access)]).await.status(), 200);
        }
        app.advance(days(15)).await;
        for token in [&tokens.access, &tokens.refresh] {
            assert_eq!(app.post("/revoke", &[("token", token)]).await.status(), 200);
        }
    }

    async fn a38_the_response_is_always_the_same_and_may_not_be_cached(database: TestDatabase) {
        let app = app_with_alice(&database).await;
        let tokens = app.login("alice").await;
        let mut bodies = Vec::new();
        for token in ["garbage", &tokens.refresh, &tokens.refresh] {
            let response = app.post("/revoke", &[("token", token)]).await;
            assert_eq!(response.headers()["cache-control"], "no-store");
            bodies.push(response.text().await.expect("a text"));
        }
        assert_eq!(bodies, ["{}", "{}", "{}"], "the response does not disclose whether there was such a token");
    }

    async fn a39_another_clients_token_is_refused_and_lives_on(database: TestDatabase) {
        let app = app_with_alice(&database).await;
        let (owner, other) = (jobs_client(&app, "owner").await, jobs_client(&app, "other").await);
        let tokens = app.login_as(&owner, "alice").await;
        let own = own_token(&app, &owner).await;
        for token in [&tokens.access, &tokens.refresh, &own.access] {
            error(app.post_as(&other, "/revoke", &[("token", token)]).await, 400, "invalid_grant").await;
            error(app.post("/revoke", &[("token", token)]).await, 400, "invalid_grant").await;
        }
        assert_eq!(app.me(&tokens.access).await, 200);
        assert_eq!(app.me(&own.access).await, 200);
        assert_eq!(refresh_as(&app, &owner, &tokens.refresh).await.status(), 200);
        assert_eq!(database.store().await.head().await.expect("the database answers").number, 0);
    }

    async fn a40_a_wrong_hint_still_revokes(database: TestDatabase) {
        let app = app_with_alice(&database).await;
        for of_access in [true, false] {
            let tokens = app.login("alice").await;
            let (token, hint) = match of_access {
                true => (&tokens.access, "refresh_token"),
                false => (&tokens.refresh, "access_token"),
            };
            let form = [("token", token.as_str()), ("token_type_hint", hint)];
            assert_eq!(app.post("/revoke", &form).await.status(), 200);
            assert_eq!(app.me(&tokens.access).await, 401, "{hint}");
            assert_eq!(app.refresh(&tokens.refresh).await.status() == 200, of_access, "{hint}");
        }
    }

    async fn a41_an_unknown_hint_is_ignored(database: TestDatabase) {
        let app = app_with_alice(&database).await;
        for hint in ["", "id_token", "saml2", "☃", "access_token refresh_token"] {
            let tokens = app.login("alice").await;
            let form = [("token", tokens.refresh.as_str()), ("token_type_hint", hint)];
            assert_eq!(app.post("/revoke", &form).await.status(), 200, "{hint}");
            assert_dead(&app, &tokens).await;
        }
    }

    async fn a42_a_revoked_refresh_token_revokes_every_access_token_of_its_session(database: TestDatabase) {
        let app = app_with_alice(&database).await;
        let api = app.add_client("api", |new| new.serves = vec![ficha_testing::ISSUER.into()]).await;
        let bystander = app.login("alice").await;
        let first = app.login("alice").await;
        let second = refreshed(&app, &first.refresh).await;
        let third = refreshed(&app, &second.refresh).await;
        // Each was used, and so is in the cache of verified tokens.
        for tokens in [&first, &second, &third] {
            assert_eq!(app.me(&tokens.access).await, 200);
            assert_eq!(introspect(&app, &api, &tokens.access).await["active"], true);
        }
        assert_eq!(app.post("/revoke", &[("token", &third.refresh)]).await.status(), 200);
        for tokens in [&first, &second, &third] {
            assert_dead(&app, tokens).await;
            assert_eq!(introspect(&app, &api, &tokens.access).await, serde_json::json!({ "active": false }));
        }
        assert_eq!(app.me(&bystander.access).await, 200);
        refreshed(&app, &bystander.refresh).await;
        let events = events(&database, "session.revoked").await;
        assert_eq!(events[0].user_id, Some(subject(&first.access)));
        assert_eq!(events[0].session_id, Some(sid(&first.access)));
        assert_eq!(events[0].address.as_deref(), Some("127.0.0.1"));
    }

    async fn a42_an_older_refresh_token_of_the_session_ends_it_too(database: TestDatabase) {
        let app = app_with_alice(&database).await;
        let first = app.login("alice").await;
        let second = refreshed(&app, &first.refresh).await;
        assert_eq!(app.post("/revoke", &[("token", &first.refresh)]).await.status(), 200);
        assert_dead(&app, &second).await;
    }

    async fn a_revoked_access_token_ends_alone(database: TestDatabase) {
        let app = app_with_alice(&database).await;
        let first = app.login("alice").await;
        let second = refreshed(&app, &first.refresh).await;
        assert_eq!(app.post("/revoke", &[("token", &first.access)]).await.status(), 200);
        assert_eq!(app.me(&first.access).await, 401);
        assert_eq!(app.me(&second.access).await, 200);
        refreshed(&app, &second.refresh).await;
        let events = events(&database, "token.revoked").await;
        assert_eq!(events[0].user_id, Some(subject(&first.access)));
        assert_eq!(events[0].client_id.as_deref(), Some("first-party"));
    }

    // The grace does not bring back a session that was revoked.
    async fn a_revoked_session_rejects_a_retry(database: TestDatabase) {
        let app = app_with_alice(&database).await;
        let first = app.login("alice").await;
        let second = refreshed(&app, &first.refresh).await;
        assert_eq!(app.post("/revoke", &[("token", &second.refresh)]).await.status(), 200);
        error(app.refresh(&first.refresh).await, 400, "invalid_grant").await;
        assert_eq!(metric(&app, "ficha_refresh_retries_total").await, 0);
        assert_eq!(metric(&app, "ficha_refresh_replays_total").await, 0, "nor does that count as a replay");
    }

    async fn the_twin_of_a_revoked_token_is_refused(database: TestDatabase) {
        let app = app_with_alice(&database).await;
        let client = jobs_client(&app, "app").await;
        let tokens = app.login_as(&client, "alice").await;
        let twin = twin(&tokens.access);
        assert_ne!(twin, tokens.access);
        assert_eq!(app.me(&twin).await, 200, "its signature is valid: only the ids show that it is the same token");
        assert_eq!(app.post_as(&client, "/revoke", &[("token", &tokens.access)]).await.status(), 200);
        assert_eq!(app.me(&twin).await, 401);
        assert_eq!(introspect(&app, &client, &twin).await, serde_json::json!({ "active": false }));
        // And the other way round.
        let tokens = app.login_as(&client, "alice").await;
        let twin = crate::support::twin(&tokens.access);
        assert_eq!(app.post_as(&client, "/revoke", &[("token", &twin)]).await.status(), 200);
        assert_eq!(app.me(&tokens.access).await, 401);
    }

    async fn a43_no_token_is_an_invalid_request(database: TestDatabase) {
        let app = app_with_alice(&database).await;
        error(app.post("/revoke", &[]).await, 400, "invalid_request").await;
        error(app.post("/revoke", &[("token", "")]).await, 400, "invalid_request").await;
        error(app.post("/revoke", &[("token", "a"), ("token", "b")]).await, 400, "invalid_request").await;
        let tokens = app.login("alice").await;
        error(app.post(&format!("/revoke?token={}", tokens.access), &[]).await, 400, "invalid_request").await;
        assert_eq!(app.me(&tokens.access).await, 200);
    }

    async fn a44_if_storage_fails_it_is_503_and_nothing_has_changed(database: TestDatabase) {
        let app = app_with_alice(&database).await;
        let tokens = app.login("alice").await;
        let raw = database.raw().await;
        for (table, revoked) in [("denylist_head", vec![&tokens.refresh, &tokens.access]), ("sessions", vec![&tokens.refresh])] {
            raw.take_away(table).await;
            for token in revoked {
                let response = app.post("/revoke", &[("token", token)]).await;
                assert_unavailable(&response);
                error(response, 503, "temporarily_unavailable").await;
            }
            let logout = app.http.post(app.url("/logout")).bearer_auth(&tokens.access).send().await;
            assert_unavailable(&logout.expect("an answer"));
            raw.give_back(table).await;
            let session = row(&database, sid(&tokens.access)).await;
            assert_eq!(session.revoked, None, "half a revocation would never reach the resource servers: {table}");
            assert_eq!(app.me(&tokens.access).await, 200);
        }
        let renewed = refreshed(&app, &tokens.refresh).await;
        assert_eq!(app.post("/revoke", &[("token", &renewed.refresh)]).await.status(), 200);
        assert_dead(&app, &renewed).await;
        assert_eq!(app.me(&tokens.access).await, 401);
    }

    async fn a45_any_method_but_post_is_405(database: TestDatabase) {
        let app = app_with_alice(&database).await;
        let tokens = app.login("alice").await;
        for method in [Method::GET, Method::PUT, Method::DELETE, Method::PATCH] {
            let url = app.url(&format!("/revoke?token={}", tokens.access));
            let response = app.http.request(method.clone(), url).send().await.expect("an answer");
            assert_eq!(response.status(), 405, "{method}");
            assert_eq!(response.headers()["allow"], "POST");
        }
        assert_eq!(app.me(&tokens.access).await, 200);
    }
}
