//! Cases that no example covers.

use std::sync::LazyLock;

use ficha_token::{Algorithm, JwkSet, SigningKey, Unverified};
use proptest::prelude::*;

use crate::support::*;

static KEYS: LazyLock<Vec<(SigningKey, String)>> = LazyLock::new(|| {
    let keys = [
        SigningKey::generate(Algorithm::ES256),
        SigningKey::generate(Algorithm::EdDSA),
        SigningKey::generate(Algorithm::RS256),
        SigningKey::from_secret(&[7; 32], "k".into()),
    ];
    keys.into_iter()
        .map(|key| {
            let key = key.unwrap();
            let token = key.sign(&claims()).unwrap();
            (key, token)
        })
        .collect()
});

/// True if the token is refused, or has our claims and is denied by the same ids.
fn refused_or_equal(key: &SigningKey, token: &str) -> bool {
    let Ok(unverified) = Unverified::parse(token) else { return true };
    match unverified.verify_signature(&key.verifying_key()) {
        Ok(read) => read == claims() && read.deny_ids(unverified.kid()) == claims().deny_ids(key.kid()),
        Err(_) => true,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn a_changed_character_is_refused_or_changes_nothing(
        which in 0..4_usize, place in any::<prop::sample::Index>(), with in "[A-Za-z0-9_.=+/ -]|\\PC"
    ) {
        let (key, token) = &KEYS[which];
        let place = place.index(token.len());
        let changed = format!("{}{with}{}", &token[..place], &token[place + 1..]);
        prop_assert!(refused_or_equal(key, &changed));
        if changed != *token && key.algorithm() != Algorithm::ES256 {
            let refused = Unverified::parse(&changed).and_then(|it| it.verify_signature(&key.verifying_key())).is_err();
            prop_assert!(refused, "no other algorithm has two signatures for a text");
        }
    }

    #[test]
    fn an_extra_or_missing_character_is_refused(
        which in 0..4_usize, place in any::<prop::sample::Index>(), more in proptest::option::of("[A-Za-z0-9_.=-]")
    ) {
        let (key, token) = &KEYS[which];
        let place = place.index(token.len());
        let changed = match more {
            Some(more) => format!("{}{more}{}", &token[..place], &token[place..]),
            None => format!("{}{}", &token[..place], &token[place + 1..]),
        };
        prop_assert!(Unverified::parse(&changed).and_then(|it| it.verify_signature(&key.verifying_key())).is_err());
    }

    #[test]
    fn no_text_makes_parsing_panic(text in any::<String>(), header in any::<String>(), payload in any::<String>()) {
        let _ = Unverified::parse(&text);
        let _ = verify(&forge(&header, &payload));
        let _ = JwkSet::parse(text.as_bytes());
    }

    #[test]
    fn no_claims_make_reading_panic(
        name in "iss|sub|aud|exp|iat|nbf|jti|client_id|scope|sid|auth_time|roles|x", text in any::<String>(),
        number in any::<f64>(), whole in any::<i64>()
    ) {
        for value in [text.into(), number.into(), whole.into(), serde_json::json!([whole])] {
            let _ = verify_payload(&with(payload(), &name, value));
        }
    }
}
