//! HS256: one secret that all services share, for small setups.

use aws_lc_rs::{digest, hmac};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use ficha_authority::{Purged, RevokeMatching, Secret, SigningSettings};
use ficha_store::testing::TestDatabase;
use serde_json::{Value, json};

use ficha_testing::{App, ISSUER, Options, PASSWORD, Tokens, claims, error, part, tester};

const SECRET: &str = "3f9a1d0c5b7e48261f0d9c8b7a6e5d4c3f9a1d0c5b7e48261f0d9c8b7a6e5d4c";

fn sharing(secret: &'static str) -> impl FnOnce(&mut Options) {
    move |options| options.settings.signing = SigningSettings::SharedSecret(Secret::new(secret))
}

fn kid(token: &str) -> String {
    part(token, 0)["kid"].as_str().expect("a kid").to_owned()
}

ficha_store::on_both_databases! {
    async fn tokens_signed_with_a_shared_secret_work_at_every_endpoint(database: TestDatabase) {
        let app = App::start_with(&database, sharing(SECRET)).await;
        app.add_user("alice", "notes:read").await;
        let client = app.add_client("app", |_| ()).await;
        let tokens = app.login_as(&client, "alice").await;
        let header = part(&tokens.access, 0);
        assert_eq!((&header["alg"], &header["typ"]), (&json!("HS256"), &json!("at+jwt")));
        assert_eq!(app.me(&tokens.access).await, 200);
        let form = [("token", tokens.access.as_str())];
        let seen: Value = app.post_as(&client, "/introspect", &form).await.json().await.expect("it is JSON");
        assert_eq!((&seen["active"], &seen["jti"]), (&json!(true), &tokens.claims()["jti"]));

        let refresh = [("grant_type", "refresh_token"), ("refresh_token", tokens.refresh.as_str())];
        let renewed = Tokens::of(app.post_as(&client, "/token", &refresh).await).await;
        assert_eq!(app.me(&renewed.access).await, 200);
        assert_eq!(app.post_as(&client, "/revoke", &form).await.status(), 200);
        assert_eq!(app.me(&tokens.access).await, 401);
        assert_eq!(app.me(&renewed.access).await, 200);
        let logout = app.http.post(app.url("/logout")).bearer_auth(&renewed.access).send().await.expect("an answer");
        assert_eq!(logout.status(), 204);
        assert_eq!(app.me(&renewed.access).await, 401);
        let refresh = [("grant_type", "refresh_token"), ("refresh_token", renewed.refresh.as_str())];
        error(app.post_as(&client, "/token", &refresh).await, 400, "invalid_grant").await;
    }

    async fn a60_a_shared_secret_is_in_no_key_set(database: TestDatabase) {
        let app = App::start_with(&database, sharing(SECRET)).await;
        let set: Value = app.get("/.well-known/jwks.json").await.json().await.expect("it is JSON");
        assert_eq!(set, json!({ "keys": [] }));
        // Nor is a key pair from before the shared secret, since it no longer signs.
        let database = database.another_empty().await;
        database.store().await.migrate().await.expect("an empty database can be migrated");
        let app = App::start(&database).await;
        let app = app.another_with(&database, sharing(SECRET)).await;
        let set: Value = app.get("/.well-known/jwks.json").await.json().await.expect("it is JSON");
        assert_eq!(set, json!({ "keys": [] }));
    }

    async fn only_holders_of_the_secret_can_verify(database: TestDatabase) {
        let app = App::start_with(&database, sharing(SECRET)).await;
        app.add_user("alice", "notes:read").await;
        let token = app.login("alice").await.access;
        let mut validation = jsonwebtoken::Validation::new(jsonwebtoken::Algorithm::HS256);
        validation.set_audience(&[ISSUER]);
        let decode = |secret: &str| {
            let key = jsonwebtoken::DecodingKey::from_secret(secret.as_bytes());
            jsonwebtoken::decode::<Value>(&token, &key, &validation).map(|data| data.claims)
        };
        assert_eq!(decode(SECRET).expect("the secret verifies"), claims(&token));
        assert!(decode(&SECRET.replace('3', "4")).is_err());
        // A token signed with a guessed secret is rejected here too.
        let (message, _) = token.rsplit_once('.').expect("a token has three parts");
        let sign = |secret: &str| {
            let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes()), message.as_bytes());
            format!("{message}.{}", URL_SAFE_NO_PAD.encode(tag))
        };
        assert_eq!((sign(SECRET), app.me(&sign(SECRET)).await.as_u16()), (token.clone(), 200));
        assert_eq!(app.me(&sign("guessed")).await, 401);
    }

    async fn the_kid_reveals_nothing_about_the_secret_and_stays_the_same(database: TestDatabase) {
        let app = App::start_with(&database, sharing(SECRET)).await;
        app.add_user("alice", "").await;
        let token = app.login("alice").await.access;
        let first = kid(&token);
        assert!(first.len() >= 16, "{first}");
        // What an attacker would compare it with: hashes of the secret, and its thumbprint as a key (RFC 7638).
        let key = URL_SAFE_NO_PAD.encode(SECRET);
        let thumbprint = format!(r#"{{"k":"{key}","kty":"oct"}}"#);
        for text in [SECRET, &thumbprint, &key] {
            for algorithm in [&digest::SHA256, &digest::SHA512, &digest::SHA1_FOR_LEGACY_USE_ONLY] {
                let hash = digest::digest(algorithm, text.as_bytes());
                let hex: String = hash.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
                for shown in [hex, URL_SAFE_NO_PAD.encode(hash), STANDARD_NO_PAD.encode(hash)] {
                    assert!(!shown.contains(&first) && !first.contains(&shown), "{first}");
                }
            }
            assert!(!text.contains(&first) && !first.contains(text), "{first}");
        }
        // Another server with the same secret, or this one after a restart, accepts its tokens.
        let again = app.another_with(&database, sharing(SECRET)).await;
        assert_eq!(kid(&again.login("alice").await.access), first);
        assert_eq!(again.me(&token).await, 200);
        let other = app.another_with(&database, sharing("another secret, also of more than 32 bytes")).await;
        assert_ne!(kid(&other.login("alice").await.access), first);
        assert_eq!(other.me(&token).await, 401);
    }

    async fn a59_what_a_shared_secret_server_advertises_exists(database: TestDatabase) {
        let app = App::start_with(&database, sharing(SECRET)).await;
        let body: Value =
            app.get("/.well-known/oauth-authorization-server").await.json().await.expect("it is JSON");
        assert_eq!(body["issuer"], ISSUER);
        for (member, value) in body.as_object().expect("an object") {
            let Some(path) = value.as_str().and_then(|url| url.strip_prefix(ISSUER)) else { continue };
            if member == "issuer" {
                continue;
            }
            let get = matches!(member.as_str(), "jwks_uri" | "denylist_endpoint" | "service_documentation");
            let status = if get { app.get(path).await.status() } else { app.post(path, &[]).await.status() };
            assert!(status != 404 && !status.is_server_error(), "{member} answers {status}");
        }
        assert_eq!(body["denylist_endpoint"], format!("{ISSUER}/denylist"));
    }

    async fn a_server_that_drops_its_shared_secret_signs_with_its_own_key(database: TestDatabase) {
        let app = App::start_with(&database, sharing(SECRET)).await;
        app.add_user("alice", "").await;
        let old = app.login("alice").await;
        let app = app.another(&database).await;
        let form = [("grant_type", "password"), ("username", "alice"), ("password", PASSWORD)];
        let new = Tokens::of(app.post("/token", &form).await).await;
        assert_eq!(part(&new.access, 0)["alg"], "ES256");
        assert_eq!(app.me(&new.access).await, 200);
        let keys = crate::tokens::key_set(&app).await;
        assert!(crate::tokens::verify(&new.access, &keys).is_ok());
        // Tokens signed with the secret are now invalid, but their sessions continue.
        assert_eq!(app.me(&old.access).await, 401);
        Tokens::of(app.refresh(&old.refresh).await).await;
    }

    /// Its tokens outlive the purge, unless somebody names the session, the user or the client.
    async fn what_names_a_session_that_a_purge_has_ended_denies_its_tokens(database: TestDatabase) {
        let app = App::start_with(&database, sharing(SECRET)).await;
        app.add_user("alice", "").await;
        app.add_user("bob", "").await;
        let mut tokens = Vec::new();
        for user in ["alice", "alice", "bob"] {
            tokens.push(app.login(user).await.access);
        }
        assert_eq!(app.admin.purge_keys(&tester()).await.expect("a purge"), Purged::AllButAccessTokens);
        let sid = |token: &str| claims(token)["sid"].as_str().expect("a sid").parse().expect("a UUID");
        let refused = async |token: &str| {
            app.authority.follow().await.expect("the database answers");
            app.me(token).await == 401
        };
        for token in &tokens {
            assert!(!refused(token).await);
        }
        let [first, second, third] = &tokens[..] else { unreachable!() };
        assert!(!app.admin.revoke_session(&tester(), sid(first)).await.expect("it is there"), "it had ended");
        assert!(refused(first).await && !refused(second).await);
        let named = RevokeMatching { ids: Some(vec![sid(second)]), expected: 1, ..RevokeMatching::default() };
        assert_eq!(app.admin.revoke_matching(&tester(), &named).await.expect("it is there").revoked, 0);
        assert!(refused(second).await && !refused(third).await);
        assert_eq!(app.admin.revoke_user(&tester(), "bob").await.expect("he is there"), 0);
        assert!(refused(third).await);
    }

    async fn a_purge_with_a_shared_secret_ends_every_session_and_new_logins_work(database: TestDatabase) {
        let pair = App::start(&database).await;
        pair.add_user("alice", "").await;
        let of_pair = pair.login("alice").await;
        let app = pair.another_with(&database, sharing(SECRET)).await;
        let old = app.login("alice").await;
        assert_eq!(app.me(&of_pair.access).await, 200, "an earlier key pair is valid until its tokens expire");
        assert_eq!(app.admin.purge_keys(&tester()).await.expect("a purge"), Purged::AllButAccessTokens);
        app.authority.follow().await.expect("the database answers");
        for tokens in [&old, &of_pair] {
            error(app.refresh(&tokens.refresh).await, 400, "invalid_grant").await;
        }
        assert_eq!(app.me(&of_pair.access).await, 401);
        // New tokens have the same kid, so it is not denied.
        assert_eq!(app.me(&old.access).await, 200);
        let new = app.login("alice").await;
        assert_eq!((kid(&new.access), app.me(&new.access).await.as_u16()), (kid(&old.access), 200));
        let new = Tokens::of(app.refresh(&new.refresh).await).await;
        // Only another secret invalidates the tokens already issued. Sessions from after the purge continue.
        let changed = app.another_with(&database, sharing("another secret, also of more than 32 bytes")).await;
        for tokens in [&old, &of_pair, &new] {
            assert_eq!(changed.me(&tokens.access).await, 401);
        }
        let renewed = Tokens::of(changed.refresh(&new.refresh).await).await;
        assert_eq!(changed.me(&renewed.access).await, 200);
        error(changed.refresh(&old.refresh).await, 400, "invalid_grant").await;
    }
}
