//! Headers that contain a key, say where one is, or name an unknown one.

use std::net::{TcpListener, TcpStream};

use ficha_token::{Algorithm, SigningKey, TokenError};
use serde_json::{Value, json};

use crate::support::*;

/// A server that a verifier must never connect to.
struct Bait(TcpListener);

impl Bait {
    fn new() -> Self {
        Self(TcpListener::bind("127.0.0.1:0").unwrap())
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}/{path}", self.0.local_addr().unwrap())
    }

    /// Connections queue in order: if our own is the first to be accepted, there was none before it.
    fn assert_no_connection(&self) {
        let own = TcpStream::connect(self.0.local_addr().unwrap()).unwrap();
        let (_, first) = self.0.accept().unwrap();
        assert_eq!(first, own.local_addr().unwrap(), "the verifier connected");
    }
}

/// The attacker's token: signed with their key, with a header that makes a gullible verifier use that key.
fn attacker_token(header: &Value, attacker: &SigningKey) -> String {
    let text = format!("{}.{}", encode(header.to_string()), encode(claims_json().to_string()));
    // Signed over exactly this text, so that only the choice of the key decides whether it is accepted.
    let key = aws_lc_rs::signature::EcdsaKeyPair::from_pkcs8(
        &aws_lc_rs::signature::ECDSA_P256_SHA256_FIXED_SIGNING,
        attacker.to_pkcs8().unwrap(),
    );
    let signature = key.unwrap().sign(&aws_lc_rs::rand::SystemRandom::new(), text.as_bytes()).unwrap();
    format!("{text}.{}", encode(signature))
}

#[test]
fn a69_a_key_that_the_header_contains_or_points_to_is_not_used_or_fetched() {
    let service = Service::new();
    let bait = Bait::new();
    let attacker = SigningKey::generate(Algorithm::ES256).unwrap();
    let jwk = serde_json::to_value(attacker.public_jwk().unwrap()).unwrap();
    let certificate = rcgen::generate_simple_self_signed(["auth.example.com".to_owned()]).unwrap();
    let x5c = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, certificate.cert.der());
    for (name, value) in [
        ("jwk", jwk.clone()),
        ("jwk", json!({ "kty": "oct", "k": encode([0; 32]) })),
        ("jwk", json!(jwk.to_string())),
        ("jku", json!(bait.url("jwks.json"))),
        ("jku", json!(format!("{ISSUER}@{}", bait.0.local_addr().unwrap()))),
        ("jku", json!("file:///dev/zero")),
        ("x5u", json!(bait.url("chain.pem"))),
        ("x5c", json!([x5c])),
        ("x5t", json!(encode([7; 20]))),
        ("x5t#S256", json!(encode([7; 32]))),
        ("jwks", json!({ "keys": [jwk] })),
        ("iss", json!(bait.url(""))),
        ("issuer", json!(bait.url(""))),
    ] {
        let row = format!("{name}: {value}");
        // With the issuer's kid, with the attacker's own, and without a kid.
        let ours = with(header(), name, value);
        service.refuses(&row, &attacker_token(&ours, &attacker), TokenError::BadSignature);
        let theirs = with(ours.clone(), "kid", attacker.kid());
        service.refuses(&row, &attacker_token(&theirs, &attacker), TokenError::UnknownKey);
        let nameless = without(ours.clone(), "kid");
        service.refuses_before_lookup(
            &row,
            &attacker_token(&nameless, &attacker),
            TokenError::Malformed("it has no kid"),
        );
        // With a valid signature it is ignored, as RFC 7515 §4 requires.
        service.accepts(&row, &forge(ours.to_string(), claims_json().to_string()));
    }
    bait.assert_no_connection();
}

#[test]
fn an_issuer_in_the_claims_is_not_asked_for_its_keys() {
    let service = Service::new();
    let bait = Bait::new();
    let attacker = SigningKey::generate(Algorithm::ES256).unwrap();
    let mut claims = claims();
    claims.iss = bait.url("");
    service.refuses("iss", &attacker.sign(&claims).unwrap(), TokenError::UnknownKey);
    service.refuses("iss", &ES256.sign(&claims).unwrap(), TokenError::WrongIssuer);
    bait.assert_no_connection();
}

#[test]
fn a_kid_is_only_ever_compared() {
    let service = Service::new();
    let good = ES256.kid();
    let half = good.len() / 2;
    for kid in [
        "../../../../../../dev/null",
        "..\\..\\windows\\win.ini",
        "/proc/self/environ",
        "file:///etc/passwd",
        "http://127.0.0.1:1/key",
        "' OR '1'='1",
        "x' UNION SELECT 'AA' -- ",
        "\"; DROP TABLE keys; --",
        "$(id)",
        "`id`",
        "{{7*7}}",
        "%00",
        "%2e%2e%2f",
        "\0",
        "*",
        "0",
        "null",
        " ",
        "\u{feff}",
        "\u{202e}",
        "é",
        &format!("{good}\0"),
        &format!("\0{good}"),
        &format!("{good} "),
        &format!("{good}\n"),
        &format!("{good}/../{good}"),
        &format!("./{good}"),
        &good[..half],
        &good.to_ascii_uppercase(),
        &good.to_ascii_lowercase(),
        &"k".repeat(256),
    ] {
        service.refuses_header(kid, &with(header(), "kid", kid), TokenError::UnknownKey);
    }
    assert!(service.verifier.verify_now(&ES256.sign(&claims()).unwrap()).is_ok());
}

#[test]
fn a_kid_that_is_not_a_short_string_is_refused_before_the_key_lookup() {
    let service = Service::new();
    let malformed = TokenError::Malformed("its kid is not a string of 1 to 256 bytes");
    let good = ES256.kid();
    for (kid, error) in [
        (json!(null), malformed),
        (json!(""), malformed),
        (json!(0), malformed),
        (json!(true), malformed),
        (json!([good]), malformed),
        (json!({ "kid": good }), malformed),
        (json!("k".repeat(257)), malformed),
        (json!("é".repeat(129)), malformed),
        (json!("k".repeat(4 * 1024)), TokenError::Malformed("its header is too long")),
        (json!("k".repeat(1024 * 1024)), TokenError::TooLong),
        (json!("\0".repeat(1024 * 1024)), TokenError::TooLong),
    ] {
        let header = with(header(), "kid", kid);
        let token = forge(header.to_string(), claims_json().to_string());
        service.refuses_before_lookup("kid", &token, error);
    }
}
