//! A valid token, changed at every position.

use ficha_resource::VerifyError;
use ficha_token::SigningKey;

use crate::support::*;

/// What a character is replaced by, in addition to flipping each of its bits.
const OTHERS: [char; 10] = ['A', 'z', '0', '-', '_', '.', '=', ' ', '\n', 'é'];

/// At every position: the character changed, removed or doubled, another one added, and two neighbours swapped.
fn mutants(token: &str) -> Vec<String> {
    let mut mutants = Vec::new();
    for place in 0..token.len() {
        let (before, here, after) = (&token[..place], token.as_bytes()[place], &token[place + 1..]);
        // With the eighth bit it would not be valid text, which never reaches a verifier.
        let flipped = (0..7).map(|bit| char::from(here ^ 1 << bit));
        mutants.extend(flipped.chain(OTHERS).map(|other| format!("{before}{other}{after}")));
        mutants.push(format!("{before}{after}"));
        mutants.push(format!("{before}A{}", &token[place..]));
        mutants.push(format!("{before}{0}{0}{after}", char::from(here)));
        if let Some(next) = after.chars().next() {
            mutants.push(format!("{before}{next}{}{}", char::from(here), &after[1..]));
        }
    }
    mutants.retain(|mutant| mutant != token);
    mutants
}

#[test]
fn every_token_with_one_character_changed_is_refused() {
    for key in [&*ES256, &*EDDSA, &*RS256] {
        let service = Service::new();
        let token = key.sign(&claims()).unwrap();
        service.accepts("the token", &token);
        for mutant in mutants(&token) {
            let result = service.verifier.verify_now(&mutant).map(|verified| verified.claims.clone());
            assert!(matches!(result, Err(VerifyError::Invalid(_))), "{}: {mutant}", key.algorithm());
        }
        assert_eq!(service.verifier.stats().entries, 1, "only the token itself is cached");
    }
}

/// The only other accepted text of a token, the twin of its ECDSA signature, is denied together with it.
#[test]
fn every_accepted_variant_of_a_token_is_denied_with_it() {
    let service = Service::new();
    let claims = claims();
    let token = SigningKey::sign(&ES256, &claims).unwrap();
    let twin = crate::signatures::twin(&token);
    let texts = [vec![token.clone(), twin.clone()], mutants(&twin)].concat();
    let accepted: Vec<_> = texts.iter().filter(|text| service.verifier.verify_now(*text).is_ok()).collect();
    assert_eq!(accepted, [&token, &twin]);
    service.denied.deny(claims.jti);
    for text in accepted {
        assert_eq!(service.verifier.verify_now(text).unwrap_err(), VerifyError::Denied);
    }
}
