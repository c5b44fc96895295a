//! Key rotation.

use ficha_authority::SigningSettings;
use ficha_store::testing::TestDatabase;
use ficha_token::Algorithm;
use serde_json::Value;

use crate::support::*;
use ficha_testing::{App, part, tester};

async fn published(app: &App) -> Vec<String> {
    let set: Value = app.get("/.well-known/jwks.json").await.json().await.expect("JSON");
    let keys = set["keys"].as_array().expect("a list").iter();
    keys.map(|key| key["kid"].as_str().expect("a kid").to_owned()).collect()
}

async fn signing_kid(app: &App) -> String {
    part(&app.login("alice").await.access, 0)["kid"].as_str().expect("a kid").to_owned()
}

ficha_store::on_both_databases! {
    async fn a62_a_key_is_published_before_it_signs_and_until_its_last_token_has_expired(database: TestDatabase) {
        let app = app_with_alice(&database).await;
        let other = app.another(&database).await;
        let old = signing_kid(&app).await;
        assert_eq!(published(&app).await, std::slice::from_ref(&old));
        let (new, _) = app.admin.rotate_key(&tester()).await.expect("a new key");
        assert_ne!(new, old);
        // Both servers load it by themselves, and keep signing with the old one.
        for server in [&app, &other] {
            eventually("the new key is published", async || published(server).await.contains(&new)).await;
            assert_eq!(published(server).await.len(), 2);
            assert_eq!(signing_kid(server).await, old);
        }
        assert!(app.admin.rotate_key(&tester()).await.is_err(), "a third key must wait for the second to sign");
        // Key sets are cached for 300 s, so every copy without the new key has expired when it starts to sign.
        advance_all(&[&app, &other], seconds(329)).await;
        let last = app.login("alice").await;
        assert_eq!(part(&last.access, 0)["kid"], old.as_str());
        advance_all(&[&app, &other], seconds(1)).await;
        for server in [&app, &other] {
            assert_eq!(signing_kid(server).await, new);
        }
        advance_all(&[&app, &other], seconds(598)).await;
        for server in [&app, &other] {
            assert_eq!(server.me(&last.access).await, 200);
            assert!(published(server).await.contains(&old), "its last token has not expired");
        }
        // After 60 s of leeway and another 60 s for clock differences, it is gone.
        advance_all(&[&app, &other], seconds(121)).await;
        for server in [&app, &other] {
            assert!(published(server).await.contains(&old));
        }
        advance_all(&[&app, &other], seconds(1)).await;
        for server in [&app, &other] {
            assert_eq!(published(server).await, std::slice::from_ref(&new));
        }
        assert_eq!(app.me(&app.login("alice").await.access).await, 200);
    }

    async fn a62_a_refresh_goes_on_over_a_rotation(database: TestDatabase) {
        let app = app_with_alice(&database).await;
        let first = app.login("alice").await;
        let (new, sign_from) = app.admin.rotate_key(&tester()).await.expect("a new key");
        assert_eq!(sign_from, number(&first.access, "iat") + 330);
        app.advance(seconds(330)).await;
        let second = refreshed(&app, &first.refresh).await;
        assert_eq!(part(&second.access, 0)["kid"], new.as_str());
        assert_eq!(app.me(&second.access).await, 200);
        assert_eq!(app.me(&first.access).await, 200);
    }

    async fn a62_a_key_that_is_old_enough_is_replaced_automatically(database: TestDatabase) {
        let app = App::start_with(&database, |options| {
            options.settings.signing =
                SigningSettings::KeyPair { algorithm: Algorithm::ES256, rotate_after: Some(days(30)) };
        })
        .await;
        app.add_user("alice", SCOPES).await;
        let old = signing_kid(&app).await;
        app.advance(days(30) - seconds(1)).await;
        app.authority.maintain_once(&mut None).await.expect("the database answers");
        assert_eq!(published(&app).await, std::slice::from_ref(&old));
        app.advance(seconds(1)).await;
        eventually("the next key is published", async || published(&app).await.len() == 2).await;
        assert_eq!(signing_kid(&app).await, old);
        app.advance(seconds(330)).await;
        assert_ne!(signing_kid(&app).await, old);
        // The new key is not old enough yet: nothing more happens.
        app.authority.maintain_once(&mut None).await.expect("the database answers");
        assert_eq!(published(&app).await.len(), 2);
    }
}
