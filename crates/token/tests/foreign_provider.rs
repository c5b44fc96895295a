//! A program that has installed another jsonwebtoken provider before us. The test needs a process of its own.

use ficha_token::{Algorithm, SigningKey, Unverified};
use jsonwebtoken::crypto::aws_lc;

#[expect(dead_code, clippy::unwrap_used, reason = "helpers shared with the other tests, of which few are needed here")]
#[path = "token/support.rs"]
mod support;

#[test]
fn every_algorithm_works_with_a_provider_that_is_already_installed() {
    aws_lc::DEFAULT_PROVIDER.install_default().unwrap();
    ficha_token::install_provider();
    let keys =
        [Algorithm::ES256, Algorithm::ES384, Algorithm::ES512, Algorithm::EdDSA, Algorithm::RS256, Algorithm::PS384]
            .map(|algorithm| SigningKey::generate(algorithm).unwrap());
    let secret = SigningKey::from_secret(&[7; 32], "k".into()).unwrap();
    for key in keys.iter().chain([&secret]) {
        let token = key.sign(&support::claims()).unwrap();
        let read = Unverified::parse(&token).unwrap().verify_signature(&key.verifying_key());
        assert_eq!(read, Ok(support::claims()), "{}", key.algorithm());
    }
}
