//! Access tokens as an independent service sees them: verified with only the published keys.

use std::collections::HashSet;

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ED25519, RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents, UnparsedPublicKey,
};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ficha_authority::SigningSettings;
use ficha_store::testing::TestDatabase;
use ficha_token::Algorithm;
use jsonwebtoken::{DecodingKey, Validation};
use serde_json::Value;

use ficha_testing::{App, ISSUER, PASSWORD, Tokens, claims, part};

pub const ALGORITHMS: [Algorithm; 3] = [Algorithm::ES256, Algorithm::EdDSA, Algorithm::RS256];

/// A new server that signs with this algorithm.
pub async fn signing_by(database: &TestDatabase, algorithm: Algorithm) -> App {
    App::start_with(database, |options| {
        options.settings.signing = SigningSettings::KeyPair { algorithm, rotate_after: None };
    })
    .await
}

pub async fn key_set(app: &App) -> Value {
    app.get("/.well-known/jwks.json").await.json().await.expect("it is JSON")
}

/// The key that a token names.
fn key_of<'k>(token: &str, keys: &'k Value) -> &'k Value {
    let kid = part(token, 0)["kid"].clone();
    let found = keys["keys"].as_array().expect("a set").iter().find(|key| key["kid"] == kid);
    found.expect("the key of the token is published")
}

/// Verifies a signature with aws-lc alone, and returns the claims.
pub fn verify(token: &str, keys: &Value) -> Result<Value, aws_lc_rs::error::Unspecified> {
    let jwk = key_of(token, keys);
    let bytes = |text: &str| URL_SAFE_NO_PAD.decode(text).expect("base64url");
    let member = |name: &str| bytes(jwk[name].as_str().expect("the member is there"));
    let (message, signature) = token.rsplit_once('.').expect("a token has three parts");
    let (message, signature) = (message.as_bytes(), bytes(signature));
    match jwk["alg"].as_str().expect("an algorithm") {
        "ES256" => {
            let point = [&[4][..], &member("x"), &member("y")].concat();
            UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point).verify(message, &signature)
        }
        "EdDSA" => UnparsedPublicKey::new(&ED25519, member("x")).verify(message, &signature),
        "RS256" => RsaPublicKeyComponents { n: member("n"), e: member("e") }.verify(
            &RSA_PKCS1_2048_8192_SHA256,
            message,
            &signature,
        ),
        other => panic!("{other} is not one of ours"),
    }
    .map(|()| claims(token))
}

/// Decodes a token as a service with jsonwebtoken would.
fn decode(token: &str, keys: &Value, audience: &str) -> jsonwebtoken::errors::Result<Value> {
    let jwk: jsonwebtoken::jwk::Jwk = serde_json::from_value(key_of(token, keys).clone())?;
    let algorithm = key_of(token, keys)["alg"].as_str().expect("an algorithm").parse()?;
    let mut validation = Validation::new(algorithm);
    validation.set_audience(&[audience]);
    validation.set_issuer(&[ISSUER]);
    validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
    Ok(jsonwebtoken::decode::<Value>(token, &DecodingKey::from_jwk(&jwk)?, &validation)?.claims)
}

/// The token with one bit of its claims flipped.
fn tampered(token: &str) -> String {
    let parts: Vec<&str> = token.split('.').collect();
    let mut bytes = URL_SAFE_NO_PAD.decode(parts[1]).expect("base64url");
    let at = bytes.windows(5).position(|five| five == b"\"exp\"").expect("exp is there") + 6;
    bytes[at] ^= 1;
    format!("{}.{}.{}", parts[0], URL_SAFE_NO_PAD.encode(bytes), parts[2])
}

