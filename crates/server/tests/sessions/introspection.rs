//! `POST /introspect` (RFC 7662).

use ficha_authority::ClientScopes;
use ficha_store::testing::TestDatabase;
use serde_json::{Value, json};

use crate::support::*;
use ficha_testing::{App, Client, Tokens, error, tester};

/// A resource server for `notes`.
async fn notes_api(app: &App) -> Client {
    app.add_client("notes-api", |new| new.serves = vec!["notes".into()]).await
}

/// A client whose tokens are for `notes`.
async fn notes_app(app: &App, id: &str) -> Client {
    app.add_client(id, |new| {
        new.audience = Some("notes".into());
        new.scopes = ClientScopes::Only("jobs:run notes:read notes:write".parse().expect("a scope"));
    })
    .await
}

ficha_store::on_both_databases! {
    async fn a46_only_a_confidential_client_introspects(database: TestDatabase) {
        let app = app_with_alice(&database).await;
        let client = notes_app(&app, "app").await;
        app.add_client("phone", |new| new.public = true).await;
        // Even if the token was issued to the caller itself.
        let (mine, phones) = (app.login("alice").await, {
            let phone = Client { id: "phone".into(), secret: String::new() };
            app.login_as(&phone, "alice").await
        });
        for token in [&mine.access, &mine.refresh, &phones.access, "garbage"] {
            let named = |id| [("token", token), ("client_id", id)];
            error(app.post("/introspect", &[("token", token)]).await, 401, "invalid_client").await;
            error(app.post("/introspect", &named("first-party")).await, 401, "invalid_client").await;
            error(app.post("/introspect", &named("phone")).await, 401, "invalid_client").await;
            for (id, secret) in [("phone", ""), ("first-party", ""), ("", ""), ("app", ""), ("app", "wrong")] {
                let caller = Client { id: id.into(), secret: secret.into() };
                error(app.post_as(&caller, "/introspect", &[("token", token)]).await, 401, "invalid_client").await;
            }
            let bearer = app.http.post(app.url("/introspect")).bearer_auth(&mine.access).form(&[("token", token)]);
            assert_eq!(bearer.send().await.expect("an answer").status(), 401);
        }
        let post = [("token", "garbage"), ("client_id", "app"), ("client_secret", client.secret.as_str())];
        assert_eq!(app.post("/introspect", &post).await.status(), 200);
    }

    async fn a47_an_inactive_response_says_nothing_else(database: TestDatabase) {
        let app = app_with_alice(&database).await;
        let client = notes_app(&app, "app").await;
        let stranger = app.login("alice").await;
        let (revoked, ended, old) =
            (app.login_as(&client, "alice").await, app.login_as(&client, "alice").await, app.login_as(&client, "alice").await);
        app.post_as(&client, "/revoke", &[("token", &revoked.access)]).await;
        app.post_as(&client, "/revoke", &[("token", &ended.refresh)]).await;
        let renewed = Tokens::of(refresh_as(&app, &client, &old.refresh).await).await;
        let mut forged = renewed.access.clone();
        forged.replace_range(forged.len() - 4.., "AAAA");
        let inactive = [
            "garbage", "a.b.c", &forged, &stranger.access, &stranger.refresh, &revoked.access, &ended.access,
            &ended.refresh, &old.refresh,
        ];
        for token in inactive {
            let response = app.post_as(&client, "/introspect", &[("token", token)]).await;
            assert_eq!(response.status(), 200);
            assert_eq!(response.headers()["content-type"], "application/json");
            assert_eq!(response.text().await.expect("a text"), r#"{"active":false}"#, "{token}");
        }
        assert_eq!(introspect(&app, &client, &renewed.access).await["active"], true);
        app.advance(seconds(600)).await;
        assert_eq!(introspect(&app, &client, &renewed.access).await, json!({ "active": false }), "expired");
        assert_eq!(introspect(&app, &client, &renewed.refresh).await["active"], true);
    }

    async fn a48_no_token_is_an_invalid_request(database: TestDatabase) {
        let app = app_with_alice(&database).await;
        let client = notes_app(&app, "app").await;
        error(app.post_as(&client, "/introspect", &[]).await, 400, "invalid_request").await;
        error(app.post_as(&client, "/introspect", &[("token", "")]).await, 400, "invalid_request").await;
        error(app.post_as(&client, "/introspect?token=garbage", &[]).await, 400, "invalid_request").await;
    }

    async fn a49_a_caller_sees_what_is_for_it_or_was_issued_to_it(database: TestDatabase) {
        let app = app_with_alice(&database).await;
        let api = notes_api(&app).await;
        let (owner, other) = (notes_app(&app, "owner").await, notes_app(&app, "other").await);
        let tokens = app.login_as(&owner, "alice").await;
        let elsewhere = app.login("alice").await;
        assert_eq!(tokens.claims()["aud"], "notes");
        assert_eq!(introspect(&app, &api, &tokens.access).await["active"], true, "it serves the audience");
        assert_eq!(introspect(&app, &owner, &tokens.access).await["active"], true, "it was issued to it");
        assert_eq!(introspect(&app, &other, &tokens.access).await, json!({ "active": false }));
        assert_eq!(introspect(&app, &api, &elsewhere.access).await, json!({ "active": false }));
        // Only its own client may see a refresh token.
        assert_eq!(introspect(&app, &owner, &tokens.refresh).await["active"], true);
        for caller in [&api, &other] {
            assert_eq!(introspect(&app, caller, &tokens.refresh).await, json!({ "active": false }));
        }
    }

    async fn a51_no_response_may_be_cached(database: TestDatabase) {
        let app = app_with_alice(&database).await;
        let client = notes_app(&app, "app").await;
        let tokens = app.login_as(&client, "alice").await;
        for token in [tokens.access.as_str(), "garbage", ""] {
            let response = app.post_as(&client, "/introspect", &[("token", token)]).await;
            assert_eq!(response.headers()["cache-control"], "no-store", "{token}");
            assert_eq!(response.headers()["pragma"], "no-cache", "{token}");
        }
        let refused = app.post("/introspect", &[("token", &tokens.access)]).await;
        assert_eq!(refused.headers()["cache-control"], "no-store");
    }

    async fn a52_every_member_agrees_with_the_tokens_own_claims(database: TestDatabase) {
        let app = app_with_alice(&database).await;
        let api = notes_api(&app).await;
        let client = notes_app(&app, "app").await;
        let scopes = SCOPES.parse().expect("a scope");
        app.admin.set_user_rights(&tester(), "alice", &scopes, &["editor".into(), "reader".into()]).await.expect("done");
        let login = app.login_as(&client, "alice").await;
        app.advance(seconds(45)).await;
        let renewed = Tokens::of(refresh_as(&app, &client, &login.refresh).await).await;
        let own = own_token(&app, &client).await;
        for tokens in [&login, &renewed, &own] {
            let claims = tokens.claims();
            let mut answer = introspect(&app, &api, &tokens.access).await;
            let said = answer.as_object_mut().expect("an object");
            assert_eq!(said.remove("active"), Some(Value::Bool(true)));
            assert_eq!(said.remove("token_type"), Some(json!("Bearer")));
            assert_eq!(answer, claims);
            assert_eq!(tokens.body["expires_in"].as_i64(), claims["exp"].as_i64().zip(claims["iat"].as_i64()).map(|(exp, iat)| exp - iat));
        }
        assert_eq!(login.claims()["roles"], json!(["editor", "reader"]));
        assert_eq!(own.claims().get("roles"), None);
    }

    async fn a52_a_refresh_token_is_described_by_its_session(database: TestDatabase) {
        let app = app_with_alice(&database).await;
        let client = notes_app(&app, "app").await;
        let tokens = app.login_as(&client, "alice").await;
        let answer = introspect(&app, &client, &tokens.refresh).await;
        let session = row(&database, sid(&tokens.access)).await;
        let claims = tokens.claims();
        for member in ["iss", "sub", "sid", "client_id", "scope", "auth_time"] {
            assert_eq!(answer[member], claims[member], "{member}");
        }
        assert_eq!(answer["exp"], session.idle_expires_at);
        assert_eq!(answer.get("token_type"), None, "it is not a bearer token");
        assert_eq!(answer.get("jti"), None);
    }
}
