//! The published keys (RFC 7517, RFC 7638).

use std::collections::{BTreeMap, HashSet};
use std::time::Duration;

use aws_lc_rs::digest;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ficha_store::testing::TestDatabase;
use ficha_token::Algorithm;
use serde_json::Value;

use crate::tokens::{ALGORITHMS, key_set, signing_by, verify};
use ficha_testing::{App, part, tester};

/// An independent implementation of RFC 7638 §3.3: SHA-256 over the required members, sorted by name.
fn thumbprint(key: &Value) -> String {
    let required: &[&str] = match key["kty"].as_str() {
        Some("EC") => &["crv", "kty", "x", "y"],
        Some("OKP") => &["crv", "kty", "x"],
        Some("RSA") => &["e", "kty", "n"],
        other => panic!("{other:?} is not one of ours"),
    };
    let members: BTreeMap<&str, &Value> = required.iter().map(|name| (*name, &key[*name])).collect();
    let text = serde_json::to_string(&members).expect("a map can be written");
    URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, text.as_bytes()))
}

fn keys(set: &Value) -> &[Value] {
    set["keys"].as_array().expect("a key set")
}

async fn new_database(like: &TestDatabase) -> TestDatabase {
    let database = like.another_empty().await;
    database.store().await.migrate().await.expect("an empty database can be migrated");
    database
}

/// Rotates the key, which publishes another one.
async fn rotate(app: &App) -> String {
    let (kid, _) = app.admin.rotate_key(&tester()).await.expect("the key can be rotated");
    app.advance(Duration::ZERO).await;
    kid
}

ficha_store::on_both_databases! {
    async fn a60_the_key_set_contains_only_public_members(database: TestDatabase) {
        for algorithm in ALGORITHMS {
            let database = new_database(&database).await;
            let app = signing_by(&database, algorithm).await;
            let second = rotate(&app).await;
            let set = key_set(&app).await;
            assert_eq!(keys(&set).len(), 2, "the signing key and the next one");
            let kids: HashSet<&str> = keys(&set).iter().map(|key| key["kid"].as_str().expect("a kid")).collect();
            assert!(kids.len() == 2 && kids.contains(second.as_str()), "{set}");
            let (kty, public): (&str, &[&str]) = match algorithm {
                Algorithm::ES256 => ("EC", &["crv", "x", "y"]),
                Algorithm::EdDSA => ("OKP", &["crv", "x"]),
                _ => ("RSA", &["e", "n"]),
            };
            let allowed: HashSet<&str> = ["kty", "kid", "alg", "use"].iter().chain(public).copied().collect();
            for key in keys(&set) {
                let members: HashSet<&str> = key.as_object().expect("an object").keys().map(String::as_str).collect();
                // So none of d, p, q, dp, dq, qi and k.
                assert_eq!(members, allowed);
                assert_eq!(key["kty"], kty);
                assert_eq!((&key["alg"], &key["use"]), (&algorithm.as_str().into(), &"sig".into()));
            }
            if algorithm == Algorithm::RS256 {
                let modulus = keys(&set)[0]["n"].as_str().expect("a modulus");
                assert!(URL_SAFE_NO_PAD.decode(modulus).expect("base64url").len() >= 256, "RFC 7518 §3.3: 2048 bits");
            }
        }
    }

    async fn a61_a_kid_is_the_thumbprint_of_its_key(database: TestDatabase) {
        for algorithm in ALGORITHMS {
            let database = new_database(&database).await;
            let app = signing_by(&database, algorithm).await;
            app.add_user("alice", "").await;
            rotate(&app).await;
            let set = key_set(&app).await;
            for key in keys(&set) {
                assert_eq!(key["kid"], thumbprint(key), "{algorithm}");
            }
            let kid = part(&app.login("alice").await.access, 0)["kid"].clone();
            assert!(keys(&set).iter().any(|key| key["kid"] == kid), "{algorithm}");
        }
    }

    async fn a62_a_key_is_published_before_it_signs_and_until_its_last_token_has_expired(database: TestDatabase) {
        let app = App::start(&database).await;
        app.add_user("alice", "").await;
        let first = part(&app.login("alice").await.access, 0)["kid"].clone();
        let second = rotate(&app).await;
        let before = key_set(&app).await;
        // A client that cached the set just before the rotation has a new copy by the time the new key signs.
        app.advance(Duration::from_secs(ficha_authority::JWKS_MAX_AGE as u64)).await;
        let last = app.login("alice").await.access;
        assert_eq!(part(&last, 0)["kid"], first);
        app.advance(Duration::from_secs(31)).await;
        let token = app.login("alice").await.access;
        assert_eq!(part(&token, 0)["kid"], second.as_str());
        assert!(verify(&token, &before).is_ok(), "a set fetched right after the rotation verifies later tokens");
        // The last token of the old key is valid for 600 s, and the key stays published for that long.
        app.advance(Duration::from_secs(568)).await;
        assert_eq!(app.me(&last).await, 200);
        assert!(verify(&last, &key_set(&app).await).is_ok());
        app.advance(Duration::from_secs(3_600)).await;
        let set = key_set(&app).await;
        assert_eq!(keys(&set).iter().map(|key| key["kid"].clone()).collect::<Vec<_>>(), [second]);
    }
}