ficha_store::on_both_databases! {
    async fn a63_the_header_says_at_jwt_and_names_algorithm_and_key(database: TestDatabase) {
        let app = App::start(&database).await;
        app.add_user("alice", "").await;
        let client = app.add_client("app", |_| ()).await;
        let own = Tokens::of(app.post_as(&client, "/token", &[("grant_type", "client_credentials")]).await).await;
        let tokens = app.login("alice").await;
        let refreshed = Tokens::of(app.refresh(&tokens.refresh).await).await;
        for token in [&own.access, &tokens.access, &refreshed.access] {
            let header = part(token, 0);
            let members: HashSet<&str> = header.as_object().expect("an object").keys().map(String::as_str).collect();
            assert_eq!(members, HashSet::from(["typ", "alg", "kid"]));
            assert_eq!((&header["typ"], &header["alg"]), (&"at+jwt".into(), &"ES256".into()));
        }
    }

    async fn a64_a65_the_claims_of_rfc_9068_are_there(database: TestDatabase) {
        let app = App::start(&database).await;
        let id = app.add_user("alice", "notes:read notes:write").await;
        let client = app.add_client("app", |new| new.audience = Some("https://notes.example".into())).await;
        let form = [("grant_type", "password"), ("username", "alice"), ("password", PASSWORD), ("scope", "notes:read")];
        let tokens = Tokens::of(app.post_as(&client, "/token", &form).await).await;
        let now = ficha_token::Clock::unix_now(&*app.clock);
        let claims = tokens.claims();
        assert_eq!(claims["iss"], ISSUER);
        assert_eq!(claims["aud"], "https://notes.example");
        assert_eq!(claims["sub"], id.to_string());
        assert_eq!(claims["client_id"], "app");
        assert_eq!(claims["scope"], "notes:read");
        assert_eq!((&claims["iat"], &claims["exp"], &claims["auth_time"]), (&now.into(), &(now + 600).into(), &now.into()));
        assert_eq!(tokens.body["expires_in"], 600);
        let uuid = |name: &str| claims[name].as_str().and_then(|text| text.parse::<uuid::Uuid>().ok());
        assert!(uuid("jti").is_some() && uuid("sid").is_some(), "{claims}");
        assert_ne!(claims["jti"], app.login_as(&client, "alice").await.claims()["jti"]);
        // RFC 9068 §2.2.3.1: omitted if there are none.
        assert_eq!(claims.get("roles"), None);

        app.advance(std::time::Duration::from_secs(100)).await;
        let form = [("grant_type", "refresh_token"), ("refresh_token", tokens.refresh.as_str())];
        let refreshed = Tokens::of(app.post_as(&client, "/token", &form).await).await.claims();
        assert_eq!((&refreshed["sid"], &refreshed["auth_time"]), (&claims["sid"], &claims["auth_time"]));
        assert_eq!((&refreshed["iat"], &refreshed["exp"]), (&(now + 100).into(), &(now + 700).into()));
        assert_ne!(refreshed["jti"], claims["jti"]);
    }

    async fn a66_tokens_of_every_algorithm_can_be_verified_from_the_published_keys_alone(database: TestDatabase) {
        for algorithm in ALGORITHMS {
            let database = database.another_empty().await;
            database.store().await.migrate().await.expect("an empty database can be migrated");
            let app = signing_by(&database, algorithm).await;
            app.add_user("alice", "notes:read").await;
            let token = app.login("alice").await.access;
            let keys = key_set(&app).await;
            assert_eq!(part(&token, 0)["alg"], algorithm.as_str());
            assert_eq!(app.me(&token).await, 200);

            assert_eq!(verify(&token, &keys).expect("aws-lc accepts it")["scope"], "notes:read", "{algorithm}");
            assert_eq!(decode(&token, &keys, ISSUER).expect("jsonwebtoken accepts it")["scope"], "notes:read");
            assert!(decode(&token, &keys, "https://elsewhere.example").is_err(), "{algorithm}");
            let forged = tampered(&token);
            assert!(verify(&forged, &keys).is_err() && decode(&forged, &keys, ISSUER).is_err(), "{algorithm}");
            assert_eq!(app.me(&forged).await, 401);
        }
    }

    async fn a68_no_clients_sub_equals_a_users(database: TestDatabase) {
        let app = App::start(&database).await;
        let alice = app.add_user("alice", "").await;
        // A client whose id is the user's `sub`, and a user whose name is the client's id.
        let client = app.add_client(&alice.to_string(), |_| ()).await;
        let named = app.add_client("bob", |_| ()).await;
        let bob = app.add_user("bob", "").await;
        let own = async |client| {
            Tokens::of(app.post_as(client, "/token", &[("grant_type", "client_credentials")]).await).await
        };
        let users = [alice, bob].map(|id| id.to_string());
        for client in [&client, &named] {
            let tokens = own(client).await;
            let sub = tokens.claims()["sub"].as_str().expect("a sub").to_owned();
            assert!(!users.contains(&sub), "{sub}");
            assert!(sub.parse::<uuid::Uuid>().is_ok(), "it is generated, not chosen: {sub}");
            assert_eq!(own(client).await.claims()["sub"], sub.as_str(), "a client keeps its sub");
            let me: Value = app.get_with("/users/me", &tokens.access).await.json().await.expect("it is JSON");
            assert_eq!((me.get("username"), &me["client_id"]), (None, &client.id.as_str().into()));
        }
    }
}
